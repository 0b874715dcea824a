"""The reserve behind the money: what is attested, what it carries, and stating it anew."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from service.application.context import Application
from service.application.requests import ask_once
from service.errors import InvalidInput, LimitExceeded
from service.payouts.models import ChainRequest, RequestKind
from service.units import amounts, format_amount, format_unix_s


def reserve_view(app: Application) -> dict[str, Any]:
    """Return the attestation in force and what it carries, by the chain, for JSON.

    Raises
    ------
    ChainUnavailable
        When the node does not answer.
    """
    contracts, rpc = app.contracts, app.rpc
    block = rpc.block_number()

    def read(function: str) -> Any:
        return contracts.read(rpc, "token", function, block=block)

    attestation = read("attestation")
    as_of = attestation["asOf"]
    in_force, supply, committed = read("reserve"), read("totalSupply"), read("committed")
    return {
        "block_number": block,
        "as_of": format_unix_s(as_of) if as_of else None,
        "stale_after": format_unix_s(as_of + read("RESERVE_MAX_AGE")) if as_of else None,
        **amounts(
            attested=attestation["amount"],
            redemptions_included=attestation["redemptionsIncluded"],
            reserve_in_force=in_force,
            supply=supply,
            committed=committed,
            redeemed_total=read("redeemedTotal"),
            cap=read("cap"),
            free=max(in_force - supply - committed, 0),
        ),
    }


def document_hash(path: Path) -> str:
    """Return the SHA-256 of the attestor's signed document, 0x and 64 digits.

    Raises
    ------
    InvalidInput
        When the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return "0x" + hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from None


def attest(
    app: Application,
    session: Session,
    amount_base_units: int,
    *,
    document_hash: str,
    actor: str,
    as_of: datetime | None = None,
    redemptions_included_base_units: int | None = None,
) -> ChainRequest:
    """Ask for an attestation, sent by the attestor's keystore where the worker has it.

    Parameters
    ----------
    document_hash
        Of the attestor's signed document, 0x and 64 digits.
    as_of
        When the amount was counted; the newest block's time when None.
    redemptions_included_base_units
        Cumulative redemptions that the amount takes into account; all by now when None.

    Raises
    ------
    InvalidInput
        When the time is in the chain's future or not after the attestation before.
    LimitExceeded
        When more redemptions are included than there were.
    AlreadyExists
        When an attestation waits to be sent.
    """
    header = app.rpc.header("latest") or {}
    now_unix_s = int(header["timestamp"], 16)
    as_of_unix_s = int(as_of.timestamp()) if as_of else now_unix_s
    before = app.contracts.read(app.rpc, "token", "attestation")["asOf"]
    if as_of_unix_s > now_unix_s:
        raise InvalidInput("the attestation is of a time that the chain has not reached")
    if as_of_unix_s <= before:
        raise InvalidInput("the attestation is not newer than the one in force")
    redeemed: int = app.contracts.read(app.rpc, "token", "redeemedTotal")
    included = (
        redeemed if redemptions_included_base_units is None else redemptions_included_base_units
    )
    if included > redeemed:
        raise LimitExceeded(f"only {format_amount(redeemed)} were redeemed so far")
    return ask_once(
        session,
        RequestKind.ATTEST_RESERVE,
        {
            "amount": str(amount_base_units),
            "redemptionsIncluded": str(included),
            "asOf": as_of_unix_s,
            "documentHash": document_hash,
        },
        dedupe_key="attest_reserve",
        actor=actor,
        reason=f"as of {format_unix_s(as_of_unix_s)}",
    )
