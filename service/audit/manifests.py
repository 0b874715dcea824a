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
from service.audit.paid_cases import PaidCases
from service.audit.state import Batch, PayoutStatus, State
from service.errors import InvalidInput

GRANTS = 0
"""Number of the list of emergency grants; batches are counted from 1."""


@dataclass
class SignedLists:
    """The manifests that are what officers signed, read again when they are wanted.

    Attributes
    ----------
    hashes
        Keccak-256 of each file, by batch id.
    """

    folder: Path
    hashes: dict[bytes, bytes] = field(default_factory=dict)

    def of(self, batch_id: bytes) -> list[Line] | None:
        """Return the payouts of a batch, by index; None where its manifest is not the signed one.

        Raises
        ------
        InvalidInput
            When the file was changed since it was checked.
        """
        if batch_id not in self.hashes:
            return None
        path = _path(self.folder, batch_id)
        if not path.is_file() or hash_of(path) != self.hashes[batch_id]:
            raise InvalidInput(f"{path} was changed meanwhile: run again")
        return read_manifest(path)[1]


def _path(folder: Path, batch_id: bytes) -> Path:
    return folder / f"{hex_text(batch_id)}.jsonl"


@dataclass
class ManifestCheck:
    """Holds every manifest of a folder against the rebuilt state.

    Attributes
    ----------
    checked
        Manifests found whose hash is the signed one.
    signed
        Those that are what officers signed.
    """

    folder: Path
    state: State
    findings: Findings
    checked: int = 0
    _paid: PaidCases = field(default_factory=PaidCases)

    def __post_init__(self) -> None:
        self.signed = SignedLists(self.folder)

    def run(self, time: int, progress: Progress) -> None:
        """Check the manifest of every approved batch.

        Parameters
        ----------
        time
            Unix time of the last block: what can no longer be paid then does not count twice.
        """
        cases = self.state.lane.cases
        self._paid.add(GRANTS, range(len(cases)), list(cases))
        batches = sorted(self.state.batches.values(), key=lambda b: (b.block, b.first_number))
        for number, batch in enumerate(batches, 1):
            self._check(batch, number, time)
            progress("manifests", number, len(batches))
        self._name_repeated(list(cases.values()), batches)

    def _check(self, batch: Batch, number: int, time: int) -> None:
        path = _path(self.folder, batch.id)
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
            self._note_cases(batch, number, lines, time)
            if signed:
                self.signed.hashes[batch.id] = found

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

    def _note_cases(self, batch: Batch, number: int, lines: list[Line], time: int) -> None:
        """Note the case of each payout that was paid or still can be."""
        counting = [
            (payout.index, bytes.fromhex(line.commitment))
            for line, payout in zip(lines, self.state.payouts(batch), strict=False)
            if _counts(batch, payout.status, time)
        ]
        self._paid.add(number, [at for at, _ in counting], [case for _, case in counting])

    def _name_repeated(self, grants: list[bytes], batches: list[Batch]) -> None:
        """Name each case that has a second payout, or a payout beside its grant."""
        first: dict[bytes, str] = {}
        for commitment, number, index in self._paid.repeated():
            if number == GRANTS:
                first[commitment] = f"grant {hex_text(grants[index])} of the emergency lane"
                continue
            batch = batches[number - 1]
            name = f"payout {index} of batch {hex_text(batch.id)}"
            before = first.setdefault(commitment, name)
            if before != name:
                self.findings.error(
                    Code.COMMITMENT_REPEATED,
                    f"case {commitment.hex()} has {name} and {before}",
                    batch.place(None, index),
                    expected="one payout",
                    found=commitment.hex(),
                )


def _counts(batch: Batch, status: PayoutStatus, time: int) -> bool:
    """Whether a payout was paid or still can be."""
    if status in (PayoutStatus.CANCELLED, PayoutStatus.EXPIRED):
        return False
    if status is PayoutStatus.APPROVED:
        return bool(time < batch.approval["executeBefore"])
    return True
