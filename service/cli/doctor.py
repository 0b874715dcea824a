"""``relief doctor``: look at everything that paying needs."""

from __future__ import annotations

import typer

from service.cli.errors import REFUSED
from service.cli.run import Json, start


def doctor(ctx: typer.Context, *, as_json: Json = False) -> None:
    """Check node, contracts' code, roles, database, keys, clock, gas money and event lag.

    Exit code 1 when a check failed; warnings alone are no failure.
    """
    from service.application.doctor.checks import Status
    from service.application.doctor.examination import EXAMINERS, examine

    run = start(ctx, as_json)
    with run.progress("examining", total=len(EXAMINERS)) as step:
        checks = examine(run.app, progress=step)
    counts = {status.value: sum(check.status is status for check in checks) for status in Status}
    healthy = counts[Status.FAILED] == 0
    items = [check.as_dict() for check in checks]
    columns = {"area": "area", "name": "check", "status": "status", "detail": "found"}
    run.rows(items, columns, data={"healthy": healthy, "counts": counts, "checks": items})
    run.note(", ".join(f"{count} {status}" for status, count in counts.items()))
    if not healthy:
        raise typer.Exit(REFUSED)
