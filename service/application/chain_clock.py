"""The time that the contracts will see: deadlines and accrual are compared with block times."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from service.chain.rpc import Rpc
from service.clock import SYSTEM_CLOCK, Clock
from service.errors import ChainUnavailable


class ChainClock:
    """The machine's clock, or the newest block's time where that is later.

    A chain whose clock was moved ahead (a development chain, a test network) is followed; one that
    mines no block for a while does not hold the time back. Without a node it is the machine's.

    Parameters
    ----------
    rpc
        The node.
    clock
        The machine's clock.
    """

    def __init__(self, rpc: Rpc, clock: Clock = SYSTEM_CLOCK) -> None:
        self._rpc = rpc
        self._clock = clock
        self._reachable = True

    @property
    def source(self) -> Literal["chain", "machine"]:
        """Whose time the last :meth:`now` was: the machine's alone where no node answered."""
        return "chain" if self._reachable else "machine"

    def now(self) -> datetime:
        """Return about the time of the next block, aware, in UTC."""
        now = self._clock.now()
        if self._reachable:
            try:
                header = self._rpc.header("latest")
            except ChainUnavailable:
                self._reachable = False  # one command asks once
            else:
                if header is not None:
                    now = max(now, datetime.fromtimestamp(int(header["timestamp"], 16), UTC))
        return now
