"""All checks in order; one that cannot be made is a failure of its own and stops no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from eth_abi.exceptions import DecodingError
from sqlalchemy import exc

from service.application.context import Application
from service.application.doctor import contracts, machine
from service.application.doctor.checks import Check, Examiner, failed
from service.errors import ReliefError

EXAMINERS: Final[dict[str, Examiner]] = {
    "chain": contracts.examine_node,
    "contracts": contracts.examine_code,
    "contracts, joined": contracts.examine_wiring,
    "roles": contracts.examine_roles,
    "limits": contracts.examine_limits,
    "database": machine.examine_database,
    "keys": machine.examine_keys,
    "manifests": machine.examine_manifests,
    "grants": machine.examine_grants,
    "clock": machine.examine_clock,
    "worker": machine.examine_worker,
}


def examine(app: Application, *, progress: Callable[[int], None] | None = None) -> list[Check]:
    """Make every check.

    Parameters
    ----------
    progress
        Called with the number of areas done.
    """
    checks: list[Check] = []
    for done, (area, examiner) in enumerate(EXAMINERS.items(), start=1):
        try:
            checks.extend(examiner(app))
        except ReliefError as error:
            checks.append(failed(area.split(",")[0], "looked at", f"{error.title}: {error.detail}"))
        except DecodingError:
            detail = "a contract answers with something else than its interface says"
            checks.append(failed(area.split(",")[0], "looked at", detail))
        except exc.DBAPIError as error:
            cause = str(getattr(error, "orig", error)).split("\n", maxsplit=1)[0]
            checks.append(failed(area, "looked at", f"the database: {cause}"))
        if progress is not None:
            progress(done)
    return checks
