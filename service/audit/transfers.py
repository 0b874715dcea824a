"""Token transfers, many at once: a chunk pays hundreds in one transaction.

A transfer's log always has the same length in RLP, so those that stand behind each other are packed
into one piece of bytes. That piece goes into the receipts root as it is, and the transfers are read
from it: what is replayed are the very bytes that the root proves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from eth_hash.auto import keccak

from service.audit.abi import Contract
from service.audit.arithmetic import ADDRESS_BYTES, ENTRY_BYTES, unpack
from service.audit.decode import Event, LogPlace, MalformedLog
from service.audit.receipts import log_rlp

TRANSFER_TOPIC = "0x" + keccak(b"Transfer(address,address,uint256)").hex()
ROW_BYTES = 157
"""RLP of a transfer's log: f89b94 | token | f863a0 | topic | a0 | from | a0 | to | a0 | value, the
last three in words of 32 bytes, of which 12, 12 and 24 are zeros."""

_PADDING = np.r_[59:71, 92:104, 125:149]
_SOURCE = slice(71, 91)
_ENTRY = np.r_[104:124, 149:157]
"""Columns of a row, the last those of an entry as chunks have it: target and value."""

TOPICS = 3
HEX_ADDRESS, HEX_WORD = 42, 66
"""Characters of an address and of a word with their 0x."""


@dataclass(frozen=True, slots=True)
class TransferRun:
    """Transfers that stand behind each other in one transaction.

    Attributes
    ----------
    place
        Of the first.
    sources
        20 bytes each.
    entries
        Target and value of each, base units, packed as a chunk's entries are.
    """

    place: LogPlace
    sources: bytes
    entries: bytes

    def __len__(self) -> int:
        return len(self.entries) // ENTRY_BYTES

    def events(self) -> Iterator[Event]:
        """Yield each as an event of its own."""
        for behind, (target, value) in enumerate(unpack(self.entries)):
            at = behind * ADDRESS_BYTES
            source = self.sources[at : at + ADDRESS_BYTES]
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
    if len(packed) != ROW_BYTES * len(run):  # fromhex passes blanks over
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
        When an address is none, or a value is more than an entry can have: each must be looked at
        by itself.
    """
    rows = np.frombuffer(packed, np.uint8).reshape(-1, ROW_BYTES)
    if rows[:, _PADDING].any():
        raise MalformedLog("dirty padding, or more than an entry can have")
    return TransferRun(place, rows[:, _SOURCE].tobytes(), rows[:, _ENTRY].tobytes())
