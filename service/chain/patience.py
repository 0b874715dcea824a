"""How long a node is waited for while others wait for the database.

A transaction of SQLite holds the whole database's write lock from its beginning. A command that
must ask the chain in the middle of one gives a node that is silent less than a second altogether;
what a quick node takes is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

WAITED_IN_VAIN_S = 0.9
"""For all answers of a transaction that did not come."""

OTHERS_WAIT = "others wait for the database meanwhile, so nothing was done; try again"


class Patience:
    """What is left of somebody's patience.

    Attributes
    ----------
    left_s
        Seconds that may still be waited in vain.
    because
        Why it is short.
    """

    def __init__(self, seconds: float, because: str) -> None:
        self._all_s = self.left_s = seconds
        self.because = because

    def timeout_s(self, nodes: int) -> float:
        """Seconds to wait for an answer of one of so many nodes; 0 when none is left."""
        return min(self.left_s, self._all_s / nodes)

    def waited_in_vain(self, seconds: float) -> None:
        """Take off what was waited for an answer that did not come."""
        self.left_s = max(0.0, self.left_s - seconds)


_PATIENCE: ContextVar[Patience | None] = ContextVar("patience", default=None)


@contextmanager
def short_of_patience(
    seconds: float = WAITED_IN_VAIN_S, because: str = OTHERS_WAIT
) -> Iterator[None]:
    """Wait in vain for no more than so many seconds while the block runs, in this thread."""
    token = _PATIENCE.set(Patience(seconds, because))
    try:
        yield
    finally:
        _PATIENCE.reset(token)


def patience() -> Patience | None:
    """Return the patience in force; None where it is long."""
    return _PATIENCE.get()
