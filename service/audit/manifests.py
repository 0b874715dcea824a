"""Manifests: that the lines officers signed are the entries that ran, and no case is paid twice.

The format is docs/manifest.md. A batch whose manifest is not there may pay a case a second time and
nobody could tell: that is a finding, never a clean result.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.audit.blocks import Progress
from service.audit.decode import hex_text
from service.audit.findings import Code, Findings
from service.audit.manifest_file import (
    Line,
    MalformedManifest,
    first_out_of_place,
    hash_of,
    header_differences,
    read_manifest,
    root_of,
)
from service.audit.state import Batch, PayoutStatus, State


@dataclass
class ManifestCheck:
    """Holds every manifest of a folder against the rebuilt state.

    Attributes
    ----------
    checked
        Manifests found whose hash is the signed one.
    lines
        Payouts of those that are what officers signed, by batch id and index.
    """

    folder: Path
    state: State
    findings: Findings
    checked: int = 0
    lines: dict[bytes, list[Line]] = field(default_factory=dict)
    _paid: dict[str, str] = field(default_factory=dict)

    def run(self, time: int, progress: Progress) -> None:
        """Check the manifest of every approved batch.

        Parameters
        ----------
        time
            Unix time of the last block: what can no longer be paid then does not count twice.
        """
        for case, grant in self.state.lane.cases.items():
            self._paid[case.hex()] = f"grant {hex_text(grant)} of the emergency lane"
        batches = sorted(self.state.batches.values(), key=lambda b: (b.block, b.first_number))
        for done, batch in enumerate(batches, 1):
            self._check(batch, time)
            progress("manifests", done, len(batches))

    def _check(self, batch: Batch, time: int) -> None:
        path = self.folder / f"{hex_text(batch.id)}.jsonl"
        if not path.is_file():
            if any(_counts(batch, payout.status, time) for payout in self.state.payouts(batch)):
                self.findings.error(
                    Code.MANIFEST_MISSING,
                    f"{path.name} is not there: that no case of the batch was paid twice cannot be "
                    "proven",
                    batch.place(),
                )
            return
        found = hash_of(path)
        genuine = found == batch.approval["manifestHash"]
        if not genuine:
            self.findings.error(
                Code.MANIFEST_HASH_MISMATCH,
                f"{path.name} is not the manifest that officers signed",
                batch.place(),
                expected=batch.approval["manifestHash"],
                found=found,
            )
        try:
            header, lines = read_manifest(path)
        except MalformedManifest as error:
            self.findings.error(
                Code.MANIFEST_MALFORMED, f"{path.name}: {error.detail}", batch.place()
            )
            return
        # Of one that is not the signed one too: to name the lines that were changed.
        self._check_header(batch, header)
        signed = self._check_lines(batch, lines)
        if genuine:
            self.checked += 1
            self._check_unique(batch, lines, time)
            if signed:
                self.lines[batch.id] = lines

    def _check_header(self, batch: Batch, header: dict[str, Any]) -> None:
        for key, signed, found in header_differences(header, batch.approval):
            self.findings.error(
                Code.MANIFEST_MISMATCH,
                f"the manifest of batch {hex_text(batch.id)} has another {key} than officers "
                "signed",
                batch.place(),
                expected=signed,
                found=found,
            )

    def _check_lines(self, batch: Batch, lines: list[Line]) -> bool:
        """Whether the lines are the payouts that officers signed."""
        wrong = first_out_of_place([line.index for line in lines], batch.approval["count"])
        if wrong is not None:
            self.findings.error(
                Code.MANIFEST_MISMATCH,
                f"the manifest of batch {hex_text(batch.id)} has other payouts than were signed, "
                f"from line {wrong + 2} on",
                batch.place(None, wrong),
                expected=f"{batch.approval['count']} payouts",
                found=f"{len(lines)} payouts",
            )
            return False
        root = root_of(lines, batch.id, batch.approval["chunkSize"])
        signed = bool(root == batch.approval["chunksRoot"])
        if not signed:
            self.findings.error(
                Code.MANIFEST_MISMATCH,
                f"the lines of batch {hex_text(batch.id)} do not give the root officers signed",
                batch.place(),
                expected=batch.approval["chunksRoot"],
                found=root,
            )
        for line, payout in zip(lines, self.state.payouts(batch), strict=True):
            if payout.signed_payee is not None and (payout.signed_payee, payout.amount) != (
                line.payee,
                line.amount,
            ):
                self.findings.error(
                    Code.MANIFEST_MISMATCH,
                    f"payout {line.index} of batch {hex_text(batch.id)} ran with another payee or "
                    "amount than its manifest line",
                    batch.place(None, line.index),
                    expected=f"{line.amount} to {hex_text(line.payee)}",
                    found=f"{payout.amount} to {hex_text(payout.signed_payee)}",
                )
        return signed

    def _check_unique(self, batch: Batch, lines: list[Line], time: int) -> None:
        for line, payout in zip(lines, self.state.payouts(batch), strict=False):
            if not _counts(batch, payout.status, time):
                continue
            name = f"payout {line.index} of batch {hex_text(batch.id)}"
            first = self._paid.setdefault(line.commitment, name)
            if first != name:
                self.findings.error(
                    Code.COMMITMENT_REPEATED,
                    f"case {line.commitment} has {name} and {first}",
                    batch.place(None, line.index),
                    expected="one payout",
                    found=line.commitment,
                )


def _counts(batch: Batch, status: PayoutStatus, time: int) -> bool:
    """Whether a payout was paid or still can be."""
    if status in (PayoutStatus.CANCELLED, PayoutStatus.EXPIRED):
        return False
    if status is PayoutStatus.APPROVED:
        return bool(time < batch.approval["executeBefore"])
    return True
