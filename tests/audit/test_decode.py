"""The decoder reads what another implementation of the ABI writes, and nothing cut short."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from service.audit.abi import EVENTS, EventType, Field
from service.audit.decode import MalformedLog, decode_args

ALL = [event for events in EVENTS.values() for event in events.values()]

SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "string": st.text(st.characters(codec="utf-8"), max_size=40),
    "address": st.binary(min_size=20, max_size=20),
    "bytes": st.binary(max_size=90),
}


def values_of(field: Field) -> st.SearchStrategy[Any]:
    """Values of a field, as the decoder gives them."""
    if field.members:
        one = st.fixed_dictionaries({member.name: values_of(member) for member in field.members})
        return st.lists(one, max_size=4) if field.type.endswith("[]") else one
    if field.type in SIMPLE:
        return SIMPLE[field.type]
    if field.type.startswith("bytes"):
        size = int(field.type.removeprefix("bytes"))
        return st.binary(min_size=size, max_size=size)
    return st.integers(0, 2 ** int(field.type.removeprefix("uint")) - 1)


def plain(field: Field, value: Any) -> Any:
    """The same value as the other implementation takes it."""
    if field.type == "tuple":
        return tuple(plain(member, value[member.name]) for member in field.members)
    if field.type == "tuple[]":
        return [tuple(plain(m, one[m.name]) for m in field.members) for one in value]
    return "0x" + value.hex() if field.type == "address" else value


def encoded(event: EventType, args: dict[str, Any]) -> tuple[list[bytes], bytes]:
    """Topics and data as a contract would log them."""
    indexed = [field for field in event.fields if field.indexed]
    others = [field for field in event.fields if not field.indexed]
    topics = [encode([field.type], [plain(field, args[field.name])]) for field in indexed]
    data = encode(
        [field.canonical for field in others], [plain(field, args[field.name]) for field in others]
    )
    return [event.topic, *topics], data


@pytest.mark.parametrize("event", ALL, ids=lambda event: f"{event.contract}.{event.name}")
@settings(max_examples=20)
@given(data=st.data())
def test_an_event_is_read_as_it_was_written(event: EventType, data: st.DataObject) -> None:
    args = data.draw(st.fixed_dictionaries({f.name: values_of(f) for f in event.fields}))
    assert decode_args(event, *encoded(event, args)) == args


@pytest.mark.parametrize("event", ALL, ids=lambda event: f"{event.contract}.{event.name}")
@settings(max_examples=20)
@given(data=st.data())
def test_an_event_cut_short_or_with_a_topic_too_many_is_refused(
    event: EventType, data: st.DataObject
) -> None:
    args = data.draw(st.fixed_dictionaries({f.name: values_of(f) for f in event.fields}))
    topics, body = encoded(event, args)
    with pytest.raises(MalformedLog):
        decode_args(event, [*topics, bytes(32)], body)
    if body:
        with pytest.raises(MalformedLog):
            decode_args(event, topics, body[: data.draw(st.integers(0, len(body) - 1))])
