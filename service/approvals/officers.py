"""Who signed, and may they: officers by their signers in the mirror of the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast

from eth_utils.address import to_checksum_address
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.approvals.models import SIGNER_EOA, Officer, OfficerSigner, Role
from service.approvals.signatures import SignatureRow, normalise, recover
from service.errors import InvalidSignature, NotFound, PermissionDenied
from service.regions import Region
from service.regions.region import RegionDigits
from service.units import format_time

T = TypeVar("T", bound=SignatureRow)


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that an officer in force made.

    Attributes
    ----------
    signer
        The account's 20 bytes, lower-case 0x-hex.
    signature
        r | s | v, lower-case 0x-hex.
    """

    officer: Officer
    signer: str
    signature: str


def identify(
    session: Session, digest: bytes, signature: str, officer_id: int | None, now: datetime
) -> Signed:
    """Find the officer who made a signature over a digest.

    Parameters
    ----------
    digest
        What should have been signed, 32 bytes. A signature over anything else recovers some other
        account, so that it shows as a stranger's.
    officer_id
        Who is said to have signed, or None.

    Raises
    ------
    InvalidSignature
        When it is no canonical signature, or its account belongs to no officer or to another.
    PermissionDenied
        When officer or signer was removed or is not in force yet.
    """
    canonical = normalise(signature)
    address = recover(digest, canonical)
    signer = address.lower()
    known = session.get(OfficerSigner, (SIGNER_EOA, signer))
    if known is None:
        raise InvalidSignature(
            f"over this message the signature is {address}'s, who is no officer: "
            "the signer is unknown or signed something else"
        )
    if officer_id is not None and known.officer_id != officer_id:
        raise InvalidSignature(f"the signature is officer {known.officer_id}'s, not {officer_id}'s")
    officer = session.get(Officer, known.officer_id)
    if officer is None:
        raise InvalidSignature(f"officer {known.officer_id} is unknown")
    why = _not_in_force(officer, known, now)
    if why is not None:
        raise PermissionDenied(why)
    return Signed(officer, signer, "0x" + canonical.hex())


def _not_in_force(officer: Officer, signer: OfficerSigner | None, now: datetime) -> str | None:
    """Say why an officer, or this signer of theirs, does not count; None where they do."""
    if officer.removed:
        return f"officer {officer.officer_id} was removed"
    if officer.active_from > now:
        since = format_time(officer.active_from)
        return f"officer {officer.officer_id} is in force from {since} on"
    if signer is None:
        return None
    if signer.removed:
        return f"the signer {to_checksum_address(signer.signer)} was removed"
    if signer.active_from > now:
        since = format_time(signer.active_from)
        return f"the signer {to_checksum_address(signer.signer)} is in force from {since} on"
    return None


def require_role(officer: Officer, role: Role) -> None:
    """Refuse an officer who lacks a role.

    Raises
    ------
    PermissionDenied
        When the role's bit is not set.
    """
    if not officer.roles & role:
        name = (role.name or "").lower()
        raise PermissionDenied(f"officer {officer.officer_id} is no {name}")


def require_region(officer: Officer, region_code: int, region_digits: int) -> None:
    """Refuse an officer whose region does not cover the given one; 0 digits ask for none.

    Raises
    ------
    PermissionDenied
        When it does not.
    """
    if region_digits == 0:
        return
    own = Region(officer.region_code, cast(RegionDigits, officer.region_digits))
    if not own.covers(Region(region_code, cast(RegionDigits, region_digits))):
        raise PermissionDenied(
            f"officer {officer.officer_id} may not sign for region {region_code}"
        )


def require_maker(session: Session, officer_id: int, region: Region, now: datetime) -> None:
    """Refuse to have an officer make a batch who may not sign it as the maker.

    Raises
    ------
    NotFound
        When no officer has this number.
    PermissionDenied
        When the officer was removed, is not in force yet, is no maker, or does not cover the
        region.
    """
    officer = session.get(Officer, officer_id)
    if officer is None:
        raise NotFound(
            f"there is no officer {officer_id}: see `relief officer list`, which has those that "
            "the worker read from the chain"
        )
    why = _not_in_force(officer, None, now)
    if why is not None:
        raise PermissionDenied(why)
    require_role(officer, Role.MAKER)
    require_region(officer, region.code, region.digits)


def in_force(session: Session, rows: Sequence[T], now: datetime) -> list[T]:
    """Return the signatures whose officer and signer are (still) in force.

    The contracts refuse a whole blob for one record of an officer who was removed meanwhile.
    """
    kept = []
    for row in rows:
        officer = session.get(Officer, row.officer_id)
        signer = session.get(OfficerSigner, (row.signer_type, row.signer))
        if officer and signer and _not_in_force(officer, signer, now) is None:
            kept.append(row)
    return kept


def get_officer(session: Session, officer_id: int) -> Officer:
    """Return an officer.

    Raises
    ------
    NotFound
        When there is none with this number.
    """
    found = session.get(Officer, officer_id)
    if found is None:
        raise NotFound(f"there is no officer {officer_id}")
    return found


def list_officers(session: Session) -> Sequence[Officer]:
    """Return all officers, by number; removed ones too."""
    return session.scalars(select(Officer).order_by(Officer.officer_id)).all()


def signers_of(session: Session, officer_id: int) -> Sequence[OfficerSigner]:
    """Return all signers of an officer; removed ones too."""
    return session.scalars(
        select(OfficerSigner)
        .where(OfficerSigner.officer_id == officer_id)
        .order_by(OfficerSigner.signer_type, OfficerSigner.signer)
    ).all()
