"""Whether the worker's process lives and whether it can work, for ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import lru_cache

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from service.application.context import Application
from service.application.database import head_revision, revision_of
from service.application.survey.figures import position
from service.chain.deployment import check_chain
from service.chain.nodes import open_rpc
from service.chain.rpc import Rpc
from service.confirmations.alarms import list_alarms
from service.confirmations.finality import EVENTS_CURSOR
from service.errors import ReliefError
from service.telemetry.metrics import LAST_ROUND
from service.telemetry.server import Finding
from service.transactions.dbclock import now_ms
from service.transactions.models import Lane

ROUND_WITHIN_S = 120.0
"""A worker whose last round, done or broken off, ended longer ago hangs."""

NODE_TIMEOUT_S = 2.0
"""How long is waited for the node: who asks wants an answer, and asks again."""

LAG_BLOCKS = 100
"""So many unread blocks are worth saying."""


class WorkerProbes:
    """Looks at a worker from outside its loop.

    Parameters
    ----------
    app, sessions
        Parts of its own; the caller closes them.
    senders
        Accounts that this worker sends with.
    """

    def __init__(
        self, app: Application, sessions: sessionmaker[Session], senders: list[str]
    ) -> None:
        self._app = app
        self._sessions = sessions
        self._senders = senders
        self._begun_unix_s = time.time()
        self._probe = open_rpc(
            app.settings.rpc_urls,
            lambda rpc: check_chain(rpc, app.deployment),
            timeout_s=NODE_TIMEOUT_S,
        )

    def close(self) -> None:
        """Close the connection to the node."""
        self._probe.close()

    def alive(self) -> list[Finding]:
        """Find the loop hanging."""
        last = max(_last_round_unix_s(), self._begun_unix_s)
        ago = time.time() - last
        if ago <= ROUND_WITHIN_S:
            return []
        return [("no_round", f"the last round of the loop ended {ago:.0f} s ago")]

    def ready(self) -> list[Finding]:
        """Find what keeps the worker from working: database, node, lanes, an alarm."""
        return [*self.alive(), *self._database(), *node_findings(self._app, self._probe)]

    def _database(self) -> Iterator[Finding]:
        try:
            with self._sessions() as session:
                yield from open_alarms(session)
                lanes = session.execute(
                    select(Lane.out_of_funds, Lane.lease_expires_unix_ms >= now_ms()).where(
                        Lane.chain_id == self._app.deployment.chain_id,
                        Lane.sender.in_(self._senders),
                    )
                ).all()
                yield from schema_findings(session)
        except SQLAlchemyError:
            yield "database_unavailable", "the database does not answer"
        except ReliefError as error:
            yield error.code, error.detail
        else:
            if not any(held for _, held in lanes):
                yield "no_lane", "no worker holds a lane of ours"
            elif all(broke for broke, _ in lanes):
                yield "out_of_funds", "no lane of ours has gas money"


def _last_round_unix_s() -> float:
    return max(sample.value for family in LAST_ROUND.collect() for sample in family.samples)


def open_alarms(session: Session) -> Iterator[Finding]:
    """Tell the alarms that no person has settled."""
    for alarm in list_alarms(session):
        yield f"alarm_{alarm.kind}", alarm.detail


def schema_findings(session: Session) -> Iterator[Finding]:
    """Tell that the database is not at the version of this Relief."""
    head, current = _head(), revision_of(session.connection())
    if head != current:
        yield "other_version", f"the database is at version {current or 'none'}, not {head}"


@lru_cache(maxsize=1)
def _head() -> str | None:
    return head_revision("")


def node_findings(app: Application, probe: Rpc) -> Iterator[Finding]:
    """Tell that the node does not answer, or is on another chain."""
    try:
        if int(probe.call("eth_chainId"), 16) != app.deployment.chain_id:
            yield "other_chain", "the node is on another chain than the contracts"
    except ReliefError:
        yield "unavailable", "the node does not answer, or there is no deployment"


def lag_blocks(app: Application, session: Session, probe: Rpc) -> int:
    """Return how many blocks of the node were not read yet.

    Raises
    ------
    ReliefError
        When the node does not answer, or there is no deployment.
    """
    read = position(session, app.deployment.chain_id, EVENTS_CURSOR)
    first = app.deployment.deployment_block - 1
    return max(probe.block_number() - (read.block if read else first), 0)
