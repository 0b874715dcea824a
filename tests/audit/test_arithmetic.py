"""The contracts' arithmetic, stated a second time: against known values and a plain model."""

from __future__ import annotations

from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from service.audit.amounts import amounts_of
from service.audit.arithmetic import (
    ALONE,
    BUCKET_S,
    RollingSum,
    Terms,
    chunk_leaf,
    chunk_siblings,
    chunks_root,
    cut_off,
    pack,
    paid_through,
    proven_root,
    region_covers,
    region_valid,
    vested,
)

NODE = keccak(b"Node(bytes32 left,bytes32 right)")


def plain_levels(leaves: dict[int, bytes]) -> list[list[bytes]]:
    """All nodes of the tree, the slow way."""
    levels = [[leaves.get(i, bytes(32)) for i in range(256)]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([keccak(NODE + below[i] + below[i + 1]) for i in range(0, len(below), 2)])
    return levels


@given(st.dictionaries(st.integers(0, 255), st.binary(min_size=32, max_size=32), max_size=5))
def test_the_root_is_that_of_the_whole_tree_and_each_leaf_is_proven(
    leaves: dict[int, bytes],
) -> None:
    levels = plain_levels(leaves)
    assert chunks_root(leaves) == levels[-1][0]
    for index, leaf in leaves.items():
        siblings = [levels[height][(index >> height) ^ 1] for height in range(8)]
        assert chunk_siblings(leaves, index) == siblings
        assert proven_root(leaf, index, siblings) == levels[-1][0]
        assert proven_root(leaf, index ^ 1, siblings) != levels[-1][0] or leaf == siblings[0]


def test_a_leaf_binds_batch_index_and_entries() -> None:
    leaf = chunk_leaf(b"\1" * 32, 2, b"abc")
    typehash = keccak(b"Chunk(bytes32 batchId,uint256 chunkIndex,bytes32 entriesHash)")
    assert leaf == keccak(typehash + b"\1" * 32 + (2).to_bytes(32, "big") + keccak(b"abc"))


@given(
    st.integers(0, 2**64 - 1),
    st.integers(1, 2**31 - 2),
    st.lists(st.integers(0, 2**31 - 2), min_size=1, max_size=6),
)
def test_withdrawals_in_any_steps_pay_what_one_would(
    total: int, duration: int, times: list[int]
) -> None:
    steps = sorted(min(time, duration) for time in times)
    paid = [
        vested(total, end, duration) - vested(total, start, duration)
        for start, end in zip([0, *steps], steps, strict=False)
    ]
    assert sum(paid) == total * steps[-1] // duration
    assert vested(total, duration, duration) == total


def test_a_withdrawal_moves_in_whole_steps_behind_the_cliff() -> None:
    terms = Terms(start=1_000, cliff=25, duration=100, cadence=10)
    times = (0, 1_000, 1_024, 1_025, 1_029, 1_030, 1_099, 1_100, 5_000)
    assert [terms.step(time) for time in times] == [0, 0, 0, 20, 20, 30, 90, 100, 100]


def test_who_stands_alone_is_not_paid_by_the_watermark() -> None:
    assert paid_through(50, 0) == 50
    assert paid_through(50, 70) == 70
    assert paid_through(50, 20 | ALONE) == 20
    assert cut_off(50, 0) == 50
    assert cut_off(50, 31) == 30
    assert cut_off(20, 31) == 20


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(1, 10**12)), min_size=1, max_size=12))
def test_the_rolling_sum_counts_thirty_days_at_least_and_thirty_six_at_most(
    added: list[tuple[int, int]],
) -> None:
    day = 86_400
    rolling, now, total = RollingSum(), 0, 0
    for days, amount in sorted(added):
        now = days * day
        total = rolling.add(amount, now)
    at_least = sum(-(-amount // 10**6) for days, amount in added if now - days * day < 30 * day)
    at_most = sum(-(-amount // 10**6) for days, amount in added if now - days * day < 36 * day)
    assert at_least * 10**6 <= total <= at_most * 10**6
    assert total == rolling.at(now)
    assert rolling.at(now + 6 * BUCKET_S) == 0


def test_a_region_covers_itself_and_what_begins_with_its_code() -> None:
    assert region_covers((0, 0), (51, 2))
    assert region_covers((51, 2), (510722, 6))
    assert not region_covers((5107, 4), (51, 2))
    assert not region_covers((51, 2), (5, 2))
    assert not region_covers((52, 2), (510722, 6))
    assert [region_valid(*each) for each in ((0, 0), (51, 2), (5, 2), (51, 4), (51, 3))] == [
        *(True, True, False, False, False),
    ]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=12), st.binary(max_size=27))
def test_amounts_are_added_up_exactly(amounts: list[int], rest: bytes) -> None:
    entries = b"".join(pack(b"\7" * 20, amount) for amount in amounts) + rest
    assert amounts_of(entries) == (
        (sum(amounts), min(amounts), max(amounts)) if amounts else (0, 0, 0)
    )
