"""Token transfers, many at once: a chunk pays hundreds in one transaction.

A transfer's log always has the same length in RLP, so those that stand behind each other are packed
into one piece of bytes. That piece goes into the receipts root as it is, and the transfers are read
from it: what is replayed are the very bytes that the root proves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.decode import Event, LogPlace, MalformedLog
from service.audit.receipts import log_rlp

TRANSFER_TOPIC = "0x" + keccak(b"Transfer(address,address,uint256)").hex()
ROW = struct.Struct(">3x20x3x32x x12s20s x12s20s x24sQ")
"""RLP of a transfer's log, 157 bytes: f89b94 | token | f863a0 | topic | a0 | from | a0 | to | a0 |
value, the last three in words of 32 bytes of which 12, 12 and 24 are zeros."""

TOPICS = 3
HEX_ADDRESS, HEX_WORD = 42, 66
"""Characters of an address and of a word with their 0x."""
_ZERO_12, _ZERO_24 = bytes(12), bytes(24)


@dataclass(frozen=True, slots=True)
class TransferRun:
    """Transfers that stand behind each other in one transaction.

    Attributes
    ----------
    place
        Of the first.
    sources, targets
        20 bytes each.
    values
        Base units.
    """

    place: LogPlace
    sources: tuple[bytes, ...]
    targets: tuple[bytes, ...]
    values: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.values)

    def events(self) -> Iterator[Event]:
        """Yield each as an event of its own."""
        rows = zip(self.sources, self.targets, self.values, strict=True)
        for behind, (source, target, value) in enumerate(rows):
            args = {"from": source, "to": target, "value": value}
            yield Event(Contract.TOKEN, "Transfer", args, *self.place.behind(behind).as_tuple())


Happened = Event | TransferRun
"""What a chain is replayed from."""


def events_of(happened: Happened) -> Iterable[Event]:
    """Return what happened as events, each by itself."""
    return happened.events() if isinstance(happened, TransferRun) else (happened,)


@dataclass(frozen=True, slots=True)
class PackedLogs:
    """A receipt's logs in RLP, and where in them transfers of the token stand.

    Attributes
    ----------
    rlp
        All logs, one behind the other.
    runs
        Position of a first transfer → it and those behind it, packed.
    """

    rlp: bytes
    runs: dict[int, bytes]


def pack_logs(logs: Sequence[Mapping[str, Any]], token: str) -> PackedLogs:
    """Encode a receipt's logs as nodes give them.

    Parameters
    ----------
    token
        Address of the token, 0x-hex in small letters.

    Raises
    ------
    AttributeError, KeyError, TypeError, ValueError
        When what is given is no log.
    """
    parts: list[bytes] = []
    runs: dict[int, bytes] = {}
    run: list[str] = []
    first = 0
    before = f"f89b94{token[2:]}f863a0{TRANSFER_TOPIC[2:]}a0"
    for position, log in enumerate(logs):
        topics, data = log["topics"], log["data"]
        if (
            len(topics) == TOPICS
            and topics[0] == TRANSFER_TOPIC
            and log["address"] == token
            and len(topics[1]) == len(topics[2]) == len(data) == HEX_WORD
        ):
            if not run:
                first = position
            run.append(f"{before}{topics[1][2:]}a0{topics[2][2:]}a0{data[2:]}")
            continue
        if run:
            runs[first] = _packed(run)
            parts.append(runs[first])
            run = []
        parts.append(_checked(log))
    if run:
        runs[first] = _packed(run)
        parts.append(runs[first])
    return PackedLogs(b"".join(parts), runs)


def _packed(run: list[str]) -> bytes:
    packed = bytes.fromhex("".join(run))
    if len(packed) != ROW.size * len(run):  # fromhex passes blanks over
        raise ValueError("a transfer's words have other lengths")
    return packed


def _checked(log: Mapping[str, Any]) -> bytes:
    """Encode any log; each part must have its own length, or one could end in the next."""
    lengths = [len(log["address"]), *(len(topic) for topic in log["topics"])]
    if lengths != [HEX_ADDRESS, *(HEX_WORD for _ in log["topics"])] or len(log["data"]) % 2:
        raise ValueError("a log's words have other lengths")
    return log_rlp(log)


def read_transfers(packed: bytes, place: LogPlace) -> TransferRun:
    """Read packed transfers.

    Raises
    ------
    MalformedLog
        When an address is none: no token of ours can have written it.
    """
    columns = list(zip(*ROW.iter_unpack(packed), strict=True))
    source_pads, sources, target_pads, targets, value_pads, values = columns
    if {*source_pads, *target_pads} != {_ZERO_12}:
        raise MalformedLog("address with dirty padding")
    if set(value_pads) != {_ZERO_24}:
        pairs = zip(value_pads, values, strict=True)
        values = tuple(int.from_bytes(high, "big") << 64 | low for high, low in pairs)
    return TransferRun(place, sources, targets, values)
