"""Beneficiaries: sealing, finding, revealing, erasing and re-sealing who they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from service.cases.models import Beneficiary, Case
from service.errors import NotFound
from service.privacy.keyring import Keyring

TABLE = Beneficiary.__tablename__
ID_NUMBER_INDEX = f"{TABLE}.id_number"
PHONE_INDEX = f"{TABLE}.phone"


@dataclass(frozen=True, slots=True)
class Person:
    """Who a beneficiary is, decrypted: to show, never to store or log.

    Attributes
    ----------
    name
        Full name.
    id_number
        Resident identity number, 18 characters.
    phone
        Digits, or None.
    """

    name: str = field(repr=False)
    id_number: str = field(repr=False)
    phone: str | None = field(default=None, repr=False)


def sealed_values(
    keyring: Keyring, beneficiary_id: str, person: Person, created_at: datetime
) -> dict[str, Any]:
    """Return the columns of a beneficiary's row, encrypted and indexed."""
    data_key = keyring.new_data_key(TABLE, beneficiary_id)
    phone = person.phone
    return {
        "id": beneficiary_id,
        "name": data_key.seal("name", person.name),
        "id_number": data_key.seal("id_number", person.id_number),
        "phone": None if phone is None else data_key.seal("phone", phone),
        "id_number_blind_index": id_number_index(keyring, person.id_number),
        "phone_blind_index": None if phone is None else keyring.blind_index(PHONE_INDEX, phone),
        "wrapped_data_key": data_key.wrapped,
        "key_version": data_key.key_version,
        "created_at": created_at,
    }


def id_number_index(keyring: Keyring, id_number: str) -> bytes:
    """Return the blind index of an identity number, 32 bytes."""
    return keyring.blind_index(ID_NUMBER_INDEX, id_number.upper())


def find_beneficiary(session: Session, keyring: Keyring, id_number: str) -> Beneficiary | None:
    """Return the beneficiary with exactly this identity number, or None."""
    index = id_number_index(keyring, id_number)
    return session.scalar(select(Beneficiary).where(Beneficiary.id_number_blind_index == index))


def reveal_person(session: Session, keyring: Keyring, case: Case) -> Person:
    """Decrypt who a case is for.

    Raises
    ------
    NotFound
        When the person's data was erased.
    IntegrityError
        When the stored bytes were changed or moved.
    """
    return open_person(keyring, session.get_one(Beneficiary, case.beneficiary_id))


def open_person(keyring: Keyring, row: Beneficiary) -> Person:
    """Decrypt a beneficiary's row.

    Raises
    ------
    NotFound, IntegrityError
        As :func:`reveal_person`.
    """
    data_key = keyring.open_data_key(TABLE, row.id, row.wrapped_data_key, row.key_version)
    return Person(
        name=data_key.open("name", row.name),
        id_number=data_key.open("id_number", row.id_number),
        phone=None if row.phone is None else data_key.open("phone", row.phone),
    )


def erase_beneficiary(session: Session, beneficiary_id: str) -> None:
    """Destroy what identifies a person: the data key, the ciphertexts and the blind indexes.

    Cases, wallets, commitments and the ledger stay as they are: nothing they prove depends on
    the data. Erasing twice does nothing more.

    Raises
    ------
    NotFound
        When there is no such beneficiary.
    """
    row = session.get(Beneficiary, beneficiary_id, with_for_update=True)
    if row is None:
        raise NotFound(f"there is no beneficiary {beneficiary_id}")
    row.wrapped_data_key = None
    row.name, row.id_number, row.phone = b"", b"", None
    row.id_number_blind_index, row.phone_blind_index = None, None
    session.flush()


def reseal_beneficiaries(session: Session, keyring: Keyring, *, limit: int = 1000) -> int:
    """Seal rows of older key versions again under the current one, after a rotation.

    Parameters
    ----------
    limit
        At most this many rows; call again until 0 comes back.

    Returns
    -------
    int
        How many rows were sealed again.

    Raises
    ------
    IntegrityError
        When a row was changed or moved.
    """
    rows = session.scalars(
        select(Beneficiary)
        .where(
            Beneficiary.key_version < keyring.key_version,
            Beneficiary.wrapped_data_key.is_not(None),
        )
        .order_by(Beneficiary.id)
        .limit(limit)
        # Someone erased meanwhile must not come back by what was read before.
        .with_for_update()
    ).all()
    sealed = [
        sealed_values(keyring, row.id, open_person(keyring, row), row.created_at) for row in rows
    ]
    if sealed:
        session.execute(update(Beneficiary), sealed)
        session.expire_all()
    return len(sealed)
