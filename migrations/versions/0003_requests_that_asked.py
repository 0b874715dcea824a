"""requests that asked: rows that lead to a transaction keep the id of the call behind them"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | None = None
depends_on: str | None = None

COLUMNS = {
    "batches": "asked_by_request",
    "chain_requests": "asked_by_request",
    "quorum_actions": "asked_by_request",
    "transactions": "asked_by_request",
    "officer_journal": "request_id",
}


def upgrade() -> None:
    for table, column in COLUMNS.items():
        op.add_column(table, sa.Column(column, sa.String(length=64), nullable=True))


def downgrade() -> None:
    for table, column in COLUMNS.items():
        op.drop_column(table, column)
