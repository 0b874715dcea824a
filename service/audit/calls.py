"""What a transaction called, which proves what its events leave out.

Nothing here is believed: a deadline or a Merkle proof found in a call counts only when it gives the
hash that officers signed. Anybody may send through a contract of their own, whose input need not
hold these words; then they are unproven, not wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.audit.arithmetic import TREE_DEPTH

WORD = 32


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction's receiver and input; None and empty where the node does not have it."""

    to: bytes | None
    data: bytes

    def words_behind(self, key: bytes, count: int) -> Iterator[list[bytes]]:
        """Yield the `count` words of 32 bytes behind each place where some bytes stand."""
        at = self.data.find(key)
        while at >= 0:
            start = at + len(key)
            words = self.data[start : start + count * WORD]
            if len(words) == count * WORD:
                yield [words[i : i + WORD] for i in range(0, len(words), WORD)]
            at = self.data.find(key, at + 1)

    def deadlines(self, action: bytes) -> set[int]:
        """Numbers that may be the deadline of a quorum action: they follow its id."""
        return {int.from_bytes(word, "big") for (word,) in self.words_behind(action, 1)}

    def chunk_proofs(self, batch_id: bytes, chunk_index: int) -> Iterator[list[bytes]]:
        """Yield what may be the proof of a chunk, as ``executeChunk`` takes it.

        Its head is batch id, chunk index, offset of the entries, eight siblings.
        """
        key = batch_id + chunk_index.to_bytes(WORD, "big")
        for words in self.words_behind(key, 1 + TREE_DEPTH):
            yield words[1:]


CallOf = Callable[[bytes], Call]
"""Returns the call of a transaction, by its hash."""
