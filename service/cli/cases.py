"""``relief cases``: import a file, look at its cases, decide them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from sqlalchemy.orm import Session

from service.cli.errors import INVALID, print_problems
from service.cli.run import Cursor, Json, Limit, Run, start
from service.cli.values import read_address, read_kind, read_region
from service.errors import InvalidInput

if TYPE_CHECKING:
    from service.cases import CaseFilter
    from service.intake.report import ImportReport

app = typer.Typer(no_args_is_help=True, help="Cases: import, list, show, decide.")

State = Annotated[
    str | None, typer.Option("--state", help="Only cases that are received, approved or rejected.")
]
Programme = Annotated[
    str | None, typer.Option("--programme", "-p", help="Only cases of this programme (code).")
]
Kind = Annotated[str | None, typer.Option("--kind", help="Only one_off or stream.")]
RegionCode = Annotated[
    str | None,
    typer.Option("--region", help="Only cases of this GB/T 2260 region and those inside it."),
]
ImportId = Annotated[str | None, typer.Option("--import", help="Only cases of this import (id).")]
WalletAddress = Annotated[
    str | None, typer.Option("--wallet", help="Only cases paid to this address.")
]


@app.command("import")
def import_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="CSV or XLSX, see docs/import-file.md.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only check; write nothing. Exit code 2 if bad.")
    ] = False,
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Import the good rows of a file with bad ones.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import a file of cases: all of it, or nothing and a list of every problem.

    Each problem names its row, column, value and reason; of two rows that contradict each other
    both are named.
    """
    from service.cases import check_file, import_file, read_file
    from service.payouts.directory import programme_list

    run = start(ctx, as_json)
    keyring = run.app.keyring
    with run.app.transaction() as session:
        programmes = programme_list(session)
    with run.progress(f"reading {file.name}") as step:
        read = read_file(file, programmes=programmes, progress=step)
    with run.app.transaction() as session:
        if dry_run:
            report = check_file(session, read, keyring=keyring)
        else:
            report = import_file(
                session, read, keyring=keyring, actor=run.actor, skip_bad_rows=skip_bad_rows
            )
    _show_report(run, report)
    if report.problems:
        print_problems(run, report.problems)
        if dry_run:
            raise typer.Exit(INVALID)


def _show_report(run: Run, report: ImportReport) -> None:
    from service.application.cases import report_view

    data = report_view(report)
    if not run.as_json:
        del data["problems"]
    run.record(data)


@app.command("list")
def list_(
    ctx: typer.Context,
    *,
    state: State = None,
    programme: Programme = None,
    kind: Kind = None,
    region: RegionCode = None,
    import_id: ImportId = None,
    wallet: WalletAddress = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List cases in the order they were imported, without names or identity numbers."""
    from service.application.cases import case_view
    from service.cases import count_cases, list_cases

    run = start(ctx, as_json)
    with run.app.transaction() as session:
        wanted = _filter(
            session,
            state=state,
            programme=programme,
            kind=kind,
            region=region,
            import_id=import_id,
            wallet=wallet,
        )
        page = list_cases(session, wanted, limit=limit, cursor=cursor)
        count = count_cases(session, wanted)
        items = [case_view(case) for case in page.cases]
    run.rows(
        items,
        {
            "case_ref": "case",
            "state": "state",
            "programme": "programme",
            "region": "region",
            "kind": "kind",
            "amount": "amount",
            "wallet_address": "wallet",
            "cause": "cause",
        },
        data={"items": items, "count": count, "next_cursor": page.next_cursor},
    )
    run.note(f"{len(items)} of {count} cases")
    if page.next_cursor:
        run.note(f"next page: --cursor {page.next_cursor}")


@app.command("show")
def show(
    ctx: typer.Context,
    case: Annotated[str, typer.Argument(help="Its reference (case_ref) or id.")],
    *,
    reveal: Annotated[
        bool,
        typer.Option(
            "--reveal", help="Decrypt name, identity number and phone; needs --reason, recorded."
        ),
    ] = False,
    reason: Annotated[
        str | None, typer.Option(help="Why the person is looked at, for the journal.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show one case; with --reveal also who it is for, which the journal records."""
    from service.application.cases import case_view
    from service.application.cases import reveal as reveal_case
    from service.cases import get_case

    run = start(ctx, as_json)
    if reason is not None and not reveal:
        raise InvalidInput("--reason goes with --reveal")
    keyring = run.app.keyring if reveal else None
    with run.app.transaction() as session:
        if keyring is not None:
            data = reveal_case(
                session, keyring, case, actor=run.actor, reason=reason, reason_field="--reason"
            )
        else:
            data = case_view(get_case(session, case))
    run.record(data)


@app.command("decide")
def decide(
    ctx: typer.Context,
    cases: Annotated[
        list[str] | None, typer.Argument(help="References or ids; or use the filters below.")
    ] = None,
    *,
    approve: Annotated[bool, typer.Option("--approve", help="Approve them.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="Reject them; needs --reason.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    all_received: Annotated[
        bool, typer.Option("--all", help="Every case that is not decided yet.")
    ] = False,
    programme: Programme = None,
    kind: Kind = None,
    region: RegionCode = None,
    import_id: ImportId = None,
    wallet: WalletAddress = None,
    as_json: Json = False,
) -> None:
    """Approve or reject cases: those named, or all undecided ones that match the filters."""
    from service.cases import CaseState, get_case
    from service.cases import decide as decide_cases

    run = start(ctx, as_json)
    if approve == reject:
        raise InvalidInput("say either --approve or --reject")
    filters = any(given is not None for given in (programme, kind, region, import_id, wallet))
    if sum((bool(cases), filters, all_received)) != 1:
        raise InvalidInput("name cases, or give filters, or say --all: one of the three")
    decision = CaseState.APPROVED if approve else CaseState.REJECTED
    with run.app.transaction() as session:
        if cases:
            wanted: list[str] | CaseFilter = [get_case(session, case).id for case in cases]
        else:
            wanted = _filter(
                session,
                programme=programme,
                kind=kind,
                region=region,
                import_id=import_id,
                wallet=wallet,
            )
        decided = decide_cases(session, wanted, decision, actor=run.actor, reason=reason)
    run.record({"decision": decision.value, "decided": decided, "actor": run.actor})


def _filter(
    session: Session,
    *,
    state: str | None = None,
    programme: str | None,
    kind: str | None,
    region: str | None,
    import_id: str | None,
    wallet: str | None,
) -> CaseFilter:
    from service.application.programmes import find_programme
    from service.cases import CaseFilter, CaseState, get_import

    if state is not None and state not in set(CaseState):
        raise InvalidInput(f"{state!r} is not one of {', '.join(CaseState)}")
    return CaseFilter(
        state=CaseState(state) if state else None,
        programme_id=find_programme(session, programme).id if programme is not None else None,
        kind=read_kind(kind) if kind is not None else None,
        region=read_region(region) if region is not None else None,
        import_id=get_import(session, import_id).id if import_id is not None else None,
        wallet_address=read_address(wallet) if wallet is not None else None,
    )
