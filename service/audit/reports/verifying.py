"""Checking a report that somebody handed over: its files, its signature, and the chain again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from service.audit.auditor_key import PUBLIC_KEY_BYTES, verify
from service.audit.findings import Severity
from service.audit.meanings import GROUPS
from service.audit.report import ReplayReport
from service.audit.reports.manifest import (
    MANIFEST,
    RESULT,
    SIGNATURE,
    UNNAMED,
    MalformedManifest,
    Manifest,
    NamedFile,
    entries,
)
from service.audit.reports.text import visible
from service.errors import InvalidInput

MAX_FINDINGS_NAMED = 20

SIGNATURE_FILE = re.compile(rb'\{"public_key":"([0-9a-f]{64})","signature":"([0-9a-f]{128})"\}')
"""The one spelling of ``manifest.sig``."""

REPLAYED = (
    *("code_hashes", "events", "events_by_contract", "totals", "grants"),
    *("overdue_base_units_by_officer", "overdue_base_units_by_region"),
)
"""Members of the result that every replay of the same blocks has alike."""

NAMED_BY = ("severity", "code")
"""Members of a finding that are texts always."""

OF_ONE_SIDE = frozenset(
    code.value
    for title in ("The node", "Manifests", "Checkpoints", "The database")
    for code in GROUPS[title]
)
"""Findings that another replay need not have: of one node, and of what one auditor was given."""


@dataclass
class Checked:
    """What came out of checking a report.

    Attributes
    ----------
    manifest
        None where there is none that can be read.
    problems
        What is wrong, a sentence each; none if all is well. What a folder says of itself is in
        them, so :meth:`wrong` adds each as it can be shown.
    notes
        What was not proven.
    signed_by
        Public key whose signature holds, hexadecimal digits, or None.
    trusted
        Whether that is the key that was named; None where none was named.
    replayed
        Whether the chain was replayed again.
    """

    manifest: Manifest | None = None
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    signed_by: str | None = None
    trusted: bool | None = None
    replayed: bool = False
    result: dict[str, Any] = field(default_factory=dict)

    def wrong(self, problem: str) -> None:
        """Add what is wrong."""
        self.problems.append(visible(problem))

    def as_json(self) -> dict[str, Any]:
        """Return it for ``--json``."""
        manifest = self.manifest
        return {
            "holds": not self.problems,
            "problems": self.problems,
            "notes": self.notes,
            "signed_by": self.signed_by,
            "trusted": self.trusted,
            "replayed": self.replayed,
            "chain_id": manifest and manifest.chain_id,
            "contracts": manifest and manifest.contracts,
            "to_block": manifest and manifest.to_block,
            "to_block_hash": manifest and manifest.to_block_hash,
            "state_digest": manifest and manifest.state_digest,
            "findings": manifest and manifest.findings,
            "files": manifest and [file.as_dict() for file in manifest.files],
        }

    def render(self) -> RenderableType:
        """Return it for a terminal."""
        parts: list[RenderableType] = []
        manifest = self.manifest
        if manifest is not None:
            table = Table(title="Report", title_justify="left", show_header=False, box=None)
            table.add_column(style="bold")
            table.add_column(overflow="fold")
            found = manifest.findings
            for name, value in (
                ("chain", str(manifest.chain_id)),
                ("vault", manifest.contracts.get("vault", "")),
                ("last block", f"{manifest.to_block} ({manifest.to_block_hash})"),
                ("state digest", manifest.state_digest),
                ("findings", f"{found['error']} differences, {found['warning']} warnings"),
                ("files", str(len(manifest.files))),
                ("signed by", self._signer()),
                ("replayed again", "yes" if self.replayed else "no"),
            ):
                table.add_row(name, Text(visible(value)))
            parts.append(table)
        parts += [Text(f"note: {note}", style="dim") for note in self.notes]
        parts += [Text(problem, style="red") for problem in self.problems]
        if self.problems:
            parts.append(Text("the report does not hold", style="bold red"))
        else:
            parts.append(Text("the report holds", style="bold green"))
        return Group(*parts)

    def note_no_replay(self) -> None:
        """Say what is not proven where the chain is not replayed again."""
        self.notes.append(
            "not replayed again: that its numbers are the chain's is the auditor's word; --rpc and "
            "--vault prove it"
        )

    def _signer(self) -> str:
        if self.signed_by is None:
            return "nobody"
        trust = {True: "the key you trust", False: "not the key you trust", None: "not compared"}
        return f"{self.signed_by} ({trust[self.trusted]})"

    def replay_again(self, replay: Callable[[Manifest], ReplayReport]) -> None:
        """Replay the chain to the report's block and hold the report against the result.

        Parameters
        ----------
        replay
            Replays the chain up to the manifest's block. Not called where no manifest can be read.
        """
        manifest = self.manifest
        if manifest is None:
            return
        again = replay(manifest)
        self.replayed = True
        for name, said, found in (
            ("chain", manifest.chain_id, again.chain_id),
            ("contracts", manifest.contracts, again.addresses),
            ("hash of the last block", manifest.to_block_hash, again.to_block_hash),
            ("state digest", manifest.state_digest, again.state_digest),
        ):
            if said != found:
                self.wrong(f"replayed again, the {name} is {found}, not {said}")
        replayed = again.as_json()
        for name in REPLAYED:
            if self.result and self.result.get(name) != replayed[name]:
                self.wrong(f"replayed again, {name} of {RESULT} is another")
        self._compare_findings(again)

    def _compare_findings(self, again: ReplayReport) -> None:
        said = _errors(self.result.get("findings"))
        found = _errors([finding.as_dict() for finding in again.findings])
        left_out = list((found - said).elements())
        added = list((said - found).elements())
        for which, several in (
            ("leaves out", left_out),
            ("has, and the chain replayed again has not,", added),
        ):
            for finding in several[:MAX_FINDINGS_NAMED]:
                self.wrong(f"the report {which} a finding: {finding}")
            more = len(several) - MAX_FINDINGS_NAMED
            if more > 0:
                self.wrong(f"the report {which} {more} findings more")
        self.notes.append(
            "findings of the node, of manifests and of the database, and warnings, were not "
            "compared: they depend on what the auditor was given"
        )
        self.notes.append(
            f"all files beside {RESULT} are the auditor's word: page, PDF and tables were not "
            "compared with the chain"
        )


def _errors(findings: Any) -> Counter[str]:
    """Count the differences that every replay of the same blocks must find."""
    if not isinstance(findings, list):
        return Counter()
    return Counter(
        f"{finding['code']} {orjson.dumps(finding, option=orjson.OPT_SORT_KEYS).decode()}"
        for finding in findings
        if isinstance(finding, dict)
        and finding.get("severity") == Severity.ERROR
        and finding.get("code") not in OF_ONE_SIDE
    )


def check(folder: Path, trusted_key: str | None = None) -> Checked:
    """Check a folder without a chain: manifest, signature, every file, and the result in it.

    Parameters
    ----------
    trusted_key
        Public key of the auditor, 64 hexadecimal digits; None where it is not known.

    Raises
    ------
    InvalidInput
        When there is no such folder, it cannot be read, it holds no report, or the key is none.
    """
    if trusted_key is not None:
        _require_key(trusted_key)
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is no folder")
    checked = Checked()
    try:
        there = dict(entries(folder))
        if MANIFEST not in there:
            raise InvalidInput(visible(f"{folder} is no report: there is no file {MANIFEST} in it"))
        for problem in _no_files(there):
            checked.wrong(problem)
        if there[MANIFEST] is not None:
            return checked
        data = (folder / MANIFEST).read_bytes()
        signature = (folder / SIGNATURE).read_bytes() if there.get(SIGNATURE, "") is None else None
        _check_signature(checked, data, signature, trusted_key)
        try:
            checked.manifest = Manifest.decoded(data)
        except MalformedManifest as error:
            checked.wrong(f"{MANIFEST} is no manifest of a report: {error}")
            return checked
        files = {path for path, kind in there.items() if kind is None}
        for problem in _file_problems(folder, checked.manifest, files):
            checked.wrong(problem)
        if RESULT in files:
            _check_result(checked, checked.manifest, (folder / RESULT).read_bytes())
        else:
            checked.wrong(f"{RESULT} is missing: what was found is not told")
    except OSError as error:
        raise InvalidInput(visible(f"{error.filename or folder}: {error.strerror}")) from error
    return checked


def _require_key(text: str) -> None:
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != PUBLIC_KEY_BYTES:
        raise InvalidInput(f"--trusted-key is no public key of 64 hexadecimal digits: {text}")


def _check_signature(
    checked: Checked, data: bytes, signature: bytes | None, trusted_key: str | None
) -> None:
    if signature is None:
        if trusted_key is not None:
            checked.trusted = False
            checked.wrong(f"{SIGNATURE} is missing: the key you trust signed nothing")
        else:
            checked.notes.append("not signed: anybody can have written this report")
        return
    pair = SIGNATURE_FILE.fullmatch(signature)
    if pair is None:
        checked.wrong(f"{SIGNATURE} is no signature: it holds a public key and a signature")
        return
    public, made = pair[1].decode(), pair[2].decode()
    if not verify(public, data, made):
        checked.wrong(f"{MANIFEST} is not what the key {public} signed")
        return
    checked.signed_by = public
    if trusted_key is None:
        checked.notes.append(
            f"signed by the key {checked.signed_by}: whether that is the auditor's, only the "
            "auditor can tell you; name it with --trusted-key"
        )
        return
    checked.trusted = checked.signed_by == trusted_key.lower()
    if not checked.trusted:
        checked.wrong(f"signed by the key {checked.signed_by}, which you do not trust")


def _no_files(there: Mapping[str, str | None]) -> Iterator[str]:
    for path, kind in there.items():
        if kind is not None:
            yield f"{path} is {kind}: nothing but files belongs here"


def _file_problems(folder: Path, manifest: Manifest, files: set[str]) -> Iterator[str]:
    named = {file.path: file for file in manifest.files}
    for path in sorted(files - set(named) - UNNAMED):
        yield f"{path} is not named by the manifest"
    for path, file in named.items():
        if path not in files:
            yield f"{path} is missing"
            continue
        found = NamedFile.of(folder, path)
        if found.bytes != file.bytes:
            yield f"{path} has {found.bytes} bytes, not {file.bytes}"
        elif found.sha256 != file.sha256:
            yield f"{path} has the hash {found.sha256}, not {file.sha256}"


def _check_result(checked: Checked, manifest: Manifest, data: bytes) -> None:
    """Compare what the manifest says with the result beside it, and the result with itself."""
    try:
        result = orjson.loads(data)
        orjson.dumps(result)  # which goes less deep than reading does
        findings = result["findings"]
        if not all(isinstance(each[name], str) for each in findings for name in NAMED_BY):
            raise TypeError("a finding without severity or code")  # noqa: TRY301  # as the others
        listed = Counter(finding["severity"] for finding in findings)
        said = {
            "chain_id": result["chain_id"],
            "contracts": result["contracts"],
            "to_block": result["to_block"],
            "to_block_hash": result["to_block_hash"],
            "state_digest": result["state_digest"],
            "findings": {severity.value: listed[severity] for severity in Severity},
        }
        differences = result["differences"]
    except (ValueError, KeyError, TypeError) as error:
        checked.wrong(f"{RESULT} is no result of a replay: {error}")
        return
    for name, value in said.items():
        if value != getattr(manifest, name):
            checked.wrong(
                f"the manifest's {name} is {getattr(manifest, name)}, {RESULT} has {value}"
            )
    if differences != listed[Severity.ERROR]:
        checked.wrong(f"{RESULT} says {differences} differences and lists {listed[Severity.ERROR]}")
    checked.result = result
