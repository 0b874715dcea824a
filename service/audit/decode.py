"""Raw logs to events: a table-driven decoder, strict about padding and lengths.

Addresses and fixed bytes stay ``bytes``, so that entries, topics and balances compare without any
formatting; :func:`address_text` writes them for people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from eth_hash.auto import keccak

from service.audit.abi import EVENTS, Contract, EventType, Field

WORD = 32
Reader = Callable[[bytes, int, int], Any]
"""Reads one value: data, where its head stands, and where its tuple begins."""


class MalformedLog(ValueError):
    """A log that no contract of ours can have written."""


@dataclass(frozen=True, slots=True)
class Event:
    """One decoded event and where it stands.

    Attributes
    ----------
    contract, name, args
        What was said; integers, bytes, booleans, dicts for structs.
    block, timestamp, block_hash, tx, tx_index, log_index
        Where; hashes as bytes.
    """

    contract: Contract
    name: str
    args: dict[str, Any]
    block: int
    timestamp: int
    block_hash: bytes
    tx: bytes
    tx_index: int
    log_index: int


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where a log stands: the last members of :class:`Event`."""

    block: int
    timestamp: int
    block_hash: bytes
    tx: bytes
    tx_index: int
    log_index: int

    def behind(self, logs: int) -> LogPlace:
        """Return the place so many logs behind, in the same transaction."""
        return replace(self, log_index=self.log_index + logs)

    def as_tuple(self) -> tuple[int, int, bytes, bytes, int, int]:
        """Return its members in order."""
        return (
            *(self.block, self.timestamp, self.block_hash),
            *(self.tx, self.tx_index, self.log_index),
        )


def place_of(log: Mapping[str, Any], timestamp: int) -> LogPlace:
    """Read where a node says that a log stands.

    Raises
    ------
    MalformedLog
        When it does not say so.
    """
    with _no_log():
        return LogPlace(
            int(log["blockNumber"], 16),
            timestamp,
            _unhex(log["blockHash"]),
            _unhex(log["transactionHash"]),
            int(log["transactionIndex"], 16),
            int(log["logIndex"], 16),
        )


def decode(contract: Contract, log: Mapping[str, Any], place: LogPlace) -> Event:
    """Decode one log as a node gives it.

    Parameters
    ----------
    contract
        Which contract the log's address is.
    log
        Member of an ``eth_getLogs`` answer, or of a receipt.
    place
        Where it stands.

    Raises
    ------
    MalformedLog
        When no event of the contract looks like this.
    """
    with _no_log():
        topics = [_unhex(topic) for topic in log["topics"]]
        data = _unhex(log["data"])
        event = event_type(contract, topics)
        return Event(contract, event.name, decode_args(event, topics, data), *place.as_tuple())


@contextmanager
def _no_log() -> Iterator[None]:
    try:
        yield
    except MalformedLog:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedLog(f"not a log: {error!r}") from error


def event_type(contract: Contract, topics: list[bytes]) -> EventType:
    """Return which event of a contract has these topics.

    Raises
    ------
    MalformedLog
        When none has.
    """
    event = EVENTS[contract].get(topics[0]) if topics else None
    if event is None:
        shown = [hex_text(topic) for topic in topics[:1]]
        raise MalformedLog(f"no event of the {contract} has the topic {shown}")
    return event


def decode_args(event: EventType, topics: list[bytes], data: bytes) -> dict[str, Any]:
    """Decode topics and data by an event's declaration.

    Raises
    ------
    MalformedLog
        When padding, lengths or the number of topics are not those of the event.
    """
    topic_readers, data_readers, order, head = _plan(event)
    if len(topics) != len(topic_readers) + 1:
        raise MalformedLog(f"{event.name} has {len(topic_readers)} topics, not {len(topics) - 1}")
    if len(data) < head or len(data) % WORD:
        raise MalformedLog(f"{event.name}: {len(data)} bytes of data")
    values = {
        name: read(topic, 0, 0)
        for (name, read), topic in zip(topic_readers, topics[1:], strict=True)
    }
    for name, read, at in data_readers:
        values[name] = read(data, at, 0)
    return {name: values[name] for name in order}


Plan = tuple[
    tuple[tuple[str, Reader], ...], tuple[tuple[str, Reader, int], ...], tuple[str, ...], int
]


@cache
def _plan(event: EventType) -> Plan:
    topic_readers = []
    data_readers = []
    at = 0
    for field in event.fields:
        if field.indexed:
            topic_readers.append((field.name, _reader(field)))
        else:
            data_readers.append((field.name, _reader(field), at))
            at += _head_size(field)
    names = tuple(field.name for field in event.fields)
    return tuple(topic_readers), tuple(data_readers), names, at


def _is_dynamic(field: Field) -> bool:
    return field.type in ("bytes", "string", "tuple[]")


def _head_size(field: Field) -> int:
    if field.type == "tuple":
        return sum(_head_size(member) for member in field.members)
    return WORD


def _reader(field: Field) -> Reader:
    if field.type in ("bytes", "string"):
        return _read_bytes if field.type == "bytes" else _read_string
    if field.type == "tuple":
        return _struct_reader(field)
    if field.type == "tuple[]":
        return _array_reader(field)
    return _word_reader(field.type)


def _word_reader(kind: str) -> Reader:
    if kind == "bytes32":
        return lambda data, at, _base: _word(data, at)
    if kind.startswith("bytes"):
        size = int(kind.removeprefix("bytes"))

        def read_fixed(data: bytes, at: int, _base: int) -> bytes:
            word = _word(data, at)
            if any(word[size:]):
                raise MalformedLog(f"{kind} with dirty padding")
            return word[:size]

        return read_fixed
    if kind == "address":

        def read_address(data: bytes, at: int, _base: int) -> bytes:
            word = _word(data, at)
            if any(word[:12]):
                raise MalformedLog("address with dirty padding")
            return word[12:]

        return read_address
    width = 1 if kind == "bool" else int(kind.removeprefix("uint"))

    def read_number(data: bytes, at: int, _base: int) -> int | bool:
        value = int.from_bytes(_word(data, at), "big")
        if value >> width:
            raise MalformedLog(f"{kind} out of range")
        return bool(value) if kind == "bool" else value

    return read_number


def _struct_reader(field: Field) -> Reader:
    members = []
    offset = 0
    for member in field.members:
        if _is_dynamic(member):
            raise ValueError(f"struct with a dynamic member: {field.name}")
        members.append((member.name, _reader(member), offset))
        offset += _head_size(member)

    def read(data: bytes, at: int, base: int) -> dict[str, Any]:
        return {name: reader(data, at + shift, base) for name, reader, shift in members}

    return read


def _array_reader(field: Field) -> Reader:
    read_one = _struct_reader(field)
    size = sum(_head_size(member) for member in field.members)

    def read(data: bytes, at: int, base: int) -> list[dict[str, Any]]:
        start = base + _number(data, at)
        count = _number(data, start)
        if start + WORD + count * size > len(data):
            raise MalformedLog(f"{field.name} ends before its {count} members")
        return [read_one(data, start + WORD + i * size, base) for i in range(count)]

    return read


def _read_bytes(data: bytes, at: int, base: int) -> bytes:
    start = base + _number(data, at)
    length = _number(data, start)
    end = start + WORD + length
    padded = end + (-length % WORD)
    if padded > len(data) or any(data[end:padded]):
        raise MalformedLog(f"bytes that end before their length of {length}")
    return data[start + WORD : end]


def _read_string(data: bytes, at: int, base: int) -> str:
    return _read_bytes(data, at, base).decode(errors="replace")


def _word(data: bytes, at: int) -> bytes:
    word = data[at : at + WORD]
    if len(word) != WORD:
        raise MalformedLog("data ends before a word")
    return word


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(_word(data, at), "big")


def _unhex(text: str) -> bytes:
    if not text.startswith("0x"):
        raise MalformedLog(f"not hexadecimal: {text[:20]}")
    return bytes.fromhex(text[2:])


@lru_cache(maxsize=4096)
def address_text(address: bytes) -> str:
    """Write an address in EIP-55 form.

    One is mostly written several times in a row, and its hash costs more than all the rest.
    """
    digits = address.hex()
    check = keccak(digits.encode()).hex()
    pairs = zip(digits, check, strict=False)
    return "0x" + "".join([d.upper() if nibble in "89abcdef" else d for d, nibble in pairs])


def hex_text(value: bytes) -> str:
    """Write bytes as 0x-hex."""
    return "0x" + value.hex()
