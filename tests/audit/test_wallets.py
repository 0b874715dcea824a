"""Wallets come out by account, whatever of them was in a file, and each once."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from service.audit.wallets import AMOUNT_BYTES, RECORD_BYTES, Wallets

NUMBER = pa.decimal128(38, 0)

same_beginning = st.tuples(st.sampled_from([bytes(8), b"\xff" * 8, b"\0" * 7 + b"\1"]), st.binary())
accounts = st.one_of(
    st.binary(min_size=20, max_size=20),
    same_beginning.map(lambda parts: b"".join(parts)[:20].ljust(20, b"\0")),
)
amounts = st.one_of(st.just(0), st.integers(-(2**100), 2**100))


def batches_of(items: list[tuple[bytes, int]], rows: int) -> list[pa.RecordBatch]:
    """In batches of so many rows, each a slice of a longer one, as engines give them."""
    columns = [pa.array([each[0] for each in items], pa.binary())]
    columns.append(pa.array([each[1] for each in items], NUMBER))
    whole = pa.RecordBatch.from_arrays(columns, ["account", "amount"])
    return [whole.slice(at, rows) for at in range(0, len(items), rows)]


@given(st.dictionaries(accounts, amounts, max_size=40), st.integers(0, 50), st.integers(1, 9))
def test_wallets_come_by_account_from_memory_and_from_the_file(
    held: dict[bytes, int], in_memory: int, rows: int
) -> None:
    wallets = Wallets.of(batches_of(list(held.items()), rows), in_memory * RECORD_BYTES)
    assert (wallets.total, wallets.holders) == (sum(held.values()), sum(map(bool, held.values())))
    for empty in (True, False, True):  # as often as one likes
        assert b"".join(wallets.packed(empty=empty)) == b"".join(
            account + amount.to_bytes(AMOUNT_BYTES, "big", signed=True)
            for account, amount in sorted(held.items())
            if amount or empty
        )


def test_who_stops_in_the_middle_can_begin_again() -> None:
    held = {bytes([number]) * 20: number for number in range(256)}
    wallets = Wallets.of(batches_of(list(held.items()), 16), 16 * RECORD_BYTES)
    assert next(wallets.packed(empty=True)) == bytes(RECORD_BYTES)
    assert len(b"".join(wallets.packed(empty=True))) == 256 * RECORD_BYTES
