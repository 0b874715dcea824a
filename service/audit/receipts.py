"""What binds logs to a block's hash: header hashes, receipts roots and log blooms.

A node that leaves out, invents or alters a log has to give a receipts root that fits, and the root
stands in the header, whose hash the next block names. Sources: the Ethereum yellow paper 4.3,
EIP-2718 (typed receipts), EIP-1559, 4895, 4844, 4788 and 7685 (header members in their order).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from eth_hash.auto import keccak

HEADER_MEMBERS = (
    ("parentHash", bytes),
    ("sha3Uncles", bytes),
    ("miner", bytes),
    ("stateRoot", bytes),
    ("transactionsRoot", bytes),
    ("receiptsRoot", bytes),
    ("logsBloom", bytes),
    ("difficulty", int),
    ("number", int),
    ("gasLimit", int),
    ("gasUsed", int),
    ("timestamp", int),
    ("extraData", bytes),
    ("mixHash", bytes),
    ("nonce", bytes),
)
LATER_MEMBERS = (
    ("baseFeePerGas", int),
    ("withdrawalsRoot", bytes),
    ("blobGasUsed", int),
    ("excessBlobGas", int),
    ("parentBeaconBlockRoot", bytes),
    ("requestsHash", bytes),
)
BLOOM_BITS = 2048
SMALL = 0x80
LONG_STRING = 0xB7
LONG_LIST = 0xF7
SHORT = 56

Rlp = bytes | Sequence["Rlp"]


def rlp(value: Rlp) -> bytes:
    """Encode bytes or nested sequences of bytes."""
    if isinstance(value, bytes):
        if len(value) == 1 and value[0] < SMALL:
            return value
        return _prefix(len(value), SMALL, LONG_STRING) + value
    body = b"".join(rlp(member) for member in value)
    return _prefix(len(body), 0xC0, LONG_LIST) + body


def _prefix(length: int, short: int, long: int) -> bytes:
    if length < SHORT:
        return bytes([short + length])
    size = integer(length)
    return bytes([long + len(size)]) + size


def integer(value: int) -> bytes:
    """Return a number as RLP has it: big-endian, no leading zero, zero is empty.

    Raises
    ------
    ValueError
        When it is negative: RLP has no such.
    """
    if value < 0:
        raise ValueError(f"RLP has no {value}")
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def unhex(text: str) -> bytes:
    """Read 0x-hex.

    Raises
    ------
    TypeError, ValueError
        When it is none. Without 0x a second text had the same bytes: a root would prove a log that
        a comparison of texts passes by.
    """
    if text[:2] != "0x":
        raise ValueError(f"not 0x-hex: {text[:20]!r}")
    return bytes.fromhex(text[2:])


def header_rlp(header: Mapping[str, Any]) -> bytes:
    """Encode a block's header, members of later forks where it has them."""
    members = [*HEADER_MEMBERS, *(m for m in LATER_MEMBERS if header.get(m[0]) is not None)]
    return rlp(
        [
            integer(int(header[name], 16)) if kind is int else unhex(header[name])
            for name, kind in members
        ]
    )


def header_hash(header: Mapping[str, Any]) -> bytes:
    """Recompute a block's hash from its header."""
    return keccak(header_rlp(header))


def receipts_root(receipts: Sequence[Mapping[str, Any]]) -> bytes:
    """Recompute the root of a block's receipts, given in order."""
    return trie_root([receipt_bytes(receipt) for receipt in receipts])


def trie_root(values: Sequence[bytes]) -> bytes:
    """Return the root over a block's receipts or transactions, encoded, in order."""
    if not values:
        return keccak(rlp(b""))
    return keccak(rlp(trie_node(trie_items(values), 0)))


def trie_items(values: Sequence[bytes]) -> list[tuple[tuple[int, ...], bytes]]:
    """Return path (the nibbles of the RLP of its position) and value of each, by path."""
    return sorted((trie_path(index), value) for index, value in enumerate(values))


def trie_path(position: int) -> tuple[int, ...]:
    """Return where a receipt or transaction stands in its block's trie, in nibbles."""
    return _nibbles(rlp(integer(position)))


def receipt_bytes(receipt: Mapping[str, Any], logs: bytes | None = None) -> bytes:
    """Encode a receipt as a node gives it (EIP-2718: its type before the RLP, where it has one).

    Parameters
    ----------
    logs
        Its logs, encoded one behind the other, where that was done already.
    """
    first = (
        unhex(receipt["root"])
        if receipt.get("root") and receipt.get("status") is None
        else integer(int(receipt["status"], 16))
    )
    if logs is None:
        logs = b"".join(log_rlp(log) for log in receipt["logs"])
    body = b"".join(
        (
            rlp(first),
            rlp(integer(int(receipt["cumulativeGasUsed"], 16))),
            rlp(unhex(receipt["logsBloom"])),
            _prefix(len(logs), 0xC0, LONG_LIST) + logs,
        )
    )
    encoded = _prefix(len(body), 0xC0, LONG_LIST) + body
    kind = int(receipt.get("type") or "0x0", 16)
    return bytes([kind]) + encoded if kind else encoded


def log_rlp(log: Mapping[str, Any]) -> bytes:
    """Encode one log."""
    topics = [unhex(topic) for topic in log["topics"]]
    return rlp([unhex(log["address"]), topics, unhex(log["data"])])


def _nibbles(key: bytes) -> tuple[int, ...]:
    return tuple(half for byte in key for half in (byte >> 4, byte & 15))


def _compact(path: Sequence[int], *, leaf: bool) -> bytes:
    odd = len(path) & 1
    flags = (2 if leaf else 0) | odd
    digits = [flags, *path] if odd else [flags, 0, *path]
    return bytes(high << 4 | low for high, low in zip(digits[::2], digits[1::2], strict=True))


def trie_node(items: Sequence[tuple[tuple[int, ...], bytes]], depth: int) -> list[Rlp]:
    """Build the node over sorted (path, value) pairs that agree up to `depth`."""
    path, value = items[0]
    if len(items) == 1:
        return [_compact(path[depth:], leaf=True), value]
    last = items[-1][0]
    shared = depth
    while shared < min(len(path), len(last)) and path[shared] == last[shared]:
        shared += 1
    if shared > depth:
        return [_compact(path[depth:shared], leaf=False), _reference(trie_node(items, shared))]
    branch: list[Rlp] = [b""] * 17
    for nibble in range(16):
        below = [item for item in items if len(item[0]) > depth and item[0][depth] == nibble]
        if below:
            branch[nibble] = _reference(trie_node(below, depth + 1))
    if len(path) == depth:
        branch[16] = value
    return branch


def _reference(node: list[Rlp]) -> Rlp:
    encoded = rlp(node)
    return node if len(encoded) < 32 else keccak(encoded)  # noqa: PLR2004  # yellow paper, c(x)


def bloom_may_hold(bloom: bytes, values: Iterable[bytes]) -> bool:
    """Whether a 256-byte bloom says that one of these addresses or topics may be among the logs."""
    filled = int.from_bytes(bloom, "big")
    for value in values:
        digest = keccak(value)
        if all(
            filled >> (int.from_bytes(digest[at : at + 2], "big") % BLOOM_BITS) & 1
            for at in (0, 2, 4)
        ):
            return True
    return False
