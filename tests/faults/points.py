"""The points at which a worker can die or be put to sleep: each commit, each request, each hook.

They are found where they happen, by listening to the database and to the transport, so that a
commit which somebody adds to the engine tomorrow is a point too.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import orjson
from sqlalchemy import Engine, event
from sqlalchemy.orm import sessionmaker

from service.transactions.context import EngineContext
from service.transactions.lanes import Lease
from tests.support.world import Killed

WRITES = ("INSERT", "UPDATE", "DELETE", "WITH")
NOT_NAMED = ("service.db", "service.chain.rpc", "service.chain.contracts")
WRITE = inspect.unwrap(EngineContext.write).__code__
"""The engine's unit of work: who opened it is at work, not it."""


class Points:
    """Counts the points that a worker passes; ends or stops it at some.

    Parameters
    ----------
    at
        Called with the name of each point passed, its number, and whether a database transaction
        is open there; may raise :class:`Killed`.

    Attributes
    ----------
    lease
        By which the commit under way writes, where it writes for a lane.
    """

    def __init__(self, at: Callable[[str, int, bool], None] | None = None) -> None:
        self.at = at
        self.passed: list[str] = []
        self.dead: str | None = None
        self.open = False
        self.lease: Lease | None = None
        self._wrote = False
        self._name = ""

    def reach(self, name: str) -> None:
        """Pass a point; a dead worker gets no further."""
        if self.dead is not None:
            raise Killed(self.dead)
        self.passed.append(name)
        if self.at is None:
            return
        try:
            self.at(name, len(self.passed), self.open)
        except Killed:
            self.dead = name
            raise

    def hook(self, point: str) -> None:
        """The engine's own points."""
        self.reach(f"hook {point}")

    def request(self, when: str, body: bytes) -> None:
        """Before a request leaves, and after it was answered."""
        asked = orjson.loads(body)
        calls = asked if isinstance(asked, list) else [asked]
        methods = ",".join(sorted({call["method"].removeprefix("eth_") for call in calls}))
        self.reach(f"{when} {methods} in {_who()}")

    def statement(self, sql: str) -> None:
        """A statement is about to run."""
        if self.dead is not None:
            raise Killed(self.dead)
        self.open = True
        if sql.lstrip().startswith(WRITES):
            self._wrote = True

    def committing(self) -> None:
        """What was written is about to be committed."""
        if self.dead is not None:
            raise Killed(self.dead)
        if self._wrote:
            at = _at_work()
            self._name = _who(line=True)
            self.lease = None if at is None else at.f_locals.get("lease")
            self.reach(f"before commit in {self._name}")

    def committed(self) -> None:
        """It is committed."""
        wrote, self._wrote, self.open = self._wrote, False, False
        if wrote:
            self.reach(f"after commit in {self._name}")

    def rolled_back(self) -> None:
        """It is not."""
        self.open = self._wrote = False


class Watched:
    """A database engine whose commits are points of whoever uses it now.

    It is used for many runs, since a new engine would compile every statement anew.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.points = Points()

        @event.listens_for(engine, "before_cursor_execute")
        def _statement(*seen: Any) -> None:
            self.points.statement(seen[2])

        @event.listens_for(engine, "commit")
        def _committing(_connection: Any) -> None:
            self.points.committing()

        @event.listens_for(engine, "rollback")
        def _rolled_back(_connection: Any) -> None:
            self.points.rolled_back()

    def listen(self, sessions: sessionmaker[Any]) -> None:
        """Hear of what sessions of a factory have committed."""

        @event.listens_for(sessions, "after_commit")
        def _committed(_session: Any) -> None:
            self.points.committed()


def _who(*, line: bool = False) -> str:
    """Name the function of the service that is at work, and its line."""
    frame = _at_work()
    if frame is None:
        return "?"
    at = f"{frame.f_globals['__name__'].rsplit('.', 1)[-1]}.{frame.f_code.co_name}"
    return f"{at}:{frame.f_lineno}" if line else at


def _at_work() -> FrameType | None:
    """The innermost function of the service, below the plumbing."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("service.") and module not in NOT_NAMED and frame.f_code is not WRITE:
            return frame
        frame = frame.f_back
    return None


class Actor:
    """A worker's round in a thread of its own, of which only one runs at a time.

    It stops at each point outside a database transaction until it is resumed, so that the order in
    which workers do things is drawn, not left to chance.
    """

    def __init__(self, points: Points, work: Callable[[], Any]) -> None:
        self._go, self._there = threading.Semaphore(0), threading.Semaphore(0)
        self._work = work
        self._points = points
        self._kill = False
        self.error: BaseException | None = None
        self.result: Any = None
        self.done = False
        self.where = "start"
        self._passed_on = points.at
        points.at = self._at
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def resume(self, *, kill: bool = False) -> None:
        """Let it go on to its next point, or die where it stands."""
        self._kill = kill
        self._go.release()
        self._there.acquire()
        if self.done:
            self._thread.join()
            self._points.at = self._passed_on

    def _run(self) -> None:
        self._go.acquire()
        try:
            self._die_if_told()
            self.result = self._work()
        except BaseException as error:
            self.error = error
        finally:
            self.done = True
            self._there.release()

    def _die_if_told(self) -> None:
        if self._kill:
            self._points.dead = self.where
            raise Killed(self.where)

    def _at(self, name: str, number: int, is_open: bool) -> None:
        if self._passed_on is not None:
            self._passed_on(name, number, is_open)
        if is_open:
            return
        self.where = name
        self._there.release()
        self._go.acquire()
        if self._kill:
            raise Killed(name)
