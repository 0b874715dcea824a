"""Tables of cases, beneficiaries and wallets."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import (
    CheckConstraint,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from service.cases.states import CaseState
from service.db import Amount, Base, UtcDateTime
from service.regions import Region
from service.regions.region import RegionDigits

_LIVE = text("state <> 'rejected'")
COUNTS = text("cases.state <> 'rejected'")
"""Whether a case counts, in the words of the index on those: SQLite serves no others by it."""


class Beneficiary(Base):
    """A person; what identifies them is encrypted (docs/privacy.md).

    Erasure destroys ``wrapped_data_key`` and the blind indexes; the row, and what hangs on it,
    stays.
    """

    __tablename__ = "beneficiaries"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[bytes] = mapped_column(LargeBinary)
    id_number: Mapped[bytes] = mapped_column(LargeBinary)
    phone: Mapped[bytes | None] = mapped_column(LargeBinary)
    id_number_blind_index: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    phone_blind_index: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    wrapped_data_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    key_version: Mapped[int] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Wallet(Base):
    """An address, in EIP-55 form, and the one person it belongs to."""

    __tablename__ = "wallets"

    address: Mapped[str] = mapped_column(String(42), primary_key=True)
    beneficiary_id: Mapped[str] = mapped_column(ForeignKey("beneficiaries.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Case(Base):
    """One need of one person that one payment (at once or as a stream) answers.

    ``region_code`` and ``region_digits`` are those of :class:`service.regions.Region`;
    ``programme_id`` is the programme's number on chain; ``amount_base_units`` is the whole
    amount; ``commitment`` is the case commitment in hexadecimal without ``0x``.
    """

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("kind IN ('one_off', 'stream')", name="kind"),
        CheckConstraint("state IN ('received', 'approved', 'rejected')", name="state"),
        CheckConstraint("(kind = 'stream') = (duration_days IS NOT NULL)", name="duration"),
        # Only a rejected case may be filed again.
        Index(
            "uq_cases_live_commitment",
            "programme_id",
            "commitment",
            unique=True,
            sqlite_where=_LIVE,
            postgresql_where=_LIVE,
        ),
        # A page is a range of ids within a filter.
        Index(None, "state", "id"),
        Index(None, "programme_id", "state", "kind", "id"),
        Index(None, "region_digits", "region_code", "id"),
        Index(None, "import_id", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    case_ref: Mapped[str] = mapped_column(String(64), unique=True)
    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id"))
    beneficiary_id: Mapped[str] = mapped_column(ForeignKey("beneficiaries.id"), index=True)
    wallet_address: Mapped[str] = mapped_column(ForeignKey("wallets.address"), index=True)
    programme_id: Mapped[int]
    region_code: Mapped[int]
    region_digits: Mapped[RegionDigits] = mapped_column(Integer)
    kind: Mapped[str] = mapped_column(String(7))
    amount_base_units: Mapped[int] = mapped_column(Amount)
    start_date: Mapped[date] = mapped_column(Date)
    duration_days: Mapped[int | None]
    cause: Mapped[str] = mapped_column(Text)
    period: Mapped[str] = mapped_column(String(7))
    commitment: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(8), default=CaseState.RECEIVED.value)
    decided_by: Mapped[str | None] = mapped_column(String(200))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decision_reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def region(self) -> Region:
        """The case's region as a value."""
        return Region(self.region_code, self.region_digits)
