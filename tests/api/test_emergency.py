"""Emergency grants over HTTP: proposed, signed, paid, countersigned; or refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Office
from tests.support.deployed import account
from tests.support.rows import wallet

GRANTS = "/v1/emergency/grants"
AD_HOC = {
    "payee": wallet(1),
    "amount_base_units": "600000000",
    "region": "510722",
    "officer_id": 3,
    "reason": "the bridge is gone",
}
DAY_S = 86_400


def refused(office: Office, path: str, given: dict[str, Any], status: int) -> str:
    reply = office.api.post(path, json=given)
    assert reply.status_code == status, reply.text
    detail: str = reply.json()["detail"]
    return detail


def test_a_case_is_granted_overdue_and_countersigned(office: Office) -> None:
    grant_id = office.grant("A-0")
    paid = office.api.ok("GET", f"{GRANTS}/{grant_id}")
    assert (paid["state"], paid["case_ref"], paid["amount"]) == ("outstanding", "A-0", "600.00")
    assert (paid["may_countersign"], paid["final"]) == ([2], True)
    address = account("one-off 0").address
    assert office.api.ok("GET", f"/v1/wallets/{address}")["balance"] == "600.00"

    office.deployed.advance(6 * DAY_S)
    office.work()
    late = office.api.ok("GET", f"{GRANTS}?state=overdue&region=51&officer_id=3")
    assert [item["id"] for item in late["items"]] == [grant_id]
    given = {"reason": "seen on the spot"}
    action = office.api.ok("POST", f"{GRANTS}/{grant_id}/countersign", json=given)
    assert (action["quorum"], action["roles"], action["region"]) == (1, ["reviewer"], "510722")
    assert action["args"] == {
        "grant_id": grant_id,
        "payee": address,
        "amount": "600.00",
        "amount_base_units": "600000000",
    }
    office.sign(f"/v1/actions/{action['id']}", 2)
    office.work()

    ended = office.api.ok("GET", f"{GRANTS}/{grant_id}")
    assert (ended["state"], ended["countersigned_by"]) == ("countersigned", 2)
    again = refused(office, f"{GRANTS}/{grant_id}/countersign", given, 409)
    assert "is countersigned, not outstanding" in again
    assert office.world.differences() == []


def test_governors_write_off_a_grant_without_a_case(office: Office) -> None:
    made = office.api.ok("POST", GRANTS, json=AD_HOC)
    assert (made["state"], made["signed"], made["case_id"]) == ("proposed", False, None)
    assert made["commitment_salt"] is not None
    office.sign(f"/v1/actions/{made['id']}", 3)
    office.work()

    action = office.api.ok("POST", f"{GRANTS}/{made['id']}/write-off", json={"reason": "nobody"})
    office.sign(f"/v1/actions/{action['id']}", 1, 2)
    office.work()

    assert office.api.ok("GET", f"{GRANTS}/{made['id']}")["state"] == "written_off"


def test_one_key_makes_one_grant(office: Office) -> None:
    first = office.api.post(GRANTS, key="flood-1", json=AD_HOC)
    again = office.api.post(GRANTS, key="flood-1", json=AD_HOC)
    assert (first.status_code, again.json()) == (201, first.json())
    assert len(office.api.ok("GET", GRANTS)["items"]) == 1


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"region": None}, 400, "give a case, or payee, amount and region"),
        ({"case": "A-0"}, 400, "are the case's: leave them out"),
        ({"region": "0"}, 400, "not the whole country"),
        ({"officer_id": 9}, 404, "there is no officer 9"),
        ({"officer_id": 2}, 403, "officer 2 is no emergency"),
        ({"amount_base_units": "1000000001"}, 422, "above the cap of one grant, 1000.00"),
    ],
)
def test_a_grant_that_cannot_be_is_refused(
    office: Office, change: dict[str, Any], status: int, words: str
) -> None:
    assert words in refused(office, GRANTS, AD_HOC | change, status)
    assert office.api.ok("GET", GRANTS)["items"] == []


def test_a_signature_over_a_grant_that_the_lane_refuses_by_now_is_not_kept(
    office: Office,
) -> None:
    made = office.api.ok("POST", GRANTS, json=AD_HOC)
    office.deployed.freeze(AD_HOC["payee"])
    document = office.api.ok("GET", f"/v1/actions/{made['id']}/typed-data")
    signed = office.deployed.officers[3].sign_typed_data(full_message=document)
    given = {"signature": "0x" + bytes(signed.signature).hex()}

    words = refused(office, f"/v1/actions/{made['id']}/signatures", given, 422)

    assert "cannot be paid: it is frozen" in words
    assert not office.api.ok("GET", f"{GRANTS}/{made['id']}")["signed"]


def test_limits_are_lowered_raised_and_applied(office: Office) -> None:
    office.world.signers.append(office.world.role_signer("treasurer"))
    lowered = {"per_grant_base_units": "500000000", "countersign_window_s": 172_800}
    asked = office.api.post("/v1/emergency/limits", key="l", json={**lowered, "reason": "calm"})
    assert (asked.status_code, asked.json()["action"]) == (202, None)
    office.work()
    limits = office.api.ok("GET", "/v1/emergency/limits")["limits"]
    assert (limits["per_grant"], limits["countersign_window_s"]) == ("500.00", 172_800)
    replayed = office.api.post("/v1/emergency/limits", key="l", json={**lowered, "reason": "calm"})
    assert replayed.json() == asked.json()

    given = {"country_base_units": "70000000000", "reason": "a second flood"}
    action = office.api.ok("POST", "/v1/emergency/limits", json=given)["action"]
    office.sign(f"/v1/actions/{action['id']}", 1, 2)
    cap = {"region": "5107", "cap_base_units": "60000000000", "reason": "the worst hit"}
    action = office.api.ok("POST", "/v1/emergency/region-caps", json=cap)["action"]
    office.sign(f"/v1/actions/{action['id']}", 1, 2)
    office.work()
    shown = office.api.ok("GET", "/v1/emergency/limits?region=5107")
    assert shown["planned_limits"]["country"] == "70000.00"
    assert shown["regions"][0]["planned"]["cap"] == "60000.00"
    early = office.api.post("/v1/emergency/limits/apply")
    assert early.status_code == 409
    office.deployed.advance(2 * DAY_S)
    office.api.ok("POST", "/v1/emergency/limits/apply")
    office.api.ok("POST", "/v1/emergency/region-caps/apply", json={"region": "5107"})
    office.work()

    shown = office.api.ok("GET", "/v1/emergency/limits?region=5107&officer_id=3")
    assert shown["limits"]["country"] == "70000.00"
    assert shown["regions"][0]["cap"] == "60000.00"
    assert shown["officer"]["left"] == "10000.00"


def test_governors_lift_a_guardians_pause_of_grants(office: Office) -> None:
    office.deployed.send(office.deployed.roles["guardian"], "lane", "pause")
    assert office.api.ok("GET", "/v1/pauses")["grants"]
    assert "a guardian paused emergency grants" in refused(office, GRANTS, AD_HOC, 422)

    lifting = {"operations": ["grants"], "reason": "the key is found"}
    (action,) = office.api.ok("POST", "/v1/pauses/lift", json=lifting)["items"]
    office.sign(f"/v1/actions/{action['id']}", 1, 2)
    office.work()

    assert not office.api.ok("GET", "/v1/pauses")["grants"]
