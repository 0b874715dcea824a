"""Case files as bytes: encodings, quoting, spreadsheets, bounds and headers."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from scripts import demo_cases
from service.errors import InvalidImport, Problem
from service.intake import cells, columns, reader, source
from service.intake.check import FileCheck, check_rows
from service.intake.programmes import ProgrammeList
from service.intake.rows import CaseRow
from service.intake.source import open_case_file

GOOD = {
    "case_ref": "SC-1",
    "name": "阿苏·子呷",
    "id_number": "",
    "phone": "13800000000",
    "region_code": "510722",
    "wallet_address": demo_cases.demo_wallet_address("test", 1),
    "programme": "flood-2026",
    "kind": "one_off",
    "amount": "1234.50",
    "start_date": "2026-11-01",
    "duration_days": "",
    "cause": "洪灾, 房屋“倒塌”",
} | {"id_number": demo_cases._with_check("51072219800101001")}

HEADER = list(GOOD)


def csv_bytes(*rows: dict[str, str], header: list[str] = HEADER, end: str = "\r\n") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=end)
    writer.writerow(header)
    for row in rows:
        writer.writerow([row.get(column, "") for column in header])
    return text.getvalue().encode()


def xlsx_bytes(row: dict[str, Any], header: list[str] = HEADER) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(header)
    sheet.append([row.get(column) for column in header])
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def check(content: bytes, programmes: ProgrammeList) -> FileCheck:
    with open_case_file(io.BytesIO(content), "cases") as file:
        return check_rows(file, programmes)


def only_case(content: bytes, programmes: ProgrammeList) -> CaseRow:
    checked = check(content, programmes)
    assert checked.problems == ()
    (row,) = checked.rows
    assert row.case is not None
    return row.case


def only_problem(content: bytes, programmes: ProgrammeList) -> Problem:
    (problem,) = check(content, programmes).problems
    return problem


@pytest.fixture
def expected(programmes: ProgrammeList) -> CaseRow:
    return only_case(csv_bytes(GOOD), programmes)


def test_a_row_is_read_as_it_was_written(expected: CaseRow) -> None:
    assert expected.row == 2
    assert expected.name == "阿苏·子呷"
    assert expected.amount_base_units == 1_234_500_000
    assert expected.start_date == date(2026, 11, 1)
    assert expected.duration_days is None
    assert expected.cause == "洪灾, 房屋“倒塌”"
    assert expected.period == "2026-11"


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + csv_bytes(GOOD),
        csv_bytes(GOOD, end="\n"),
        csv_bytes(GOOD, end="\r"),
        csv_bytes(GOOD).decode().encode("gb18030"),
        csv_bytes(GOOD, header=HEADER[::-1]),
        csv_bytes(GOOD) + b"\r\n,,,,,,,,,,,\r\n",
        csv_bytes(GOOD).replace(b"case_ref", b" Case_Ref "),
        csv_bytes(GOOD | {"name": " 阿苏\u2022子呷\u3000", "amount": "\t1234.50 "}),
        csv_bytes(GOOD | {"id_number": "'" + GOOD["id_number"], "phone": "+86 138-0000-0000"}),
    ],
    ids=[
        "byte order mark",
        "LF",
        "CR",
        "GB18030",
        "columns in another order",
        "blank rows at the end",
        "header with blanks and capitals",
        "blanks and another middle dot",
        "text marks and country prefix",
    ],
)
def test_other_ways_of_writing_give_the_same_case(
    content: bytes, expected: CaseRow, programmes: ProgrammeList
) -> None:
    assert only_case(content, programmes) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"start_date": datetime(2026, 11, 1), "amount": 1234.5},  # noqa: DTZ001  # spreadsheet
        {"start_date": date(2026, 11, 1), "region_code": 510722, "phone": 13800000000},
        {"region_code": 510722.0, "duration_days": None},
    ],
    ids=["all text", "date and number", "codes as numbers", "whole float and empty cell"],
)
def test_a_workbook_gives_the_same_case(
    changes: dict[str, Any], expected: CaseRow, programmes: ProgrammeList
) -> None:
    assert only_case(xlsx_bytes(GOOD | changes), programmes) == expected


@pytest.mark.parametrize(
    ("changes", "code", "column", "value"),
    [
        ({"amount": "=1+1"}, "formula_cell", "amount", "=1+1"),
        ({"amount": "#N/A"}, "error_cell", "amount", "#N/A"),
        ({"id_number": 510722198001010016}, "number_not_text", "id_number", "510722198001010000"),
        ({"amount": 12.3456789}, "amount_decimals", "amount", "12.3456789"),
        ({"amount": True}, "invalid_amount", "amount", "true"),
        (
            {"start_date": datetime(2026, 11, 1, 8, 30)},  # noqa: DTZ001  # spreadsheet
            "invalid_date",
            "start_date",
            "2026-11-01 08:30:00",
        ),
        ({"start_date": 46327}, "invalid_date", "start_date", "46327"),
    ],
)
def test_a_workbook_cell_that_is_no_plain_value_is_a_problem(
    changes: dict[str, Any], code: str, column: str, value: str, programmes: ProgrammeList
) -> None:
    problem = only_problem(xlsx_bytes(GOOD | changes), programmes)
    assert (problem.code, problem.row, problem.field, problem.value) == (code, 2, column, value)


def test_a_workbook_with_a_wrong_recorded_dimension_loses_no_row(
    expected: CaseRow, programmes: ProgrammeList
) -> None:
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx_bytes(GOOD))) as old,
        zipfile.ZipFile(changed, "w") as new,
    ):
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b'ref="A1:L2"', b'ref="A1:A1"'))
    assert only_case(changed.getvalue(), programmes) == expected


def test_a_quoted_line_break_and_a_blank_line_keep_the_spreadsheets_row_numbers(
    programmes: ProgrammeList,
) -> None:
    content = csv_bytes(GOOD | {"cause": "两\n行"}) + b"\r\n" + csv_bytes(GOOD, header=HEADER)
    checked = check(content, programmes)
    assert [row.number for row in checked.rows] == [2, 4, 5]


def test_a_column_that_is_missing_unknown_or_repeated_is_named(
    programmes: ProgrammeList,
) -> None:
    header = ["case_ref", "name", "name", "bank", *HEADER[4:]]
    checked = check(csv_bytes(GOOD, header=header), programmes)
    assert checked.stopped
    assert [(p.code, p.row, p.field, p.value) for p in checked.problems] == [
        ("missing_column", 1, "id_number", None),
        ("missing_column", 1, "phone", None),
        ("duplicate_column", 1, "name", None),
        ("unknown_column", 1, "header", "bank"),
    ]


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_columns_parted_by_something_else_than_commas_are_one_problem_that_says_so(
    programmes: ProgrammeList, mark: str, name: str
) -> None:
    checked = check(csv_bytes(GOOD).replace(b",", mark.encode()), programmes)
    assert checked.stopped
    (problem,) = checked.problems
    assert (problem.code, problem.row, problem.field) == ("wrong_separator", 1, "header")
    assert name in problem.message
    assert "commas" in problem.message


def test_a_cut_row_and_a_long_row_are_problems_of_the_row(programmes: ProgrammeList) -> None:
    for extra in (b"a,b\r\n", b",".join([b"x"] * 13) + b"\r\n"):
        problem = only_problem(csv_bytes() + extra, programmes)
        assert (problem.code, problem.row) == ("wrong_cell_count", 2)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\r\n", "empty_file"),
        (csv_bytes(), "no_rows"),
        (b"\xff\xfe" + csv_bytes(GOOD).decode().encode("utf-16-le"), "bad_encoding"),
        (csv_bytes(GOOD).replace("子".encode(), b"\xe5\xad", 1), "bad_encoding"),
        (csv_bytes() + b"\x81\x81\xff\xff\xff", "bad_encoding"),
        (csv_bytes(GOOD) + b'"open', "malformed_csv"),
        (csv_bytes(GOOD) + b'"a"b,c', "malformed_csv"),
        (csv_bytes(GOOD) + b"x," * 201, "too_many_cells"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + b"\x00" * 100, "unreadable_file"),
        (b"PK\x03\x04 not a workbook", "unreadable_file"),
        (xlsx_bytes(GOOD)[:-200], "unreadable_file"),
        (xlsx_bytes(GOOD, header=[*HEADER, *(f"c{n}" for n in range(200))]), "too_many_cells"),
    ],
)
def test_a_file_that_cannot_be_read_on_says_why(
    content: bytes, code: str, programmes: ProgrammeList
) -> None:
    try:
        problems = check(content, programmes).problems
    except InvalidImport as error:
        problems = error.problems
    assert problems[-1].code == code


def test_a_zip_that_is_no_workbook_is_refused(programmes: ProgrammeList) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("readme.txt", "x")
    assert only_problem(packed.getvalue(), programmes).code == "unreadable_file"


def test_xml_that_declares_entities_is_refused(programmes: ProgrammeList) -> None:
    packed = io.BytesIO(xlsx_bytes(GOOD))
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("xl/evil.xml", '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x/>')
    assert only_problem(packed.getvalue(), programmes).code == "unreadable_file"


def test_a_workbook_that_unpacks_to_too_much_is_refused(
    programmes: ProgrammeList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.intake.xlsx_rows.MAX_UNPACKED_BYTES", 1000)
    assert only_problem(xlsx_bytes(GOOD), programmes).code == "file_too_large"


def test_too_many_bytes_and_too_many_rows_are_refused(
    programmes: ProgrammeList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_ROWS", 1)
    problems = check(csv_bytes(GOOD, GOOD | {"case_ref": "2"}), programmes).problems
    assert [(problem.code, problem.row) for problem in problems] == [("too_many_rows", 3)]
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 10)
    with pytest.raises(InvalidImport, match="larger"):
        check(csv_bytes(GOOD), programmes)


def test_a_missing_file_is_a_problem_of_the_import(tmp_path: Path) -> None:
    with (
        pytest.raises(InvalidImport, match="cannot be read"),
        open_case_file(tmp_path / "none.csv"),
    ):
        pass


def test_the_recorded_name_has_no_folder() -> None:
    with open_case_file(io.BytesIO(b"x"), "C:\\secret\\cases.csv") as file:
        assert file.name == "cases.csv"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (600, "600"),
        (600.0, "600"),
        (1234.5, "1234.5"),
        (0.1 + 0.2, "0.3"),
        (1234.1 + 0.1, "1234.2"),
        (123456789.123456, "123456789.123456"),
        (1e21, "1" + "0" * 21),
        (1e-7, "0.0000001"),
    ],
)
def test_a_spreadsheet_number_is_written_without_exponent(number: float, text: str) -> None:
    assert cells.number_text(number) == text


def test_the_documented_limits_and_columns_are_those_of_the_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "import-file.md").read_text(encoding="utf-8")
    for column in HEADER:
        assert f"`{column}`" in page
    assert tuple(HEADER) == columns.COLUMNS
    assert columns.MAX_FILE_BYTES == 64 * 1024 * 1024
    for limit in ("64 MiB", "512 MiB", "200,000 rows", "500 characters"):
        assert limit in page
