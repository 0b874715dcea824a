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


class Patience:
    """What is left of a transaction's patience.

    Attributes
    ----------
    left_s
        Seconds that may still be waited in vain.
    """

    def __init__(self) -> None:
        self.left_s = WAITED_IN_VAIN_S

    def timeout_s(self, nodes: int) -> float:
        """Seconds to wait for an answer of one of so many nodes; 0 when none is left."""
        return min(self.left_s, WAITED_IN_VAIN_S / nodes)

    def waited_in_vain(self, seconds: float) -> None:
        """Take off what was waited for an answer that did not come."""
        self.left_s = max(0.0, self.left_s - seconds)


_PATIENCE: ContextVar[Patience | None] = ContextVar("patience", default=None)


@contextmanager
def others_wait() -> Iterator[None]:
    """Be short of patience while the block runs, in this thread."""
    token = _PATIENCE.set(Patience())
    try:
        yield
    finally:
        _PATIENCE.reset(token)


def patience() -> Patience | None:
    """Return the patience in force; None where nobody waits."""
    return _PATIENCE.get()
