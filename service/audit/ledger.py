"""The double-entry ledger, posting by posting, against what the events say it must hold."""

from __future__ import annotations

from collections import defaultdict

from service.audit.database import Row, Snapshot
from service.audit.decode import hex_text
from service.audit.findings import Code, Findings, Place
from service.audit.postings import Posting
from service.audit.state import State

LINES = (("credit", "source"), ("debit", "target"))
"""Line 0 is what the money leaves, line 1 where it goes."""

Key = tuple[str, int, int]


def compare_ledger(
    snapshot: Snapshot,
    state: State,
    findings: Findings,
    posted_to: int | None,
    read_to: int | None,
) -> int:
    """Compare each entry and each account's balance; return how many entries there were.

    Parameters
    ----------
    posted_to
        Newest block the ledger says it has posted, or None.
    read_to
        Newest block the database has read: nothing later can be posted.
    """
    limit = -1 if posted_to is None else posted_to
    if read_to is not None:
        limit = min(limit, read_to)
    expected: dict[Key, tuple[Posting, int]] = {
        (hex_text(posting.block_hash), posting.log_index, line): (posting, line)
        for posting in state.postings
        if posting.block <= limit
        for line in (0, 1)
    }
    balances: dict[str, int] = defaultdict(int)
    count = 0
    for row in snapshot.rows("ledger_entries", ("block_number", "log_index", "line")):
        count += 1
        amount = int(row["amount"])
        balances[row["account"]] += amount if row["side"] == "debit" else -amount
        key = (row["block_hash"].lower(), row["log_index"], row["line"])
        known = expected.pop(key, None)
        if known is None:
            findings.error(
                Code.DATABASE_ROW_EXTRA,
                f"a ledger entry of {amount} on {row['account']} comes from no event",
                Place(block=row["block_number"], tx=row["tx_hash"], batch=row["batch_id"]),
                found=amount,
            )
        else:
            _compare_entry(findings, state, row, *known)
    for posting, line in expected.values():
        findings.error(
            Code.DATABASE_ROW_MISSING,
            f"the ledger has no line {line} for {_about(posting)}",
            _place(state, posting),
            expected=posting.amount,
        )
    _compare_balances(findings, state, balances, limit)
    return count


def _compare_entry(findings: Findings, state: State, row: Row, posting: Posting, line: int) -> None:
    side, end = LINES[line]
    expected = {
        "amount": posting.amount,
        "account": getattr(posting, end),
        "side": side,
        "event_name": posting.event,
        "batch_id": None if posting.batch is None else hex_text(posting.batch),
        "block_number": posting.block,
        "tx_hash": hex_text(posting.tx),
        "posting_id": f"{hex_text(posting.block_hash)}:{posting.log_index}",
    }
    found = {**row, "amount": int(row["amount"])}
    for name, value in expected.items():
        if found[name] != value:
            findings.error(
                Code.DATABASE_MISMATCH,
                f"ledger line {line} for {_about(posting)}: {name} is {found[name]} in the "
                f"database, {value} on chain",
                _place(state, posting),
                expected=value,
                found=found[name],
            )


def _compare_balances(
    findings: Findings, state: State, balances: dict[str, int], limit: int
) -> None:
    expected: dict[str, int] = defaultdict(int)
    for posting in state.postings:
        if posting.block <= limit:
            expected[posting.source] -= posting.amount
            expected[posting.target] += posting.amount
    for account in sorted({*expected, *balances}):
        if expected[account] != balances[account]:
            findings.error(
                Code.DATABASE_MISMATCH,
                f"ledger account {account} holds {balances[account]}, by the chain "
                f"{expected[account]}",
                Place(block=limit),
                expected=expected[account],
                found=balances[account],
            )


def _about(posting: Posting) -> str:
    text = f"{posting.event} in block {posting.block}"
    if posting.batch is None:
        return text
    text += f", batch {hex_text(posting.batch)}"
    if posting.first_index is None:
        return text
    last = posting.first_index + posting.payouts - 1
    if last == posting.first_index:
        return f"{text}, payout {last}"
    return f"{text}, payouts {posting.first_index} to {last}"


def _place(state: State, posting: Posting) -> Place:
    batch = None if posting.batch is None else state.batches.get(posting.batch)
    index = posting.first_index
    return Place(
        block=posting.block,
        tx=hex_text(posting.tx),
        batch=None if posting.batch is None else hex_text(posting.batch),
        index=index,
        number=None if batch is None or index is None else batch.first_number + index,
    )
