"""Packed entries: 20 bytes of address, 8 of amount."""

from __future__ import annotations

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from service.payouts.entries import entry_amounts, pack_entries, unpack_entries

addresses = st.binary(min_size=20, max_size=20).map(to_checksum_address)
amounts = st.integers(0, 2**64 - 1)
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"


def test_an_entry_is_the_address_and_then_the_amount_in_eight_bytes() -> None:
    packed = pack_entries([(ADDRESS, 600_000_000)])

    assert packed.hex() == "52908400098527886e0f7030069857d2e4169ee7" + "0000000023c34600"


@given(st.lists(st.tuples(addresses, amounts), max_size=40))
def test_unpacking_gives_what_was_packed(entries: list[tuple[str, int]]) -> None:
    packed = pack_entries(entries)

    assert len(packed) == 28 * len(entries)
    assert list(unpack_entries(packed)) == entries
    assert entry_amounts(packed) == [amount for _, amount in entries]


@pytest.mark.parametrize("amount", [-1, 2**64])
def test_an_amount_that_does_not_fit_is_refused(amount: int) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        pack_entries([(ADDRESS, amount)])


def test_something_that_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="not an address"):
        pack_entries([("0x1234", 1)])


def test_part_of_an_entry_is_refused() -> None:
    with pytest.raises(ValueError, match="no whole number"):
        list(unpack_entries(bytes(29)))
