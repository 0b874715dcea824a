"""Every table, stated once: the report itself, its findings, and all tables in their order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

from service.audit.exports.payment_tables import (
    BALANCES,
    BATCHES,
    CHUNKS,
    GRANTS,
    PAYOUTS,
    POSTINGS,
)
from service.audit.exports.power_tables import (
    ACTIONS,
    MINTERS,
    OFFICERS,
    PROGRAMMES,
    ROLE_MEMBERS,
    SIGNERS,
    VERIFIERS,
)
from service.audit.exports.recorder import RECORDED_TABLES
from service.audit.exports.table import Column, Row, Source, Table, amount, integer, text
from service.audit.report import AMOUNT

EVIDENCE = {
    "blocks": "Headers that name the one before as their parent.",
    "hashes_recomputed": "Of these, how many hashes were recomputed.",
    "receipts_proven": "Blocks whose receipts give the header's root.",
    "receipts_available": "1 where the node serves receipts by block.",
}
TOTALS = {
    "officers": "Officers who may sign.",
    "programmes": "Programmes.",
    "batches": "Batches approved.",
    "batches_cancelled": "Of these cancelled.",
    "payouts_approved": "One-off payouts approved.",
    "payouts_paid": "One-off payouts paid.",
    "payouts_skipped": "One-off payouts that wait for a retry.",
    "streams_approved": "Streams approved.",
    "streams_opened": "Streams opened.",
    "streams_cancelled": "Streams cut.",
    "withdrawals": "Payments of streams.",
    "grants": "Emergency grants.",
    "grants_outstanding": "Grants outstanding in time.",
    "grants_overdue": "Grants overdue.",
    "grants_written_off": "Grants written off.",
    "redemptions": "Redemptions.",
    "wallets": "Wallets that hold tokens.",
    "supply_base_units": "Tokens there are.",
    "committed_base_units": "Approved and not paid.",
    "minted_base_units": "Tokens ever minted.",
    "redeemed_base_units": "Tokens redeemed.",
    "reserve_base_units": "Attested reserve, less later redemptions.",
    "granted_base_units": "Paid by grants.",
    "uncountersigned_base_units": "Of that neither countersigned nor written off.",
    "overdue_base_units": "Of that overdue.",
}


def _total(name: str, meaning: str) -> Column:
    if name.endswith(AMOUNT):
        return amount(name.removesuffix(AMOUNT), meaning)
    return integer(f"total_{name}", meaning)


def _report(source: Source) -> Iterator[Row]:
    report = source.report
    evidence, totals = asdict(report.evidence), asdict(report.totals)
    yield (
        report.chain_id,
        report.vault,
        report.from_block,
        report.to_block,
        report.to_block_hash,
        report.timestamp,
        report.state_digest,
        report.event_count,
        report.views,
        report.manifests_checked,
        report.database_rows,
        report.differences,
        len(report.findings) - report.differences,
        "; ".join(report.notes) or None,
        *(int(evidence[name]) for name in EVIDENCE),
        *(totals[name] for name in TOTALS),
    )


REPORT = Table(
    "report",
    "The replay itself: one row.",
    (
        integer("chain_id", "The chain."),
        text("vault", "Address of the vault; `contracts` has the others."),
        integer("from_block", "First block."),
        integer("to_block", "Last block."),
        text("to_block_hash", "Its hash, to compare with another node's."),
        integer("to_block_time_unix_s", "Its time: that of every state in these tables."),
        text("state_digest", "Keccak-256 of the rebuilt state, to compare with another auditor's."),
        integer("events", "Events replayed."),
        integer("views_compared", "Views of the contracts compared."),
        integer("manifests_checked", "Manifests that are the signed ones; nothing: none given."),
        integer("database_rows_compared", "Rows of the database; nothing: none given."),
        integer("differences", "Findings that are differences."),
        integer("warnings", "Findings that say something is not proven."),
        text("notes", "What was not proven, and why."),
        *(integer(f"evidence_{name}", meaning) for name, meaning in EVIDENCE.items()),
        *(_total(name, meaning) for name, meaning in TOTALS.items()),
    ),
    _report,
)


def _contracts(source: Source) -> Iterator[Row]:
    report = source.report
    for name in sorted(report.addresses.keys() | report.code_hashes.keys()):
        yield name, report.addresses.get(name), report.code_hashes.get(name)


CONTRACTS = Table(
    "contracts",
    "A contract of the deployment, a part of the vault, or a verifier of keys.",
    (
        text("name", "Which."),
        text("address", "Its address; nothing for a part of the vault, and where its name has it."),
        text("code_hash", "Keccak-256 of its code, to hold against a build."),
    ),
    _contracts,
)


def _shown(words: str | None) -> str | None:
    """What others wrote, with all escaped that is no printable character."""
    if words is None or words.isprintable():
        return words or None
    escaped = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    return "".join(escaped)


def _findings(source: Source) -> Iterator[Row]:
    for number, finding in enumerate(source.report.findings, 1):
        place = finding.place
        yield (
            number,
            finding.severity.value,
            finding.code.value,
            place.block,
            place.tx,
            place.batch,
            place.index,
            place.number,
            place.grant,
            _shown(finding.expected),
            _shown(finding.found),
            _shown(finding.message),
        )


FINDINGS = Table(
    "findings",
    "A difference, or something that is not proven. docs/audit.md explains the codes.",
    (
        integer("finding_number", "Counted from 1."),
        text("severity", "error: a difference; warning: not proven."),
        text("code", "What kind."),
        integer("block", "Where: block."),
        text("tx", "Where: hash of the transaction."),
        text("batch_id", "The batch concerned, 0x-hex."),
        integer("payout_index", "Index of the payout concerned."),
        integer("number", "Its number in the programme."),
        text("grant_id", "The grant concerned, 0x-hex."),
        text("expected", "What should be there."),
        text("found", "What is. Unprintable characters are escaped, as in Python."),
        text("message", "A sentence."),
    ),
    _findings,
    indexes=(("code",), ("batch_id", "payout_index")),
)


def _columns(_source: Source) -> Iterator[Row]:
    for table in TABLES:
        for position, column in enumerate(table.columns, 1):
            key = int(position <= table.key)
            yield table.name, column.name, position, column.kind.value, key, column.meaning


COLUMNS = Table(
    "columns",
    "A column of these tables, and what it means.",
    (
        text("table_name", "Its table."),
        text("column_name", "Its name."),
        integer("position", "Which of the table's columns, from 1."),
        text("kind", "text, integer or amount."),
        integer("in_key", "1 where it is part of what names a row."),
        text("meaning", "What it says."),
    ),
    _columns,
    key=2,
)

TABLES: tuple[Table, ...] = (
    REPORT,
    CONTRACTS,
    FINDINGS,
    PROGRAMMES,
    BATCHES,
    CHUNKS,
    PAYOUTS,
    GRANTS,
    BALANCES,
    POSTINGS,
    OFFICERS,
    SIGNERS,
    VERIFIERS,
    ROLE_MEMBERS,
    MINTERS,
    ACTIONS,
    *RECORDED_TABLES,
    COLUMNS,
)
"""Every table, in the order in which they are written and documented."""
