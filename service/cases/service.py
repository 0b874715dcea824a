"""Listing cases and deciding them. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, func, select, update
from sqlalchemy.orm import Session

from service.cases.chunks import chunks
from service.cases.filters import CaseFilter
from service.cases.models import Case
from service.cases.states import CaseState, sources_of
from service.clock import SYSTEM_CLOCK, Clock
from service.errors import Conflict, IllegalTransition, InvalidInput, NotFound, Problem

MAX_PAGE_CASES = 500

_ALL_CASES = CaseFilter()


@dataclass(frozen=True, slots=True)
class CasePage:
    """A page of cases in the order they were filed.

    Attributes
    ----------
    cases
        At most the limit asked for.
    next_cursor
        Give it to the next call; None at the end.
    """

    cases: list[Case]
    next_cursor: str | None


def list_cases(
    session: Session,
    case_filter: CaseFilter = _ALL_CASES,
    *,
    limit: int = 50,
    cursor: str | None = None,
) -> CasePage:
    """Return one page of the cases that match.

    Parameters
    ----------
    limit
        1 to 500.
    cursor
        ``next_cursor`` of the page before, or None for the first page.

    Raises
    ------
    InvalidInput
        When the limit is out of range or the cursor is none of ours.
    """
    if not 1 <= limit <= MAX_PAGE_CASES:
        raise InvalidInput(f"a page has 1 to {MAX_PAGE_CASES} cases, not {limit}")
    statement = select(Case).where(*case_filter.conditions()).order_by(Case.id).limit(limit + 1)
    if cursor is not None:
        try:
            statement = statement.where(Case.id > str(UUID(cursor)))
        except ValueError:
            raise InvalidInput("the cursor is not one that a page of cases gave") from None
    found = list(session.scalars(statement))
    page = found[:limit]
    return CasePage(page, page[-1].id if len(found) > limit else None)


def count_cases(session: Session, case_filter: CaseFilter = _ALL_CASES) -> int:
    """Return how many cases match."""
    statement = select(func.count()).select_from(Case).where(*case_filter.conditions())
    return session.scalar(statement) or 0


def get_case(session: Session, case: str) -> Case:
    """Return a case by its id or its reference.

    Raises
    ------
    NotFound
        When there is no such case.
    """
    found = session.get(Case, case) or session.scalar(select(Case).where(Case.case_ref == case))
    if found is None:
        raise NotFound(f"there is no case {case}")
    return found


def decide(
    session: Session,
    cases: Sequence[str] | CaseFilter,
    decision: CaseState,
    *,
    actor: str,
    reason: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> int:
    """Approve or reject many cases at once, all or none.

    Parameters
    ----------
    cases
        Ids, each of which must be decidable; or a filter, of whose cases those that are
        decidable are decided.
    decision
        ``CaseState.APPROVED`` or ``CaseState.REJECTED``.
    actor
        Who decides.
    reason
        Why; needed for a rejection.

    Returns
    -------
    int
        How many cases were decided.

    Raises
    ------
    InvalidInput
        When the decision is none, the actor is empty or a rejection has no reason.
    NotFound
        When an id is no case; ``problems`` names each.
    IllegalTransition
        When a case was decided before; ``problems`` names each.
    Conflict
        When a case was decided by someone else at the same moment.
    """
    sources = [state.value for state in sorted(sources_of(decision))]
    if not sources:
        raise InvalidInput(f"{decision.value} is not a decision")
    if not actor:
        raise InvalidInput("a decision needs the name of who decides")
    if decision is CaseState.REJECTED and not (reason or "").strip():
        raise InvalidInput("a rejection needs a reason")
    change = (
        update(Case)
        .where(Case.state.in_(sources))
        .values(
            state=decision.value,
            decided_by=actor,
            decided_at=clock.now(),
            decision_reason=reason,
        )
        .execution_options(synchronize_session=False)
    )
    if isinstance(cases, CaseFilter):
        decided = _rows_changed(session, change.where(*cases.conditions()))
    else:
        ids = list(dict.fromkeys(cases))
        _refuse_undecidable(session, ids, decision, sources)
        decided = sum(
            _rows_changed(session, change.where(Case.id.in_(chunk))) for chunk in chunks(ids)
        )
        if decided != len(ids):
            raise Conflict("some of the cases were decided by someone else just now")
    session.expire_all()  # the statement went past the session's objects
    return decided


def _rows_changed(session: Session, statement: Any) -> int:
    return cast("CursorResult[Any]", session.execute(statement)).rowcount


def _refuse_undecidable(
    session: Session, ids: list[str], decision: CaseState, sources: list[str]
) -> None:
    state_of: dict[str, str] = {}
    for chunk in chunks(ids):
        found = session.execute(select(Case.id, Case.state).where(Case.id.in_(chunk)))
        state_of.update((case_id, state) for case_id, state in found)
    missing = [case_id for case_id in ids if case_id not in state_of]
    if missing:
        raise NotFound(
            f"{len(missing)} of the cases do not exist",
            problems=[
                Problem("not_found", f"there is no case {case_id}", value=case_id)
                for case_id in missing
            ],
        )
    stuck = [case_id for case_id in ids if state_of[case_id] not in sources]
    if stuck:
        raise IllegalTransition(
            f"{len(stuck)} of the cases cannot become {decision.value}",
            problems=[
                Problem("illegal_transition", f"the case is {state_of[case_id]}", value=case_id)
                for case_id in stuck
            ],
        )
