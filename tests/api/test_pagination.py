"""Pages: complete, without repeats, whatever is added meanwhile; cursors nobody can bend."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.api.conftest import HEADER, Api, add_programme, import_cases
from tests.api.test_idempotency import order
from tests.support.deployed import account

# Surnames and given names make no difference here; identity numbers must be good and distinct.
STEM = "51072219800101"
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def id_number(number: int) -> str:
    """A resident identity number with its check digit (GB 11643)."""
    stem = f"{STEM}{number:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(stem, WEIGHTS, strict=True))
    return stem + "10X98765432"[total % 11]


def rows(first: int, count: int) -> bytes:
    lines = [
        f"C-{number:04d},王芳,{id_number(number)},,510722,{account(f'page {number}').address},"
        f"P1,one_off,600,2026-11-01,,房屋倒塌"
        for number in range(first, first + count)
    ]
    return (HEADER + "\n".join(lines) + "\n").encode()


def pages(api: Api, path: str, limit: int, **query: Any) -> list[list[Any]]:
    found, cursor = [], None
    while True:
        params = {"limit": limit, **query} | ({"cursor": cursor} if cursor else {})
        page = api.ok("GET", path, params=params)
        found.append(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@pytest.fixture
def many(api: Api) -> Api:
    add_programme(api.application)
    assert import_cases(api, rows(1, 7)).status_code == 201
    return api


def test_pages_hold_every_case_once_in_order(many: Api) -> None:
    found = pages(many, "/v1/cases", 3)

    assert [len(page) for page in found] == [3, 3, 1]
    refs = [case["case_ref"] for page in found for case in page]
    assert refs == [f"C-{number:04d}" for number in range(1, 8)]


def test_a_full_last_page_ends_the_list(many: Api) -> None:
    assert [len(page) for page in pages(many, "/v1/cases", 7)] == [7]


def test_rows_added_while_paging_neither_repeat_nor_hide_others(many: Api) -> None:
    first = many.ok("GET", "/v1/cases", params={"limit": 4})
    assert import_cases(many, rows(8, 3)).status_code == 201
    rest = many.ok("GET", "/v1/cases", params={"limit": 500, "cursor": first["next_cursor"]})

    # The cursor belongs to the list and its filters, not to the size of the page.
    refs = [case["case_ref"] for case in [*first["items"], *rest["items"]]]
    assert refs == [f"C-{number:04d}" for number in range(1, 11)]


def test_the_link_header_leads_to_the_next_page(many: Api) -> None:
    reply = many.get("/v1/cases", params={"limit": 5, "kind": "one_off"})
    link = reply.headers["Link"]
    assert link.endswith('>; rel="next"')
    following = many.get(link[1 : link.index(">")])

    assert [case["case_ref"] for case in following.json()["items"]] == ["C-0006", "C-0007"]
    assert "Link" not in following.headers


def test_a_list_that_is_read_whole_is_paged_too(api: Api) -> None:
    for code in ("a", "b", "c"):
        api.ok("POST", "/v1/programmes", json=order(code))

    found = pages(api, "/v1/programmes", 2)
    assert [[item["code"] for item in page] for page in found] == [["a", "b"], ["c"]]
    asked = pages(api, "/v1/requests", 2)
    assert [[item["id"] for item in page] for page in asked] == [[3, 2], [1]]


def forged(*members: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor", ["x", "!!!", forged("0" * 16, "1"), forged(1), forged("a", "b", "c"), "é"]
)
def test_a_cursor_that_no_page_gave_is_refused(api: Api, cursor: str) -> None:
    reply = api.get("/v1/programmes", params={"cursor": cursor})

    assert (reply.status_code, reply.json()["problems"][0]["code"]) == (400, "unknown_cursor")


def test_a_cursor_is_refused_by_another_list_and_by_other_filters(many: Api) -> None:
    cursor = many.ok("GET", "/v1/cases", params={"limit": 2})["next_cursor"]

    for path, query in (("/v1/payouts", {}), ("/v1/cases", {"kind": "one_off"})):
        reply = many.get(path, params={"cursor": cursor, **query})
        assert reply.json()["problems"][0]["code"] == "unknown_cursor"


def test_a_cursor_with_a_changed_key_is_refused(api: Api) -> None:
    for code in ("a", "b"):
        api.ok("POST", "/v1/programmes", json=order(code))
    for path in ("/v1/programmes", "/v1/requests"):
        cursor = api.ok("GET", path, params={"limit": 1})["next_cursor"]
        digest, _ = json.loads(base64.urlsafe_b64decode(cursor + "=="))
        for key in ("x", "-1", "9" * 30, ""):
            reply = api.get(path, params={"cursor": forged(digest, key)})
            assert reply.status_code == 400, key


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x", "1.5"])
def test_a_page_has_1_to_500_items(api: Api, limit: str) -> None:
    reply = api.get("/v1/cases", params={"limit": limit})

    assert (reply.status_code, reply.json()["problems"][0]["field"]) == (400, "limit")
