"""the node's last answer to an attempt; indexes that look-ups of transactions need"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    with op.batch_alter_table("transaction_attempts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("answer", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("refused_since_unix_ms", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_transactions_request_id_transactions_id"),
            ["request_id", "id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_transactions_action_id"), ["action_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_transactions_state_transactions_id"), ["state", "id"], unique=False
        )


def downgrade() -> None:
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_transactions_state_transactions_id"))
        batch_op.drop_index(batch_op.f("ix_transactions_action_id"))
        batch_op.drop_index(batch_op.f("ix_transactions_request_id_transactions_id"))

    with op.batch_alter_table("transaction_attempts", schema=None) as batch_op:
        batch_op.drop_column("refused_since_unix_ms")
        batch_op.drop_column("answer")
