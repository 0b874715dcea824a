"""Cases over HTTP: found by filters, decided, and whose they are only for a recorded reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from service.payouts.models import JournalEntry
from tests.api.conftest import Api, import_cases
from tests.support.deployed import account


def refs(api: Api, **query: Any) -> list[str]:
    return [case["case_ref"] for case in api.ok("GET", "/v1/cases", params=query)["items"]]


def test_cases_are_found_by_what_they_are(api: Api, filed: Callable[[], Any]) -> None:
    report = filed()
    assert refs(api) == ["A-0", "A-1", "B-0", "B-1"]
    assert refs(api, kind="stream") == ["B-0", "B-1"]
    assert refs(api, region="51", programme="P1", state="received") == refs(api)
    assert refs(api, region="44") == []
    assert refs(api, region="0") == refs(api)
    assert refs(api, import_id=report["import_id"]) == refs(api)
    assert refs(api, wallet_address=account("stream 1").address) == ["B-1"]


def test_a_case_shows_amounts_and_times_and_nobody(api: Api, filed: Callable[[], Any]) -> None:
    filed()
    case = api.ok("GET", "/v1/cases/A-1")
    assert (case["amount"], case["amount_base_units"]) == ("601.00", "601000000")
    assert case["created_at"].endswith("Z")
    assert case["person"] is None
    assert "王芳" not in str(case)
    assert api.ok("GET", f"/v1/cases/{case['id']}") == case


def test_who_a_case_is_for_is_shown_for_a_reason_that_is_recorded(
    api: Api, filed: Callable[[], Any]
) -> None:
    filed()
    headers = {"Reveal-Reason": "%E5%9B%9E%E8%AE%BF the household"}
    case = api.ok("GET", "/v1/cases/A-1", params={"reveal": True}, headers=headers)

    assert case["person"] == {"name": "王芳", "id_number": "510722197503150026", "phone": None}
    with api.application.transaction() as session:
        rows = session.scalars(
            select(JournalEntry).where(JournalEntry.action == "reveal_person")
        ).all()
        assert [(row.actor, row.object_id, row.reason) for row in rows] == [
            ("Chen Wei", case["id"], "回访 the household")
        ]


@pytest.mark.parametrize("reason", [None, "", "%20", "%0A"])
def test_without_a_reason_nobody_is_shown(
    api: Api, filed: Callable[[], Any], reason: str | None
) -> None:
    filed()
    headers = {} if reason is None else {"Reveal-Reason": reason}
    reply = api.get("/v1/cases/A-1", params={"reveal": True}, headers=headers)

    assert (reply.status_code, reply.json()["problems"][0]["field"]) == (400, "Reveal-Reason")
    assert "王芳" not in reply.text


def test_cases_are_decided_by_name_or_by_filter_but_only_once(
    api: Api, filed: Callable[[], Any]
) -> None:
    filed()
    named = {"decision": "rejected", "cases": ["A-0"], "reason": "moved away"}
    assert api.ok("POST", "/v1/cases/decisions", json=named)["decided"] == 1
    rest = {"decision": "approved", "filter": {"kind": "one_off", "region": "5107"}}
    assert api.ok("POST", "/v1/cases/decisions", json=rest)["decided"] == 1

    assert refs(api, state="received") == ["B-0", "B-1"]
    case = api.ok("GET", "/v1/cases/A-0")
    assert (case["decided_by"], case["decision_reason"]) == ("Chen Wei", "moved away")
    again = api.post("/v1/cases/decisions", json=named)
    assert (again.status_code, again.json()["code"]) == (409, "illegal_transition")
    assert again.json()["problems"][0]["value"] == case["id"]
    silent = api.post("/v1/cases/decisions", json={"decision": "rejected", "cases": ["B-0"]})
    assert silent.status_code == 400
    both = {"decision": "approved", "cases": ["B-0"], "filter": {"kind": "stream"}}
    assert api.post("/v1/cases/decisions", json=both).status_code == 400


@pytest.mark.parametrize("none", [{}, {"kind": None}], ids=["empty", "null"])
def test_a_filter_that_names_nothing_decides_nothing(
    api: Api, filed: Callable[[], Any], none: dict[str, Any]
) -> None:
    filed()
    reply = api.post("/v1/cases/decisions", json={"decision": "approved", "filter": none})

    assert (reply.status_code, reply.json()["problems"][0]["field"]) == (400, "filter")
    assert refs(api, state="received") == ["A-0", "A-1", "B-0", "B-1"]
    everything = {"decision": "approved", "all": True}
    assert api.ok("POST", "/v1/cases/decisions", json=everything)["decided"] == 4


@pytest.mark.parametrize(
    ("wanted", "field"),
    [({"region": ""}, "filter.region"), ({"wallet_address": ""}, "filter.wallet_address")],
)
def test_an_empty_member_of_a_filter_is_refused_and_not_left_out(
    api: Api, filed: Callable[[], Any], wanted: dict[str, Any], field: str
) -> None:
    filed()
    order = {"decision": "approved", "filter": {"kind": "one_off", **wanted}}
    reply = api.post("/v1/cases/decisions", json=order)

    assert (reply.status_code, reply.json()["problems"][0]["field"]) == (400, field)
    assert refs(api, state="approved") == []


def test_the_same_file_again_is_refused(
    api: Api, filed: Callable[[], Any], cases_file: bytes
) -> None:
    filed()
    reply = import_cases(api, cases_file)

    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_import")
    assert {problem["code"] for problem in reply.json()["problems"]} >= {"case_ref_exists"}
