"""Keeps the gauges fresh beside a worker, without costing it more than a fiftieth of a core.

One of several workers surveys: on PostgreSQL the one that holds an advisory lock, which the
server lets go when its connection ends; on SQLite there is one worker only. The others show none
of these gauges (decision 0094).
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from service.application.context import Application
from service.application.reading import read_sessions
from service.application.survey.chain import (
    ChainFigures,
    ledger_difference_base_units,
    take_chain_figures,
)
from service.application.survey.figures import Figures, take_figures
from service.application.survey.gauges import Survey, SurveyCollector
from service.application.survey.tally import PayoutTally
from service.errors import ReliefError
from service.telemetry.logs import note
from service.telemetry.metrics import REGISTRY

log = logging.getLogger(__name__)

EVERY_S = 10.0
"""Least time between two surveys."""

COMPARE_EVERY_S = 300.0
"""Least time between two comparisons of ledger and contracts."""

SHARE_OF_TIME = 50
"""After a survey comes a pause of so many times what it took, ..."""

LONGEST_PAUSE_S = 120.0
"""... but no longer than this, or nobody would see anything."""

END_WITHIN_S = 1.0
"""A worker that is asked to end does not wait longer for a survey."""

_LOCK = "SELECT pg_try_advisory_lock(hashtextextended('relief survey', 0))"


class Surveyor:
    """A thread that asks database and node from time to time.

    Parameters
    ----------
    app
        Parts of its own, which it closes: what it asks never waits for the worker.
    every_s, compare_every_s
        Least times between two surveys, and between two comparisons of ledger and contracts.
    """

    def __init__(
        self,
        app: Application,
        *,
        every_s: float = EVERY_S,
        compare_every_s: float = COMPARE_EVERY_S,
    ) -> None:
        self._app = app
        self._every_s = every_s
        self._compare_every_s = compare_every_s
        self._sessions = read_sessions(app, at_one_moment=True)
        self._collector = SurveyCollector()
        self._tally = PayoutTally()
        self._turn: Connection | None = None
        self._stop = threading.Event()
        self._next_comparison_s = 0.0
        self._thread = threading.Thread(target=self._run, name="survey", daemon=True)

    def __enter__(self) -> Self:
        REGISTRY.register(self._collector)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(END_WITHIN_S)  # one that waits for a silent node ends with the process
        REGISTRY.unregister(self._collector)

    def close(self) -> None:
        """Close what was opened, for who looks without the thread."""
        self._let_go()
        self._sessions.kw["bind"].dispose()
        self._app.close()

    @property
    def survey(self) -> Survey | None:
        """The newest survey; None before the first, and while another worker surveys."""
        return self._collector.survey

    def _run(self) -> None:
        try:
            self._look_again_and_again()
        finally:
            self.close()

    def _look_again_and_again(self) -> None:
        while not self._stop.is_set():
            begun = time.monotonic()
            try:
                self.look()
            except (ReliefError, SQLAlchemyError) as error:
                note(log, "survey_failed", logging.WARNING, detail=str(error))
                self._collector.survey = None
                self._let_go()
            took = time.monotonic() - begun
            pause_s = min(took * SHARE_OF_TIME, LONGEST_PAUSE_S)
            self._stop.wait(max(self._every_s, pause_s))

    def look(self) -> None:
        """Take one survey, if it is this process's turn.

        Raises
        ------
        ReliefError, SQLAlchemyError
            When settings are missing or the database does not answer; a node that does not is
            left out of the survey.
        """
        if not self._is_our_turn():
            self._collector.survey = None
            return
        begun = time.monotonic()
        with self._sessions() as session:
            figures = take_figures(session, self._app.deployment.chain_id, self._tally)
        seconds = time.monotonic() - begun
        before = self._collector.survey
        self._collector.survey = Survey(
            figures=figures,
            seconds=seconds,
            chain=self._chain(figures),
            difference_base_units=before.difference_base_units if before else None,
            compared_unix_s=before.compared_unix_s if before else None,
        )
        answers = self._collector.survey.chain is not None
        if answers and time.monotonic() >= self._next_comparison_s:
            self._compare()

    def _chain(self, figures: Figures) -> ChainFigures | None:
        try:
            senders = [lane.sender for lane in figures.lanes]
            return take_chain_figures(self._app.rpc, self._app.contracts, senders)
        except ReliefError as error:
            note(log, "survey_without_node", logging.WARNING, detail=error.detail)
            return None

    def _compare(self) -> None:
        begun = time.monotonic()
        survey = self._collector.survey
        assert survey is not None
        try:
            with self._sessions() as session:
                difference = ledger_difference_base_units(
                    session, self._app.rpc, self._app.contracts
                )
        except ReliefError as error:
            note(log, "comparison_failed", logging.WARNING, detail=error.detail)
            return
        took = time.monotonic() - begun
        self._next_comparison_s = time.monotonic() + max(
            self._compare_every_s, took * SHARE_OF_TIME
        )
        level = logging.ERROR if difference else logging.INFO
        note(log, "ledger_compared", level, difference_base_units=difference, seconds=took)
        self._collector.survey = Survey(
            figures=survey.figures,
            seconds=survey.seconds,
            chain=survey.chain,
            difference_base_units=difference,
            compared_unix_s=time.time(),
        )

    def _is_our_turn(self) -> bool:
        if self._app.engine.dialect.name != "postgresql":
            return True
        if self._turn is not None:
            self._turn.execute(text("SELECT 1"))  # raises where the lock went with the connection
            return True
        connection = self._app.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.execute(text(_LOCK)).scalar_one():
            self._turn = connection
            return True
        connection.close()
        return False

    def _let_go(self) -> None:
        """End the connection, and the lock with it."""
        if self._turn is not None:
            self._turn.invalidate()
            self._turn.close()
            self._turn = None
