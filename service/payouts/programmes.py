"""Programmes: proposing, finding, and planning their budgets. Nothing here commits."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from eth_utils.crypto import keccak
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from service.clock import SYSTEM_CLOCK, Clock
from service.db import lock
from service.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from service.payouts import journal
from service.payouts.directory import region_of
from service.payouts.models import ChainRequest, Programme, RequestKind
from service.payouts.requests import ask
from service.payouts.states import ProgrammeState
from service.regions import WHOLE_COUNTRY, known_on
from service.units import (
    MAX_ENTRY_BASE_UNITS,
    MAX_TOTAL_BASE_UNITS,
    format_amount,
    format_duration,
)

MAX_TIERS = 4
MAX_REVIEWERS = 255
MAX_UINT32 = 2**32 - 1
MAX_NUMBER = 2**31 - 1
"""Largest number of a programme that the database's columns hold; the contract's go further."""
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CHAINS_OWN_CODE = re.compile(r"chain-[0-9]+")
"""What a programme is called here that was created past this service."""
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
        Short name that import files use: letters, digits and ``. _ -``, not digits alone and not
        ``chain-`` and digits.
    region_code, region_digits
        Where it may pay; 0 and 0 for the whole country.
    programme_id
        Number on chain, up to 2**31-1; None takes the next one.
    metadata_hash
        Hash of the public description; None takes the keccak-256 of code and name as canonical
        JSON.

    Raises
    ------
    InvalidInput
        When a value is none, the region is not in force, the payout cap is above the budget, or
        the tiers are not 1 to 4 that ascend.
    AlreadyExists
        When the code or the number is taken.
    """
    _check_names(code, name)
    _check_amounts(budget_base_units, payout_cap_base_units)
    _check_tiers(tiers)
    now = clock.now()
    _check_region(region_code, region_digits, now.date())
    number = programme_id if programme_id is not None else _next_number(session)
    if not 1 <= number <= MAX_NUMBER:
        raise InvalidInput(f"a programme's number is 1 to {MAX_NUMBER}, not {number}")
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
        created_at=now,
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
        found = session.get(Programme, programme) if programme <= MAX_NUMBER else None
    else:
        found = session.scalar(select(Programme).where(Programme.code == programme))
    if found is None:
        raise NotFound(f"there is no programme {programme}")
    return found


def list_programmes(session: Session) -> Sequence[Programme]:
    """Return all programmes, by number."""
    return session.scalars(select(Programme).order_by(Programme.id)).all()


def pause_programme(
    session: Session,
    programme: Programme,
    *,
    actor: str,
    reason: str,
    clock: Clock = SYSTEM_CLOCK,
) -> Programme:
    """Stop sending for every batch of a programme, those built later too.

    One row: a batch's own pause stays as it is, before and after. The service's own brake: the
    chain knows nothing of it, and a stranger may still run an approved chunk.

    Raises
    ------
    InvalidInput
        When there is no reason.
    Conflict
        When it is paused.
    """
    why = journal.required_reason(reason)
    row = lock(session, programme)
    if row.paused:
        raise Conflict(f"programme {row.code} is paused already: {row.pause_reason}")
    row.paused, row.pause_reason = True, why
    record_step(session, row, "pause_programme", actor=actor, reason=why, clock=clock)
    return row


def resume_programme(
    session: Session,
    programme: Programme,
    *,
    actor: str,
    reason: str,
    clock: Clock = SYSTEM_CLOCK,
) -> Programme:
    """Take a programme's brake off; batches that were paused themselves stay so.

    Raises
    ------
    InvalidInput
        When there is no reason.
    Conflict
        When it is not paused.
    """
    why = journal.required_reason(reason)
    row = lock(session, programme)
    if not row.paused:
        raise Conflict(f"programme {row.code} is not paused")
    row.paused, row.pause_reason = False, None
    record_step(session, row, "resume_programme", actor=actor, reason=why, clock=clock)
    return row


def record_step(
    session: Session,
    programme: Programme,
    action: str,
    *,
    actor: str,
    reason: str,
    clock: Clock,
) -> None:
    """Write into the journal what somebody did to a programme, and why."""
    session.flush()
    journal.record(
        session,
        at=clock.now(),
        actor=actor,
        action=action,
        object_type="programme",
        object_id=str(programme.id),
        reason=reason,
    )


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
        raise InvalidInput(f"a budget is {_range(MAX_TOTAL_BASE_UNITS)}")
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
    if _CHAINS_OWN_CODE.fullmatch(code) is not None:
        raise InvalidInput(
            f"{code} is what a programme is called that was created past this service: take "
            "another code"
        )
    if code.isdigit():
        raise InvalidInput(f"{code} would be taken for a programme's number: give it a letter")
    if not 1 <= len(name.strip()) <= 200:  # noqa: PLR2004  # the column's width
        raise InvalidInput("a programme's name has 1 to 200 characters")


def _check_region(code: int, digits: int, today: date) -> None:
    try:
        region = region_of(code, digits)
    except ValueError as error:
        raise InvalidInput(str(error)) from None
    if region != WHOLE_COUNTRY and not known_on(region, today):
        raise InvalidInput(f"GB/T 2260 has no code {region} in force: no case could name it")


def _check_amounts(budget_base_units: int, payout_cap_base_units: int) -> None:
    if not 1 <= budget_base_units <= MAX_TOTAL_BASE_UNITS:
        raise InvalidInput(f"a budget is {_range(MAX_TOTAL_BASE_UNITS)}")
    if not 1 <= payout_cap_base_units <= MAX_ENTRY_BASE_UNITS:
        raise InvalidInput(f"a payout cap is {_range(MAX_ENTRY_BASE_UNITS)}")
    if payout_cap_base_units > budget_base_units:
        raise InvalidInput(
            f"the payout cap of {format_amount(payout_cap_base_units)} is above the budget of "
            f"{format_amount(budget_base_units)}"
        )


def _range(most_base_units: int) -> str:
    return f"{format_amount(1)} to {format_amount(most_base_units)}"


def _check_tiers(tiers: Sequence[Tier]) -> None:
    if not 1 <= len(tiers) <= MAX_TIERS:
        raise InvalidInput(f"a programme has 1 to {MAX_TIERS} tiers")
    for tier in tiers:
        if not 1 <= tier.up_to_base_units <= MAX_TOTAL_BASE_UNITS:
            raise InvalidInput(f"a tier goes up to {_range(MAX_TOTAL_BASE_UNITS)}")
        if not 1 <= tier.reviewers <= MAX_REVIEWERS:
            raise InvalidInput(f"a tier has 1 to {MAX_REVIEWERS} reviewers")
        if not 0 <= tier.challenge_delay_s <= MAX_UINT32:
            raise InvalidInput(f"a challenge delay is at most {format_duration(MAX_UINT32)}")
    for lower, upper in pairwise(tiers):
        if upper.up_to_base_units <= lower.up_to_base_units or upper.reviewers < lower.reviewers:
            raise InvalidInput("tiers ascend: each goes further and asks for as many or more")
