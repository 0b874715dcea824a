"""payouts go the way of their chunk: what one transaction did to 500 of them is written once"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | None = None
depends_on: str | None = None

OF_CHUNK = (
    "chunks.batch_id = payouts.batch_id AND chunks.chunk_index = payouts.chunk_index "
    "AND chunks.state IN ('included', 'final')"
)
NO_ADDRESS = "0x" + "0" * 40


def upgrade() -> None:
    # Their mints stay rows of `transfers`: `mints_log_index` is None.
    op.add_column("chunks", sa.Column("mints_log_index", sa.Integer(), nullable=True))
    op.add_column("chunks", sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE chunks SET updated_at = (SELECT max(updated_at) FROM payouts "
        f"WHERE {OF_CHUNK} AND payouts.tx_hash = chunks.tx_hash) WHERE state IN ('included', 'final')"
    )
    # One that was paid by its chunk and not by a retry has the chunk's transaction.
    op.execute(
        "UPDATE payouts SET state = 'queued', included_block_number = NULL, "
        "included_block_hash = NULL, tx_hash = NULL WHERE state IN ('included', 'paid') "
        f"AND tx_hash = (SELECT tx_hash FROM chunks WHERE {OF_CHUNK})"
    )


def downgrade() -> None:
    op.execute(
        "INSERT INTO transfers (block_number, log_index, block_hash, tx_hash, from_address, "
        "to_address, value) "
        "SELECT chunks.executed_block_number, chunks.mints_log_index - 1 + row_number() OVER "
        '(PARTITION BY payouts.batch_id, payouts.chunk_index ORDER BY payouts."index"), '
        f"chunks.executed_block_hash, chunks.tx_hash, '{NO_ADDRESS}', payouts.payee, "
        f"payouts.amount_base_units FROM payouts JOIN chunks ON {OF_CHUNK} "
        "WHERE payouts.state = 'queued' AND chunks.mints_log_index IS NOT NULL"
    )
    of_chunk = f"FROM chunks WHERE {OF_CHUNK}"
    op.execute(
        f"UPDATE payouts SET included_block_number = (SELECT executed_block_number {of_chunk}), "
        f"included_block_hash = (SELECT executed_block_hash {of_chunk}), "
        f"tx_hash = (SELECT tx_hash {of_chunk}), "
        f"updated_at = coalesce((SELECT updated_at {of_chunk}), updated_at), "
        f"state = CASE (SELECT state {of_chunk}) WHEN 'final' THEN 'paid' ELSE 'included' END "
        f"WHERE state = 'queued' AND EXISTS (SELECT 1 {of_chunk})"
    )
    op.drop_column("chunks", "updated_at")
    op.drop_column("chunks", "mints_log_index")
