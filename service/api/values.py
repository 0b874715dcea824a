"""Values written as people write them; when one is wrong, its field is named."""

from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from service.api.schemas.base import Address
from service.api.schemas.batches import SignatureGiven
from service.application.context import Application
from service.application.programmes import find_programme
from service.application.signer_types import SignerKind, read_new_signer, signed_with
from service.approvals.officers import SignedWith
from service.cases import get_import
from service.errors import InvalidInput, Problem
from service.payouts.models import Programme
from service.regions import Region, existing_region

_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)


def invalid(field: str, message: str, value: str) -> InvalidInput:
    """Return the error of one field."""
    problem = Problem("invalid_value", message, field=field, value=value)
    return InvalidInput(f"{field}: {message}", problems=[problem])


def read_region(text: str, *, field: str = "region") -> Region:
    """Read a GB/T 2260 code, or ``0`` for the whole country.

    Raises
    ------
    InvalidInput
        When it is neither.
    """
    try:
        return existing_region(text)
    except ValueError as error:
        raise invalid(field, str(error), text) from None


def read_address(text: str, *, field: str) -> str:
    """Read an EIP-55 address.

    Raises
    ------
    InvalidInput
        When it is none, or its checksum is wrong.
    """
    try:
        return _ADDRESS.validate_python(text)
    except ValidationError as error:
        message = str(error.errors()[0]["msg"]).removeprefix("Value error, ")
        raise invalid(field, message, text) from None


def read_signer(
    app: Application, kind: str, text: str, *, field: str = "signer"
) -> tuple[int, str]:
    """Read a signer that an officer is to get: the registry's type and bytes.

    Raises
    ------
    InvalidInput
        When the registry would refuse it.
    ChainUnavailable
        When the node does not answer.
    """
    try:
        return read_new_signer(app, SignerKind(kind), text)
    except InvalidInput as error:
        raise invalid(field, str(error.detail), text) from None


def read_signed_with(app: Application, given: SignatureGiven) -> SignedWith | None:
    """Read what a signature was made with; None recovers an account.

    Raises
    ------
    InvalidInput
        When the signer is missing or malformed.
    """
    if given.signer is None:
        if given.signer_type != "account":
            message = (
                f"a {given.signer_type}'s signature does not tell whose it is: name the signer"
            )
            raise invalid("signer", message, "null")
        return None
    try:
        return signed_with(app, SignerKind(given.signer_type), given.signer)
    except InvalidInput as error:
        raise invalid("signer", str(error.detail), given.signer) from None


def programme_number(session: Session, text: str | None) -> int | None:
    """Return the number of the programme named by code or number; None stays None.

    Raises
    ------
    NotFound
        When there is none.
    """
    return None if text is None else named_programme(session, text).id


def known_import(session: Session, import_id: str | None) -> str | None:
    """Return the id of an import that is there; None stays None.

    Raises
    ------
    NotFound
        When there is none.
    """
    return None if import_id is None else get_import(session, import_id).id


def named_programme(session: Session, text: str) -> Programme:
    """Return the programme named by code or number.

    Raises
    ------
    NotFound
        When there is none.
    """
    return find_programme(session, text)


def unix_s(moment: datetime) -> int:
    """Return a time as whole Unix seconds."""
    return int(moment.timestamp())
