"""A state is moved along its table, and nowhere else: looked for in the source itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from service.config import PROJECT_ROOT
from service.db import create_database_engine, session_factory
from service.payouts.models import ChainRequest, RequestKind
from service.payouts.requests import ask
from service.payouts.states import TRANSITIONS, RequestState
from service.transitions import move_rows, sources

MOVES = {"move", "move_action"}
"""Functions that return, or set, a state after they have looked into its table."""

COLUMNS = ("state", "own_state")

TABLES_THEMSELVES = {"service/transitions.py", "service/transactions/states.py"}

BY_ITS_OWN_TABLE = {
    # The statement's condition comes from the table of cases, by `sources_of`.
    ("service/cases/service.py", "state=decision.value"),
}


def sources_of_service() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted((PROJECT_ROOT / "service").rglob("*.py")):
        yield path.relative_to(PROJECT_ROOT).as_posix(), ast.parse(path.read_text())


def violations(name: str, tree: ast.Module) -> Iterator[str]:
    """Where a module sets a state past its table."""
    for node in ast.walk(tree):
        found: str | None = None
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
            found = assigned(node)
        elif isinstance(node, ast.Call):
            found = called(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = f" {' '.join(node.value.upper().split())} "
            found = node.value if re.search(r" UPDATE .* SET .*\bSTATE = ", words) else None
        if found is not None:
            yield f"{name}:{node.lineno}: {found}"


def assigned(node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> str | None:
    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
        parts = target.elts if isinstance(target, ast.Tuple) else [target]
        sets = any(isinstance(part, ast.Attribute) and part.attr in COLUMNS for part in parts)
        if sets and not (isinstance(target, ast.Attribute) and is_harmless(node.value)):
            return ast.unparse(node)
    return None


def called(node: ast.Call) -> str | None:
    function = node.func
    if isinstance(function, ast.Name) and function.id == "setattr" and len(node.args) > 1:
        name = node.args[1]
        named = isinstance(name, ast.Constant) and name.value in COLUMNS
        return ast.unparse(node) if named else None
    if isinstance(function, ast.Attribute) and function.attr == "values":
        for keyword in node.keywords:
            if keyword.arg in COLUMNS and root(function) == "update":
                return f"{keyword.arg}={ast.unparse(keyword.value)}"
    return None


def is_harmless(value: ast.expr | None) -> bool:
    """Whether it goes through a table, or declares what is read."""
    declared = isinstance(value, ast.Call) and ast.unparse(value.func) == "column_property"
    return declared or is_move(value)


def is_move(value: ast.expr | None) -> bool:
    """Whether it is ``move(…)`` or ``move(…).value``."""
    if isinstance(value, ast.Attribute) and value.attr == "value":
        value = value.value
    return (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in MOVES
    )


def root(node: ast.expr) -> str:
    """Name of the call that a chain of methods begins with."""
    while isinstance(node, ast.Attribute | ast.Call):
        inner = node.value if isinstance(node, ast.Attribute) else node.func
        if isinstance(inner, ast.Name):
            return inner.id
        node = inner
    return ""


def test_nothing_sets_a_state_but_through_its_table() -> None:
    found = [
        violation
        for name, tree in sources_of_service()
        if name not in TABLES_THEMSELVES
        for violation in violations(name, tree)
        if not any(
            violation.startswith(f"{file}:") and violation.endswith(what)
            for file, what in BY_ITS_OWN_TABLE
        )
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "row.state = State.FINAL.value",
        "row.state, row.error = 'final', None",
        "setattr(row, 'state', 'final')",
        "payout.own_state = 'paid'",
        "session.execute(update(Row).where(x).values(a=1, state='final'))",
        "session.execute(update(Row).values(state=State.FINAL.value).where(x))",
        "text('UPDATE payouts SET paid = 1, state = 2')",
    ],
)
def test_what_sets_a_state_past_its_table_is_found(code: str) -> None:
    assert list(violations("x.py", ast.parse(code)))


@pytest.mark.parametrize(
    "code",
    [
        "row.state = move(row.state, To.X).value",
        "row.state = move_action(row.state, to)",
        "insert(Row).values(state='built')",
        "Row(state='built')",
        "update(Row).values(paused=True)",
    ],
)
def test_what_goes_through_a_table_or_begins_a_row_is_not(code: str) -> None:
    assert list(violations("x.py", ast.parse(code))) == []


def test_each_kind_has_one_table() -> None:
    tables = [
        (name, target.id)
        for name, tree in sources_of_service()
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id.endswith("TRANSITIONS")
    ]
    assert sorted(tables) == [
        ("service/approvals/states.py", "ACTION_TRANSITIONS"),
        ("service/cases/states.py", "TRANSITIONS"),
        ("service/payouts/states.py", "TRANSITIONS"),
        ("service/transactions/states.py", "TRANSITIONS"),
    ]


def test_a_set_of_rows_moves_only_where_the_table_leads(database_url: str) -> None:
    engine = create_database_engine(database_url)
    table = TRANSITIONS[RequestState]
    assert sources(table, RequestState.PLANNED) == {RequestState.REQUESTED}
    try:
        with session_factory(engine)() as session:
            for number, state in enumerate(["requested", "planned", "done", "failed"]):
                key = f"test:{number}"
                row = ask(session, RequestKind.APPLY_CAP, {}, dedupe_key=key, actor="test")
                row.state = state
            session.flush()

            moved = move_rows(session, ChainRequest, table, RequestState.PLANNED, last_error="x")

            columns = select(ChainRequest.state, ChainRequest.last_error).order_by(ChainRequest.id)
            rows = [tuple(row) for row in session.execute(columns)]
            assert moved == 1
            assert rows == [("planned", "x"), ("planned", None), ("done", None), ("failed", None)]
    finally:
        engine.dispose()
