"""Tables of the ledger. Entries are only ever added."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from service.db import Amount, Base
from service.transactions.models import RowId


class LedgerAccount(Base):
    """An account: ``funding``, ``budget:<programme>``, ``committed:<programme>``, ``circulating``,
    ``redeemed``, ``emergency``.

    Attributes
    ----------
    code
        The name above.
    programme
        Programme number of a budget or commitment, else None.
    """  # noqa: D205 - the list of names is one sentence

    __tablename__ = "ledger_accounts"

    code: Mapped[str] = mapped_column(String(32), primary_key=True)
    programme: Mapped[int | None] = mapped_column(BigInteger, index=True)


class LedgerEntry(Base):
    """One side of a posting. The two of a posting have the same amount, on opposite sides.

    Attributes
    ----------
    posting_id
        Source event: ``<block hash>:<log index>``.
    line
        0 for what the money leaves (credit), 1 for where it goes (debit).
    side
        ``debit`` or ``credit``. An account's balance is debits less credits.
    """

    __tablename__ = "ledger_entries"
    __table_args__ = (
        UniqueConstraint("block_hash", "log_index", "line"),
        CheckConstraint("side IN ('debit', 'credit')", name="side"),
        Index(None, "account", "id"),
        Index(None, "posting_id"),
        Index(None, "block_number"),
    )

    id: Mapped[int] = mapped_column(RowId, primary_key=True, autoincrement=True)
    posting_id: Mapped[str] = mapped_column(String(80))
    line: Mapped[int]
    account: Mapped[str] = mapped_column(ForeignKey("ledger_accounts.code"))
    side: Mapped[str] = mapped_column(String(6))
    amount: Mapped[int] = mapped_column(Amount)
    event_name: Mapped[str] = mapped_column(String(48))
    batch_id: Mapped[str | None] = mapped_column(String(66))
    block_number: Mapped[int] = mapped_column(BigInteger)
    block_hash: Mapped[str] = mapped_column(String(66))
    tx_hash: Mapped[str] = mapped_column(String(66))
    log_index: Mapped[int]
