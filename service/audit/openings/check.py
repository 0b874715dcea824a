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
from types import NoneType
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
HASH = re.compile(r"0x[0-9a-f]{64}")
COMMITMENT = re.compile(r"[0-9a-f]{64}")
IDENTITY_PREFIX = "CN-RIC:"
OPENING_MEMBERS = {"programme", "number", "identity", "cause", "period"}
DRAW_MEMBERS: dict[str, tuple[type, ...]] = {
    "chain_id": (int,),
    "vault": (str,),
    "programme": (int, NoneType),
    "until": (int,),
    "block": (int,),
    "block_hash": (str,),
    "population": (int,),
    "payouts": (list,),
}
DRAWN_MEMBERS: dict[str, tuple[type, ...]] = {
    "position": (int,),
    "programme": (int,),
    "number": (int,),
    "batch": (str,),
    "index": (int,),
    "manifest_hash": (str,),
    "commitment": (str, NoneType),
}
SHAPES = {"block_hash": HASH, "batch": HASH, "manifest_hash": HASH, "commitment": COMMITMENT}
LARGEST_NUMBER = 2**63 - 1


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
        When it cannot be read, is no draw (names the member), has other payouts than the hash
        draws, or one twice.
    """
    given = _document(path, FORMAT)
    try:
        read = _draw(given)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{path} is no draw: {error}") from None
    payouts, block_hash = read.payouts, bytes.fromhex(read.block_hash[2:])
    expected = (
        first_positions(block_hash, read.population, len(payouts)) if read.population > 0 else []
    )
    if [each.position for each in payouts] != expected or not payouts:
        raise InvalidInput(f"{path}: these are not the payouts that block {read.block} draws")
    if len({(each.programme, each.number) for each in payouts}) < len(payouts):
        raise InvalidInput(f"{path} is no draw: a payout is in it twice")
    return read


def _draw(given: Mapping[str, Any]) -> Draw:
    """Read a draw's members; a ``TypeError`` or ``ValueError`` names one that will not do."""
    _require(given, DRAW_MEMBERS)
    payouts = []
    for position, each in enumerate(given["payouts"]):
        if not isinstance(each, dict):
            raise TypeError(f"payouts[{position}] is of another kind")
        _require(each, DRAWN_MEMBERS, f"payouts[{position}].")
        payouts.append(Drawn(**{name: each[name] for name in DRAWN_MEMBERS}))
    return Draw(**{name: given[name] for name in DRAW_MEMBERS} | {"payouts": payouts})


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


def _require(
    given: Mapping[str, Any], members: Mapping[str, tuple[type, ...]], where: str = ""
) -> None:
    for name, kinds in members.items():
        if name not in given:
            raise ValueError(f"{where}{name} is missing")
        value = given[name]
        if type(value) not in kinds:
            raise TypeError(f"{where}{name} is of another kind")
        if isinstance(value, int) and not 0 <= value <= LARGEST_NUMBER:
            raise ValueError(f"{where}{name} is out of range")
        if isinstance(value, str) and name in SHAPES and not SHAPES[name].fullmatch(value):
            raise ValueError(f"{where}{name} is not {SHAPES[name].pattern}")
