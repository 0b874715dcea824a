"""Authorizations that ended come by holder and nonce, and which ended twice is told once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.audit.authorizations import KEY_BYTES, RECORD_BYTES, Authorizations, Ended
from service.audit.sorted_records import SortedRecords

NONCES = [bytes([number]) * 32 for number in (0, 1, 255)]
ACCOUNTS = [bytes(20), bytes(19) + b"\1", b"\xff" * 20]
keys = st.tuples(st.sampled_from(ACCOUNTS), st.sampled_from(NONCES))


@given(
    st.lists(st.lists(keys, max_size=4), max_size=8),
    st.sets(st.integers(0, 8)),
    st.sampled_from([0, 1 << 20]),
)
def test_what_ended_twice_is_told_when_its_block_is_over(
    blocks: list[list[tuple[bytes, bytes]]], looked_after: set[int], in_memory: int
) -> None:
    """Wherever it was looked at, or kept and gone on from, in between."""
    records = SortedRecords(RECORD_BYTES, KEY_BYTES, in_memory)
    ended = Authorizations(at_a_time=2, _records=records)
    seen: set[tuple[bytes, bytes]] = set()
    expected, found = [], []
    for number, block in enumerate(blocks):
        for account, nonce in block:
            each = Ended(account, nonce, number, bytes([number]) * 32)
            ended.add(each)
            if (account, nonce) in seen:
                expected.append(each)
            seen.add((account, nonce))
        if number in looked_after:
            found += ended.reused()
            assert list(ended.once()) == sorted(seen)
            ended = Authorizations.kept(b"".join(ended.packed()), ended.checked)
    found += ended.reused()
    by_key = lambda each: (each.account, each.nonce, each.block)  # noqa: E731
    assert sorted(found, key=by_key) == sorted(expected, key=by_key)
    assert list(ended.reused()) == []
    assert list(ended.once()) == sorted(seen)
