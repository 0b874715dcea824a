"""Cases with several payouts, found on disk as a dictionary finds them."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from service.audit.paid_cases import PaidCases

cases = st.sampled_from([bytes([number]) * 32 for number in (0, 1, 0x7F, 0x80, 0xFF)])


@given(st.lists(st.lists(cases, max_size=5), max_size=5))
def test_each_payout_of_a_case_with_several_is_told_in_order(lists: list[list[bytes]]) -> None:
    paid, places = PaidCases(), defaultdict[bytes, list[tuple[int, int]]](list)
    for number, commitments in enumerate(lists):
        paid.add(number, range(len(commitments)), commitments)
        for position, commitment in enumerate(commitments):
            places[commitment].append((number, position))
    expected = sorted(
        (number, position, commitment)
        for commitment, some in places.items()
        if len(some) > 1
        for number, position in some
    )
    assert [(n, p, commitment) for commitment, n, p in paid.repeated()] == expected
