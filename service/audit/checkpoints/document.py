"""A checkpoint as a file (docs/audit.md, "Checkpoints").

The file is one line: canonical JSON (:func:`service.audit.auditor_key.canonical_json`) and a line
end. Its hash is the SHA-256 of these bytes, which ``sha256sum`` gives too. The signature is over
the canonical JSON without the member ``signature``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from service.audit.abi import Contract
from service.audit.auditor_key import AuditorKey, canonical_json, verify
from service.errors import InvalidInput

FORMAT = "relief-audit-checkpoint"
VERSION = 1
COUNTED = (Contract.VAULT, Contract.REGISTRY, Contract.LANE)
"""Contracts that count their events."""

LARGEST_NUMBER = 2**53 - 1
LARGEST_FILE_BYTES = 2**16
HASH = re.compile(r"0x[0-9a-f]{64}")
HEX_32 = re.compile(r"[0-9a-f]{64}")
HEX_64 = re.compile(r"[0-9a-f]{128}")
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")


class MalformedCheckpoint(InvalidInput):
    """A file that is no checkpoint; says why."""

    title = "Not a checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was at a block.

    Attributes
    ----------
    chain_id, contracts
        Of which deployment; addresses by the contract's name, EIP-55.
    block, block_hash, timestamp
        A final block; 0x-hex; Unix seconds.
    events
        How many events vault, registry and lane had counted.
    state_format, state_digest
        Of the state rebuilt up to the block, and how that is written down.
    errors, warnings
        Findings of the replay that made the checkpoint. It says so; nobody can compare it.
    previous
        SHA-256 of the checkpoint before, 64 hexadecimal digits, or None for the first.
    auditor, signature
        Public key and signature, hexadecimal digits, or None.
    """

    chain_id: int
    contracts: dict[str, str]
    block: int
    block_hash: str
    timestamp: int
    events: dict[str, int]
    state_format: str
    state_digest: str
    errors: int
    warnings: int
    previous: str | None = None
    auditor: str | None = None
    signature: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return its members."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "chain_id": self.chain_id,
            "contracts": self.contracts,
            "block": self.block,
            "block_hash": self.block_hash,
            "timestamp": self.timestamp,
            "events": self.events,
            "state_format": self.state_format,
            "state_digest": self.state_digest,
            "findings": {"errors": self.errors, "warnings": self.warnings},
            "previous": self.previous,
            "auditor": self.auditor,
            "signature": self.signature,
        }

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return canonical_json(self.as_json()) + b"\n"

    @property
    def hash(self) -> str:
        """SHA-256 of the file, 64 hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()

    def signed_by(self, key: AuditorKey) -> Checkpoint:
        """Return it with an auditor's key and signature."""
        named = replace(self, auditor=key.public_hex, signature=None)
        return replace(named, signature=key.sign(named.signed_bytes))

    @property
    def signed_bytes(self) -> bytes:
        """What a signature is over."""
        members = self.as_json()
        del members["signature"]
        return canonical_json(members)

    @property
    def signature_holds(self) -> bool:
        """Whether the auditor it names signed it."""
        return (
            self.auditor is not None
            and self.signature is not None
            and verify(self.auditor, self.signed_bytes, self.signature)
        )


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; every byte must be as it is written.

    Raises
    ------
    InvalidInput
        When the file cannot be read.
    MalformedCheckpoint
        When it is no checkpoint of this version, or spelled in another way.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
    if len(content) > LARGEST_FILE_BYTES:
        raise MalformedCheckpoint(f"{path}: larger than any checkpoint")
    try:
        given = orjson.loads(content)
        orjson.dumps(given)  # which goes less deep than reading does
    except (ValueError, orjson.JSONEncodeError) as error:
        raise MalformedCheckpoint(f"{path}: not JSON, or too deep: {error}") from None
    wrong = _first_wrong(given)
    if wrong is not None:
        raise MalformedCheckpoint(f"{path}: {wrong}")
    read = Checkpoint(
        **{name: given[name] for name in _PLAIN},
        errors=given["findings"]["errors"],
        warnings=given["findings"]["warnings"],
    )
    if read.content != content:
        raise MalformedCheckpoint(f"{path}: not spelled as checkpoints are")
    return read


# ---- reading -------------------------------------------------------------------------------------


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_NUMBER


def _text(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _members(names: tuple[str, ...], check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, dict) and set(value) == set(names) and all(map(check, value.values()))
    )


_PLAIN: dict[str, Callable[[Any], bool]] = {
    "chain_id": _number,
    "contracts": _members(tuple(contract.value for contract in Contract), _text(ADDRESS)),
    "block": _number,
    "block_hash": _text(HASH),
    "timestamp": _number,
    "events": _members(tuple(contract.value for contract in COUNTED), _number),
    "state_format": lambda value: isinstance(value, str),
    "state_digest": _text(HASH),
    "previous": _or_none(_text(HEX_32)),
    "auditor": _or_none(_text(HEX_32)),
    "signature": _or_none(_text(HEX_64)),
}
_CHECKS: dict[str, Callable[[Any], bool]] = {
    "format": lambda value: value == FORMAT,
    "version": lambda value: value == VERSION and isinstance(value, int),
    **_PLAIN,
    "findings": _members(("errors", "warnings"), _number),
}


def _first_wrong(given: Any) -> str | None:
    if not isinstance(given, dict):
        return "not a JSON object"
    for name in given:
        if name not in _CHECKS:
            return f"no checkpoint has {name!r}"
    for name, fits in _CHECKS.items():
        if name not in given:
            return f"{name} is missing"
        if not fits(given[name]):
            return f"{name} is not what it should be: {given[name]!r}"
    return None
