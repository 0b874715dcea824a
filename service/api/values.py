"""Values written as people write them; when one is wrong, its field is named."""

from __future__ import annotations

from datetime import datetime

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from service.api.schemas.base import Address
from service.application.programmes import find_programme
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
