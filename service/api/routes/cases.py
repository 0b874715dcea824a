"""Cases: list, show, decide. Who a case is for is shown on demand only, and that is recorded."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Header, Path, Query, Response
from sqlalchemy.orm import Session

from service.api.answers import KEYS, reads, writes
from service.api.calls import CallDep
from service.api.idempotency import CommandDep, Reply
from service.api.pagination import PagingQuery
from service.api.schemas.cases import (
    CaseFilterGiven,
    CasePage,
    CaseShown,
    DecisionGiven,
    DecisionShown,
)
from service.api.values import known_import, programme_number, read_address, read_region
from service.application.cases import case_view
from service.application.cases import reveal as reveal_case
from service.cases import CaseFilter, CaseState, decide, get_case, list_cases
from service.errors import Conflict, IllegalTransition, InvalidInput, NotFound, Problem

router = APIRouter(tags=["cases"])

REASON_HEADER = "Reveal-Reason"


@router.get("/cases", responses=reads(NotFound))
def list_some_cases(
    call: CallDep,
    paging: PagingQuery,
    *,
    state: Annotated[CaseState | None, Query(examples=["received"])] = None,
    programme: Annotated[
        str | None, Query(description="Code or number.", examples=["flood-2026"])
    ] = None,
    kind: Annotated[Literal["one_off", "stream"] | None, Query(examples=["one_off"])] = None,
    region: Annotated[
        str | None, Query(description="This region and those inside it.", examples=["5107"])
    ] = None,
    import_id: Annotated[
        str | None, Query(max_length=36, description="Of this import only.")
    ] = None,
    wallet_address: Annotated[
        str | None, Query(max_length=42, description="Paid to this EIP-55 address.")
    ] = None,
) -> CasePage:
    """List cases in the order they were filed, without who they are for."""
    with call.read() as session:
        wanted = CaseFilter(
            state=state,
            programme_id=programme_number(session, programme),
            kind=kind,
            region=read_region(region) if region is not None else None,
            import_id=known_import(session, import_id),
            wallet_address=read_address(wallet_address, field="wallet_address")
            if wallet_address is not None
            else None,
        )
        page = list_cases(session, wanted, limit=paging.limit, cursor=paging.key)
        items = [CaseShown.model_validate(case_view(row)) for row in page.cases]
    return CasePage(items=items, next_cursor=paging.next_cursor(page.next_cursor))


@router.post(
    "/cases/decisions",
    response_model=DecisionShown,
    responses=writes(NotFound, Conflict, IllegalTransition),
)
def decide_cases(given: DecisionGiven, command: CommandDep) -> Response:
    """Approve or reject cases, all or none: those named, the undecided ones of a filter, or all."""
    if sum((given.cases is not None, given.filter is not None, given.all)) != 1:
        raise InvalidInput("name `cases`, give a `filter`, or send `all`: true; one of the three")
    if given.filter is not None and not given.filter.model_dump(exclude_none=True):
        message = "an empty filter names no cases: for every undecided case send `all`: true"
        raise InvalidInput(message, problems=[Problem("empty_filter", message, field="filter")])
    decision = CaseState(given.decision)

    def work(session: Session) -> Reply:
        if given.cases is not None:
            chosen: list[str] | CaseFilter = [get_case(session, c).id for c in given.cases]
        else:
            chosen = _filter(session, given.filter or CaseFilterGiven())
        decided = decide(session, chosen, decision, actor=command.actor, reason=given.reason)
        return Reply(DecisionShown(decision=decision.value, decided=decided, actor=command.actor))

    return command.run(work)


def _filter(session: Session, given: CaseFilterGiven) -> CaseFilter:
    wallet = given.wallet_address
    return CaseFilter(
        programme_id=programme_number(session, given.programme),
        kind=given.kind,
        region=read_region(given.region, field="filter.region")
        if given.region is not None
        else None,
        import_id=known_import(session, given.import_id),
        wallet_address=read_address(wallet, field="filter.wallet_address")
        if wallet is not None
        else None,
    )


@router.get("/cases/{case:path}", responses=reads(NotFound, *KEYS))
def show_case(
    call: CallDep,
    case: Annotated[
        str, Path(description="Id or reference.", max_length=64, examples=["SC-510722-000017"])
    ],
    *,
    reveal: Annotated[
        bool, Query(description="Decrypt name, identity number and phone; recorded.")
    ] = False,
    reason: Annotated[
        str | None,
        Header(
            alias=REASON_HEADER,
            description="Why the person is looked at; needed with `reveal`. Percent-encoded UTF-8.",
            examples=["call-back%20of%20the%20household"],
        ),
    ] = None,
) -> CaseShown:
    """Show a case. Who it is for only with `reveal` and a reason, both kept in the journal."""
    if not reveal:
        with call.read() as session:
            return CaseShown.model_validate(case_view(get_case(session, case)))
    keyring = call.keyring
    with call.application.transaction() as session:
        shown = reveal_case(
            session,
            keyring,
            case,
            actor=call.actor,
            reason=unquote(reason or ""),
            reason_field=REASON_HEADER,
        )
    return CaseShown.model_validate(shown)
