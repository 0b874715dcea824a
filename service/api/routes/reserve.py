"""The reserve behind the money: show it, attest it."""

from __future__ import annotations

from fastapi import APIRouter, Response

from service.api.answers import CHAIN, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep
from service.api.routes.payouts import accepted
from service.api.schemas.money import AttestationGiven, ReserveShown
from service.api.schemas.requests import ChainRequestShown
from service.application.reserve import attest, reserve_view
from service.errors import AlreadyExists, LimitExceeded

router = APIRouter(tags=["reserve"])


@router.get("/reserve", responses=reads(*CHAIN))
def show_reserve(call: CallDep) -> ReserveShown:
    """Show the attestation in force, what it carries and what may still be committed."""
    return ReserveShown.model_validate(reserve_view(call.application))


@router.post(
    "/reserve/attestations",
    status_code=202,
    response_model=ChainRequestShown,
    responses=writes(LimitExceeded, AlreadyExists, *CHAIN),
)
def attest_reserve(given: AttestationGiven, command: CommandDep) -> Response:
    """State the reserve; the worker sends it where the attestor's keystore is."""
    included = given.redemptions_included_base_units
    return command.run(
        lambda session: accepted(
            attest(
                command.application,
                session,
                int(given.amount_base_units),
                document_hash=given.document_hash,
                actor=command.actor,
                as_of=given.as_of,
                redemptions_included_base_units=None if included is None else int(included),
            )
        )
    )
