"""Whether the process lives and whether it can work; without a token, and without details.

An open alarm, or blocks that were not read yet, stop the worker and not the API: officers can still
look and sign. They are said as warnings, by their kind alone.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from service.api.answers import documented
from service.api.problems import InternalError
from service.api.schemas.base import Shown, example
from service.application.context import Application
from service.application.survey.probes import (
    LAG_BLOCKS,
    lag_blocks,
    node_findings,
    open_alarms,
    schema_findings,
)
from service.chain.rpc import Rpc
from service.errors import Problem, ReliefError

router = APIRouter(tags=["health"])


class NotReady(ReliefError):
    """A part that the service works with does not answer."""

    code, status, title = "not_ready", 503, "Not ready"
    retryable = True


class HealthShown(Shown):
    """What was checked."""

    model_config = example({"status": "ready", "checks": ["database", "chain"], "warnings": []})

    status: str
    checks: list[str] = Field(description="What answered.")
    warnings: list[str] = Field(
        description="What a person should look at: `alarm_…` by kind, `events_behind`."
    )


@router.get("/healthz", responses=documented(InternalError))
def healthz() -> HealthShown:
    """Tell that the process answers; checks nothing else."""
    return HealthShown(status="alive", checks=[], warnings=[])


@router.get("/readyz", responses=documented(NotReady, InternalError))
def readyz(request: Request) -> HealthShown:
    """Tell whether the database answers, at this version, and the chain's node does."""
    application: Application = request.app.state.application
    probe: Rpc = request.app.state.probe
    reader: sessionmaker[Session] = request.app.state.reader
    warnings = []
    problems = [
        Problem(code, message, field="chain") for code, message in node_findings(application, probe)
    ]
    try:
        with reader() as session:
            problems += [
                Problem(code, message, field="database")
                for code, message in schema_findings(session)
            ]
            warnings += sorted({code for code, _ in open_alarms(session)})
            if not problems and lag_blocks(application, session, probe) > LAG_BLOCKS:
                warnings.append("events_behind")
    except SQLAlchemyError:
        problems.append(Problem("unavailable", "the database does not answer", field="database"))
    except ReliefError:  # the node went away in between
        problems.append(Problem("unavailable", "the node does not answer", field="chain"))
    if problems:
        raise NotReady("not ready", problems=problems)
    return HealthShown(status="ready", checks=["database", "chain"], warnings=warnings)
