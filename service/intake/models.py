"""Tables of imports: which file was imported by whom, and what was refused in it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from service.db import Base, UtcDateTime


class Import(Base):
    """One imported file.

    ``rows = accepted + rejected``; a file that was refused as a whole leaves no row here.
    """

    __tablename__ = "imports"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    filename: Mapped[str] = mapped_column(String(255))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    actor: Mapped[str] = mapped_column(String(200))
    rows: Mapped[int]
    accepted: Mapped[int]
    rejected: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ImportProblem(Base):
    """One problem of an imported file (``skip_bad_rows``), personal values masked."""

    __tablename__ = "import_problems"
    __table_args__ = (Index(None, "import_id", "row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id"))
    row: Mapped[int | None]
    other_row: Mapped[int | None]
    field: Mapped[str | None] = mapped_column(String(64))
    code: Mapped[str] = mapped_column(String(64))
    message: Mapped[str] = mapped_column(Text)
    value: Mapped[str | None] = mapped_column(String(500))
