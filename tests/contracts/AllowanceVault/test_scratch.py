import time
import brownie
from brownie import reverts
from clock import *

def test_x(relief, vault, token):
    t=time.time()
    b = relief.batch([(p, 10**6) for p in relief.payees(500)])
    print("prep", time.time()-t); t=time.time()
    tx=relief.approve(b)
    print("approve", tx.gas_used, time.time()-t); t=time.time()
    tx=relief.execute(b)
    print("exec", tx.gas_used, tx.events.keys(), time.time()-t); t=time.time()
    with reverts(f"ChunkAlreadyExecuted: 0x{b.id.hex()}, 0"):
        relief.execute(b)
    print("reverted tx", time.time()-t); t=time.time()
    with reverts("NothingX"):
        relief.vault.executeChunk.call(b.id, 0, b.chunks[0], b.proof(0), {"from": relief.anyone})

def test_y(relief):
    t=time.time()
    for i in range(20):
        relief.freeze(relief.payees(1)[0])
    print("20 tx", time.time()-t); t=time.time()
    for i in range(20):
        relief.token.isFrozen(relief.payees(1)[0])
    print("20 call", time.time()-t); t=time.time()
    b = relief.open_streams([(p, 10**6) for p in relief.payees(10)])
    t0=now(); print(t0)
    next_transaction_at(b.approval["start"]+DAY)
    tx=relief.vault.withdraw(b.id, 3, {"from": relief.anyone})
    print(tx.timestamp - b.approval["start"], now()-b.approval["start"], tx.events)
    print(relief.vault.stream(b.id, 3))

def test_z(relief):
    print(now(), time.time())
    relief.freeze(relief.anyone)
    print(now(), time.time())
