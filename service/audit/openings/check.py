"""The office's openings, held against the commitments that officers signed.

``commitment = HMAC-SHA-256(programme key, lp(identity) ‖ lp(cause) ‖ lp(period))`` with
``lp(text) = u32(length) ‖ UTF-8 of the NFC text`` (docs/privacy.md), written down a second time. An
HMAC under one key cannot be opened for one case without the key: who checks must hold it, and can
then try identities against every case of the programme (decision 0114).

No message repeats a person: a finding names the payout.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from service.audit.findings import Code, Findings, Place
from service.audit.openings.draw import (
    FORMAT,
    VERSION,
    Draw,
    Drawn,
    commitments_of,
    first_positions,
)
from service.audit.private_file import read_private
from service.errors import InvalidInput

OPENINGS_FORMAT = "relief-audit-openings"
KEY_DIGITS = re.compile(rb"[0-9a-f]{64}\n?")
IDENTITY_PREFIX = "CN-RIC:"
OPENING_MEMBERS = {"programme", "number", "identity", "cause", "period"}
DRAW_MEMBERS = {
    "chain_id": int,
    "vault": str,
    "until": int,
    "block": int,
    "block_hash": str,
    "population": int,
    "payouts": list,
}
DRAWN_MEMBERS = {
    "position": int,
    "programme": int,
    "number": int,
    "batch": str,
    "index": int,
    "manifest_hash": str,
}


@dataclass(frozen=True, slots=True)
class Opening:
    """What the office says that one payout is for."""

    identity: str
    cause: str
    period: str

    def commitment(self, programme_key: bytes) -> str:
        """Return the commitment of it, 64 hexadecimal digits."""
        texts = (self.identity, " ".join(self.cause.split()), self.period)
        message = b"".join(_length_prefixed(text) for text in texts)
        return hmac.digest(programme_key, message, "sha256").hex()


def _length_prefixed(text: str) -> bytes:
    raw = unicodedata.normalize("NFC", text).encode()
    return len(raw).to_bytes(4, "big") + raw


def read_programme_key(path: Path) -> bytes:
    """Read a programme's key: 64 lower-case hexadecimal digits in a file of mode 0600.

    Raises
    ------
    InvalidInput
        When it cannot be read, may be read by others, or is no key; never repeats its content.
    """
    content = read_private(path)
    if not KEY_DIGITS.fullmatch(content):
        raise InvalidInput(f"{path} is no programme key: 64 lower-case hexadecimal digits")
    return bytes.fromhex(content.decode())


def read_draw(path: Path) -> Draw:
    """Read a draw, and draw it again from the block's hash.

    Raises
    ------
    InvalidInput
        When it cannot be read, is no draw, or other payouts than the hash draws are in it.
    """
    given = _document(path, FORMAT)
    try:
        _require(given, DRAW_MEMBERS)
        for each in given["payouts"]:
            _require(each, DRAWN_MEMBERS)
        payouts = [
            Drawn(**{name: each[name] for name in DRAWN_MEMBERS}, commitment=each["commitment"])
            for each in given["payouts"]
        ]
        block_hash = bytes.fromhex(given["block_hash"].removeprefix("0x"))
        members = {name: given[name] for name in DRAW_MEMBERS if name != "payouts"}
        read = Draw(**members, programme=given["programme"], payouts=payouts)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{path} is no draw: {error}") from None
    expected = (
        first_positions(block_hash, read.population, len(payouts)) if read.population > 0 else []
    )
    if [each.position for each in payouts] != expected or not payouts:
        raise InvalidInput(f"{path}: these are not the payouts that block {read.block} draws")
    return read


def read_openings(path: Path) -> dict[tuple[int, int], Opening]:
    """Read the office's answer: programme and number → opening.

    Raises
    ------
    InvalidInput
        When it cannot be read, is no such answer, or opens a payout twice; repeats no person.
    """
    given = _document(path, OPENINGS_FORMAT).get("openings")
    if not isinstance(given, list):
        raise InvalidInput(f"{path} has no list of openings")
    openings: dict[tuple[int, int], Opening] = {}
    for position, each in enumerate(given):
        if not isinstance(each, dict) or set(each) != OPENING_MEMBERS:
            wanted = ", ".join(sorted(OPENING_MEMBERS))
            raise InvalidInput(f"{path}: opening {position} does not have the members {wanted}")
        key = (each["programme"], each["number"])
        texts = (each["identity"], each["cause"], each["period"])
        if not all(type(number) is int for number in key) or not all(
            isinstance(text, str) for text in texts
        ):
            raise InvalidInput(f"{path}: opening {position} has a member of another kind")
        if not each["identity"].startswith(IDENTITY_PREFIX):
            raise InvalidInput(f"{path}: opening {position} has no identity {IDENTITY_PREFIX}…")
        if key in openings:
            raise InvalidInput(f"{path} opens payout {key[1]} of programme {key[0]} twice")
        openings[key] = Opening(*texts)
    return openings


def check_openings(
    drawn: Draw,
    openings: Mapping[tuple[int, int], Opening],
    manifests: Path,
    keys: Mapping[int, bytes],
    findings: Findings,
) -> int:
    """Open every payout that was drawn; returns how many opened.

    Parameters
    ----------
    manifests
        Folder of the lists, each the one that officers signed.
    keys
        Programme → its key, 32 bytes.

    Raises
    ------
    InvalidInput
        When a programme's key was not given, or a list is not there or not the signed one.
    """
    missing = sorted({each.programme for each in drawn.payouts} - keys.keys())
    if missing:
        raise InvalidInput(f"no key was given of programme {', '.join(map(str, missing))}")
    opened = 0
    commitments = commitments_of(manifests, drawn.payouts)
    for each, signed in zip(drawn.payouts, commitments, strict=True):
        if each.commitment not in (None, signed):
            raise InvalidInput(f"the draw has another commitment of {_name(each)} than its list")
        opening = openings.get((each.programme, each.number))
        place = Place(batch=each.batch, index=each.index, number=each.number)
        if opening is None:
            findings.error(
                Code.OPENING_MISSING, f"{_name(each)} was drawn and is not opened", place
            )
        elif (made := opening.commitment(keys[each.programme])) != signed:
            findings.error(
                Code.OPENING_MISMATCH,
                f"what {_name(each)} is opened with is not what officers signed",
                place,
                expected=signed,
                found=made,
            )
        else:
            opened += 1
    return opened


def _name(each: Drawn) -> str:
    return f"payout {each.number} of programme {each.programme}"


def _document(path: Path, kind: str) -> dict[str, Any]:
    try:
        given = orjson.loads(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
    except ValueError:
        raise InvalidInput(f"{path} is not JSON") from None
    if not isinstance(given, dict) or (given.get("format"), given.get("version")) != (
        kind,
        VERSION,
    ):
        raise InvalidInput(f"{path} is not of the format {kind}, version {VERSION}")
    read: dict[str, Any] = given
    return read


def _require(given: Mapping[str, Any], members: Mapping[str, type]) -> None:
    for name, kind in members.items():
        if type(given[name]) is not kind:
            raise TypeError(f"{name} is of another kind")
