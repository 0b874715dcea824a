"""Engine, sessions and column types shared by every stage.

Services never commit: the request or task boundary does, with :func:`transaction`. The one
exception is the submission engine, which commits signed bytes before it sends them.

SQLite runs in WAL mode with ``synchronous=FULL`` (a commit that returned survives a power
cut: write-ahead is only as good as the disk) and takes the write lock at BEGIN, so that a
read-then-write transaction never fails half way with SQLITE_BUSY.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    DateTime,
    Engine,
    MetaData,
    String,
    cast,
    create_engine,
    event,
    func,
    make_url,
    select,
    type_coerce,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Session, sessionmaker
from sqlalchemy.types import Numeric, TypeDecorator, TypeEngine

from service.errors import ConfigurationError

R = TypeVar("R")

BACKENDS = ("sqlite", "postgresql")
"""Databases whose locking the service knows."""

NAMING_CONVENTION = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


_SUMMED_DIGITS = 9


class Base(DeclarativeBase):
    """Declarative base of every model."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Amount(TypeDecorator[int]):
    """An integer amount in base units, exact on both databases.

    ``NUMERIC(78,0)`` on PostgreSQL. On SQLite, where NUMERIC turns 2**63 into a REAL, a
    zero-padded 78-digit TEXT, so that comparisons and ORDER BY agree with the numbers. ``SUM`` is
    not exact on it: :func:`sums` is. Negative values are refused.
    """

    impl = Numeric(78, 0)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose TEXT on SQLite."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(78))
        return dialect.type_descriptor(Numeric(78, 0))

    def process_bind_param(self, value: int | None, dialect: Dialect) -> Any:
        """Refuse anything but a non-negative ``int``."""
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"amount must be int, not {type(value).__name__}")
        if value < 0 or value >= 10**78:
            raise ValueError(f"amount out of range: {value}")
        return f"{value:078d}" if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> int | None:
        """Return ``int``."""
        return None if value is None else int(value)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive datetimes; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware UTC datetime."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def create_database_engine(url: str) -> Engine:
    """Create an engine with the durability and locking the money path relies on.

    Parameters
    ----------
    url
        SQLAlchemy URL; ``postgresql://`` is taken to mean psycopg 3.

    Raises
    ------
    ConfigurationError
        When the URL is none, or names a database or driver that is not there. It is not repeated:
        it may hold a password.
    """
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    try:
        name = make_url(url).get_backend_name()
        if name not in BACKENDS:
            raise ConfigurationError(
                f"RELIEF_DATABASE_URL names {name!r}; write sqlite:///FILE or postgresql://…"
            )
        if name != "sqlite":
            return create_engine(url, pool_pre_ping=True, hide_parameters=True)
        # hide_parameters: an error in a log must not show what stood in a row.
        engine = create_engine(url, connect_args={"timeout": 30}, hide_parameters=True)
    except NoSuchModuleError:
        raise ConfigurationError(
            "RELIEF_DATABASE_URL names an unknown driver; write sqlite:///FILE or postgresql://…"
        ) from None
    except ImportError as error:
        raise ConfigurationError(
            f"RELIEF_DATABASE_URL needs the driver {error.name}, which is not installed; "
            "postgresql:// takes psycopg, which is"
        ) from None
    except (ArgumentError, ValueError):  # ValueError: of a port that is no number
        raise ConfigurationError(
            "RELIEF_DATABASE_URL is no database URL; write sqlite:///FILE or "
            "postgresql://USER:PASSWORD@HOST/DATABASE, special characters as %40 and so on"
        ) from None

    @event.listens_for(engine, "connect")
    def _configure(dbapi_connection: Any, _record: Any) -> None:
        # The driver's own implicit BEGIN is deferred; we emit BEGIN IMMEDIATE ourselves.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        # A destroyed data key must not linger in a free page.
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Return a factory of sessions that keep attributes after commit."""
    return sessionmaker(engine, expire_on_commit=False)


@contextmanager
def transaction(factory: sessionmaker[Session]) -> Iterator[Session]:
    """One unit of work: commit when the block ends, roll back when it raises."""
    with factory() as session, session.begin():
        yield session


def insert_many(
    session: Session, model: type[Base], columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert many rows by the driver's quickest way: COPY on PostgreSQL, else ``executemany``.

    What is pending in the session is written first; the session knows nothing of the new rows, and
    columns that are not named take the database's own default.

    Parameters
    ----------
    columns
        Names of the columns that the rows have values for, in their order.

    Raises
    ------
    sqlalchemy.exc.IntegrityError
        If a row breaks a constraint.
    """
    if not rows:
        return
    session.flush()
    table = model.__table__
    connection = session.connection()
    dialect = connection.dialect
    processors = [
        (place, processor)
        for place, name in enumerate(columns)
        if (processor := table.c[name].type.dialect_impl(dialect).bind_processor(dialect))
    ]
    if processors:
        converted: list[Any] = [list(row) for row in rows]
        for place, processor in processors:
            for row in converted:
                row[place] = processor(row[place])
        rows = converted
    quote = dialect.identifier_preparer.quote
    target = f"{quote(table.name)} ({', '.join(quote(name) for name in columns)})"  # type: ignore[attr-defined]
    driver: Any = connection.connection.driver_connection
    cursor = driver.cursor()
    try:
        if dialect.name == "postgresql":
            with cursor.copy(f"COPY {target} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        else:
            marks = ", ".join("?" * len(columns))
            cursor.executemany(f"INSERT INTO {target} VALUES ({marks})", rows)  # noqa: S608 - our own names
    except dialect.loaded_dbapi.Error as error:
        # As SQLAlchemy says it where it runs a statement itself.
        kind = dialect.loaded_dbapi.Error
        raise DBAPIError.instance(target, None, error, kind, dialect=dialect) from error
    finally:
        cursor.close()


def sums(
    session: Session, amount: InstrumentedAttribute[int], *by: InstrumentedAttribute[str]
) -> dict[tuple[str, ...], int]:
    """Add up an :class:`Amount` column in SQL, exactly, for each combination of other columns.

    SQLite adds 64-bit integers. There the digits are added nine at a time, a sum each, which holds
    for nine thousand million rows; leading zeros of all are left out.
    """
    if session.get_bind().dialect.name != "sqlite":
        rows = session.execute(select(*by, func.sum(amount)).group_by(*by)).all()
        return {tuple(row[:-1]): int(row[-1]) for row in rows}
    largest = session.scalar(select(func.max(amount))) or 0
    digits = type_coerce(amount, String)
    parts = [
        func.sum(cast(func.substr(digits, -end, _SUMMED_DIGITS), BigInteger))
        for end in range(_SUMMED_DIGITS, len(str(largest)) + _SUMMED_DIGITS, _SUMMED_DIGITS)
    ]
    return {
        tuple(row[: len(by)]): sum(
            part * 10 ** (_SUMMED_DIGITS * place) for place, part in enumerate(row[len(by) :])
        )
        for row in session.execute(select(*by, *parts).group_by(*by))
    }


def one_at_a_time(session: Session, work: str) -> None:
    """Let no other transaction do the same `work` until this one ends; waits for its turn.

    For checks that no constraint can hold, such as that no two streams overlap. On SQLite, BEGIN
    has locked the whole database already.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(work, 0))))


def lock(session: Session, row: R) -> R:
    """Read a row anew and lock it against others until the transaction's end.

    On SQLite, BEGIN has locked the whole database already.
    """
    session.flush()  # refreshing drops changes that were not written
    session.refresh(row, with_for_update=True)
    return row
