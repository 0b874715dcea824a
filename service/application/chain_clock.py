"""The time that the contracts will see: deadlines and accrual are compared with block times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

from service.chain.rpc import Rpc
from service.clock import SYSTEM_CLOCK, Clock
from service.errors import ChainUnavailable


class ChainClock:
    """The machine's clock, put forward to the newest block's time where that is later.

    A chain whose clock was moved ahead (a development chain, a test network) is followed; one that
    mines no block for a while does not hold the time back. Without a node it is the machine's.

    The node is asked once, when the clock is made: make it before a transaction begins.

    Parameters
    ----------
    rpc
        The node.
    clock
        The machine's clock.
    """

    def __init__(self, rpc: Rpc, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        newest = _newest_block_time(rpc)
        self._ahead = max(newest - clock.now(), timedelta(0)) if newest else timedelta(0)
        self.source: Literal["chain", "machine"] = "chain" if newest else "machine"
        """Whose time it is: the machine's alone where no node answered."""

    def now(self) -> datetime:
        """Return about the time of the next block, aware, in UTC."""
        return self._clock.now() + self._ahead


def _newest_block_time(rpc: Rpc) -> datetime | None:
    try:
        header = rpc.header("latest")
    except ChainUnavailable:
        return None
    return datetime.fromtimestamp(int(header["timestamp"], 16), UTC) if header else None
