"""payouts are written less: their number and their place in a chunk follow from what stands"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | None = None
depends_on: str | None = None

INDEX = "ix_payouts_batch_id_payouts_chunk_index_payouts_index"


def upgrade() -> None:
    op.drop_index(INDEX, "payouts")
    # Not in a batch, which on SQLite would lose the table's checks: it drops columns by itself.
    op.drop_column("payouts", "number")
    # Shown by the chunk's state from now on (decision 0081).
    op.execute("UPDATE payouts SET state = 'queued' WHERE state = 'sent'")


def downgrade() -> None:
    op.add_column("payouts", sa.Column("number", sa.BigInteger(), nullable=True))
    op.execute(
        'UPDATE payouts SET number = "index" + (SELECT first_number FROM batches '
        "WHERE batches.id = payouts.batch_id)"
    )
    op.create_index(INDEX, "payouts", ["batch_id", "chunk_index", "index"])
