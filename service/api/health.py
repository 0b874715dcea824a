"""Whether the process lives and whether it can work; without a token, and without details."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from service.api.answers import documented
from service.api.problems import InternalError
from service.api.schemas.base import Shown, example
from service.application.context import Application
from service.chain.rpc import Rpc
from service.errors import Problem, ReliefError

router = APIRouter(tags=["health"])

NODE_TIMEOUT_S = 2.0
"""How long ``/readyz`` waits for the node: who asks wants an answer, and asks again."""


class NotReady(ReliefError):
    """A part that the service works with does not answer."""

    code, status, title = "not_ready", 503, "Not ready"
    retryable = True


class HealthShown(Shown):
    """What was checked."""

    model_config = example({"status": "ready", "checks": ["database", "chain"]})

    status: str
    checks: list[str] = Field(description="What answered.")


@router.get("/healthz", responses=documented(InternalError))
def healthz() -> HealthShown:
    """Tell that the process answers; checks nothing else."""
    return HealthShown(status="alive", checks=[])


@router.get("/readyz", responses=documented(NotReady, InternalError))
def readyz(request: Request) -> HealthShown:
    """Tell whether the database and the chain's node answer."""
    application: Application = request.app.state.application
    probe: Rpc = request.app.state.probe
    problems = []
    try:
        with request.app.state.reader() as session:
            session.execute(text("SELECT count(*) FROM api_tokens")).one()
    except SQLAlchemyError:
        problems.append(Problem("unavailable", "the database does not answer", field="database"))
    try:
        answered = int(probe.call("eth_chainId"), 16)
        if answered != application.deployment.chain_id:
            message = "the node is on another chain than the contracts"
            problems.append(Problem("other_chain", message, field="chain"))
    except ReliefError:
        message = "the node does not answer, or there is no deployment"
        problems.append(Problem("unavailable", message, field="chain"))
    if problems:
        raise NotReady("not ready", problems=problems)
    return HealthShown(status="ready", checks=["database", "chain"])
