"""Single values: what is read as what, and what is refused for which reason."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from service.errors import Problem
from service.intake import values
from service.intake.report import masked
from service.units import MAX_ENTRY_BASE_UNITS, format_amount


@given(st.integers(1, MAX_ENTRY_BASE_UNITS))
def test_an_amount_that_is_written_and_read_again_is_the_same(amount: int) -> None:
    assert values.read_amount(format_amount(amount)) == amount


@given(st.text(max_size=30))
def test_any_text_is_an_amount_or_refused_with_an_amount_code(text: str) -> None:
    try:
        outcome: int | str = values.read_amount(text)
    except values.Refused as refused:
        outcome = refused.code
    if isinstance(outcome, str):
        assert re.fullmatch(r"amount_\w+|invalid_amount", outcome)
    else:
        assert 0 < outcome <= MAX_ENTRY_BASE_UNITS


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("18446744073709.551615", None),
        ("18446744073709.551616", "amount_too_large"),
        ("18446744073710", "amount_too_large"),
        ("0", "amount_zero"),
        ("0.000000", "amount_zero"),
        ("0.0000001", "amount_decimals"),
        ("-1", "amount_negative"),
        ("1,000", "amount_separator"),
        ("1\uff0c000", "amount_separator"),
        ("1e3", "invalid_amount"),
        ("\uff16\uff10\uff10", "invalid_amount"),
        ("600.", "invalid_amount"),
        (".5", "invalid_amount"),
        ("007", "invalid_amount"),
        ("NaN", "invalid_amount"),
    ],
)
def test_an_amount_is_refused_for_the_right_reason(text: str, code: str | None) -> None:
    if code is None:
        assert values.read_amount(text) == MAX_ENTRY_BASE_UNITS
        return
    with pytest.raises(values.Refused) as refused:
        values.read_amount(text)
    assert refused.value.code == code


@given(st.binary(min_size=20, max_size=20).filter(any))
def test_a_checksummed_address_is_read_and_its_small_form_gets_it_suggested(raw: bytes) -> None:
    checksummed = to_checksum_address(raw)
    assert values.read_wallet_address(checksummed) == checksummed
    if checksummed.lower() != checksummed:
        with pytest.raises(values.Refused, match=checksummed) as refused:
            values.read_wallet_address(checksummed.lower())
        assert refused.value.code == "address_not_checksummed"


@given(st.binary(min_size=20, max_size=20), st.data())
def test_an_address_with_the_case_of_one_letter_changed_is_refused(
    raw: bytes, data: st.DataObject
) -> None:
    address = to_checksum_address(raw)
    letters = [at for at, letter in enumerate(address) if at > 1 and letter.isalpha()]
    if not letters:
        return
    at = data.draw(st.sampled_from(letters))
    with pytest.raises(values.Refused):
        values.read_wallet_address(address[:at] + address[at].swapcase() + address[at + 1 :])


def test_a_person_born_before_their_county_got_its_code_is_accepted() -> None:
    # 510722 exists since 1985; numbers were given from 1986 on to people of every age.
    number = "51072219480101001"
    check = str((1 - 2 * int(number, 13)) % 11).replace("10", "X")
    assert values.read_id_number(number + check.lower()) == number + check


@given(st.integers(0, 17), st.integers(1, 9))
def test_any_single_wrong_digit_in_an_identity_number_is_noticed(at: int, step: int) -> None:
    number = "51072219800101001X"
    if number[at] == "X":
        wrong = number[:at] + str(step)
    else:
        wrong = number[:at] + str((int(number[at]) + step) % 10) + number[at + 1 :]
    with pytest.raises(values.Refused):
        values.read_id_number(wrong)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("13800000000", "13800000000"),
        ("+86 138 0000 0000", "13800000000"),
        ("86-138-0000-0000", "13800000000"),
        ("0816-2222222", "08162222222"),
        ("02887654321", "02887654321"),
    ],
)
def test_phones_are_read_as_digits(text: str, read: str) -> None:
    assert values.read_phone(text) == read


@pytest.mark.parametrize("text", ["12345678901", "1380000000", "+1 202 555 0100", "138000000000"])
def test_other_phones_are_refused(text: str) -> None:
    with pytest.raises(values.Refused):
        values.read_phone(text)


@pytest.mark.parametrize("dot", "\u00b7\u2022\u2027\u30fb\uff65\u22c5")
def test_every_middle_dot_becomes_the_same_one(dot: str) -> None:
    assert values.read_name(f"阿卜杜拉 {dot} 买买提") == "阿卜杜拉·买买提"


@pytest.mark.parametrize("text", ["Zhang3", "·", "王,芳", "x" * 101, "<b>"])
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(values.Refused):
        values.read_name(text)


def test_durations_belong_to_streams_only_and_are_bounded() -> None:
    assert values.read_duration("1", "stream") == 1
    assert values.read_duration("3660", "stream") == 3660
    assert values.read_duration("", "one_off") is None
    for text, code in [
        ("0", "duration_out_of_range"),
        ("3661", "duration_out_of_range"),
        ("-1", "invalid_duration"),
        ("1.5", "invalid_duration"),
        ("", "duration_missing"),
    ]:
        with pytest.raises(values.Refused) as refused:
            values.read_duration(text, "stream")
        assert refused.value.code == code


@pytest.mark.parametrize(
    "text", ["20261101", "2026-13-01", "2026-02-30", "2026-W45-1", "1/11/2026"]
)
def test_only_calendar_dates_in_iso_form_are_read(text: str) -> None:
    with pytest.raises(values.Refused):
        values.read_start_date(text)
    assert values.read_start_date("2026-11-01") == date(2026, 11, 1)


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("name", "王芳", "王***"),
        ("id_number", "51072219800101001X", "5***"),
        ("phone", "13800000000", "1***"),
        ("case_ref", "王芳", "王***"),
        ("kind", "13800000000", "1***"),
        ("header", "51072219800101001X", "5***"),
        ("amount", "600.1234567", "600.1234567"),
        ("wallet_address", "0x" + "1" * 40, "0x" + "1" * 40),
        ("start_date", None, None),
    ],
)
def test_a_stored_problem_tells_nothing_of_a_person(
    field: str, value: str | None, stored: str | None
) -> None:
    assert masked(Problem("code", "message", row=2, field=field, value=value)).value == stored


def test_every_problem_code_is_documented() -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "import-file.md").read_text(encoding="utf-8")
    calls = r"(?:Refused|Problem|refusal|refuse|_pair)"
    quoted = re.compile(
        rf'{calls}\(\s*(?:"\w+", )?"([a-z]\w+_\w+)",|return "([a-z_]+)"(?:,|$)', re.MULTILINE
    )
    codes = set()
    for folder in ("intake", "cases"):
        for path in sorted((root / "service" / folder).glob("*.py")):
            if path.name == "service.py":
                continue
            found = quoted.findall(path.read_text(encoding="utf-8"))
            codes |= {next(filter(None, groups)) for groups in found}
    codes -= {"one_off"}
    assert len(codes) >= 50
    assert sorted(code for code in codes if f"`{code}`" not in page) == []
