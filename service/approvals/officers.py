"""Who signed, and may they: officers by their signers in the mirror of the registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar, cast

from eth_utils.address import to_checksum_address
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.approvals.models import (
    SIGNER_EOA,
    SIGNER_KEY,
    KeyVerifier,
    Officer,
    OfficerSigner,
    Role,
)
from service.approvals.signatures import SignatureRow, normalise, raw_signature, recover
from service.errors import InvalidSignature, NotFound, PermissionDenied
from service.regions import Region
from service.regions.region import RegionDigits
from service.units import format_time

T = TypeVar("T", bound=SignatureRow)

_ADDRESS_TEXT = len("0x") + 40


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature that an officer in force made.

    Attributes
    ----------
    signer, signature
        As the contracts take them, lower-case 0x-hex.
    """

    officer: Officer
    signer_type: int
    signer: str
    signature: str


@dataclass(frozen=True, slots=True)
class SignedWith:
    """The signer that a signature is said to be of.

    Attributes
    ----------
    signer_type, signer
        As the registry has them; the signer as lower-case 0x-hex.
    canonical
        Returns a signature over a digest in the form that the contracts take, or raises
        InvalidSignature where it is not this signer's; None for an account, which is recovered.
    """

    signer_type: int
    signer: str
    canonical: Callable[[bytes, bytes], bytes] | None


def identify(
    session: Session,
    digest: bytes,
    signature: str,
    *,
    signed_with: SignedWith | None,
    officer_id: int | None,
    now: datetime,
) -> Signed:
    """Find the officer who made a signature over a digest.

    Parameters
    ----------
    digest
        What should have been signed, 32 bytes. A signature over anything else recovers some other
        account, so that it shows as a stranger's.
    signed_with
        The signer; None takes the account that the signature recovers.
    officer_id
        Who is said to have signed, or None.

    Raises
    ------
    InvalidSignature
        When it is no canonical signature, not the signer's, or the signer belongs to no officer or
        to another.
    PermissionDenied
        When officer, signer or the key's verifier was removed or is not in force yet.
    """
    if signed_with is None or signed_with.canonical is None:
        canonical = normalise(signature)
        address = recover(digest, canonical)
        signer_type, signer = SIGNER_EOA, address.lower()
        if signed_with is not None and signed_with.signer != signer:
            raise InvalidSignature(
                f"over this message the signature is {address}'s, not "
                f"{signer_text(signed_with.signer)}'s"
            )
    else:
        canonical = signed_with.canonical(digest, raw_signature(signature))
        signer_type, signer = signed_with.signer_type, signed_with.signer
    known = session.get(OfficerSigner, (signer_type, signer))
    if known is None and signed_with is None:
        raise InvalidSignature(
            f"over this message the signature is {signer_text(signer)}'s, who is no officer: "
            "the signer is unknown or signed something else"
        )
    if known is None:
        raise InvalidSignature(f"the signer {signer_text(signer)} is no officer's")
    if officer_id is not None and known.officer_id != officer_id:
        raise InvalidSignature(f"the signature is officer {known.officer_id}'s, not {officer_id}'s")
    officer = session.get(Officer, known.officer_id)
    if officer is None:
        raise InvalidSignature(f"officer {known.officer_id} is unknown")
    why = _not_in_force(officer, known, now) or _verifier_not_in_force(session, known, now)
    if why is not None:
        raise PermissionDenied(why)
    return Signed(officer, signer_type, signer, "0x" + canonical.hex())


def signer_text(signer: str) -> str:
    """Return a signer's bytes as people read them: an account's as an EIP-55 address."""
    return to_checksum_address(signer) if len(signer) == _ADDRESS_TEXT else signer


def _verifier_not_in_force(session: Session, signer: OfficerSigner, now: datetime) -> str | None:
    if signer.signer_type != SIGNER_KEY:
        return None
    address = signer.signer[:_ADDRESS_TEXT]
    verifier = session.get(KeyVerifier, address)
    if verifier is None or verifier.removed:
        return f"the verifier {signer_text(address)} of this key is not allowed: use another signer"
    if verifier.active_from > now:
        since = format_time(verifier.active_from)
        return f"the verifier {signer_text(address)} is in force from {since} on"
    return None


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
        return f"the signer {signer_text(signer.signer)} was removed"
    if signer.active_from > now:
        since = format_time(signer.active_from)
        return f"the signer {signer_text(signer.signer)} is in force from {since} on"
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


def require_officer(
    session: Session, officer_id: int, role: Role, region: Region, now: datetime
) -> None:
    """Refuse to name an officer who may not sign in that role and region.

    Raises
    ------
    NotFound
        When no officer has this number.
    PermissionDenied
        When the officer was removed, is not in force yet, lacks the role, or does not cover the
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
    require_role(officer, role)
    require_region(officer, region.code, region.digits)


def in_force(session: Session, rows: Sequence[T], now: datetime) -> list[T]:
    """Return the signatures whose officer, signer and verifier are (still) in force.

    The contracts refuse a whole blob for one record of an officer who was removed meanwhile.
    """
    kept = []
    for row in rows:
        officer = session.get(Officer, row.officer_id)
        signer = session.get(OfficerSigner, (row.signer_type, row.signer))
        if (
            officer
            and signer
            and _not_in_force(officer, signer, now) is None
            and _verifier_not_in_force(session, signer, now) is None
        ):
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
