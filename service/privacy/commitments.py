"""Case commitments: the only trace of a person on chain.

``HMAC-SHA-256(programme key, identity ‖ cause ‖ period)``: the same person, cause and period
always give the same 32 bytes, so that one case paid twice shows; without the key nobody can try
identities. The programme key comes from the keyring (``Keyring.programme_key``).
"""

from __future__ import annotations

import hmac
from datetime import date

from service.privacy.encoding import length_prefixed

IDENTITY_SCHEME = "CN-RIC"
"""Prefix of a canonical identity made of a resident identity number (GB 11643)."""

PROGRAMME_KEY_BYTES = 32

SALT_BYTES = 32


def canonical_identity(id_number: str) -> str:
    """Return the identity a commitment is made of: ``"CN-RIC:51072219800101001X"``.

    Parameters
    ----------
    id_number
        A checked resident identity number of 18 characters; a small ``x`` is made large.
    """
    return f"{IDENTITY_SCHEME}:{id_number.upper()}"


def canonical_cause(cause: str) -> str:
    """Return the cause without outer blanks and with one space for each inner run of blanks."""
    return " ".join(cause.split())


def case_period(start_date: date) -> str:
    """Return the period a case belongs to: the month of its start date, ``"2026-11"``.

    A month and not a day, so that a date typed one day off does not make a second case.
    """
    return f"{start_date.year:04d}-{start_date.month:02d}"


def ad_hoc_commitment(salt: bytes, reason: str) -> bytes:
    """Commit to the reason of an emergency grant for which no case was filed.

    ``HMAC-SHA-256(salt, reason)``, the reason length-prefixed (see :func:`length_prefixed`). Two
    such grants never share a commitment: that one need is paid twice does not show.

    Parameters
    ----------
    salt
        32 random bytes; with the reason they open the commitment.

    Raises
    ------
    ValueError
        When the salt is not 32 bytes.
    """
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
    return hmac.digest(salt, length_prefixed(reason), "sha256")


def case_commitment(programme_key: bytes, id_number: str, cause: str, period: str) -> bytes:
    """Commit to one case.

    The message is, length-prefixed and in this order (see :func:`length_prefixed`), the
    canonical identity, the canonical cause and the period; nothing before, between or after.

    Parameters
    ----------
    programme_key
        32 bytes.
    id_number
        Resident identity number, 18 characters.
    cause
        What the case is for, in words.
    period
        As :func:`case_period` gives it.

    Returns
    -------
    bytes
        32 bytes.

    Raises
    ------
    ValueError
        When the key is not 32 bytes.
    """
    if len(programme_key) != PROGRAMME_KEY_BYTES:
        raise ValueError(f"a programme key has 32 bytes, not {len(programme_key)}")
    message = length_prefixed(canonical_identity(id_number), canonical_cause(cause), period)
    return hmac.digest(programme_key, message, "sha256")
