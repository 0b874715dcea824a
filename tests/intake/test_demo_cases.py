"""The demo generator: repeatable, varied, and every good row good, every bad row bad."""

from __future__ import annotations

import hashlib
import time
from datetime import date
from pathlib import Path

import pytest
from eth_account import Account

from scripts import demo_cases
from service.intake.check import bad_rows, check_rows
from service.intake.programmes import ProgrammeList
from service.intake.source import open_case_file

START = date(2026, 11, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default files, which take less than five seconds."""
    out = tmp_path_factory.mktemp("demo")
    begin = time.perf_counter()
    demo_cases.main(["--out", str(out)])
    assert time.perf_counter() - begin < 5
    return out


@pytest.fixture(scope="module")
def workbook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fewer cases, as a workbook too."""
    out = tmp_path_factory.mktemp("workbook")
    demo_cases.main(["--out", str(out), "--xlsx", "--cases", "300"])
    return out


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes(workbook: Path, tmp_path: Path) -> None:
    demo_cases.main(["--out", str(tmp_path), "--xlsx", "--cases", "300"])
    assert _digests(tmp_path) == _digests(workbook)
    assert set(_digests(workbook)) == {"cases.csv", "bad_cases.csv", "cases.xlsx"}


def test_another_seed_gives_other_bytes(folder: Path, tmp_path: Path) -> None:
    demo_cases.main(["--out", str(tmp_path), "--seed", "other", "--cases", "10"])
    assert not set(_digests(tmp_path).values()) & set(_digests(folder).values())


def test_every_good_row_passes_every_check(folder: Path, programmes: ProgrammeList) -> None:
    with open_case_file(folder / "cases.csv") as file:
        checked = check_rows(file, programmes)
    assert checked.problems == ()
    cases = [row.case for row in checked.rows if row.case is not None]
    assert len(cases) == 3000
    assert sum(case.kind == "one_off" for case in cases) == 2400
    assert sum(case.kind == "stream" for case in cases) == 600
    assert len({case.region for case in cases}) >= 60
    assert {case.duration_days for case in cases if case.kind == "stream"} == {90, 120, 150, 180}
    assert {case.start_date for case in cases} == {START}
    assert any("·" in case.name for case in cases)
    assert any(case.amount_base_units % 10_000 for case in cases)


def test_the_workbook_holds_the_same_cases_as_the_csv(
    workbook: Path, programmes: ProgrammeList
) -> None:
    rows = []
    for name in ("cases.csv", "cases.xlsx"):
        with open_case_file(workbook / name) as file:
            rows.append([row.case for row in check_rows(file, programmes).rows])
    assert rows[0] == rows[1]
    assert len(rows[0]) == 300
    assert None not in rows[0]


def test_each_bad_row_is_refused_for_its_reason_with_its_row_column_and_value(
    folder: Path, programmes: ProgrammeList
) -> None:
    expected = demo_cases.bad_cases(demo_cases.DEFAULT_SEED, START)
    with open_case_file(folder / "bad_cases.csv") as file:
        checked = check_rows(file, programmes)
    found = {problem.row: problem for problem in checked.problems}
    assert len(found) == len(checked.problems), "a bad row has exactly one problem"
    for row, bad in enumerate(expected, start=2):
        if bad.code is None:
            assert row not in found
            continue
        problem = found[row]
        assert (problem.code, problem.field) == (bad.code, bad.column)
        value = bad.cells[bad.column] if bad.column else None
        assert problem.value == (value[:500] if value else None)
        assert problem.message


def test_the_bad_file_has_at_least_25_kinds_of_problem() -> None:
    codes = [row.code for row in demo_cases.bad_cases("any", START) if row.code]
    assert len(set(codes)) == len(codes) >= 25


def test_both_rows_of_a_pair_are_kept_out(folder: Path, programmes: ProgrammeList) -> None:
    with open_case_file(folder / "bad_cases.csv") as file:
        checked = check_rows(file, programmes)
    pairs = [problem for problem in checked.problems if problem.other_row is not None]
    assert len(pairs) == 5
    assert all({pair.row, pair.other_row} <= bad_rows(checked.problems) for pair in pairs)


def test_a_demo_wallets_key_signs_for_its_address() -> None:
    key = demo_cases.demo_wallet_key("relief-demo", 7)
    assert Account.from_key(key).address == demo_cases.demo_wallet_address("relief-demo", 7)
