"""What is wrong with a batch or a grant by its own members, whoever signed it."""

from __future__ import annotations

from typing import Any

from service.audit.arithmetic import MAX_CHUNKS, MAX_DURATION_S, region_valid
from service.audit.state import ONE_OFF, STREAM

MAX_CHUNK_SIZE = 500
MAX_BACK_PAY_S = 366 * 86_400
MIN_CLAIM_TIME_S = 90 * 86_400


def terms_problems(approval: dict[str, int], time: int) -> list[str]:
    """Say what is wrong with a batch's own members (``_requireWellFormed``)."""
    problems = []
    size, count = approval["chunkSize"], approval["count"]
    if not (0 < size <= MAX_CHUNK_SIZE and 0 < count <= size * MAX_CHUNKS):
        problems.append("its count or chunk size is impossible")
    if not approval["total"]:
        problems.append("it pays nothing")
    region = (approval["regionCode"], approval["regionDigits"])
    if not region_valid(*region) or region[1] == 0:
        problems.append("its region is impossible")
    if time >= approval["executeBefore"]:
        problems.append("its deadline had passed")
    last_due = approval["executeBefore"]
    duration = approval["duration"]
    if approval["kind"] == STREAM:
        if not (
            0 < duration <= MAX_DURATION_S
            and approval["cliff"] <= duration
            and 0 < approval["cadence"] <= duration
            and approval["start"] + MAX_BACK_PAY_S >= time
        ):
            problems.append("its terms of a stream are impossible")
        last_due = max(last_due, approval["start"] + duration)
    elif approval["kind"] != ONE_OFF or any(
        approval[name] for name in ("start", "cliff", "duration", "cadence")
    ):
        problems.append("its kind or terms are impossible")
    if approval["expiresAt"] < last_due + MIN_CLAIM_TIME_S:
        problems.append("it expires before the time to claim is over")
    return problems


def grant_problems(grant: dict[str, Any], time: int) -> list[str]:
    """Say what is wrong with an emergency grant's own members when it was made."""
    problems = []
    if time > grant["validUntil"]:
        problems.append("it came after it was valid")
    if not grant["amount"] or not any(grant["caseCommitment"]):
        problems.append("it has no amount, or no case")
    region = (grant["regionCode"], grant["regionDigits"])
    if not region_valid(*region) or region[1] == 0:
        problems.append("its region is none")
    return problems
