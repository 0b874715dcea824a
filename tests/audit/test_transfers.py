"""Transfers read many at once are those that each log by itself gives, and prove the same root."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit.abi import Contract
from service.audit.decode import LogPlace, MalformedLog, decode
from service.audit.receipts import log_rlp
from service.audit.transfers import ROW_BYTES, pack_logs, read_transfers

TOKEN = "0x" + "70" * 20
TOPIC = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
PLACE = LogPlace(7, 1_700_000_000, bytes(32), b"\1" * 32, 3, 40)


def word(value: bytes) -> str:
    return "0x" + value.rjust(32, b"\0").hex()


def transfer(source: bytes, target: bytes, value: int) -> dict[str, Any]:
    return {
        "address": TOKEN,
        "topics": [TOPIC, word(source), word(target)],
        "data": word(value.to_bytes(32, "big")),
    }


addresses = st.binary(min_size=20, max_size=20)
values = st.one_of(st.integers(0, 2**64 - 1), st.integers(0, 2**256 - 1))
transfers = st.builds(transfer, addresses, addresses, values)
others = st.builds(
    lambda address, topics, data: {
        "address": "0x" + address.hex(),
        "topics": ["0x" + topic.hex() for topic in topics],
        "data": "0x" + data.hex(),
    },
    st.one_of(addresses, st.just(bytes.fromhex(TOKEN[2:]))),
    st.lists(st.binary(min_size=32, max_size=32), max_size=4),
    st.binary(max_size=70),
)


@given(st.lists(st.one_of(transfers, others), max_size=12))
def test_packed_logs_are_those_logs_encoded_one_by_one(logs: list[dict[str, Any]]) -> None:
    assert pack_logs(logs, TOKEN).rlp == b"".join(log_rlp(log) for log in logs)


@given(st.lists(st.one_of(transfers, others), max_size=12))
def test_each_transfer_of_a_run_is_what_its_own_log_says(logs: list[dict[str, Any]]) -> None:
    packed = pack_logs(logs, TOKEN)
    read = {}
    for position, run in packed.runs.items():
        length = len(run) // ROW_BYTES
        if any(int(log["data"], 16) >> 64 for log in logs[position : position + length]):
            with pytest.raises(MalformedLog, match="more than an entry can have"):
                read_transfers(run, PLACE.behind(position))
            events = [
                decode(Contract.TOKEN, log, PLACE.behind(at))
                for at, log in enumerate(logs[position : position + length], position)
            ]
        else:
            events = list(read_transfers(run, PLACE.behind(position)).events())
        read |= dict(enumerate(events, position))
    ours = [
        position
        for position, log in enumerate(logs)
        if log["address"] == TOKEN and log["topics"][:1] == [TOPIC]
    ]
    assert sorted(read) == ours
    for position in ours:
        assert read[position] == decode(Contract.TOKEN, logs[position], PLACE.behind(position))


def test_transfers_between_other_logs_are_runs_of_their_own() -> None:
    one, other = transfer(b"a" * 20, b"b" * 20, 5), {"address": TOKEN, "topics": [], "data": "0x"}
    assert sorted(pack_logs([one, one, other, one, other, other, one], TOKEN).runs) == [0, 3, 6]


def test_an_address_with_dirty_padding_is_refused() -> None:
    run = pack_logs([transfer(b"a" * 20, b"\1" + b"b" * 20, 5)], TOKEN).runs[0]
    with pytest.raises(MalformedLog, match="dirty padding"):
        read_transfers(run, PLACE)


@pytest.mark.parametrize(
    "change",
    [
        lambda log: log | {"address": log["address"] + "f8"},
        lambda log: log | {"topics": [*log["topics"][:2], log["topics"][2] + "a0"]},
        lambda log: log | {"topics": [*log["topics"][:2], log["topics"][2][:-2]]},
        lambda log: log | {"topics": [*log["topics"][:2], log["topics"][2][:-2] + "  "]},
        lambda log: log | {"data": log["data"] + "0"},
        lambda log: log | {"data": log["data"][:-1] + "g"},
    ],
    ids=["address", "longer topic", "shorter topic", "blanks", "odd data", "no digit"],
)
def test_words_of_other_lengths_are_refused(change: Any) -> None:
    """Else two logs could be encoded alike: what one word lacks, the next would begin with."""
    with pytest.raises(ValueError, match=r"lengths|hexadecimal"):
        pack_logs([change(transfer(b"a" * 20, b"b" * 20, 5))], TOKEN)


def test_what_lacks_a_part_is_no_log() -> None:
    with pytest.raises(KeyError):
        pack_logs([{"address": TOKEN, "topics": []}], TOKEN)
