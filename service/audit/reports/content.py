"""What a report says, in the order in which it is read; the page and the PDF write it down."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from service.audit.decode import hex_text
from service.audit.findings import Code, Finding, Place, Severity
from service.audit.meanings import MEANINGS
from service.audit.report import AMOUNT, ReplayReport
from service.audit.reports.figure import Figure, Row
from service.audit.reports.figures import figures
from service.audit.reports.series import Series
from service.audit.reports.text import amount_text, moment, region_text

CHECKING = tuple(
    " ".join(paragraph.split())
    for paragraph in """
    The folder of this report has a file manifest.json, which names each of its files with its
    length and SHA-256 hash, and the block, the state digest and the number of findings. If the
    auditor signed it, manifest.sig is the Ed25519 signature over manifest.json.

    relief audit verify-report DIR --trusted-key KEY checks all of it. Get the auditor's key from
    the auditor, not from the folder.

    With --rpc and --vault it replays the chain up to the same block from a node of your own and
    compares the state digest and the findings. Compare the hash of the last block with what others
    say of it: a report proves what happened on that chain, not that everybody follows it.
    """.strip().split("\n\n")
)


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one code and severity.

    Attributes
    ----------
    meaning
        What the code means.
    """

    code: Code
    severity: Severity
    meaning: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Content:
    """A whole report.

    Attributes
    ----------
    verdict, warned, clean
        The result in a sentence, one on the warnings, and whether there is no difference.
    notes
        What was not proven, and why.
    facts
        What was replayed, by name; each value may have several lines.
    totals
        Counts and sums at the last block.
    groups
        Every finding; differences first.
    grants
        Headings, and a row for each grant that nobody countersigned.
    checking
        How to check the report, a paragraph each.
    time
        Of the last block, Unix seconds.
    """

    title: str
    subtitle: str
    verdict: str
    warned: str
    clean: bool
    notes: tuple[str, ...]
    facts: tuple[tuple[str, tuple[str, ...]], ...]
    totals: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]
    groups: tuple[Group, ...]
    grants_headings: Row
    grants: tuple[Row, ...]
    checking: tuple[str, ...]
    time: int


def content(report: ReplayReport, series: Series) -> Content:
    """Put a report together.

    Parameters
    ----------
    series
        What was collected of the same replay, closed.
    """
    warnings = len(report.findings) - report.differences
    return Content(
        title="Audit of a relief programme",
        subtitle=f"Chain {report.chain_id}, up to block {report.to_block} of "
        f"{moment(report.timestamp)}",
        verdict=_counted(report.differences, "difference")
        if report.differences
        else "No differences",
        warned=f"{_counted(warnings, 'warning')}: something could not be proven"
        if warnings
        else "No warnings",
        clean=not report.differences,
        notes=tuple(report.notes),
        facts=_facts(report),
        totals=_totals(report),
        figures=tuple(figures(report, series)),
        groups=_groups(report.findings),
        grants_headings=("grant", "state", "overdue from", "officer", "region", "tokens"),
        grants=_grants(report),
        checking=CHECKING,
        time=report.timestamp,
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count:,} {noun}s"


def _facts(report: ReplayReport) -> tuple[tuple[str, tuple[str, ...]], ...]:
    evidence = report.evidence
    receipts = (
        f"{evidence.receipts_proven:,} blocks' receipts up to the root in their header"
        if evidence.receipts_available
        else "no receipts by block: the node does not serve them"
    )
    return (
        ("chain", (str(report.chain_id),)),
        ("blocks", (f"{report.from_block} to {report.to_block}", report.to_block_hash)),
        ("time of the last block", (moment(report.timestamp),)),
        ("state digest", (report.state_digest,)),
        ("contracts", tuple(f"{name} {at}" for name, at in report.addresses.items())),
        ("code hashes", tuple(f"{name} {code}" for name, code in report.code_hashes.items())),
        (
            "events",
            (
                f"{report.event_count:,} in all",
                *(f"{name} {sum(each.values()):,}" for name, each in report.events.items()),
            ),
        ),
        (
            "proven of the node",
            (
                f"{evidence.blocks:,} blocks linked by their parents' hashes",
                f"{evidence.hashes_recomputed:,} block hashes recomputed from headers",
                receipts,
            ),
        ),
        ("views compared", (f"{report.views:,} answers of the contracts themselves",)),
        ("manifests", (_compared(report.manifests_checked, "manifests"),)),
        ("database", (_compared(report.database_rows, "rows"),)),
        ("checkpoints", (_compared(report.checkpoints_compared, "checkpoints"),)),
    )


def _compared(count: int | None, what: str) -> str:
    return "none given" if count is None else f"{count:,} {what} compared"


def _totals(report: ReplayReport) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"{name.removesuffix(AMOUNT).replace('_', ' ')}, tokens", amount_text(value))
        if name.endswith(AMOUNT)
        else (name.replace("_", " "), f"{value:,}")
        for name, value in asdict(report.totals).items()
    )


def _groups(findings: list[Finding]) -> tuple[Group, ...]:
    by_kind: dict[tuple[Severity, Code], list[Finding]] = {}
    for finding in findings:
        by_kind.setdefault((finding.severity, finding.code), []).append(finding)
    ordered = sorted(by_kind.items(), key=lambda item: list(Severity).index(item[0][0]))
    return tuple(
        Group(code, severity, MEANINGS[code], tuple(members))
        for (severity, code), members in ordered
    )


def _grants(report: ReplayReport) -> tuple[Row, ...]:
    waiting = report.state.lane.uncountersigned.values()
    return tuple(
        (
            hex_text(grant.id),
            grant.state(report.timestamp).value,
            moment(grant.overdue_from),
            str(grant.officer),
            region_text(grant.region),
            amount_text(grant.amount),
        )
        for grant in sorted(waiting, key=lambda grant: (grant.overdue_from, grant.id))
    )


def where(place: Place) -> tuple[str, ...]:
    """Say where a finding is, a line each."""
    lines = [
        f"{name} {value}"
        for name, value in (
            ("block", place.block),
            ("transaction", place.tx),
            ("batch", place.batch),
            ("index", place.index),
            ("payout", place.number),
            ("grant", place.grant),
        )
        if value is not None
    ]
    return tuple(lines)
