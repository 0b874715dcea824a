"""The manifest of a report: its files with their hashes, and what it says of which block.

``manifest.json`` is one JSON document in the spelling of
:func:`service.audit.auditor_key.canonical_json`::

    {"chain_id": 100, "contracts": {"vault": "0x…", …},
     "files": [{"bytes": 9, "path": "report.html", "sha256": "64 hexadecimal digits"}, …],
     "findings": {"error": 0, "warning": 2}, "format": "relief-audit-report-1",
     "state_digest": "0x…", "to_block": 9, "to_block_hash": "0x…"}

Files are in ascending order of their paths, which are relative and parted by ``/``; every file of
the folder is there but the manifest and its signature. ``manifest.sig`` holds
``{"public_key": …, "signature": …}``: Ed25519 over the bytes of ``manifest.json``, both in
hexadecimal digits.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self

import orjson

from service.audit.auditor_key import AuditorKey, canonical_json
from service.audit.findings import Severity
from service.audit.report import ReplayReport

FORMAT = "relief-audit-report-1"
RESULT, MANIFEST, SIGNATURE = "replay.json", "manifest.json", "manifest.sig"
UNNAMED = frozenset({MANIFEST, SIGNATURE})
"""Files that a manifest does not name."""

SHA256_DIGITS = 64


class MalformedManifest(ValueError):
    """Bytes that are no manifest of a report."""


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file as the manifest names it; `path` from the folder, `sha256` in hexadecimal digits."""

    path: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, folder: Path, path: str) -> Self:
        """Measure a file."""
        with (folder / path).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return cls(path, file.tell(), digest)

    def as_dict(self) -> dict[str, Any]:
        """Return its member of the manifest."""
        return {"path": self.path, "bytes": self.bytes, "sha256": self.sha256}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as it was read or is to be written.

    Attributes
    ----------
    contracts
        Address of each.
    to_block, to_block_hash
        The last block replayed.
    findings
        How many of each severity.
    """

    chain_id: int
    contracts: dict[str, str]
    to_block: int
    to_block_hash: str
    state_digest: str
    findings: dict[str, int]
    files: tuple[NamedFile, ...]

    def encoded(self) -> bytes:
        """Return the bytes of the file."""
        return canonical_json(
            {
                "format": FORMAT,
                "chain_id": self.chain_id,
                "contracts": self.contracts,
                "to_block": self.to_block,
                "to_block_hash": self.to_block_hash,
                "state_digest": self.state_digest,
                "findings": self.findings,
                "files": [file.as_dict() for file in self.files],
            }
        )

    @classmethod
    def decoded(cls, data: bytes) -> Self:
        """Read the bytes of a file; only what :meth:`encoded` writes is a manifest.

        Raises
        ------
        MalformedManifest
            Naming what is wrong.
        """
        try:
            document = orjson.loads(data)
            orjson.dumps(document)  # which goes less deep than reading does
        except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
            raise MalformedManifest(f"not JSON, or too deep: {error}") from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise MalformedManifest(f"its format is not {FORMAT}")
        try:
            manifest = cls(
                chain_id=_whole(document, "chain_id"),
                contracts={name: str(at) for name, at in document["contracts"].items()},
                to_block=_whole(document, "to_block"),
                to_block_hash=str(document["to_block_hash"]),
                state_digest=str(document["state_digest"]),
                findings={
                    each.value: _whole(document["findings"], each.value) for each in Severity
                },
                files=tuple(
                    NamedFile(str(each["path"]), _whole(each, "bytes"), str(each["sha256"]))
                    for each in document["files"]
                ),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise MalformedManifest(f"a member is missing or of another kind: {error}") from error
        manifest._require_sound_files()
        if manifest.encoded() != data:
            raise MalformedManifest(
                "it has members beside, or is spelled otherwise than it must be"
            )
        return manifest

    def _require_sound_files(self) -> None:
        paths = [file.path for file in self.files]
        for path in paths:
            if not is_inside(path):
                raise MalformedManifest(f"{path!r} leads out of the folder, or is no path")
            if path in UNNAMED:
                raise MalformedManifest(f"it names {path}, which it cannot know")
        if paths != sorted(set(paths)):
            raise MalformedManifest(
                "its files are not each there once, in the order of their paths"
            )
        for file in self.files:
            if len(file.sha256) != SHA256_DIGITS or not set(file.sha256) <= set("0123456789abcdef"):
                raise MalformedManifest(f"the hash of {file.path} is none")


def _whole(document: dict[str, Any], name: str) -> int:
    value = document[name]
    if type(value) is not int or value < 0:
        raise TypeError(f"{name} is no whole number")
    return value


def is_inside(path: str) -> bool:
    """Tell whether a path names something below a folder, in one spelling only."""
    parts = PurePosixPath(path).parts
    plain = "\\" not in path and "\0" not in path
    return plain and bool(parts) and "/".join(parts) == path and not {"..", "/"} & set(parts)


def entries(folder: Path) -> Iterator[tuple[str, str | None]]:
    """Yield every file below a folder, and what is none.

    Nothing is followed or opened: links lead elsewhere, and a pipe is never at its end.

    Yields
    ------
    tuple
        Path from the folder; None for a file, else what it is.
    """
    left = [""]
    while left:
        below = left.pop()
        with os.scandir(folder / below) as found:
            for entry in sorted(found, key=lambda entry: entry.name):
                path = f"{below}{entry.name}"
                mode = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(mode):
                    left.append(f"{path}/")
                elif stat.S_ISREG(mode):
                    yield path, None
                else:
                    link = stat.S_ISLNK(mode)
                    yield path, "a symbolic link" if link else "neither a file nor a folder"


def seal(folder: Path, report: ReplayReport, key: AuditorKey | None) -> None:
    """Write the manifest of whatever a folder holds, and its signature if there is a key."""
    severities = [finding.severity for finding in report.findings]
    paths = sorted(path for path, _ in entries(folder))
    manifest = Manifest(
        chain_id=report.chain_id,
        contracts=dict(report.addresses),
        to_block=report.to_block,
        to_block_hash=report.to_block_hash,
        state_digest=report.state_digest,
        findings={severity.value: severities.count(severity) for severity in Severity},
        files=tuple(NamedFile.of(folder, path) for path in paths),
    ).encoded()
    (folder / MANIFEST).write_bytes(manifest)
    if key is not None:
        signed = {"public_key": key.public_hex, "signature": key.sign(manifest)}
        (folder / SIGNATURE).write_bytes(canonical_json(signed))
