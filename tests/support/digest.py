"""What events made of a database, as one text: of two that read the same chain it is the same.

However a chain was come by, block by block through re-orgs or at once, what is projected of it must
be equal. Everything is compared but what is named here, each with why it may differ.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import Engine

from service.db import Base

IGNORED: dict[str, dict[str, str]] = {
    "blocks": {},
    "events": {"id": "counts the rows ever inserted, those of lost blocks too"},
    "transfers": {},
    "cursors": {},
    "programmes": {
        "created_at": "when the row was made",
        "created_by": "who made the row",
        "code": "known here alone",
        "name": "known here alone",
    },
    "batches": {
        "created_at": "when the row was made",
        "created_by": "who made the row",
        "released_at": "an officer's command, no event",
        "released_by": "an officer's command, no event",
        "signing_opened_at": "an officer's command, no event",
        "paused": "an officer's command, no event",
        "pause_reason": "an officer's command, no event",
    },
    "chunks": {
        "updated_at": "when the row was written",
        "mints_log_index": "where its mints are kept; they are compared with the transfers",
    },
    "payouts": {"updated_at": "when the row was written", "case_id": "cases are no events"},
    "streams": {},
    "emergency_grants": {
        "created_at": "when the row was made",
        "created_by": "who made the row",
        "case_id": "cases are no events",
    },
    "officers": {"display_name": "known here alone"},
    "officer_signers": {},
    "key_verifiers": {},
    "quorum_actions": {"created_at": "when the row was made", "created_by": "who made the row"},
    "ledger_accounts": {},
    "ledger_entries": {"id": "counts rows"},
}
"""Tables that follow from events, and the columns of each that do not, with why."""

MADE_BY = {
    "programmes": ("id", "ProgrammeCreated", "programme"),
    "emergency_grants": ("id", "GrantMade", "grantId"),
    "officers": ("officer_id", "OfficerAdded", "officerId"),
    "officer_signers": ("signer", "SignerAdded", "signer"),
    "key_verifiers": ("verifier", "VerifierAdded", "verifier"),
}
"""Tables with rows that an event makes: column, event, argument.

One that a lost block had made stays behind, marked removed or proposed, since others may refer to
it; without its event it is left out.
"""


def projected_rows(
    engine: Engine, *, without: Collection[str] = (), but: Collection[tuple[str, str]] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every projected table, sorted, as JSON values.

    Parameters
    ----------
    without
        Tables left out.
    but
        Further (table, column) pairs left out.
    """
    with engine.connect() as connection:
        stored = {
            table.name: [dict(row) for row in connection.execute(table.select()).mappings()]
            for table in Base.metadata.sorted_tables
            if table.name in IGNORED
        }
    _tell_by_chunk(stored)
    for name, (column, event, argument) in MADE_BY.items():
        made = {
            str(row["args"][argument]).lower() for row in stored["events"] if row["name"] == event
        }
        stored[name] = [row for row in stored[name] if str(row[column]).lower() in made]
    return {
        table: sorted(
            (
                {
                    name: _plain(value)
                    for name, value in row.items()
                    if name not in IGNORED[table] and (table, name) not in but
                }
                for row in rows
            ),
            key=lambda row: json.dumps(row, sort_keys=True),
        )
        for table, rows in stored.items()
        if table not in without
    }


def _tell_by_chunk(stored: dict[str, list[dict[str, Any]]]) -> None:
    """Write out what payouts take from their chunk, and the mints that only a chunk keeps."""
    chunks = {(chunk["batch_id"], chunk["chunk_index"]): chunk for chunk in stored["chunks"]}
    minted: Counter[tuple[str, int]] = Counter()
    for payout in sorted(stored["payouts"], key=lambda row: (row["batch_id"], row["index"])):
        of = (payout["batch_id"], payout["chunk_index"])
        chunk = chunks[of]
        if payout["state"] != "queued" or chunk["state"] not in ("included", "final"):
            continue
        place = {
            "block_number": chunk["executed_block_number"],
            "block_hash": chunk["executed_block_hash"],
        }
        payout["state"] = {"included": "included", "final": "paid"}[chunk["state"]]
        payout["tx_hash"] = chunk["tx_hash"]
        payout |= {f"included_{name}": value for name, value in place.items()}
        if chunk["mints_log_index"] is not None:
            stored["transfers"].append(
                {
                    **place,
                    "log_index": chunk["mints_log_index"] + minted[of],
                    "tx_hash": chunk["tx_hash"],
                    "from_address": "0x" + "0" * 40,
                    "to_address": payout["payee"],
                    "value": payout["amount_base_units"],
                }
            )
            minted[of] += 1


def digest(engine: Engine, **how: Any) -> str:
    """Return the SHA-256 of what is projected, hexadecimal."""
    rows = projected_rows(engine, **how)
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()


def differences(
    one: dict[str, list[dict[str, Any]]], other: dict[str, list[dict[str, Any]]]
) -> Iterator[str]:
    """Yield a line for each row that only one has, or that differs: its key, and what differs."""
    for name in sorted({*one, *other}):
        columns_of = Base.metadata.tables[name].columns
        keys = [column.name for column in columns_of if column.primary_key]
        if IGNORED[name].keys() & set(keys):
            keys = [key for key in ("block_number", "log_index", "line") if key in columns_of]
        here, there = (
            {tuple(str(row[key]) for key in keys): row for row in side.get(name, [])}
            for side in (one, other)
        )
        for key in sorted({*here, *there}):
            left, right = here.get(key, {}), there.get(key, {})
            if left != right:
                columns = [c for c in {**left, **right} if left.get(c) != right.get(c)]
                yield f"{name} {key}: " + ", ".join(
                    f"{column} {left.get(column)!r} | {right.get(column)!r}" for column in columns
                )


def assert_same(one: Engine, other: Engine, **how: Any) -> None:
    """Assert that two databases have the same projection; says where they differ."""
    lines = list(differences(projected_rows(one, **how), projected_rows(other, **how)))
    assert not lines, "\n".join(lines[:40])


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return (
        value if value is None or isinstance(value, bool | int | str | dict | list) else str(value)
    )
