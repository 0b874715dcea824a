"""Proofs from blocks in which much else happens, of chunks as large as they can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from service.audit.proofs.document import PaymentProof, read, write
from service.audit.proofs.making import Wanted, make
from service.audit.proofs.verify import verify
from service.audit.replay import no_progress
from service.audit.rpc import Node
from service.chain.devnode import DevNode, start_anvil
from service.errors import InvalidInput
from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries
from tests.audit.scenario import DAY_S, siblings_of
from tests.support.deployed import Deployed, account, deploy, send

COUNT, CHUNK = 620, 500
BATCH = keccak(text="a batch of two chunks in one block")
SENDERS = [account(f"somebody {number}") for number in range(20)]


def wallet(number: int) -> str:
    return "0x" + (10**20 + number).to_bytes(20, "big").hex()


def approve(deployed: Deployed, batch: bytes) -> list[bytes]:
    """Approve a batch of two chunks; returns the calls that run them."""
    payouts = [(wallet(number), 1_000 + number) for number in range(COUNT)]
    pieces = [pack_entries(payouts[:CHUNK]), pack_entries(payouts[CHUNK:])]
    leaves = [chunk_leaf(batch, index, piece) for index, piece in enumerate(pieces)]
    now = deployed.now()
    approval = {
        "programme": 1,
        "programmeVersion": 1,
        "batchId": batch,
        "maker": 1,
        "kind": 0,
        "regionCode": 51,
        "regionDigits": 2,
        "chunkSize": CHUNK,
        "chunksRoot": chunks_root(leaves),
        "manifestHash": bytes(31) + b"\1",
        "count": COUNT,
        "total": sum(amount for _, amount in payouts),
        "start": 0,
        "cliff": 0,
        "duration": 0,
        "cadence": 0,
        "executeBefore": now + DAY_S,
        "expiresAt": now + 100 * DAY_S,
    }
    signed = deployed.sign_batch(approval, maker=1, reviewers=[2])
    struct = deployed.approval_tuple(approval)
    deployed.send(deployed.deployer, "vault", "approveBatch", struct, signed)
    return [
        deployed.contracts.encode_call(
            "vault", "executeChunk", batch, index, piece, siblings_of(leaves, index)
        )
        for index, piece in enumerate(pieces)
    ]


@pytest.fixture(scope="module")
def chain(anvil: DevNode) -> Iterator[Deployed]:
    with start_anvil() as node:
        deployed = deploy(node)
        deployed.attest(10**12)
        deployed.create_programme(1, budget=10**12, payout_cap=10**9)
        yield deployed
        deployed.rpc.close()


@pytest.fixture(scope="module")
def crowded(chain: Deployed) -> Deployed:
    """Both chunks of a batch in one block, among twenty transactions of others."""
    calls, node, deployed = approve(chain, BATCH), chain.node, chain
    for sender in SENDERS:
        deployed.fund(sender.address)
    node.rpc("evm_setAutomine", False)
    for at, sender in enumerate(SENDERS):
        call = calls.pop(0) if at in (7, 18) else b""
        transaction: dict[str, Any] = {
            "nonce": 0,
            "gas": 16_000_000 if at == 7 else 5_000_000 if at == 18 else 21_000,
            "to": deployed.vault if call else sender.address,
            "data": call,
            "value": 0,
            "gasPrice": (100 - at) * 10**9,  # which orders them
            "chainId": node.chain_id,
        }
        raw = bytes(sender.sign_transaction(transaction).raw_transaction)
        node.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    node.rpc("evm_mine")
    node.rpc("evm_setAutomine", True)
    return deployed


def test_it_tells_how_far_it_is(crowded: Deployed) -> None:
    told: dict[str, list[tuple[int, int | None]]] = {}

    def progress(stage: str, done: int, total: int | None) -> None:
        told.setdefault(stage, []).append((done, total))

    with Node(crowded.node.rpc_url) as node:
        last = int(node.call("eth_blockNumber"), 16)
        make(node, bytes.fromhex(crowded.vault[2:]), Wanted(batch=BATCH, index=0), progress)
    assert list(told) == ["officers", "approvals", "payments", "blocks"]
    for stage, steps in told.items():
        assert steps == sorted(steps)
        done, total = steps[-1]
        assert done == total
        assert stage == "blocks" or total == last


def prove(deployed: Deployed, index: int, batch: bytes = BATCH) -> PaymentProof:
    with Node(deployed.node.rpc_url) as node:
        vault = bytes.fromhex(deployed.vault[2:])
        proof, verification = make(node, vault, Wanted(batch=batch, index=index), no_progress)
    assert verification.findings == []
    return proof


@pytest.mark.parametrize(("index", "position"), [(0, 7), (499, 7), (500, 18), (619, 18)])
def test_a_payout_in_a_crowded_block_is_proven_at_its_transactions_position(
    crowded: Deployed, index: int, position: int
) -> None:
    proof = prove(crowded, index)
    assert proof.inclusions[-1].position == position
    assert len(proof.inclusions[-1].receipt) == 3
    data = write(proof)
    verification = verify(read(data), {})
    assert verification.holds
    assert verification.claims["payee"] == wallet(index)
    assert verification.claims["paid_base_units"] == str(1_000 + index)
    assert len(data) < 400_000


def test_the_same_payout_gives_the_same_file_byte_for_byte(crowded: Deployed) -> None:
    assert write(prove(crowded, 123)) == write(prove(crowded, 123))


def created(deployed: Deployed, code: bytes) -> str:
    """Create a contract with some code as it is."""
    initial = b"\x61" + len(code).to_bytes(2, "big") + bytes.fromhex("80600a5f395ff3")
    receipt = send(deployed.rpc, deployed.deployer, None, initial + code)
    return str(to_checksum_address(receipt["contractAddress"]))


def run_by_a_stranger(deployed: Deployed, call: bytes) -> None:
    """Send a call that stands in a contract's code, and not in the transaction's input."""
    kept = created(deployed, call)
    # Copies the code at the address in the input, and calls the vault with it.
    vault = deployed.vault[2:].lower()
    relay = created(deployed, bytes.fromhex(f"5f35803b805f5f843c5f5f825f5f73{vault}5af100"))
    send(deployed.rpc, deployed.deployer, relay, bytes.fromhex(kept[2:].rjust(64, "0")))


def test_a_chunk_run_without_its_proof_is_proven_once_its_batch_is_complete(
    chain: Deployed,
) -> None:
    batch = keccak(text="a batch run by a stranger")
    calls = approve(chain, batch)
    run_by_a_stranger(chain, calls[0])
    with pytest.raises(InvalidInput, match="run through another contract"):
        prove(chain, 3, batch)
    run_by_a_stranger(chain, calls[1])
    for index in (3, 619):
        proof = prove(chain, index, batch)
        assert verify(read(write(proof)), {}).claims["payee"] == wallet(index)
