"""chunks are stored as they are: addresses and signatures hardly compress, and trying costs time"""

from __future__ import annotations

from alembic import op

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | None = None
depends_on: str | None = None

COLUMNS = (
    ("chunks", "entries"),
    ("events", "args"),
    ("transactions", "calldata"),
    ("transaction_attempts", "raw"),
)
"""Each holds a chunk of up to 500 entries."""


def upgrade() -> None:
    _store("EXTERNAL")


def downgrade() -> None:
    _store("EXTENDED")


def _store(how: str) -> None:
    """Say how PostgreSQL stores what is written from now on; rows that are there stay as they are."""
    if op.get_context().dialect.name != "postgresql":
        return
    for table, column in COLUMNS:
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE {how}")
