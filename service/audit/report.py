"""What an auditor gets: numbers, evidence, findings, and a digest to compare with another's."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from service.audit.blocks import Evidence
from service.audit.decode import address_text, hex_text
from service.audit.findings import Finding, Severity
from service.audit.lane_state import Grant, GrantState
from service.audit.manifests import SignedLists
from service.audit.reports.text import moment
from service.audit.state import PayoutStatus, State
from service.terminal import visible
from service.units import format_amount

MAX_SHOWN = 200
"""Findings shown as a table; JSON has them all."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts and sums of the rebuilt state; amounts in base units."""

    officers: int
    programmes: int
    batches: int
    batches_cancelled: int
    payouts_approved: int
    payouts_paid: int
    payouts_skipped: int
    streams_approved: int
    streams_opened: int
    streams_cancelled: int
    withdrawals: int
    grants: int
    grants_outstanding: int
    grants_overdue: int
    grants_written_off: int
    redemptions: int
    wallets: int
    supply_base_units: int
    committed_base_units: int
    minted_base_units: int
    redeemed_base_units: int
    reserve_base_units: int
    granted_base_units: int
    uncountersigned_base_units: int
    overdue_base_units: int


def totals(state: State, time: int) -> Totals:
    """Count and sum a state as of a Unix time."""
    counts = dict.fromkeys(PayoutStatus, 0)
    approved = [0, 0]
    cut = 0
    for batch in state.batches.values():
        approved[int(batch.is_stream)] += batch.approval["count"]
        for status, payouts in batch.statuses().items():
            counts[status] += payouts
        cut += sum(len(chunk.cancelled) for chunk in batch.chunks.values())
    token, lane = state.token, state.lane
    grants = dict.fromkeys(GrantState, 0)
    for grant in lane.grants.values():
        grants[grant.state(time)] += 1
    return Totals(
        officers=sum(not officer.removed for officer in state.registry.officers.values()),
        programmes=len(state.programmes),
        batches=len(state.batches),
        batches_cancelled=sum(batch.cancelled for batch in state.batches.values()),
        payouts_approved=approved[0],
        payouts_paid=counts[PayoutStatus.PAID],
        payouts_skipped=counts[PayoutStatus.SKIPPED],
        streams_approved=approved[1],
        streams_opened=counts[PayoutStatus.OPENED],
        streams_cancelled=cut,
        withdrawals=state.withdrawals,
        grants=len(lane.grants),
        grants_outstanding=grants[GrantState.OUTSTANDING],
        grants_overdue=grants[GrantState.OVERDUE],
        grants_written_off=grants[GrantState.WRITTEN_OFF],
        redemptions=token.redemptions,
        wallets=token.balances.wallets().holders,
        supply_base_units=token.supply,
        committed_base_units=token.committed,
        minted_base_units=token.supply + token.redeemed,
        redeemed_base_units=token.redeemed,
        reserve_base_units=token.reserve,
        granted_base_units=sum(grant.amount for grant in lane.grants.values()),
        uncountersigned_base_units=lane.outstanding,
        overdue_base_units=sum(grant.amount for grant in lane.overdue(time)),
    )


AMOUNT = "_base_units"


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The result of a replay.

    Attributes
    ----------
    addresses, code_hashes
        Of the contracts; hashes of the vault's parts and of each verifier that was ever allowed
        too. The hash of a code tells whether it is the one built.
    events
        How many of each contract and name.
    timestamp
        Of the last block, Unix seconds.
    evidence
        How strongly the blocks are bound together.
    views
        Views of the contracts compared.
    manifests_checked, database_rows
        How many; None where none were given.
    state_digest
        Keccak-256 of the canonical state: two auditors of the same block get the same one.
    state
        The rebuilt state itself.
    manifest_lists
        The manifests that are the signed ones, or None.
    checkpoints_compared, checkpoint_notes
        How many, None where none were given; and what of them was not compared.
    """

    chain_id: int
    addresses: dict[str, str]
    code_hashes: dict[str, str]
    from_block: int
    to_block: int
    to_block_hash: str
    events: dict[str, dict[str, int]]
    timestamp: int
    totals: Totals
    evidence: Evidence
    views: int
    manifests_checked: int | None
    database_rows: int | None
    state_digest: str
    findings: list[Finding]
    state: State = field(repr=False)
    manifest_lists: SignedLists | None = field(repr=False)
    checkpoints_compared: int | None = None
    checkpoint_notes: tuple[str, ...] = ()

    @property
    def vault(self) -> str:
        """Address of the vault."""
        return self.addresses["vault"]

    @property
    def event_count(self) -> int:
        """Events replayed."""
        return sum(sum(names.values()) for names in self.events.values())

    @property
    def differences(self) -> int:
        """Findings that are errors."""
        return sum(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def notes(self) -> list[str]:
        """What was not proven, and why: never silent."""
        notes = []
        if self.manifests_checked is None:
            notes.append("no manifests given: that no case was paid twice is not proven")
        if not self.views:
            notes.append("the contracts' views were not asked: balances are what events sum to")
        if self.database_rows is None:
            notes.append("no database given: the chain was compared with itself alone")
        if self.checkpoints_compared is None:
            notes.append(
                "no checkpoints given: that the chain was not rewritten whole is not proven"
            )
        return [*notes, *self.checkpoint_notes]

    def as_json(self) -> dict[str, Any]:
        """Return everything but the state, amounts as strings."""
        counted = {
            name: str(value) if name.endswith(AMOUNT) else value
            for name, value in asdict(self.totals).items()
        }
        return {
            "chain_id": self.chain_id,
            "contracts": self.addresses,
            "code_hashes": self.code_hashes,
            "from_block": self.from_block,
            "to_block": self.to_block,
            "to_block_hash": self.to_block_hash,
            "events": self.event_count,
            "events_by_contract": self.events,
            "totals": {**counted, "events": self.event_count},
            "grants": [self._grant(grant) for grant in self.state.lane.grants.values()],
            "overdue_base_units_by_officer": {
                str(officer): str(late)
                for officer in sorted(self.state.lane.officer_sums)
                if (late := self.state.lane.overdue_by(officer, self.timestamp))
            },
            "overdue_base_units_by_region": {
                str(region[0]): str(late)
                for region in sorted(self.state.lane.region_sums)
                if region[1] and (late := self.state.lane.overdue_in(region, self.timestamp))
            },
            "evidence": asdict(self.evidence),
            "views_compared": self.views,
            "manifests_checked": self.manifests_checked,
            "database_rows_compared": self.database_rows,
            "checkpoints_compared": self.checkpoints_compared,
            "state_digest": self.state_digest,
            "differences": self.differences,
            "findings": [finding.as_dict() for finding in self.findings],
            "notes": self.notes,
        }

    def _grant(self, grant: Grant) -> dict[str, Any]:
        return {
            "grant_id": hex_text(grant.id),
            "state": grant.state(self.timestamp).value,
            "officer_id": grant.officer,
            "countersigned_by_officer_id": grant.countersigned_by,
            "payee": address_text(grant.given["payee"]),
            "amount_base_units": str(grant.amount),
            "region_code": grant.region[0],
            "commitment": grant.given["caseCommitment"].hex(),
            "overdue_from_unix_s": grant.overdue_from,
            "block": grant.block,
            "tx": hex_text(grant.tx),
        }

    def render(self) -> RenderableType:
        """Return it for a terminal."""
        parts: list[RenderableType] = [self._summary(), self._counts()]
        if self.state.lane.uncountersigned:
            parts.append(self._uncountersigned())
        if self.findings:
            parts.append(self._findings())
        parts += [Text(f"note: {visible(note)}", style="dim") for note in self.notes]
        parts.append(self._verdict())
        return Group(*parts)

    def _summary(self) -> Table:
        table = Table(
            title="Replay of the chain", title_justify="left", show_header=False, box=None
        )
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        evidence = self.evidence
        proven = (
            f"{evidence.blocks} blocks linked, {evidence.hashes_recomputed} hashes recomputed, "
            f"{evidence.receipts_proven} receipts roots"
        )
        for name, value in (
            ("chain", str(self.chain_id)),
            ("vault", self.vault),
            ("token", self.addresses["token"]),
            ("registry", self.addresses["registry"]),
            ("lane", self.addresses["lane"]),
            ("blocks", f"{self.from_block} to {self.to_block} ({self.to_block_hash})"),
            ("last block of", moment(self.timestamp)),
            ("proven", proven),
            ("events", ", ".join(f"{name} {sum(n.values())}" for name, n in self.events.items())),
            ("views compared", str(self.views)),
            ("manifests", _compared(self.manifests_checked, "compared")),
            ("database", _compared(self.database_rows, "rows compared")),
            ("checkpoints", _compared(self.checkpoints_compared, "compared")),
            ("state digest", self.state_digest),
        ):
            table.add_row(name, value)
        return table

    def _counts(self) -> Table:
        table = Table(show_header=False, box=None)
        table.add_column(style="bold")
        table.add_column(justify="right")
        for name, value in asdict(self.totals).items():
            shown = format_amount(value) if name.endswith(AMOUNT) else str(value)
            table.add_row(name.removesuffix(AMOUNT).replace("_", " "), shown)
        return table

    def _uncountersigned(self) -> Table:
        table = Table(title="Grants not countersigned", title_justify="left", header_style="bold")
        for heading in ("state", "overdue from", "grant", "officer", "region", "amount"):
            table.add_column(heading, overflow="fold")
        waiting = sorted(self.state.lane.uncountersigned.values(), key=lambda g: g.overdue_from)
        for grant in waiting[:MAX_SHOWN]:
            table.add_row(
                grant.state(self.timestamp).value,
                f"{datetime.fromtimestamp(grant.overdue_from, UTC):%Y-%m-%d} 00:00 UTC",
                hex_text(grant.id),
                str(grant.officer),
                str(grant.region[0]),
                format_amount(grant.amount),
            )
        left = len(waiting) - MAX_SHOWN
        if left > 0:
            table.caption = f"and {left} more; --json lists all"
        return table

    def _findings(self) -> Table:
        table = Table(title="Findings", title_justify="left", header_style="bold")
        for heading in ("severity", "code", "block", "payout", "what"):
            table.add_column(heading, overflow="fold")
        for finding in self.findings[:MAX_SHOWN]:
            place = finding.place
            payout = "" if place.number is None else str(place.number)
            if place.index is not None:
                payout = f"{payout} (index {place.index})".strip()
            if place.grant is not None:
                payout = f"grant {place.grant}"
            values = []
            if finding.expected is not None:
                values.append(f"expected {finding.expected}")
            if finding.found is not None:
                values.append(f"found {finding.found}")
            text = "; ".join([finding.message, *values])
            block = "" if place.block is None else str(place.block)
            cells = (finding.severity.value, finding.code.value, block, payout, text)
            table.add_row(*(Text(visible(cell)) for cell in cells))
        left = len(self.findings) - MAX_SHOWN
        if left > 0:
            table.caption = f"and {left} more; --json lists all"
        return table

    def _verdict(self) -> Text:
        if self.differences:
            return Text(_counted(self.differences, "difference"), style="bold red")
        warnings = len(self.findings)
        text = "no differences" + (f", {_counted(warnings, 'warning')}" if warnings else "")
        return Text(text, style="bold green")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")


def _compared(count: int | None, what: str) -> str:
    return "none given" if count is None else f"{count} {what}"
