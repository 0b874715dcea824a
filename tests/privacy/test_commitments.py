"""Case commitments: the exact bytes, and what makes two cases the same."""

from __future__ import annotations

import hashlib
import hmac
from datetime import date

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.privacy.commitments import ad_hoc_commitment, case_commitment, case_period
from service.privacy.encoding import length_prefixed

KEY = bytes(range(32))
PERSON = "51072219800101001X"


def test_a_commitment_is_the_hmac_of_the_documented_bytes() -> None:
    message = (
        (25).to_bytes(4, "big")
        + b"CN-RIC:51072219800101001X"
        + (6).to_bytes(4, "big")
        + "洪灾".encode()
        + (7).to_bytes(4, "big")
        + b"2026-11"
    )
    expected = hmac.new(KEY, message, hashlib.sha256).digest()
    assert case_commitment(KEY, PERSON, "洪灾", "2026-11") == expected


def test_a_commitment_has_a_fixed_known_value() -> None:
    assert (
        case_commitment(KEY, PERSON, "洪灾", "2026-11").hex()
        == "b5414f5678cc927a7b17db6e94d39e9f341d59b0898864f84f0476cbcce83d21"
    )


@pytest.mark.parametrize(
    ("id_number", "cause"),
    [
        ("51072219800101001x", "洪灾 2026"),
        (PERSON, "  洪灾   2026 "),
        (PERSON, "洪灾\u30002026"),
    ],
)
def test_blanks_and_the_case_of_the_check_letter_make_no_other_case(
    id_number: str, cause: str
) -> None:
    assert case_commitment(KEY, id_number, cause, "2026-11") == case_commitment(
        KEY, PERSON, "洪灾 2026", "2026-11"
    )


def test_composed_and_decomposed_letters_make_the_same_case() -> None:
    assert case_commitment(KEY, PERSON, "caf\u00e9", "2026-11") == case_commitment(
        KEY, PERSON, "cafe\u0301", "2026-11"
    )


@pytest.mark.parametrize(
    ("key", "id_number", "cause", "period"),
    [
        (b"\x01" * 32, PERSON, "洪灾", "2026-11"),
        (KEY, "510722198001010028", "洪灾", "2026-11"),
        (KEY, PERSON, "旱灾", "2026-11"),
        (KEY, PERSON, "洪灾", "2026-12"),
    ],
)
def test_another_key_person_cause_or_period_is_another_case(
    key: bytes, id_number: str, cause: str, period: str
) -> None:
    assert case_commitment(key, id_number, cause, period) != case_commitment(
        KEY, PERSON, "洪灾", "2026-11"
    )


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError):
        case_commitment(b"short", PERSON, "洪灾", "2026-11")


def test_the_period_is_the_month_of_the_start_date() -> None:
    assert case_period(date(2026, 11, 30)) == "2026-11"
    assert case_period(date(987, 1, 1)) == "0987-01"


texts = st.text(st.characters(max_codepoint=127))


@given(st.lists(texts, min_size=1, max_size=4), st.lists(texts, min_size=1, max_size=4))
def test_different_lists_of_ascii_texts_never_share_their_bytes(
    one: list[str], other: list[str]
) -> None:
    assume(one != other)
    assert length_prefixed(*one) != length_prefixed(*other)


def test_an_ad_hoc_commitment_is_the_hmac_of_its_reason_under_its_salt() -> None:
    message = (9).to_bytes(4, "big") + "桥断了".encode()
    expected = hmac.new(KEY, message, hashlib.sha256).digest()
    assert ad_hoc_commitment(KEY, "桥断了") == expected
    assert expected.hex() == "d0167dd616c6a6a15c5a371f383d3d7c0e402b608426740924b5b59fd29d9676"


def test_a_salt_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="has 32 bytes, not 16"):
        ad_hoc_commitment(KEY[:16], "桥断了")
