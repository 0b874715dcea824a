"""The development chain that gas is measured on: real transactions, their receipts' ``gasUsed``.

What a receipt charges is all of it: the base of 21,000, calldata and its floor (EIP-7623), refunds.
Its clock is set, a second a block, and every key and address is derived from fixed words, so that
two runs measure the same to the unit.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_utils.abi import abi_to_signature, function_abi_to_4byte_selector, get_abi_input_types
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from service.chain.devnode import BLOCK_GAS_LIMIT, DevNode, start_anvil
from service.chain.rpc import Rpc

GENESIS_UNIX_S = 1_800_000_000
DAY_S = 86_400
GAS_CAP = 2**24
"""Most one transaction may use (EIP-7825), which the node enforces."""
SINGLE_GAS = 500_000
"""Enough for a payee's own transaction."""
MINING_TIMEOUT_S = 30.0
UNIT = 10**6


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction to send: from, to (None creates a contract), calldata, gas limit."""

    sender: str
    to: str | None
    data: bytes
    gas: int = GAS_CAP


class Contract:
    """A contract at its address, and how its functions are called.

    A function goes by its name or, where the name is used twice, by its signature.

    Parameters
    ----------
    abi
        From the compiler's artifact.
    address
        Where it stands.
    """

    def __init__(self, abi: Sequence[Any], address: str) -> None:
        self.address = str(to_checksum_address(address))
        self._functions = {
            key: (function_abi_to_4byte_selector(entry), get_abi_input_types(entry))
            for entry in abi
            if entry["type"] == "function"
            for key in (entry["name"], abi_to_signature(entry))
        }

    def data(self, function: str, *arguments: Any) -> bytes:
        """Encode a call."""
        selector, types = self._functions[function]
        return bytes(selector + encode(types, arguments))


def wallets(count: int) -> list[tuple[str, int]]:
    """Return random addresses, always the same ones, and 600 to 3,300 tokens for each.

    Zero bytes of calldata are cheaper, so addresses and amounts have as many as real ones.
    """
    digests = [keccak(text=f"wallet {i}") for i in range(count)]
    return [
        (to_checksum_address(digest[:20]), (600 + digest[20] % 28 * 100) * UNIT)
        for digest in digests
    ]


def named_address(name: str) -> str:
    """Return an address derived from a name."""
    return str(to_checksum_address(keccak(text=name)[:20]))


class GasChain:
    """A node whose every account may be sent from, and what it charges.

    Raises
    ------
    AssertionError
        When a transaction reverts: nothing is measured of one that does.
    """

    def __init__(self, node: DevNode, rpc: Rpc) -> None:
        self.node = node
        self.rpc = rpc
        node.rpc("anvil_autoImpersonateAccount", True)
        node.rpc("anvil_setBlockTimestampInterval", 1)

    def now(self) -> int:
        """Timestamp of the newest block, Unix seconds."""
        header = self.rpc.header("latest")
        assert header is not None
        return int(header["timestamp"], 16)

    def next_block_at(self, unix_s: int) -> None:
        """Let the next block have this timestamp."""
        self.node.rpc("evm_setNextBlockTimestamp", unix_s)

    def mine_at(self, unix_s: int) -> None:
        """Mine an empty block with this timestamp, so that views see that time."""
        self.next_block_at(unix_s)
        self.node.rpc("evm_mine")

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Put the chain back afterwards to where it is now."""
        snapshot = self.node.rpc("evm_snapshot")
        yield
        self.node.rpc("evm_revert", snapshot)

    def send(self, sender: str, to: Contract | str | None, data: bytes, gas: int = GAS_CAP) -> int:
        """Send one transaction and return the gas it was charged."""
        target = to.address if isinstance(to, Contract) else to
        return int(self._mine([Call(sender, target, data, gas)])[0]["gasUsed"], 16)

    def send_all(self, calls: Sequence[Call]) -> int:
        """Send each call as a transaction of its own and return the gas of all."""
        gas = 0
        for part in _blocks(calls):
            gas += sum(int(receipt["gasUsed"], 16) for receipt in self._mine(part))
        return gas

    def create(self, deployer: str, artifact: dict[str, Any], *arguments: Any) -> Contract:
        """Deploy a contract from its artifact (``abi``, ``bytecode``: linked, ``0x``…)."""
        constructor = next((one for one in artifact["abi"] if one["type"] == "constructor"), None)
        types = get_abi_input_types(constructor) if constructor else []
        code = bytes.fromhex(artifact["bytecode"].removeprefix("0x"))
        receipt = self._mine([Call(deployer, None, code + encode(types, arguments))])[0]
        return Contract(artifact["abi"], receipt["contractAddress"])

    def view(self, target: Contract, function: str, *arguments: Any) -> list[int]:
        """Call a view and return its answer as words."""
        return self.views(target, function, [arguments])[0]

    def views(
        self, target: Contract, function: str, arguments: Iterable[Sequence[Any]]
    ) -> list[list[int]]:
        """Call a view with each of these arguments and return its answers as words."""
        calls = (
            {"to": target.address, "data": "0x" + target.data(function, *each).hex()}
            for each in arguments
        )
        answers = self.rpc.batch(("eth_call", [call, "latest"]) for call in calls)
        for refused in (answer for answer in answers if isinstance(answer, Exception)):
            raise refused
        return [
            [int(answer[at : at + 64], 16) for at in range(2, len(answer), 64)]
            for answer in answers
        ]

    def _mine(self, calls: Sequence[Call]) -> list[dict[str, Any]]:
        senders = list(dict.fromkeys(call.sender for call in calls))
        counts = self.rpc.batch(("eth_getTransactionCount", [one, "latest"]) for one in senders)
        nonces = {
            sender: itertools.count(int(count, 16))
            for sender, count in zip(senders, counts, strict=True)
        }
        hashes = self.rpc.batch(
            (
                "eth_sendTransaction",
                [
                    {
                        "from": call.sender,
                        # Given here: the node answers the calls of a request side by side.
                        "nonce": hex(next(nonces[call.sender])),
                        "data": "0x" + call.data.hex(),
                        "gas": hex(call.gas),
                        "gasPrice": "0x0",
                    }
                    | ({"to": call.to} if call.to else {})
                ],
            )
            for call in calls
        )
        for refused in (answer for answer in hashes if isinstance(answer, Exception)):
            raise refused
        receipts = self._receipts(hashes)
        for call, receipt in zip(calls, receipts, strict=True):
            assert receipt["status"] == "0x1", f"reverted: {call.to} {call.data[:4].hex()}"
        return receipts

    def _receipts(self, hashes: Sequence[str]) -> list[dict[str, Any]]:
        """Wait for the receipts: the node mines a moment after it answered."""
        deadline = time.monotonic() + MINING_TIMEOUT_S
        while True:
            receipts = self.rpc.batch(("eth_getTransactionReceipt", [one]) for one in hashes)
            if all(isinstance(receipt, dict) for receipt in receipts):
                return receipts
            assert time.monotonic() < deadline, "the node mined not all transactions in 30 s"
            time.sleep(0.005)


def _blocks(calls: Sequence[Call]) -> Iterator[list[Call]]:
    """Part calls into what fits a block: the node leaves what does not waiting in its pool."""
    part: list[Call] = []
    for call in calls:
        if sum(one.gas for one in part) + call.gas > BLOCK_GAS_LIMIT:
            yield part
            part = []
        part.append(call)
    yield part


@contextmanager
def gas_chain() -> Iterator[GasChain]:
    """Run a chain of its own, with its clock at a fixed time."""
    at_a_fixed_time = ("--timestamp", str(GENESIS_UNIX_S))
    with start_anvil(extra_arguments=at_a_fixed_time) as node, Rpc(node.rpc_url) as rpc:
        yield GasChain(node, rpc)


def read_artifact(path: Path) -> dict[str, Any]:
    """Read a compiler's artifact as Hardhat and Foundry write them, in Hardhat's shape."""
    artifact: dict[str, Any] = json.loads(path.read_text())
    if isinstance(artifact["bytecode"], dict):
        artifact["linkReferences"] = artifact["bytecode"]["linkReferences"]
        artifact["bytecode"] = artifact["bytecode"]["object"]
    return artifact


def linked(artifact: dict[str, Any], libraries: dict[str, str]) -> dict[str, Any]:
    """Return an artifact with the addresses of its libraries put in, by the libraries' names."""
    code = artifact["bytecode"].removeprefix("0x")
    for in_file in artifact["linkReferences"].values():
        for name, places in in_file.items():
            for place in places:
                start, end = 2 * place["start"], 2 * (place["start"] + place["length"])
                code = code[:start] + libraries[name].removeprefix("0x").lower() + code[end:]
    return {**artifact, "bytecode": "0x" + code}
