"""all tables"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | None = None
depends_on: str | None = None


def upgrade() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_api_tokens_sha256")),
    )
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_tokens_name"), ["name"], unique=False)

    op.create_table(
        "beneficiaries",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.LargeBinary(), nullable=False),
        sa.Column("id_number", sa.LargeBinary(), nullable=False),
        sa.Column("phone", sa.LargeBinary(), nullable=True),
        sa.Column("id_number_blind_index", sa.LargeBinary(length=32), nullable=True),
        sa.Column("phone_blind_index", sa.LargeBinary(length=32), nullable=True),
        sa.Column("wrapped_data_key", sa.LargeBinary(), nullable=True),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_beneficiaries")),
        sa.UniqueConstraint(
            "id_number_blind_index", name=op.f("uq_beneficiaries_id_number_blind_index")
        ),
    )
    with op.batch_alter_table("beneficiaries", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_beneficiaries_key_version"), ["key_version"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_beneficiaries_phone_blind_index"), ["phone_blind_index"], unique=False
        )

    op.create_table(
        "blocks",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=66), nullable=False),
        sa.Column("parent_hash", sa.String(length=66), nullable=False),
        sa.Column("timestamp_unix_s", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_blocks")),
        sa.UniqueConstraint("hash", name=op.f("uq_blocks_hash")),
    )
    op.create_table(
        "chain_alarms",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cleared_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_alarms")),
    )
    op.create_table(
        "chain_requests",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column("dedupe_key", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('activate_minter', 'apply_budget', 'apply_cap', 'apply_lane_limits', 'apply_region_cap', 'attest_reserve', 'cancel_authorization', 'create_programme', 'decrease_budget', 'expire_batch', 'expire_payout', 'expire_streams', 'lower_cap', 'lower_lane_limits', 'lower_region_cap', 'permit', 'redeem_with_authorization', 'retry_payout', 'schedule_budget', 'transfer_with_authorization', 'withdraw_chunk', 'withdraw_stream')",
            name=op.f("ck_chain_requests_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('done', 'failed', 'planned', 'requested')",
            name=op.f("ck_chain_requests_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chain_requests")),
    )
    with op.batch_alter_table("chain_requests", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_chain_requests_state_chain_requests_id"), ["state", "id"], unique=False
        )
        batch_op.create_index(
            "uq_chain_requests_open_dedupe_key",
            ["dedupe_key"],
            unique=True,
            sqlite_where=sa.text("state IN ('planned', 'requested')"),
            postgresql_where=sa.text("state IN ('planned', 'requested')"),
        )

    op.create_table(
        "cursors",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "events",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False),
        sa.Column("tx_hash", sa.String(length=66), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.Column("contract", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=48), nullable=False),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column("batch_id", sa.String(length=66), nullable=True),
        sa.Column("programme", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint(
            "block_number", "log_index", name=op.f("uq_events_block_number_log_index")
        ),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_batch_id"), ["batch_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_events_contract_events_seq"), ["contract", "seq"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_events_final_events_id"), ["final", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_events_name_events_batch_id"), ["name", "batch_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_events_name_events_programme"), ["name", "programme"], unique=False
        )
        batch_op.create_index(batch_op.f("ix_events_tx_hash"), ["tx_hash"], unique=False)

    op.create_table(
        "idempotency_keys",
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("operation", sa.String(length=300), nullable=False),
        sa.Column("request_sha256", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("actor", "key", name=op.f("pk_idempotency_keys")),
    )
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_idempotency_keys_created_at"), ["created_at"], unique=False
        )

    op.create_table(
        "imports",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    with op.batch_alter_table("imports", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_imports_sha256"), ["sha256"], unique=False)

    op.create_table(
        "key_verifiers",
        sa.Column("verifier", sa.String(length=42), nullable=False),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("verifier", name=op.f("pk_key_verifiers")),
    )
    op.create_table(
        "lanes",
        sa.Column("chain_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sender", sa.String(length=42), nullable=False),
        sa.Column("next_nonce", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.String(length=100), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_expires_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("out_of_funds", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("chain_id", "sender", name=op.f("pk_lanes")),
    )
    op.create_table(
        "ledger_accounts",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("programme", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_ledger_accounts")),
    )
    with op.batch_alter_table("ledger_accounts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_ledger_accounts_programme"), ["programme"], unique=False
        )

    op.create_table(
        "officer_journal",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("object_type", sa.String(length=32), nullable=False),
        sa.Column("object_id", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_officer_journal")),
    )
    with op.batch_alter_table("officer_journal", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f(
                "ix_officer_journal_object_type_officer_journal_object_id_officer_journal_id"
            ),
            ["object_type", "object_id", "id"],
            unique=False,
        )

    op.create_table(
        "officers",
        sa.Column("officer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("roles", sa.Integer(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("region_digits", sa.Integer(), nullable=False),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("officer_id", name=op.f("pk_officers")),
    )
    op.create_table(
        "programmes",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("region_digits", sa.Integer(), nullable=False),
        sa.Column(
            "budget_base_units",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "payout_cap_base_units",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column("tiers", sa.JSON(), nullable=False),
        sa.Column("metadata_hash", sa.String(length=66), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("state IN ('onchain', 'proposed')", name=op.f("ck_programmes_state")),
        sa.CheckConstraint(
            "region_digits IN (0, 2, 4, 6)", name=op.f("ck_programmes_region_digits")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programmes")),
        sa.UniqueConstraint("code", name=op.f("uq_programmes_code")),
    )
    op.create_table(
        "quorum_actions",
        sa.Column("id", sa.String(length=66), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("contract", sa.String(length=8), nullable=False),
        sa.Column("message", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("deadline_unix_s", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.Integer(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("region_digits", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "contract IN ('vault', 'registry', 'token', 'lane')",
            name=op.f("ck_quorum_actions_contract"),
        ),
        sa.CheckConstraint(
            "kind IN ('batch_cancellation', 'batch_hold', 'cap_increase', 'emergency_grant', 'entry_hold', 'grant_countersignature', 'grant_write_off', 'grants_unpause', 'limits_raise', 'manager_call', 'minter_addition', 'minter_removal', 'officer_addition', 'officer_removal', 'region_cap_raise', 'signer_addition', 'signer_removal', 'stream_cancellation', 'sunset', 'token_unpause', 'vault_unpause', 'verifier_addition', 'verifier_removal', 'wallet_change')",
            name=op.f("ck_quorum_actions_kind"),
        ),
        sa.CheckConstraint(
            "state IN ('collecting', 'done', 'expired', 'ready', 'submitted')",
            name=op.f("ck_quorum_actions_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quorum_actions")),
    )
    with op.batch_alter_table("quorum_actions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_quorum_actions_state_quorum_actions_id"), ["state", "id"], unique=False
        )

    op.create_table(
        "transfers",
        sa.Column("block_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False),
        sa.Column("tx_hash", sa.String(length=66), nullable=False),
        sa.Column("from_address", sa.String(length=42), nullable=False),
        sa.Column("to_address", sa.String(length=42), nullable=False),
        sa.Column("value", sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_transfers")),
    )
    with op.batch_alter_table("transfers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_transfers_from_address_transfers_block_number"),
            ["from_address", "block_number"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_transfers_to_address_transfers_block_number"),
            ["to_address", "block_number"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_transfers_tx_hash"), ["tx_hash"], unique=False)

    op.create_table(
        "batches",
        sa.Column("id", sa.String(length=66), nullable=False),
        sa.Column("programme_id", sa.BigInteger(), nullable=False),
        sa.Column("programme_version", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=7), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("region_digits", sa.Integer(), nullable=False),
        sa.Column("maker_officer_id", sa.BigInteger(), nullable=True),
        sa.Column("chunk_size", sa.Integer(), nullable=False),
        sa.Column("chunks_root", sa.String(length=66), nullable=False),
        sa.Column("manifest_hash", sa.String(length=66), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column(
            "total_base_units",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column("start_unix_s", sa.BigInteger(), nullable=False),
        sa.Column("cliff_s", sa.BigInteger(), nullable=False),
        sa.Column("duration_s", sa.BigInteger(), nullable=False),
        sa.Column("cadence_s", sa.BigInteger(), nullable=False),
        sa.Column("execute_before_unix_s", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_unix_s", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.Column("signing_opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_number", sa.BigInteger(), nullable=True),
        sa.Column("approved_block_number", sa.BigInteger(), nullable=True),
        sa.Column("approved_block_hash", sa.String(length=66), nullable=True),
        sa.Column("execute_from_unix_s", sa.BigInteger(), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_by", sa.String(length=200), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('one_off', 'stream')", name=op.f("ck_batches_kind")),
        sa.CheckConstraint(
            "state IN ('approved', 'cancelled', 'done', 'draft', 'onchain', 'released')",
            name=op.f("ck_batches_state"),
        ),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_batches_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
    )
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_batches_programme_id_batches_created_at"),
            ["programme_id", "created_at"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_batches_state_batches_id"), ["state", "id"], unique=False
        )

    op.create_table(
        "import_problems",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("import_id", sa.String(length=36), nullable=False),
        sa.Column("row", sa.Integer(), nullable=True),
        sa.Column("other_row", sa.Integer(), nullable=True),
        sa.Column("field", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("value", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_import_problems_import_id_imports")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_problems")),
    )
    with op.batch_alter_table("import_problems", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_import_problems_import_id_import_problems_row"),
            ["import_id", "row"],
            unique=False,
        )

    op.create_table(
        "ledger_entries",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("posting_id", sa.String(length=80), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("side", sa.String(length=6), nullable=False),
        sa.Column(
            "amount", sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"), nullable=False
        ),
        sa.Column("event_name", sa.String(length=48), nullable=False),
        sa.Column("batch_id", sa.String(length=66), nullable=True),
        sa.Column("block_number", sa.BigInteger(), nullable=False),
        sa.Column("block_hash", sa.String(length=66), nullable=False),
        sa.Column("tx_hash", sa.String(length=66), nullable=False),
        sa.Column("log_index", sa.Integer(), nullable=False),
        sa.CheckConstraint("side IN ('debit', 'credit')", name=op.f("ck_ledger_entries_side")),
        sa.ForeignKeyConstraint(
            ["account"],
            ["ledger_accounts.code"],
            name=op.f("fk_ledger_entries_account_ledger_accounts"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_entries")),
        sa.UniqueConstraint(
            "block_hash",
            "log_index",
            "line",
            name=op.f("uq_ledger_entries_block_hash_log_index_line"),
        ),
    )
    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_ledger_entries_account_ledger_entries_id"),
            ["account", "id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_ledger_entries_block_number"), ["block_number"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_ledger_entries_posting_id"), ["posting_id"], unique=False
        )

    op.create_table(
        "officer_signers",
        sa.Column("signer_type", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("signer", sa.String(length=200), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), nullable=False),
        sa.Column("active_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["officer_id"],
            ["officers.officer_id"],
            name=op.f("fk_officer_signers_officer_id_officers"),
        ),
        sa.PrimaryKeyConstraint("signer_type", "signer", name=op.f("pk_officer_signers")),
    )
    with op.batch_alter_table("officer_signers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_officer_signers_officer_id"), ["officer_id"], unique=False
        )

    op.create_table(
        "quorum_signatures",
        sa.Column("action_id", sa.String(length=66), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("signer_type", sa.Integer(), nullable=False),
        sa.Column("signer", sa.String(length=200), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["action_id"],
            ["quorum_actions.id"],
            name=op.f("fk_quorum_signatures_action_id_quorum_actions"),
        ),
        sa.ForeignKeyConstraint(
            ["officer_id"],
            ["officers.officer_id"],
            name=op.f("fk_quorum_signatures_officer_id_officers"),
        ),
        sa.PrimaryKeyConstraint("action_id", "officer_id", name=op.f("pk_quorum_signatures")),
    )
    op.create_table(
        "transactions",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("chain_id", sa.BigInteger(), nullable=False),
        sa.Column("sender", sa.String(length=42), nullable=False),
        sa.Column("nonce", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("target", sa.String(length=42), nullable=False),
        sa.Column("calldata", sa.LargeBinary(), nullable=False),
        sa.Column("gas_limit", sa.BigInteger(), nullable=True),
        sa.Column("dedupe_key", sa.String(length=200), nullable=False),
        sa.Column("batch_id", sa.String(length=66), nullable=True),
        sa.Column("chunk_index", sa.Integer(), nullable=True),
        sa.Column("action_id", sa.String(length=66), nullable=True),
        sa.Column("request_id", sa.String(length=66), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("block_number", sa.BigInteger(), nullable=True),
        sa.Column("block_hash", sa.String(length=66), nullable=True),
        sa.Column("mined_tx_hash", sa.String(length=66), nullable=True),
        sa.Column("gas_used", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_unix_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["chain_id", "sender"],
            ["lanes.chain_id", "lanes.sender"],
            name=op.f("fk_transactions_chain_id_sender_lanes"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transactions")),
        sa.UniqueConstraint(
            "chain_id", "sender", "nonce", name=op.f("uq_transactions_chain_id_sender_nonce")
        ),
    )
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_transactions_batch_id_transactions_chunk_index"),
            ["batch_id", "chunk_index"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_transactions_block_number"), ["block_number"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_transactions_chain_id_transactions_sender_transactions_state"),
            ["chain_id", "sender", "state"],
            unique=False,
        )
        batch_op.create_index(
            "uq_transactions_live_dedupe_key",
            ["chain_id", "dedupe_key"],
            unique=True,
            sqlite_where=sa.text(
                "state IN ('built', 'signed', 'sent', 'included', 'replaced', 'reorged')"
            ),
            postgresql_where=sa.text(
                "state IN ('built', 'signed', 'sent', 'included', 'replaced', 'reorged')"
            ),
        )

    op.create_table(
        "wallets",
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("beneficiary_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["beneficiary_id"],
            ["beneficiaries.id"],
            name=op.f("fk_wallets_beneficiary_id_beneficiaries"),
        ),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_wallets")),
    )
    with op.batch_alter_table("wallets", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_wallets_beneficiary_id"), ["beneficiary_id"], unique=False
        )

    op.create_table(
        "approval_signatures",
        sa.Column("batch_id", sa.String(length=66), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("signer_type", sa.Integer(), nullable=False),
        sa.Column("signer", sa.String(length=200), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=66), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_approval_signatures_batch_id_batches")
        ),
        sa.ForeignKeyConstraint(
            ["officer_id"],
            ["officers.officer_id"],
            name=op.f("fk_approval_signatures_officer_id_officers"),
        ),
        sa.PrimaryKeyConstraint("batch_id", "officer_id", name=op.f("pk_approval_signatures")),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("case_ref", sa.String(length=64), nullable=False),
        sa.Column("import_id", sa.String(length=36), nullable=False),
        sa.Column("beneficiary_id", sa.String(length=36), nullable=False),
        sa.Column("wallet_address", sa.String(length=42), nullable=False),
        sa.Column("programme_id", sa.Integer(), nullable=False),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("region_digits", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=7), nullable=False),
        sa.Column(
            "amount_base_units",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column("start_date", sa.Date(), nullable=False),
        sa.Column("duration_days", sa.Integer(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("period", sa.String(length=7), nullable=False),
        sa.Column("commitment", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(kind = 'stream') = (duration_days IS NOT NULL)", name=op.f("ck_cases_duration")
        ),
        sa.CheckConstraint("kind IN ('one_off', 'stream')", name=op.f("ck_cases_kind")),
        sa.CheckConstraint(
            "state IN ('received', 'approved', 'rejected')", name=op.f("ck_cases_state")
        ),
        sa.ForeignKeyConstraint(
            ["beneficiary_id"],
            ["beneficiaries.id"],
            name=op.f("fk_cases_beneficiary_id_beneficiaries"),
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["imports.id"], name=op.f("fk_cases_import_id_imports")
        ),
        sa.ForeignKeyConstraint(
            ["wallet_address"], ["wallets.address"], name=op.f("fk_cases_wallet_address_wallets")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("case_ref", name=op.f("uq_cases_case_ref")),
    )
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_cases_beneficiary_id"), ["beneficiary_id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_cases_import_id_cases_id"), ["import_id", "id"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_cases_programme_id_cases_state_cases_kind_cases_id"),
            ["programme_id", "state", "kind", "id"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_cases_region_digits_cases_region_code_cases_id"),
            ["region_digits", "region_code", "id"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_cases_state_cases_id"), ["state", "id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_cases_wallet_address"), ["wallet_address"], unique=False
        )
        batch_op.create_index(
            "uq_cases_live_commitment",
            ["programme_id", "commitment"],
            unique=True,
            sqlite_where=sa.text("state <> 'rejected'"),
            postgresql_where=sa.text("state <> 'rejected'"),
        )

    op.create_table(
        "emergency_grants",
        sa.Column("id", sa.String(length=66), nullable=False),
        sa.Column("officer_id", sa.BigInteger(), nullable=False),
        sa.Column("payee", sa.String(length=42), nullable=False),
        sa.Column(
            "amount_base_units",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column("region_code", sa.Integer(), nullable=False),
        sa.Column("region_digits", sa.Integer(), nullable=False),
        sa.Column("commitment", sa.String(length=64), nullable=False),
        sa.Column("valid_until_unix_s", sa.BigInteger(), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=True),
        sa.Column("commitment_salt", sa.String(length=66), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("state", sa.String(length=13), nullable=False),
        sa.Column("overdue_from_unix_s", sa.BigInteger(), nullable=True),
        sa.Column("countersigned_by", sa.BigInteger(), nullable=True),
        sa.Column("included_block_number", sa.BigInteger(), nullable=True),
        sa.Column("included_block_hash", sa.String(length=66), nullable=True),
        sa.Column("tx_hash", sa.String(length=66), nullable=True),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "region_digits IN (2, 4, 6)", name=op.f("ck_emergency_grants_region_digits")
        ),
        sa.CheckConstraint(
            "state IN ('countersigned', 'expired', 'outstanding', 'proposed', 'written_off')",
            name=op.f("ck_emergency_grants_state"),
        ),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_emergency_grants_case_id_cases")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_grants")),
    )
    with op.batch_alter_table("emergency_grants", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_emergency_grants_commitment"), ["commitment"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_emergency_grants_state_emergency_grants_id"),
            ["state", "id"],
            unique=False,
        )
        batch_op.create_index(
            "uq_emergency_grants_live_commitment",
            ["commitment"],
            unique=True,
            sqlite_where=sa.text(
                "state IN ('countersigned', 'outstanding', 'proposed', 'written_off')"
            ),
            postgresql_where=sa.text(
                "state IN ('countersigned', 'outstanding', 'proposed', 'written_off')"
            ),
        )

    op.create_table(
        "chunks",
        sa.Column("batch_id", sa.String(length=66), nullable=False),
        sa.Column("chunk_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_hash", sa.String(length=66), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column(
            "total_base_units",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("executed_block_number", sa.BigInteger(), nullable=True),
        sa.Column("executed_block_hash", sa.String(length=66), nullable=True),
        sa.Column("tx_hash", sa.String(length=66), nullable=True),
        sa.CheckConstraint(
            "state IN ('final', 'included', 'sent', 'waiting')", name=op.f("ck_chunks_state")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_chunks_batch_id_batches")
        ),
        sa.PrimaryKeyConstraint("batch_id", "chunk_index", name=op.f("pk_chunks")),
    )
    with op.batch_alter_table("chunks", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_chunks_state_chunks_batch_id_chunks_chunk_index"),
            ["state", "batch_id", "chunk_index"],
            unique=False,
        )

    op.create_table(
        "transaction_attempts",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column(
            "transaction_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("tx_hash", sa.String(length=66), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column(
            "max_fee_per_gas",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "priority_fee_per_gas",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column("signed_unix_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_sent_unix_ms", sa.BigInteger(), nullable=True),
        sa.Column("sent_unix_ms", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["transaction_id"],
            ["transactions.id"],
            name=op.f("fk_transaction_attempts_transaction_id_transactions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transaction_attempts")),
        sa.UniqueConstraint(
            "transaction_id", "n", name=op.f("uq_transaction_attempts_transaction_id_n")
        ),
        sa.UniqueConstraint("tx_hash", name=op.f("uq_transaction_attempts_tx_hash")),
    )
    op.create_table(
        "payouts",
        sa.Column("batch_id", sa.String(length=66), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chunk_index", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(length=36), nullable=True),
        sa.Column("commitment", sa.String(length=64), nullable=False),
        sa.Column("programme_id", sa.BigInteger(), nullable=False),
        sa.Column("payee", sa.String(length=42), nullable=False),
        sa.Column(
            "amount_base_units",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column("kind", sa.String(length=7), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("skip_reason", sa.String(length=64), nullable=True),
        sa.Column("included_block_number", sa.BigInteger(), nullable=True),
        sa.Column("included_block_hash", sa.String(length=66), nullable=True),
        sa.Column("tx_hash", sa.String(length=66), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('one_off', 'stream')", name=op.f("ck_payouts_kind")),
        sa.CheckConstraint(
            "state IN ('approved', 'cancelled', 'draft', 'expired', 'held', 'included', 'paid', 'queued', 'sent', 'skipped')",
            name=op.f("ck_payouts_state"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id", "chunk_index"],
            ["chunks.batch_id", "chunks.chunk_index"],
            name=op.f("fk_payouts_batch_id_chunk_index_chunks"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_payouts_batch_id_batches")
        ),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name=op.f("fk_payouts_case_id_cases")),
        sa.ForeignKeyConstraint(
            ["programme_id"], ["programmes.id"], name=op.f("fk_payouts_programme_id_programmes")
        ),
        sa.PrimaryKeyConstraint("batch_id", "index", name=op.f("pk_payouts")),
    )
    with op.batch_alter_table("payouts", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_payouts_batch_id_payouts_chunk_index_payouts_index"),
            ["batch_id", "chunk_index", "index"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_payouts_case_id"), ["case_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_payouts_payee"), ["payee"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_payouts_programme_id_payouts_state_payouts_batch_id_payouts_index"),
            ["programme_id", "state", "batch_id", "index"],
            unique=False,
        )
        batch_op.create_index(
            batch_op.f("ix_payouts_state_payouts_batch_id_payouts_index"),
            ["state", "batch_id", "index"],
            unique=False,
        )
        batch_op.create_index(
            "uq_payouts_live_case",
            ["case_id"],
            unique=True,
            sqlite_where=sa.text(
                "state IN ('approved', 'draft', 'held', 'included', 'paid', 'queued', 'sent', 'skipped')"
            ),
            postgresql_where=sa.text(
                "state IN ('approved', 'draft', 'held', 'included', 'paid', 'queued', 'sent', 'skipped')"
            ),
        )
        batch_op.create_index(
            "uq_payouts_live_commitment",
            ["commitment"],
            unique=True,
            sqlite_where=sa.text(
                "state IN ('approved', 'draft', 'held', 'included', 'paid', 'queued', 'sent', 'skipped')"
            ),
            postgresql_where=sa.text(
                "state IN ('approved', 'draft', 'held', 'included', 'paid', 'queued', 'sent', 'skipped')"
            ),
        )

    op.create_table(
        "streams",
        sa.Column("batch_id", sa.String(length=66), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("chunk_index", sa.Integer(), nullable=False),
        sa.Column("payee", sa.String(length=42), nullable=False),
        sa.Column(
            "total_base_units",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column("opened_block", sa.BigInteger(), nullable=False),
        sa.Column("paid_through_s", sa.BigInteger(), nullable=False),
        sa.Column(
            "withdrawn_base_units",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column("cancelled_cut_s", sa.BigInteger(), nullable=True),
        sa.Column(
            "returned_base_units",
            sa.Numeric(78, 0).with_variant(sa.String(78), "sqlite"),
            nullable=False,
        ),
        sa.Column("last_event_block", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["batch_id", "index"],
            ["payouts.batch_id", "payouts.index"],
            name=op.f("fk_streams_batch_id_index_payouts"),
        ),
        sa.PrimaryKeyConstraint("batch_id", "index", name=op.f("pk_streams")),
    )
    with op.batch_alter_table("streams", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_streams_batch_id_streams_chunk_index"),
            ["batch_id", "chunk_index"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_streams_payee"), ["payee"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("streams", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_streams_payee"))
        batch_op.drop_index(batch_op.f("ix_streams_batch_id_streams_chunk_index"))

    op.drop_table("streams")
    with op.batch_alter_table("payouts", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_payouts_live_commitment",
            sqlite_where=sa.text(
                "state IN ('approved', 'draft', 'held', 'included', 'paid', 'queued', 'sent', 'skipped')"
            ),
            postgresql_where=sa.text(
                "state IN ('approved', 'draft', 'held', 'included', 'paid', 'queued', 'sent', 'skipped')"
            ),
        )
        batch_op.drop_index(
            "uq_payouts_live_case",
            sqlite_where=sa.text(
                "state IN ('approved', 'draft', 'held', 'included', 'paid', 'queued', 'sent', 'skipped')"
            ),
            postgresql_where=sa.text(
                "state IN ('approved', 'draft', 'held', 'included', 'paid', 'queued', 'sent', 'skipped')"
            ),
        )
        batch_op.drop_index(batch_op.f("ix_payouts_state_payouts_batch_id_payouts_index"))
        batch_op.drop_index(
            batch_op.f("ix_payouts_programme_id_payouts_state_payouts_batch_id_payouts_index")
        )
        batch_op.drop_index(batch_op.f("ix_payouts_payee"))
        batch_op.drop_index(batch_op.f("ix_payouts_case_id"))
        batch_op.drop_index(batch_op.f("ix_payouts_batch_id_payouts_chunk_index_payouts_index"))

    op.drop_table("payouts")
    op.drop_table("transaction_attempts")
    with op.batch_alter_table("chunks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_chunks_state_chunks_batch_id_chunks_chunk_index"))

    op.drop_table("chunks")
    with op.batch_alter_table("emergency_grants", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_emergency_grants_live_commitment",
            sqlite_where=sa.text(
                "state IN ('countersigned', 'outstanding', 'proposed', 'written_off')"
            ),
            postgresql_where=sa.text(
                "state IN ('countersigned', 'outstanding', 'proposed', 'written_off')"
            ),
        )
        batch_op.drop_index(batch_op.f("ix_emergency_grants_state_emergency_grants_id"))
        batch_op.drop_index(batch_op.f("ix_emergency_grants_commitment"))

    op.drop_table("emergency_grants")
    with op.batch_alter_table("cases", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_cases_live_commitment",
            sqlite_where=sa.text("state <> 'rejected'"),
            postgresql_where=sa.text("state <> 'rejected'"),
        )
        batch_op.drop_index(batch_op.f("ix_cases_wallet_address"))
        batch_op.drop_index(batch_op.f("ix_cases_state_cases_id"))
        batch_op.drop_index(batch_op.f("ix_cases_region_digits_cases_region_code_cases_id"))
        batch_op.drop_index(batch_op.f("ix_cases_programme_id_cases_state_cases_kind_cases_id"))
        batch_op.drop_index(batch_op.f("ix_cases_import_id_cases_id"))
        batch_op.drop_index(batch_op.f("ix_cases_beneficiary_id"))

    op.drop_table("cases")
    op.drop_table("approval_signatures")
    with op.batch_alter_table("wallets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_wallets_beneficiary_id"))

    op.drop_table("wallets")
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_transactions_live_dedupe_key",
            sqlite_where=sa.text(
                "state IN ('built', 'signed', 'sent', 'included', 'replaced', 'reorged')"
            ),
            postgresql_where=sa.text(
                "state IN ('built', 'signed', 'sent', 'included', 'replaced', 'reorged')"
            ),
        )
        batch_op.drop_index(
            batch_op.f("ix_transactions_chain_id_transactions_sender_transactions_state")
        )
        batch_op.drop_index(batch_op.f("ix_transactions_block_number"))
        batch_op.drop_index(batch_op.f("ix_transactions_batch_id_transactions_chunk_index"))

    op.drop_table("transactions")
    op.drop_table("quorum_signatures")
    with op.batch_alter_table("officer_signers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_officer_signers_officer_id"))

    op.drop_table("officer_signers")
    with op.batch_alter_table("ledger_entries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ledger_entries_posting_id"))
        batch_op.drop_index(batch_op.f("ix_ledger_entries_block_number"))
        batch_op.drop_index(batch_op.f("ix_ledger_entries_account_ledger_entries_id"))

    op.drop_table("ledger_entries")
    with op.batch_alter_table("import_problems", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_import_problems_import_id_import_problems_row"))

    op.drop_table("import_problems")
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_batches_state_batches_id"))
        batch_op.drop_index(batch_op.f("ix_batches_programme_id_batches_created_at"))

    op.drop_table("batches")
    with op.batch_alter_table("transfers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_transfers_tx_hash"))
        batch_op.drop_index(batch_op.f("ix_transfers_to_address_transfers_block_number"))
        batch_op.drop_index(batch_op.f("ix_transfers_from_address_transfers_block_number"))

    op.drop_table("transfers")
    with op.batch_alter_table("quorum_actions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_quorum_actions_state_quorum_actions_id"))

    op.drop_table("quorum_actions")
    op.drop_table("programmes")
    op.drop_table("officers")
    with op.batch_alter_table("officer_journal", schema=None) as batch_op:
        batch_op.drop_index(
            batch_op.f(
                "ix_officer_journal_object_type_officer_journal_object_id_officer_journal_id"
            )
        )

    op.drop_table("officer_journal")
    with op.batch_alter_table("ledger_accounts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_ledger_accounts_programme"))

    op.drop_table("ledger_accounts")
    op.drop_table("lanes")
    op.drop_table("key_verifiers")
    with op.batch_alter_table("imports", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_imports_sha256"))

    op.drop_table("imports")
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_idempotency_keys_created_at"))

    op.drop_table("idempotency_keys")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_events_tx_hash"))
        batch_op.drop_index(batch_op.f("ix_events_name_events_programme"))
        batch_op.drop_index(batch_op.f("ix_events_name_events_batch_id"))
        batch_op.drop_index(batch_op.f("ix_events_final_events_id"))
        batch_op.drop_index(batch_op.f("ix_events_contract_events_seq"))
        batch_op.drop_index(batch_op.f("ix_events_batch_id"))

    op.drop_table("events")
    op.drop_table("cursors")
    with op.batch_alter_table("chain_requests", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_chain_requests_open_dedupe_key",
            sqlite_where=sa.text("state IN ('planned', 'requested')"),
            postgresql_where=sa.text("state IN ('planned', 'requested')"),
        )
        batch_op.drop_index(batch_op.f("ix_chain_requests_state_chain_requests_id"))

    op.drop_table("chain_requests")
    op.drop_table("chain_alarms")
    op.drop_table("blocks")
    with op.batch_alter_table("beneficiaries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_beneficiaries_phone_blind_index"))
        batch_op.drop_index(batch_op.f("ix_beneficiaries_key_version"))

    op.drop_table("beneficiaries")
    with op.batch_alter_table("api_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_tokens_name"))

    op.drop_table("api_tokens")
