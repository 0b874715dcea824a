"""``relief doctor``: look at everything that paying needs."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.errors import REFUSED
from service.cli.run import Json, Run, start

Governance = Annotated[
    bool,
    typer.Option(
        "--governance",
        help="Print instead every contract's code, role, delay and limit, expected beside found.",
    ),
]


def doctor(ctx: typer.Context, *, governance: Governance = False, as_json: Json = False) -> None:
    """Check node, contracts' code, roles, limits, database, keys, clock, gas money and event lag.

    Exit code 1 when a check failed; warnings alone are no failure. With `--governance` only the
    chain is looked at: a warning is then a change by the contracts' own rules that an auditor
    should know of, a failure a difference that no rule explains.
    """
    run = start(ctx, as_json)
    healthy = _governance(run) if governance else _checks(run)
    if not healthy:
        raise typer.Exit(REFUSED)


def _checks(run: Run) -> bool:
    from service.application.doctor.checks import Status
    from service.application.doctor.examination import EXAMINERS, examine

    with run.progress("examining", total=len(EXAMINERS)) as step:
        checks = examine(run.app, progress=step)
    counts = {status.value: sum(check.status is status for check in checks) for status in Status}
    healthy = counts[Status.FAILED] == 0
    items = [check.as_dict() for check in checks]
    columns = {"area": "area", "name": "check", "status": "status", "detail": "found"}
    run.rows(items, columns, data={"healthy": healthy, "counts": counts, "checks": items})
    run.note(", ".join(f"{count} {status}" for status, count in counts.items()))
    return healthy


def _governance(run: Run) -> bool:
    from service.application.doctor.checks import Status
    from service.application.doctor.governance import COMPARERS, compare

    with run.progress("comparing", total=len(COMPARERS)) as step:
        compared = compare(run.app, progress=step)
    counts = {status.value: sum(one.status is status for one in compared) for status in Status}
    healthy = counts[Status.FAILED] == 0
    items = [one.as_dict() for one in compared]
    columns = {name: name for name in ("subject", "expected", "found", "status", "note")}
    run.rows(items, columns, data={"healthy": healthy, "counts": counts, "comparisons": items})
    run.note(", ".join(f"{count} {status}" for status, count in counts.items()))
    return healthy
