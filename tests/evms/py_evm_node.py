"""A development node on py-evm, which shares no code with anvil's EVM, under Prague's rules.

It takes anvil's command line and answers the methods that Brownie and the contracts' tests use, as
anvil does. Its clock stands still: a block is one second later than the one before, unless a test
says when.
"""

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from eth.abc import ComputationAPI, ReceiptAPI, SignedTransactionAPI, StateAPI
from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.exceptions import Revert
from eth.rlp.headers import BlockHeader
from eth.vm.chain_context import ChainContext
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth.vm.spoof import SpoofTransaction
from eth_keys.datatypes import PrivateKey
from eth_utils import ValidationError, to_checksum_address

ETHER = 10**18
METHOD_NOT_FOUND, INVALID_PARAMS, REFUSED, REVERTED = -32601, -32602, -32000, 3


class RpcError(Exception):
    """What the node answers instead of a result."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.answer = {"code": code, "message": message} | ({"data": data} if data else {})


@dataclass
class Mined:
    """A transaction of a block and what it did."""

    transaction: SignedTransactionAPI
    receipt: ReceiptAPI
    computation: ComputationAPI
    header: BlockHeader


@dataclass
class Block:
    """A block of at most one transaction; `root` is the state behind it, also after an edit."""

    header: BlockHeader
    root: bytes
    mined: Mined | None = None


@dataclass
class Chain:
    """Blocks, each with the state behind it, so that any can be the newest again."""

    chain_id: int
    gas_limit: int
    keys: dict[str, PrivateKey]
    blocks: list[Block] = field(default_factory=list)
    mined: dict[str, Mined] = field(default_factory=dict)
    snapshots: list[tuple[int, bytes, int | None]] = field(default_factory=list)
    next_timestamp: int | None = None

    def __post_init__(self) -> None:
        self.database = AtomicDB()
        first = self.open(int(time.time()))
        self.blocks.append(Block(first, BLANK_ROOT_HASH))
        for key in self.keys.values():
            self.edit(
                lambda state, key=key: state.set_balance(
                    key.public_key.to_canonical_address(), 10_000 * ETHER
                )
            )

    @property
    def newest(self) -> Block:
        """The block that the next one follows."""
        return self.blocks[-1]

    def open(self, timestamp: int, **executed: Any) -> BlockHeader:
        """A header behind the newest block's, without what only its execution tells."""
        known = {
            "difficulty": 0,
            "block_number": len(self.blocks),
            "gas_limit": self.gas_limit,
            "timestamp": timestamp,
            "parent_hash": self.newest.header.hash if self.blocks else bytes(32),
            "state_root": self.newest.root if self.blocks else BLANK_ROOT_HASH,
        }
        return PragueBlockHeader(**(known | executed))

    def state(self, header: BlockHeader, root: bytes) -> StateAPI:
        """The state `root` as a transaction in a block with this header meets it."""
        return PragueVM.build_state(
            self.database, header.copy(state_root=root), ChainContext(self.chain_id)
        )

    def take_timestamp(self) -> int:
        """Second of the next block: as a test set it, or one after the newest."""
        timestamp = self.next_timestamp or self.newest.header.timestamp + 1
        self.next_timestamp = None
        return timestamp

    def set_next_timestamp(self, timestamp: int) -> None:
        """Let the next block have this second."""
        if timestamp <= self.newest.header.timestamp:
            raise RpcError(INVALID_PARAMS, f"{timestamp} is not later than the newest block")
        self.next_timestamp = timestamp

    def mine(self) -> None:
        """Append an empty block."""
        self.blocks.append(Block(self.open(self.take_timestamp()), self.newest.root))

    def send(self, transaction: SignedTransactionAPI) -> str:
        """Run a signed transaction as the next block."""
        timestamp = self.next_timestamp
        header = self.open(self.take_timestamp())
        state = self.state(header, self.newest.root)
        try:
            computation = state.apply_transaction(transaction)
        except ValidationError as error:
            self.next_timestamp = timestamp
            raise RpcError(REFUSED, str(error)) from None
        receipt = PragueVM.make_receipt(header, transaction, computation, state)
        state.persist()
        header = header.copy(state_root=state.state_root, gas_used=receipt.gas_used)
        mined = Mined(transaction, receipt, computation, header)
        self.blocks.append(Block(header, state.state_root, mined))
        self.mined[hexed(transaction.hash)] = mined
        return hexed(transaction.hash)

    def call(self, block: Block, fields: dict[str, Any]) -> ComputationAPI:
        """Run a transaction on the state behind a block and forget what it did."""
        state = self.state(block.header, block.root)
        call = call_fields(fields)
        sender = call.pop("from")
        unsigned = PragueVM.create_unsigned_transaction(
            gas_price=0, nonce=state.get_nonce(sender), **call
        )
        try:
            return state.apply_transaction(SpoofTransaction(unsigned, from_=sender))
        except ValidationError as error:
            raise RpcError(REFUSED, str(error)) from None

    def edit(self, change: Callable[[StateAPI], None]) -> None:
        """Change the state behind the newest block by hand."""
        state = self.state(self.newest.header, self.newest.root)
        change(state)
        state.persist()
        self.newest.root = state.state_root

    def snapshot(self) -> int:
        """Remember the chain as it is."""
        self.snapshots.append((len(self.blocks), self.newest.root, self.next_timestamp))
        return len(self.snapshots)

    def revert(self, snapshot: int) -> bool:
        """Put the chain back; later snapshots are gone."""
        if not 1 <= snapshot <= len(self.snapshots):
            return False
        height, root, self.next_timestamp = self.snapshots[snapshot - 1]
        del self.snapshots[snapshot - 1 :]
        for block in self.blocks[height:]:
            if block.mined:
                del self.mined[hexed(block.mined.transaction.hash)]
        del self.blocks[height:]
        self.newest.root = root
        return True

    def at(self, tag: Any = "latest") -> Block:
        """The block that a block parameter names."""
        if isinstance(tag, dict):
            tag = tag.get("blockHash") or tag.get("blockNumber")
        if tag in ("latest", "pending", "safe", "finalized"):
            return self.newest
        if tag == "earliest":
            return self.blocks[0]
        if len(tag) == len("0x") + 64:
            found = [block for block in self.blocks if hexed(block.header.hash) == tag]
        else:
            found = self.blocks[int(tag, 16) :][:1]
        if not found:
            raise RpcError(REFUSED, f"no block {tag}")
        return found[0]


# ---- how values stand in JSON --------------------------------------------------------------------


def hexed(value: bytes) -> str:
    """Bytes."""
    return "0x" + bytes(value).hex()


def as_bytes(text: str) -> bytes:
    """Bytes from hex."""
    return bytes.fromhex(text.removeprefix("0x"))


def as_int(value: str | int) -> int:
    """A quantity, or a number as it is."""
    return int(value, 16) if isinstance(value, str) else value


def call_fields(fields: dict[str, Any]) -> dict[str, Any]:
    """A transaction's members as py-evm names them."""
    return {
        "from": as_bytes(fields.get("from") or "0x" + "00" * 20),
        "to": as_bytes(fields.get("to") or "0x"),
        "data": as_bytes(fields.get("data") or fields.get("input") or "0x"),
        "gas": as_int(fields.get("gas") or 16_000_000),
        "value": as_int(fields.get("value") or 0),
    }


def transaction_document(mined: Mined) -> dict[str, Any]:
    """A transaction."""
    transaction, header = mined.transaction, mined.header
    return {
        "hash": hexed(transaction.hash),
        "type": "0x0",
        "nonce": hex(transaction.nonce),
        "from": to_checksum_address(transaction.sender),
        "to": to_checksum_address(transaction.to) if transaction.to else None,
        "value": hex(transaction.value),
        "gas": hex(transaction.gas),
        "gasPrice": hex(transaction.gas_price),
        "input": hexed(transaction.data),
        "blockHash": hexed(header.hash),
        "blockNumber": hex(header.block_number),
        "transactionIndex": "0x0",
        "v": hex(transaction.v),
        "r": hex(transaction.r),
        "s": hex(transaction.s),
    }


def receipt_document(mined: Mined) -> dict[str, Any]:
    """A transaction's receipt."""
    transaction, receipt, header = mined.transaction, mined.receipt, mined.header
    place = {
        "transactionHash": hexed(transaction.hash),
        "transactionIndex": "0x0",
        "blockHash": hexed(header.hash),
        "blockNumber": hex(header.block_number),
    }
    created = None if transaction.to else mined.computation.msg.storage_address
    return {
        **place,
        "type": "0x0",
        "status": "0x0" if mined.computation.is_error else "0x1",
        "from": to_checksum_address(transaction.sender),
        "to": to_checksum_address(transaction.to) if transaction.to else None,
        "contractAddress": to_checksum_address(created) if created else None,
        "gasUsed": hex(receipt.gas_used),
        "cumulativeGasUsed": hex(receipt.gas_used),
        "effectiveGasPrice": hex(transaction.gas_price),
        "logsBloom": hexed(receipt.bloom.to_bytes(256, "big")),
        "logs": [
            {
                **place,
                "address": to_checksum_address(log.address),
                "topics": [hexed(topic.to_bytes(32, "big")) for topic in log.topics],
                "data": hexed(log.data),
                "logIndex": hex(index),
                "removed": False,
            }
            for index, log in enumerate(receipt.logs)
        ],
    }


def block_document(block: Block, *, whole: bool = False) -> dict[str, Any]:
    """A block."""
    header, mined = block.header, block.mined
    transactions = [mined] if mined else []
    return {
        "number": hex(header.block_number),
        "hash": hexed(header.hash),
        "parentHash": hexed(header.parent_hash),
        "timestamp": hex(header.timestamp),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "baseFeePerGas": hex(header.base_fee_per_gas),
        "stateRoot": hexed(header.state_root),
        "transactionsRoot": hexed(header.transaction_root),
        "receiptsRoot": hexed(header.receipt_root),
        "sha3Uncles": hexed(header.uncles_hash),
        "logsBloom": hexed(header.bloom.to_bytes(256, "big")),
        "miner": to_checksum_address(header.coinbase),
        "difficulty": hex(header.difficulty),
        "extraData": hexed(header.extra_data),
        "mixHash": hexed(header.mix_hash),
        "nonce": hexed(header.nonce),
        "size": "0x0",
        "uncles": [],
        "transactions": [
            transaction_document(one) if whole else hexed(one.transaction.hash)
            for one in transactions
        ],
    }


# ---- the methods ---------------------------------------------------------------------------------


def returned(computation: ComputationAPI) -> str:
    """What a call returned.

    Raises
    ------
    RpcError
        With what it reverted with.
    """
    if not computation.is_error:
        return hexed(computation.output)
    if isinstance(computation.error, Revert):
        raise RpcError(REVERTED, "execution reverted", hexed(computation.output))
    raise RpcError(REFUSED, f"EVM error {computation.error!r}", "0x")


def send(chain: Chain, fields: dict[str, Any]) -> str:
    """eth_sendTransaction, from one of the node's accounts."""
    key = chain.keys.get(to_checksum_address(fields["from"]))
    if key is None:
        raise RpcError(INVALID_PARAMS, f"{fields['from']} is not an account of this node")
    call = call_fields(fields)
    newest = chain.newest
    nonce = chain.state(newest.header, newest.root).get_nonce(call.pop("from"))
    unsigned = PragueVM.create_unsigned_transaction(
        gas_price=as_int(fields.get("gasPrice") or 0),
        nonce=as_int(fields.get("nonce", nonce)),
        **call,
    )
    return chain.send(unsigned.as_signed_transaction(key, chain_id=chain.chain_id))


def mined(chain: Chain, tx_hash: str, document: Callable[[Mined], Any]) -> Any:
    """A document of a transaction, or None."""
    found = chain.mined.get(tx_hash)
    return document(found) if found else None


def logs(chain: Chain, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """The logs of some addresses with some topics, in a range of blocks."""
    addresses = wanted.get("address")
    if isinstance(addresses, str):
        addresses = [addresses]
    first, last = (chain.at(wanted.get(end, "latest")) for end in ("fromBlock", "toBlock"))
    blocks = chain.blocks[first.header.block_number : last.header.block_number + 1]
    return [
        log
        for block in blocks
        if block.mined
        for log in receipt_document(block.mined)["logs"]
        if addresses is None or log["address"].lower() in {one.lower() for one in addresses}
        if all(
            topic is None or topic == there or there in topic
            for topic, there in zip(wanted.get("topics", []), log["topics"], strict=False)
        )
    ]


def trace(chain: Chain, tx_hash: str | None = None, _tracer: object = None) -> dict[str, Any]:
    """Of the tracers only what Brownie is given: what the outermost call returned."""
    if tx_hash not in chain.mined:
        raise RpcError(INVALID_PARAMS, f"no transaction {tx_hash}")
    return {"type": "CALL", "output": hexed(chain.mined[tx_hash].computation.output)}


def read(look: Callable[..., Any]) -> Callable[..., Any]:
    """A method that reads an account of the state behind a block."""

    def method(chain: Chain, address: str, *rest: Any) -> Any:
        *arguments, tag = rest or ["latest"]
        block = chain.at(tag)
        return look(chain.state(block.header, block.root), as_bytes(address), *arguments)

    return method


def mine(chain: Chain, timestamp: str | int | None = None) -> str:
    """Mine an empty block, at a second if one is given."""
    if timestamp is not None:
        chain.set_next_timestamp(as_int(timestamp))
    chain.mine()
    return "0x0"


def account_document(state: StateAPI, address: bytes, _slots: object) -> dict[str, Any]:
    """An account as a proof states it, without the proof."""
    account = state._account_db._get_account(address)
    return {
        "address": to_checksum_address(address),
        "balance": hex(account.balance),
        "nonce": hex(account.nonce),
        "codeHash": hexed(account.code_hash),
        "storageHash": hexed(account.storage_root),
    }


def set_code(chain: Chain, address: str, code: str) -> bool:
    """Put code at an address."""
    chain.edit(lambda state: state.set_code(as_bytes(address), as_bytes(code)))
    return True


def set_gas_limit(chain: Chain, limit: str) -> bool:
    """Gas limit of the blocks to come."""
    chain.gas_limit = as_int(limit)
    return True


METHODS: dict[str, Callable[..., Any]] = {
    "web3_clientVersion": lambda _: "py-evm/prague",
    "net_version": lambda chain: str(chain.chain_id),
    "eth_chainId": lambda chain: hex(chain.chain_id),
    "eth_accounts": lambda chain: list(chain.keys),
    "eth_gasPrice": lambda _: "0x0",
    "eth_blockNumber": lambda chain: hex(chain.newest.header.block_number),
    "eth_getBlockByNumber": lambda chain, tag, whole: block_document(chain.at(tag), whole=whole),
    "eth_getBlockByHash": lambda chain, tag, whole: block_document(chain.at(tag), whole=whole),
    "eth_getTransactionByHash": lambda chain, tx: mined(chain, tx, transaction_document),
    "eth_getTransactionReceipt": lambda chain, tx: mined(chain, tx, receipt_document),
    "eth_getLogs": logs,
    "eth_getBalance": read(lambda state, who: hex(state.get_balance(who))),
    "eth_getTransactionCount": read(lambda state, who: hex(state.get_nonce(who))),
    "eth_getCode": read(lambda state, who: hexed(state.get_code(who))),
    "eth_getProof": read(account_document),
    "eth_call": lambda chain, fields, tag="latest": returned(chain.call(chain.at(tag), fields)),
    "eth_sendTransaction": send,
    "debug_traceTransaction": trace,
    "evm_snapshot": lambda chain: hex(chain.snapshot()),
    "evm_revert": lambda chain, snapshot: chain.revert(as_int(snapshot)),
    "evm_mine": mine,
    "evm_setNextBlockTimestamp": lambda chain, at: chain.set_next_timestamp(as_int(at)),
    "evm_setBlockGasLimit": set_gas_limit,
    "hardhat_setCode": set_code,
}


def answer(chain: Chain, request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request."""
    head = {"jsonrpc": "2.0", "id": request.get("id")}
    method = METHODS.get(request["method"])
    try:
        if method is None:
            raise RpcError(METHOD_NOT_FOUND, f"no method {request['method']}")  # noqa: TRY301
        return head | {"result": method(chain, *request.get("params", []))}
    except RpcError as error:
        return head | {"error": error.answer}
    except Exception as error:  # noqa: BLE001 - a node tells what went wrong and goes on
        return head | {"error": {"code": REFUSED, "message": repr(error)}}


def serve(chain: Chain, port: int) -> None:
    """Answer on the loopback interface until the process is ended."""
    one_at_a_time = threading.Lock()  # requests share the chain

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1  # head and body in one packet

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with one_at_a_time:
                if isinstance(asked, list):
                    answers: Any = [answer(chain, one) for one in asked]
                else:
                    answers = answer(chain, asked)
            said = json.dumps(answers).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: object) -> None:
            """Nobody reads what the node prints."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.serve_forever()


def main() -> None:
    """Take anvil's arguments and serve."""
    parser = argparse.ArgumentParser()
    for name in ("--port", "--chain-id", "--accounts", "--block-base-fee-per-gas", "--gas-limit"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--hardfork", choices=["prague"], required=True)
    parser.add_argument("--steps-tracing", action="store_true")
    parser.add_argument("--quiet", action="store_true")
    chosen = parser.parse_args()
    # A call inside a call is a dozen of Python's.
    sys.setrecursionlimit(100_000)
    # Anvil's own, known to all: what tests send is then the same to the byte on every node.
    known = json.loads(Path(__file__).with_name("anvil_accounts.json").read_text())
    keys = [PrivateKey(bytes.fromhex(key)) for key in known[: chosen.accounts]]
    chain = Chain(
        chosen.chain_id,
        chosen.gas_limit,
        {key.public_key.to_checksum_address(): key for key in keys},
    )
    with suppress(KeyboardInterrupt):
        serve(chain, chosen.port)


if __name__ == "__main__":
    main()
