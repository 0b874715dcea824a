"""Bytes that a store keeps come back, from memory and from its file."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.audit.entry_store import EntryStore


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(0, 200), st.integers(1, 90))
def test_what_was_kept_comes_back_wherever_it_is(
    contents: list[bytes], in_memory: int, a_write: int
) -> None:
    store = EntryStore(in_memory, a_write)
    kept = [store.keep(content) for content in contents]
    for stored, content in zip(kept, contents, strict=True):
        assert (bytes(stored), len(stored)) == (content, len(content))
        for at in range(0, len(content) + 2, 7):
            assert stored.part(at, 9) == content[at : at + 9]
        assert stored == EntryStore(0).keep(content)
        assert stored != EntryStore().keep(content + b"\0")
        assert hash(stored) == hash(EntryStore().keep(content))


def test_an_empty_amount_of_memory_puts_everything_into_the_file() -> None:
    store = EntryStore(0, a_write=1)
    assert bytes(store.keep(b"")) == b""
    assert bytes(store.keep(b"abc")) == b"abc"
