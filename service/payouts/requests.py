"""Requests for transactions: rows that the submission engine plans and sends.

Arguments have the contract's own names; 32-byte values and addresses are hexadecimal, amounts are
strings.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.errors import InvalidInput
from service.payouts import journal
from service.payouts.models import OPEN_REQUEST_STATES, ChainRequest, RequestKind
from service.payouts.states import RequestState
from service.units import MAX_TOTAL_BASE_UNITS

ZERO_HASH = "0x" + "00" * 32
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")


def ask(
    session: Session,
    kind: RequestKind,
    args: dict[str, Any],
    *,
    dedupe_key: str,
    actor: str,
    reason: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> ChainRequest:
    """Ask for a transaction, or return the open request for the same thing.

    Parameters
    ----------
    args
        Arguments of the contract's function, by name.
    dedupe_key
        At most one request with it is open.
    """
    found = session.scalar(
        select(ChainRequest).where(
            ChainRequest.dedupe_key == dedupe_key, ChainRequest.state.in_(OPEN_REQUEST_STATES)
        )
    )
    if found is not None:
        return found
    now = clock.now()
    asked = ChainRequest(
        kind=kind.value,
        args=args,
        dedupe_key=dedupe_key,
        state=RequestState.REQUESTED.value,
        actor=actor,
        reason=reason,
        created_at=now,
    )
    session.add(asked)
    session.flush()
    journal.record(
        session,
        at=now,
        actor=actor,
        action=f"request_{kind.value}",
        object_type="chain_request",
        object_id=str(asked.id),
        reason=reason,
    )
    return asked


def request_attestation(
    session: Session,
    *,
    amount_base_units: int,
    redemptions_included_base_units: int,
    as_of: datetime,
    document_hash: str = ZERO_HASH,
    actor: str,
    clock: Clock = SYSTEM_CLOCK,
) -> ChainRequest:
    """Ask for an attestation of the reserve; sent by a key with the attestor role.

    Parameters
    ----------
    redemptions_included_base_units
        Cumulative redemptions that the amount already reflects.
    as_of
        Moment the reserve was counted; not in the future, later than the last attestation's.
    document_hash
        Hash of the attestor's signed document, 0x-hex.

    Raises
    ------
    InvalidInput
        When an amount does not fit uint80, the moment is in the future or the hash is none.
    """
    for amount in (amount_base_units, redemptions_included_base_units):
        if not 0 <= amount <= MAX_TOTAL_BASE_UNITS:
            raise InvalidInput(f"an amount is 0 to 2**80-1 base units, not {amount}")
    if as_of > clock.now():
        raise InvalidInput("the reserve cannot be attested as of a time in the future")
    if _HASH.fullmatch(document_hash) is None:
        raise InvalidInput("the document hash is 0x and 64 hexadecimal digits")
    as_of_unix_s = int(as_of.timestamp())
    return ask(
        session,
        RequestKind.ATTEST_RESERVE,
        {
            "amount": str(amount_base_units),
            "redemptionsIncluded": str(redemptions_included_base_units),
            "asOf": as_of_unix_s,
            "documentHash": document_hash,
        },
        dedupe_key=f"attest_reserve:{as_of_unix_s}",
        actor=actor,
        clock=clock,
    )
