"""Programmes: proposing, finding, and planning their budgets. Nothing here commits."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from eth_utils.crypto import keccak
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from service.payouts import journal
from service.payouts.directory import region_of
from service.payouts.models import ChainRequest, Programme, RequestKind
from service.payouts.requests import ask
from service.payouts.states import ProgrammeState
from service.units import MAX_ENTRY_BASE_UNITS, MAX_TOTAL_BASE_UNITS

MAX_TIERS = 4
MAX_REVIEWERS = 255
MAX_UINT32 = 2**32 - 1
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"0x[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Tier:
    """How many reviewers a batch needs while the rolling sum is at most ``up_to_base_units``.

    Attributes
    ----------
    up_to_base_units
        Upper bound, itself included; above the last tier nothing can be approved.
    reviewers
        Officers beside the maker, at least 1.
    challenge_delay_s
        Seconds between the approval on chain and the first chunk.
    """

    up_to_base_units: int
    reviewers: int
    challenge_delay_s: int = 0


def create_programme(
    session: Session,
    *,
    code: str,
    name: str,
    region_code: int,
    region_digits: int,
    budget_base_units: int,
    payout_cap_base_units: int,
    tiers: Sequence[Tier],
    actor: str,
    programme_id: int | None = None,
    metadata_hash: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Programme:
    """Propose a programme and ask for the transaction that creates it on chain.

    Parameters
    ----------
    code
        Short name that import files use: letters, digits and ``. _ -``.
    region_code, region_digits
        Where it may pay; 0 and 0 for the whole country.
    programme_id
        Number on chain; None takes the next one.
    metadata_hash
        Hash of the public description; None takes the keccak-256 of code and name as canonical
        JSON.

    Raises
    ------
    InvalidInput
        When a value is none, or the tiers are not 1 to 4 that ascend.
    AlreadyExists
        When the code or the number is taken.
    """
    _check_names(code, name)
    _check_amounts(budget_base_units, payout_cap_base_units)
    _check_tiers(tiers)
    try:
        region_of(region_code, region_digits)
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    number = programme_id if programme_id is not None else _next_number(session)
    if not 1 <= number <= MAX_UINT32:
        raise InvalidInput(f"a programme's number is 1 to 2**32-1, not {number}")
    taken = session.scalar(
        select(Programme).where(or_(Programme.id == number, Programme.code == code))
    )
    if taken is not None:
        raise AlreadyExists(f"there is a programme {taken.id} with the code {taken.code}")
    described = metadata_hash or _description_hash(code, name)
    if _HASH.fullmatch(described) is None:
        raise InvalidInput("the metadata hash is 0x and 64 lower-case hexadecimal digits")
    programme = Programme(
        id=number,
        code=code,
        name=name,
        region_code=region_code,
        region_digits=region_digits,
        budget_base_units=budget_base_units,
        payout_cap_base_units=payout_cap_base_units,
        tiers=[
            {
                "up_to_base_units": str(tier.up_to_base_units),
                "reviewers": tier.reviewers,
                "challenge_delay_s": tier.challenge_delay_s,
            }
            for tier in tiers
        ],
        metadata_hash=described,
        version=1,
        state=ProgrammeState.PROPOSED.value,
        created_by=actor,
        created_at=clock.now(),
    )
    session.add(programme)
    session.flush()
    journal.record(
        session,
        at=programme.created_at,
        actor=actor,
        action="create_programme",
        object_type="programme",
        object_id=str(number),
    )
    ask_to_create(session, programme, actor=actor, clock=clock)
    return programme


def ask_to_create(
    session: Session, programme: Programme, *, actor: str, clock: Clock = SYSTEM_CLOCK
) -> ChainRequest:
    """Ask (again) for the transaction that creates a proposed programme on chain.

    Raises
    ------
    Conflict
        When it is on chain.
    """
    if programme.state != ProgrammeState.PROPOSED:
        raise Conflict(f"programme {programme.code} is on chain")
    return ask(
        session,
        RequestKind.CREATE_PROGRAMME,
        {
            "id": programme.id,
            "regionCode": programme.region_code,
            "regionDigits": programme.region_digits,
            "budget": str(programme.budget_base_units),
            "payoutCap": str(programme.payout_cap_base_units),
            "tiers_": [
                {
                    "upTo": tier["up_to_base_units"],
                    "reviewers": tier["reviewers"],
                    "challengeDelay": tier["challenge_delay_s"],
                }
                for tier in programme.tiers
            ],
            "metadataHash": programme.metadata_hash,
        },
        dedupe_key=f"create_programme:{programme.id}",
        actor=actor,
        clock=clock,
    )


def get_programme(session: Session, programme: int | str) -> Programme:
    """Return a programme by its number or its code.

    Raises
    ------
    NotFound
        When there is none.
    """
    if isinstance(programme, int):
        found = session.get(Programme, programme)
    else:
        found = session.scalar(select(Programme).where(Programme.code == programme))
    if found is None:
        raise NotFound(f"there is no programme {programme}")
    return found


def list_programmes(session: Session) -> Sequence[Programme]:
    """Return all programmes, by number."""
    return session.scalars(select(Programme).order_by(Programme.id)).all()


def request_budget_change(
    session: Session,
    programme: Programme,
    budget_base_units: int,
    *,
    actor: str,
    reason: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> ChainRequest:
    """Ask for a lower budget at once, or for a higher one after the contract's delay.

    A higher one comes into force by :func:`request_budget_application` when the delay is over.

    Raises
    ------
    InvalidInput
        When the budget does not fit or is the one in force.
    Conflict
        When the programme is not on chain.
    """
    _require_onchain(programme)
    if not 1 <= budget_base_units <= MAX_TOTAL_BASE_UNITS:
        raise InvalidInput("a budget is 1 to 2**80-1 base units")
    if budget_base_units == programme.budget_base_units:
        raise InvalidInput("that is the budget in force")
    raising = budget_base_units > programme.budget_base_units
    kind = RequestKind.SCHEDULE_BUDGET if raising else RequestKind.DECREASE_BUDGET
    return ask(
        session,
        kind,
        {"id": programme.id, "budget": str(budget_base_units)},
        dedupe_key=f"{kind.value}:{programme.id}:{budget_base_units}",
        actor=actor,
        reason=reason,
        clock=clock,
    )


def request_budget_application(
    session: Session, programme: Programme, *, actor: str, clock: Clock = SYSTEM_CLOCK
) -> ChainRequest:
    """Ask that a planned higher budget be applied.

    Raises
    ------
    Conflict
        When the programme is not on chain.
    """
    _require_onchain(programme)
    return ask(
        session,
        RequestKind.APPLY_BUDGET,
        {"id": programme.id},
        dedupe_key=f"apply_budget:{programme.id}",
        actor=actor,
        clock=clock,
    )


def _require_onchain(programme: Programme) -> None:
    if programme.state != ProgrammeState.ONCHAIN:
        raise Conflict(f"programme {programme.code} is not on chain yet")


def _next_number(session: Session) -> int:
    return (session.scalar(select(func.max(Programme.id))) or 0) + 1


def _description_hash(code: str, name: str) -> str:
    text = json.dumps({"code": code, "name": name}, sort_keys=True, separators=(",", ":"))
    return "0x" + keccak(text.encode("ascii")).hex()


def _check_names(code: str, name: str) -> None:
    if _CODE.fullmatch(code) is None:
        raise InvalidInput("a programme's code has up to 64 letters, digits and . _ -")
    if not 1 <= len(name.strip()) <= 200:  # noqa: PLR2004  # the column's width
        raise InvalidInput("a programme's name has 1 to 200 characters")


def _check_amounts(budget_base_units: int, payout_cap_base_units: int) -> None:
    if not 1 <= budget_base_units <= MAX_TOTAL_BASE_UNITS:
        raise InvalidInput("a budget is 1 to 2**80-1 base units")
    if not 1 <= payout_cap_base_units <= MAX_ENTRY_BASE_UNITS:
        raise InvalidInput("a payout cap is 1 to 2**64-1 base units")


def _check_tiers(tiers: Sequence[Tier]) -> None:
    if not 1 <= len(tiers) <= MAX_TIERS:
        raise InvalidInput(f"a programme has 1 to {MAX_TIERS} tiers")
    for tier in tiers:
        if not 1 <= tier.up_to_base_units <= MAX_TOTAL_BASE_UNITS:
            raise InvalidInput("a tier goes up to 1 to 2**80-1 base units")
        if not 1 <= tier.reviewers <= MAX_REVIEWERS:
            raise InvalidInput(f"a tier has 1 to {MAX_REVIEWERS} reviewers")
        if not 0 <= tier.challenge_delay_s <= MAX_UINT32:
            raise InvalidInput("a challenge delay is 0 to 2**32-1 seconds")
    for lower, upper in pairwise(tiers):
        if upper.up_to_base_units <= lower.up_to_base_units or upper.reviewers < lower.reviewers:
            raise InvalidInput("tiers ascend: each goes further and asks for as many or more")
