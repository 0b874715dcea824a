"""Who is told what a replay sees, beside the state: the state keeps only what later rules need."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from service.audit.decode import Event
from service.audit.state import Batch, State


class Listener(Protocol):
    """Told everything once, in the order of the chain; must not change what it is given."""

    def saw(self, event: Event, state: State) -> None:
        """Take an event before it is applied, with the state that it meets."""

    def withdrew(
        self, event: Event, batch: Batch, payments: Sequence[tuple[int, bytes, int]]
    ) -> None:
        """Take what a withdrawal paid, after its event.

        Parameters
        ----------
        payments
            Of each stream paid: index in the batch, payee, and what had accrued, base units.
        """
