"""What a stream has accrued, as contracts/libraries/Vesting.sol counts it.

All times are seconds since the stream's start. What was paid is a time, never an amount; the
amount is ``vested(total, paid through)``, so that rounding loses nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of a batch of streams.

    Attributes
    ----------
    start_unix_s
        When accrual begins.
    cliff_s
        Seconds after the start before which nothing can be withdrawn.
    duration_s
        Seconds over which the whole amount accrues.
    cadence_s
        Withdrawals move in whole steps of so many seconds.
    """

    start_unix_s: int
    cliff_s: int
    duration_s: int
    cadence_s: int


def vested(total_base_units: int, elapsed_s: int, duration_s: int) -> int:
    """Return the amount vested after so long: floor(total · elapsed / duration), base units."""
    return total_base_units * elapsed_s // duration_s


def payable_through(terms: Terms, at_unix_s: int) -> int:
    """Return the second through which a withdrawal at that time pays.

    Whole cadence steps, nothing before the cliff, everything from the end on.
    """
    elapsed = max(0, at_unix_s - terms.start_unix_s)
    if elapsed >= terms.duration_s:
        return terms.duration_s
    if elapsed < terms.cliff_s:
        return 0
    return elapsed - elapsed % terms.cadence_s
