"""Sessions that only read, and never stand in a writer's way.

On SQLite every other session takes the write lock when it begins (:mod:`service.db`), so that a
page of cases would wait for an import. These begin deferred and refuse to write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.orm import Session, sessionmaker

from service.application.context import Application
from service.db import session_factory


def read_sessions(
    application: Application, *, at_one_moment: bool = False
) -> sessionmaker[Session]:
    """Return a factory of sessions that only read, on the application's database.

    Parameters
    ----------
    at_one_moment
        Whether all statements of a session must see the same state; on SQLite they always do.
    """
    engine = application.engine
    if engine.dialect.name != "sqlite":
        level = "REPEATABLE READ" if at_one_moment else "READ COMMITTED"
        options = {"postgresql_readonly": True, "isolation_level": level}
        return session_factory(engine.execution_options(**options))
    reader = create_engine(engine.url, connect_args={"timeout": 30}, hide_parameters=True)

    @event.listens_for(reader, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA query_only=ON")

    @event.listens_for(reader, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN")

    return session_factory(reader)


@contextmanager
def reading(application: Application) -> Iterator[Session]:
    """Look at the database and hold up no writer, however long the node is asked meanwhile."""
    factory = read_sessions(application)
    try:
        with factory() as session:
            yield session
    finally:
        if application.engine.dialect.name == "sqlite":  # elsewhere it has the application's pool
            factory.kw["bind"].dispose()
