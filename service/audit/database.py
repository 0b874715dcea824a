"""The service's database, read only, in one snapshot.

Tables are named here by plain SQL names: the audit imports no model of the stages it checks. On
SQLite the file is opened for reading alone; on PostgreSQL the transaction is read-only.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    TableClause,
    bindparam,
    column,
    create_engine,
    event,
    select,
    table,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.exc import OperationalError as NoDatabase

from service.errors import ConfigurationError, InvalidInput

ROWS_A_FETCH = 5_000

COLUMNS: dict[str, tuple[str, ...]] = {
    "cursors": ("chain_id", "name", "block_number", "block_hash"),
    "programmes": (
        *("id", "region_code", "region_digits", "budget_base_units", "payout_cap_base_units"),
        *("tiers", "metadata_hash", "version", "state", "active_from"),
    ),
    "officers": ("officer_id", "roles", "region_code", "region_digits", "active_from", "removed"),
    "key_verifiers": ("verifier", "active_from", "removed"),
    "officer_signers": ("signer_type", "signer", "officer_id", "active_from", "removed"),
    "batches": (
        *("id", "programme_id", "programme_version", "kind", "region_code", "region_digits"),
        *("maker_officer_id", "chunk_size", "chunks_root", "manifest_hash", "count"),
        *("total_base_units", "start_unix_s", "cliff_s", "duration_s", "cadence_s"),
        *("execute_before_unix_s", "expires_at_unix_s", "state", "paused", "first_number"),
        *("approved_block_number", "approved_block_hash", "execute_from_unix_s"),
    ),
    "chunks": (
        *("batch_id", "chunk_index", "entries", "leaf_hash", "count", "total_base_units"),
        *("state", "executed_block_number", "executed_block_hash", "tx_hash"),
        "mints_log_index",
    ),
    "payouts": (
        *("batch_id", "index", "chunk_index", "commitment", "programme_id", "payee"),
        *("amount_base_units", "kind", "state", "skip_reason"),
        *("included_block_number", "included_block_hash", "tx_hash"),
    ),
    "streams": (
        *("batch_id", "index", "chunk_index", "payee", "total_base_units", "opened_block"),
        *("paid_through_s", "withdrawn_base_units", "cancelled_cut_s", "returned_base_units"),
    ),
    "emergency_grants": (
        *("id", "officer_id", "payee", "amount_base_units", "region_code", "region_digits"),
        *("commitment", "valid_until_unix_s", "state", "overdue_from_unix_s", "countersigned_by"),
        *("included_block_number", "included_block_hash", "tx_hash"),
    ),
    "events": (
        *("block_number", "block_hash", "tx_hash", "log_index", "contract", "name", "args"),
        *("batch_id", "programme", "seq", "final"),
    ),
    "transfers": (
        *("block_number", "log_index", "block_hash", "tx_hash", "from_address", "to_address"),
        "value",
    ),
    "blocks": ("number", "hash", "parent_hash", "timestamp_unix_s"),
    "transactions": (
        *("id", "chain_id", "sender", "nonce", "kind", "target", "calldata", "batch_id"),
        *("chunk_index", "action_id", "state", "block_number", "block_hash", "mined_tx_hash"),
    ),
    "transaction_attempts": ("transaction_id", "n", "purpose", "tx_hash", "raw"),
    "approval_signatures": (
        *("batch_id", "officer_id", "signer_type", "signer", "signature", "digest"),
    ),
    "quorum_actions": ("id", "contract", "kind", "state", "digest"),
    "ledger_entries": (
        *("block_hash", "log_index", "line", "account", "side", "amount", "event_name"),
        *("batch_id", "block_number", "tx_hash", "posting_id"),
    ),
}
"""What is read of each table."""

Row = dict[str, Any]


class Snapshot:
    """One read-only transaction on a database.

    Parameters
    ----------
    url
        SQLAlchemy URL; ``postgresql://`` is taken to mean psycopg 3.

    Raises
    ------
    InvalidInput
        When it is no URL of a database that this can read.
    ConfigurationError
        When the database does not answer.
    """

    def __init__(self, url: str) -> None:
        try:
            self._engine = _read_only_engine(url)
        except (ArgumentError, ImportError, ValueError):  # ValueError: of a port
            message = "write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/DATABASE"
            raise InvalidInput(f"--database is no database URL: {message}") from None
        try:
            self._connection = _begin(self._engine)
        except (NoDatabase, OSError) as error:
            cause = str(getattr(error, "orig", None) or error).strip().split("\n", maxsplit=1)[0]
            raise ConfigurationError(f"the database cannot be read: {cause}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the transaction."""
        self._connection.close()
        self._engine.dispose()

    def rows(self, name: str, order: tuple[str, ...], /, **where: Any) -> Iterator[Row]:
        """Yield rows of a table in an order, those whose columns equal `where`.

        Raises
        ------
        ConfigurationError
            When the table or a column is not there.
        """
        yield from self._read(name, _query(name, order, tuple(where)), where)

    def rows_without_batch(self, name: str) -> Iterator[Row]:
        """Yield the rows of a table whose batch has no row.

        Raises
        ------
        ConfigurationError
            As :meth:`rows`.
        """
        batches = _table("batches")
        source = _table(name)
        query = select(*source.c).where(source.c.batch_id.not_in(select(batches.c.id)))
        yield from self._read(name, query.order_by(source.c.batch_id), {})

    def _read(self, name: str, query: Select[Any], values: dict[str, Any]) -> Iterator[Row]:
        columns = COLUMNS[name]
        try:
            result = self._connection.execute(
                query, values, execution_options={"yield_per": ROWS_A_FETCH}
            )
            for row in result:
                yield dict(zip(columns, row, strict=True))
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).strip().split("\n", maxsplit=1)[0]
            raise ConfigurationError(f"the database cannot be read: {cause}") from error


def _table(name: str) -> TableClause:
    return table(name, *(column(each) for each in COLUMNS[name]))


@cache
def _query(name: str, order: tuple[str, ...], where: tuple[str, ...]) -> Select[Any]:
    source = _table(name)
    query = select(*source.c).where(*(source.c[key] == bindparam(key) for key in where))
    return query.order_by(*(source.c[each] for each in order))


def _read_only_engine(url: str) -> Engine:
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(url).execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
    path = parsed.database or ""
    if not Path(path).is_file():
        raise ConfigurationError(f"there is no database file {path}")
    engine = create_engine(f"sqlite:///file:{quote(str(Path(path).resolve()))}?mode=ro&uri=true")

    @event.listens_for(engine, "connect")
    def _explicit_transactions(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin_reading(connection: Any) -> None:
        # A deferred BEGIN: the first read takes the snapshot, and no lock keeps writers out.
        connection.exec_driver_sql("BEGIN")

    return engine


def _begin(engine: Engine) -> Connection:
    connection = engine.connect()
    connection.begin()
    return connection


def whole(value: Any) -> int | None:
    """Read a stored integer or amount, whichever way the database keeps it."""
    return None if value is None else int(value)


def unix(value: Any) -> int | None:
    """Read a stored time as Unix seconds."""
    if value is None:
        return None
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp())
