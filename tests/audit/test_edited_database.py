"""The database edited by hand, in every column the audit reads: each edit is found and named."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.audit.database import COLUMNS
from service.audit.findings import Finding, Severity
from tests.audit.checking import Replayed
from tests.audit.scenario import Scenario

Check = Callable[[], list[Finding]]

_PLAIN = "SELECT id FROM batches WHERE state = 'done' AND kind = 'one_off' AND count = 5"

ROWS = {
    "programmes": "id = 1",
    "officers": "officer_id = 4",
    "key_verifiers": "NOT removed",
    "officer_signers": "officer_id = 2",
    "batches": f"id = ({_PLAIN})",
    "chunks": f"state = 'final' AND batch_id = ({_PLAIN})",
    "payouts": f""""index" = 1 AND batch_id = ({_PLAIN})""",
    "streams": "cancelled_cut_s IS NOT NULL",
    "emergency_grants": "state = 'countersigned'",
    "events": "name = 'ChunkPaid'",
    "transfers": "from_address LIKE '0x00000000%'",
    "blocks": "number = (SELECT max(block_number) FROM events)",
    "transactions": "state = 'final'",
    "transaction_attempts": "n = 0",
    "approval_signatures": "officer_id = 2",
    "quorum_actions": "state = 'done'",
    "ledger_entries": "event_name = 'ChunkPaid' AND line = 1",
    "cursors": "name = 'events'",
}
"""Of each table the row that is edited."""

OTHER_WORD = {
    "state": {
        "programmes": "proposed",
        "batches": "onchain",
        "chunks": "included",
        "payouts": "skipped",
        "transactions": "sent",
        "quorum_actions": "submitted",
        "emergency_grants": "expired",
    },
    "kind": {"transactions": "approve_batch", "quorum_actions": "vault_unpause"},
    "side": {"ledger_entries": "credit"},
    "skip_reason": {"payouts": "frozen"},
}
"""Text columns that take certain words only; the others get a letter more."""

KEYS = ("batch_id", "index", "chunk_index", "block_number", "officer_id", "log_index", "n")
"""Columns of which the next value is another row's."""

NOT_PROVABLE = {
    # Our own label of an action: its digest, which is compared, says what it is.
    ("quorum_actions", "kind"),
    # Our own link from a transaction to an action; of this row it is empty.
    ("transactions", "action_id"),
    # Parent hashes are proven by the chain; nothing of ours depends on the copy.
    ("blocks", "parent_hash"),
    # The brake is the service's own: a batch that is done does not show it.
    ("batches", "paused"),
}


def edited(table: str, column: str, value: Any) -> Any:
    """Another value, as near to the one there as the column's type allows."""
    if table in OTHER_WORD.get(column, {}):
        return OTHER_WORD[column][table]
    if column in ("tiers", "args"):
        return json.dumps(_other_leaf(json.loads(value)))
    if isinstance(value, str):
        return _other_text(column, value)
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    if column in ("removed", "final"):
        return 1 - value
    return (value or 0) + (1_000 if column in KEYS else 1)


def _other_text(column: str, value: str) -> str:
    if column == "kind":
        return "stream" if value == "one_off" else "one_off"
    if column == "active_from":
        return value.replace("20", "21", 1)
    if value.isdigit():
        return str(int(value) + 1).rjust(len(value), "0")
    if value.startswith("0x") or column == "commitment":
        return value[:-1] + ("0" if value[-1] != "0" else "1")
    return value + "x"


def _other_leaf(value: Any) -> Any:
    if isinstance(value, dict):
        key = next(iter(value))
        return value | {key: _other_leaf(value[key])}
    if isinstance(value, list):
        return [_other_leaf(value[0]), *value[1:]]
    return edited("", "", value)


@pytest.fixture
def copy(scenario: Scenario, tmp_path: Path) -> Path:
    return scenario.copy_of_database(tmp_path)


@pytest.fixture
def check(scenario: Scenario, replayed: Replayed, copy: Path) -> Check:
    """Compares the copy with the chain and the manifests."""
    return lambda: replayed.against_database(f"sqlite:///{copy}", scenario.manifests)


@contextmanager
def by_hand(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that no key and no constraint stops."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA ignore_check_constraints = ON")
    try:
        yield connection
    finally:
        connection.close()


def errors(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def named(findings: list[Finding]) -> set[tuple[str | None, int | None]]:
    """Batch and index of each error."""
    return {(each.place.batch, each.place.index) for each in errors(findings)}


def test_the_copy_as_it_is_has_no_finding(check: Check) -> None:
    assert check() == []


def test_every_table_that_is_read_has_a_row_here() -> None:
    assert set(ROWS) == set(COLUMNS)


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (table, column)
        for table, columns in COLUMNS.items()
        for column in columns
        if (table, column) not in NOT_PROVABLE
    ],
)
def test_an_edit_of_any_column_is_found_and_names_the_row(
    copy: Path, check: Check, table: str, column: str
) -> None:
    with by_hand(copy) as connection:
        row = connection.execute(
            f"SELECT rowid AS rowid_, * FROM {table} WHERE {ROWS[table]} LIMIT 1"
        ).fetchone()
        value = edited(table, column, row[column])
        connection.execute(
            f'UPDATE OR ROLLBACK {table} SET "{column}" = ? WHERE rowid = ?',
            (value, row["rowid_"]),
        )
    found = errors(check())
    assert found, f"{table}.{column}: {row[column]} → {value}"
    if table in ("payouts", "streams"):
        assert (row["batch_id"], row["index"]) in named(found), found
    elif "batch_id" in COLUMNS[table] and row["batch_id"] is not None:
        assert row["batch_id"] in {batch for batch, _ in named(found)}, found


# ---- states --------------------------------------------------------------------------------------

PAYOUTS = {
    "paid": ("plain", 1),
    "paid by a retry": ("plain", 3),
    "skipped": ("waiting", 1),
    "held": ("waiting", 3),
    "cancelled": ("cancelled", 0),
    "paid, a stream": ("streams", 4),
    "draft": ("draft", 1),
}
"""State → batch and index of a payout in it."""

PAYOUT_STATES = {
    *("draft", "approved", "queued", "sent", "included"),
    *("paid", "held", "skipped", "cancelled", "expired"),
}
RIGHT = {
    "paid": {"queued"},
    "paid, a stream": {"queued"},
    "paid by a retry": {"paid"},
    "draft": {"draft", "held"},
}
"""What may stand in the row where it is not that word: one that its chunk paid stays queued, and
one that was never on chain may be held by the service's own decision."""


@pytest.mark.parametrize("state", PAYOUTS)
def test_a_payout_in_any_other_state_is_named(
    scenario: Scenario, copy: Path, check: Check, state: str
) -> None:
    name, index = PAYOUTS[state]
    batch = scenario.batches[name].hex
    for other in PAYOUT_STATES - RIGHT.get(state, {state}):
        with by_hand(copy) as connection:
            changed = connection.execute(
                'UPDATE payouts SET state = ? WHERE batch_id = ? AND "index" = ?',
                (other, batch, index),
            )
            assert changed.rowcount == 1
        assert named(check()) == {(batch, index)}, other


def test_a_payout_that_says_of_itself_what_its_chunk_says_is_named(
    copy: Path, check: Check
) -> None:
    """Equal to the chain in every column, and still its mint is missing from the wallet."""
    with by_hand(copy) as connection:
        batch, index = connection.execute(
            f'SELECT batch_id, "index" FROM payouts WHERE {ROWS["payouts"]}'
        ).fetchone()
        of_chunk = (
            "FROM chunks WHERE chunks.batch_id = payouts.batch_id "
            "AND chunks.chunk_index = payouts.chunk_index"
        )
        connection.execute(
            "UPDATE payouts SET state = 'paid', "
            f"included_block_number = (SELECT executed_block_number {of_chunk}), "
            f"included_block_hash = (SELECT executed_block_hash {of_chunk}), "
            f"tx_hash = (SELECT tx_hash {of_chunk}) WHERE {ROWS['payouts']}"
        )
    assert named(check()) == {(batch, index)}


@pytest.mark.parametrize("args", ["[1]", "null", "7", "HUGE", "MASK"])
def test_an_event_that_makes_no_sense_is_a_finding(copy: Path, check: Check, args: str) -> None:
    with by_hand(copy) as connection:
        rowid, stored = connection.execute(
            "SELECT rowid, args FROM events WHERE name = 'ChunkPaid' LIMIT 1"
        ).fetchone()
        edits = {"HUGE": {"chunkIndex": 10**30}, "MASK": {"skippedLow": "1" * 5_000}}
        text = json.dumps(json.loads(stored) | edits[args]) if args in edits else args
        connection.execute("UPDATE events SET args = ? WHERE rowid = ?", (text, rowid))
    assert errors(check())


@pytest.mark.parametrize(
    ("name", "state"),
    [("plain", "done"), ("waiting", "onchain"), ("cancelled", "cancelled"), ("draft", "draft")],
)
def test_a_batch_in_any_other_state_is_named(
    scenario: Scenario, copy: Path, check: Check, name: str, state: str
) -> None:
    batch = scenario.batches[name].hex
    for other in {"draft", "approved", "released", "onchain", "done", "cancelled"} - {state}:
        with by_hand(copy) as connection:
            connection.execute("UPDATE batches SET state = ? WHERE id = ?", (other, batch))
        assert batch in {found for found, _ in named(check())}, other


def test_a_grant_in_any_other_state_is_named(copy: Path, check: Check) -> None:
    states = {"proposed", "outstanding", "countersigned", "written_off", "expired"}
    with by_hand(copy) as connection:
        grants = dict(connection.execute("SELECT id, state FROM emergency_grants").fetchall())
    assert set(grants.values()) == {"outstanding", "countersigned", "written_off"}
    for grant_id, state in grants.items():
        for other in states - {state}:
            with by_hand(copy) as connection:
                connection.execute(
                    "UPDATE emergency_grants SET state = ? WHERE id = ?", (other, grant_id)
                )
            assert [finding.place.grant for finding in errors(check())] == [grant_id], other
        with by_hand(copy) as connection:
            connection.execute(
                "UPDATE emergency_grants SET state = ? WHERE id = ?", (state, grant_id)
            )


# ---- rows gone, added, exchanged -----------------------------------------------------------------

DELETED = {
    "programmes": None,
    "officers": None,
    "key_verifiers": None,
    "officer_signers": None,
    "batches": "plain",
    "chunks": "plain",
    "payouts": "plain",
    "streams": "streams",
    "emergency_grants": None,
    "events": "plain",
    "transfers": None,
    "blocks": None,
    "ledger_entries": "plain",
}
"""Tables of which no row may be missing, and the batch of the row that goes."""


@pytest.mark.parametrize(("table", "name"), DELETED.items())
def test_a_row_deleted_is_missed(
    scenario: Scenario, copy: Path, check: Check, table: str, name: str | None
) -> None:
    key = "id" if table == "batches" else "batch_id"
    batch = None if name is None else scenario.batches[name].hex
    where = ROWS[table] if batch is None else f"{key} = '{batch}'"
    with by_hand(copy) as connection:
        connection.execute(
            f"DELETE FROM {table} WHERE rowid = (SELECT rowid FROM {table} WHERE {where} LIMIT 1)"
        )
    found = errors(check())
    assert found
    assert batch is None or batch in {place for place, _ in named(found)}


@pytest.mark.parametrize("table", sorted(set(ROWS) - {"transactions", "transaction_attempts"}))
def test_a_row_added_is_named(copy: Path, check: Check, table: str) -> None:
    """A second row like the first, with another key."""
    with by_hand(copy) as connection:
        row = dict(
            connection.execute(f"SELECT * FROM {table} WHERE {ROWS[table]} LIMIT 1").fetchone()
        )
        for key in ("index", "chunk_index", "log_index", "officer_id", "chain_id"):
            if key in row:
                row[key] += 900
        for key in ("id", "number"):
            if isinstance(row.get(key), int):
                row[key] += 900
        for key in ("id", "hash", "signer", "verifier", "code", "commitment"):
            if isinstance(row.get(key), str):
                row[key] = _other_text(key, row[key])
        names = ", ".join(f'"{name}"' for name in row)
        marks = ", ".join("?" for _ in row)
        connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))
    found = errors(check())
    assert found
    if table in ("payouts", "streams"):
        assert (row["batch_id"], row["index"]) in named(found)


@pytest.mark.parametrize("name", ["plain", "waiting", "streams", "draft"])
def test_two_payouts_whose_payees_were_exchanged_are_both_named(
    scenario: Scenario, copy: Path, check: Check, name: str
) -> None:
    batch = scenario.batches[name].hex
    with by_hand(copy) as connection:
        payees = dict(
            connection.execute(
                'SELECT "index", payee FROM payouts WHERE batch_id = ? AND "index" < 2', (batch,)
            ).fetchall()
        )
        for index in (0, 1):
            connection.execute(
                'UPDATE payouts SET payee = ? WHERE batch_id = ? AND "index" = ?',
                (payees[1 - index], batch, index),
            )
    assert named(check()) == {(batch, 0), (batch, 1)}


def test_a_waiting_payout_edited_together_with_its_chunk_is_named_by_its_manifest(
    scenario: Scenario, copy: Path, check: Check
) -> None:
    planned = scenario.batches["waiting"]
    entries = planned.pieces[1][:27] + bytes([planned.pieces[1][27] ^ 1])
    with by_hand(copy) as connection:
        connection.execute(
            "UPDATE chunks SET entries = ? WHERE batch_id = ? AND chunk_index = 1",
            (entries, planned.hex),
        )
        connection.execute(
            'UPDATE payouts SET amount_base_units = ? WHERE batch_id = ? AND "index" = 3',
            (str(int.from_bytes(entries[20:], "big")), planned.hex),
        )
    assert (planned.hex, 3) in named(check())


def test_a_lowered_cursor_does_not_hide_rows(copy: Path, check: Check) -> None:
    """The rows that the database says it has not read yet are still there."""
    with by_hand(copy) as connection:
        number, block_hash = connection.execute(
            "SELECT number, hash FROM blocks ORDER BY number DESC LIMIT 1 OFFSET 40"
        ).fetchone()
        connection.execute(
            "UPDATE cursors SET block_number = ?, block_hash = ?", (number, block_hash)
        )
    assert errors(check())


def test_a_cursor_beyond_the_chain_is_no_way_out(copy: Path, check: Check) -> None:
    with by_hand(copy) as connection:
        connection.execute("UPDATE cursors SET block_number = 1000000")
    assert "database_ahead" in {finding.code for finding in errors(check())}
