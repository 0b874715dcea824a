"""workers that live, which share the lanes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "workers",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("owner", sa.String(length=100), nullable=False),
        sa.Column("senders", sa.JSON(), nullable=False),
        sa.Column("seen_unix_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "owner", name=op.f("pk_workers")),
    )


def downgrade() -> None:
    op.drop_table("workers")
