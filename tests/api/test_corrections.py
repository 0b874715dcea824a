"""Holds, other wallets, expiry, payments, cap, minters, roles, pauses and sunset over HTTP."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from tests.api.conftest import Office
from tests.support.deployed import account
from tests.support.rows import DAY_S

OLD, NEW = account("one-off 0").address, account("another wallet").address
STRANGER = account("a stranger").address


def done(office: Office, proposed: Any, *officers: int) -> Any:
    """Have officers sign a proposed action, and the worker send it; return it as it is then."""
    path = f"/v1/actions/{proposed['id']}"
    assert office.sign(path, *officers)["state"] == "ready"
    office.work()
    shown = office.api.ok("GET", path)
    assert (shown["state"], shown["last_error"]) == ("done", None)
    return shown


def request(office: Office, asked: Any) -> Any:
    """Have the worker do what was asked for; return the request as it is then."""
    office.work()
    return office.api.ok("GET", f"/v1/requests/{asked['id']}")


def test_a_held_payout_gets_another_wallet_and_is_paid_there(office: Office) -> None:
    api = office.api
    office.deployed.freeze(OLD)
    batch_id = office.pay()
    (skipped,) = api.ok("GET", f"/v1/payouts?batch_id={batch_id}&state=skipped")["items"]
    path = f"/v1/payouts/{batch_id}/{skipped['index']}"
    assert api.ok("GET", path)["unpaid"] == "600.00"

    hold = api.ok("POST", f"{path}/hold", json={"reason": "phone stolen"})
    assert (hold["quorum"], hold["roles"], hold["region"]) == (1, ["reviewer"], "51")
    done(office, hold, 2)
    assert api.ok("GET", path)["held_until"] is not None
    again = api.ok("POST", f"{path}/hold", json={"reason": "still stolen"})
    document = api.ok("GET", f"/v1/actions/{again['id']}/typed-data")
    signed = office.deployed.officers[2].sign_typed_data(full_message=document)
    refused = api.post(
        f"/v1/actions/{again['id']}/signatures",
        json={"signature": "0x" + bytes(signed.signature).hex(), "officer_id": 2},
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "already_exists")
    assert api.ok("GET", f"/v1/actions/{again['id']}")["officers"] == []

    vault = {"to_wallet": office.deployed.vault, "reason": "lost"}
    assert api.post(f"{path}/change-wallet", json=vault).status_code == 400
    change = api.ok("POST", f"{path}/change-wallet", json={"to_wallet": NEW, "reason": "lost"})
    assert change["args"]["from_wallet"] == OLD
    done(office, change, 2, 3)
    retried = request(office, api.ok("POST", f"{path}/retry"))
    assert retried["state"] == "done"

    shown = api.ok("GET", path)
    assert (shown["state"], shown["payee"], shown["unpaid"]) == ("paid", NEW, "0.00")
    assert shown["held_until"] is None
    assert api.ok("GET", f"/v1/wallets/{NEW}")["balance"] == "600.00"
    assert api.post(f"{path}/hold", json={"reason": "too late"}).status_code == 409
    assert office.world.differences() == []


def test_a_batch_is_held_by_one_reviewer_and_expires_to_the_budget(office: Office) -> None:
    api, deployed = office.api, office.deployed
    deployed.send(deployed.roles["guardian"], "vault", "pause", 2)
    batch_id = office.build()
    office.sign(f"/v1/batches/{batch_id}", 1, 2)
    api.ok("POST", f"/v1/batches/{batch_id}/release")
    office.work()
    done(office, api.ok("POST", f"/v1/batches/{batch_id}/hold", json={"reason": "doubts"}), 3)
    assert api.post(f"/v1/batches/{batch_id}/expire").status_code == 409
    assert api.ok("GET", "/v1/expiry") == {"items": []}

    deployed.advance(31 * DAY_S)
    (due,) = api.ok("GET", "/v1/expiry")["items"]
    assert (due["what"], due["batch_id"]) == ("unexecuted", batch_id)
    (asked,) = api.ok("POST", "/v1/expiry")["items"]
    assert api.ok("POST", f"/v1/batches/{batch_id}/expire")["items"] == [asked]
    assert request(office, asked)["state"] == "done"

    assert office.world.payout_states(batch_id) == ["expired", "expired"]
    assert deployed.read("vault", "programme", 1)["allocated"] == 0
    assert office.world.differences() == []


def signed_payment(office: Office, path: str, **query: Any) -> tuple[Any, str]:
    """The holder's signature over what the API hands out: its message, and the signature."""
    document = office.api.ok("GET", path, params=query)
    signed = account("one-off 0").sign_typed_data(full_message=document)
    return document["message"], "0x" + bytes(signed.signature).hex()


def test_a_signed_payment_is_relayed_once_however_often_it_is_sent(office: Office) -> None:
    api = office.api
    office.pay()
    query = {"holder": OLD, "payee": NEW, "amount_base_units": "1000000"}
    message, signature = signed_payment(office, "/v1/payments/typed-data", **query)
    given = {
        **query,
        "valid_after": "1970-01-01T00:00:00Z",
        "valid_before": as_time(message["validBefore"]),
        "nonce": message["nonce"],
        "signature": signature,
    }
    asked = api.ok("POST", "/v1/payments", json=given)
    assert asked["args"]["payee"] == NEW
    assert api.ok("POST", "/v1/payments", json=given)["id"] == asked["id"]
    assert request(office, asked)["state"] == "done"
    assert api.ok("POST", "/v1/payments", json=given)["id"] == asked["id"]
    assert api.ok("GET", f"/v1/wallets/{NEW}")["balance"] == "1.00"

    more = api.post("/v1/payments", json={**given, "amount_base_units": "2000000"})
    assert (more.status_code, more.json()["code"]) == (422, "invalid_signature")
    assert office.world.differences() == []


def as_time(unix_s: str) -> str:
    from service.units import format_unix_s

    return format_unix_s(int(unix_s))


def test_a_payment_that_the_token_would_refuse_is_refused_before_it_is_sent(
    office: Office,
) -> None:
    api, deployed = office.api, office.deployed
    office.pay()

    def pay(amount: str = "1000000", **change: Any) -> tuple[int, str]:
        query = {"holder": OLD, "payee": NEW, "amount_base_units": amount}
        message, signature = signed_payment(office, "/v1/payments/typed-data", **query)
        given = {
            **query,
            "valid_after": "1970-01-01T00:00:00Z",
            "valid_before": as_time(message["validBefore"]),
            "nonce": message["nonce"],
            "signature": signature,
            **change,
        }
        reply = api.post("/v1/payments", json=given)
        return reply.status_code, reply.json().get("detail", "")

    assert pay("10000000000")[0] == 422
    assert pay(valid_before="2020-01-01T00:00:00Z")[0] == 422, "signed another time"
    deployed.freeze(NEW)
    assert pay() == (409, f"the wallet {NEW} is frozen")
    deployed.unfreeze(NEW)
    deployed.freeze(OLD)
    assert pay() == (409, f"the wallet {OLD} is frozen")
    deployed.unfreeze(OLD)
    deployed.send(deployed.roles["guardian"], "token", "pauseTransfers")
    assert pay() == (409, "a guardian paused all transfers: a quorum can lift it")
    assert api.ok("GET", "/v1/requests")["items"] == []


def test_a_payment_that_a_stranger_relayed_first_is_done(office: Office) -> None:
    api, deployed = office.api, office.deployed
    office.pay()
    query = {"holder": OLD, "payee": NEW, "amount_base_units": "1000000"}
    message, signature = signed_payment(office, "/v1/payments/typed-data", **query)
    given = {
        **query,
        "valid_after": "1970-01-01T00:00:00Z",
        "valid_before": as_time(message["validBefore"]),
        "nonce": message["nonce"],
        "signature": signature,
    }
    asked = api.ok("POST", "/v1/payments", json=given)
    raw = bytes.fromhex(signature[2:])
    stranger = account("stranger")
    deployed.fund(stranger.address)
    deployed.send(
        stranger,
        "token",
        "transferWithAuthorization",
        *(OLD, NEW, 1_000_000, 0, int(message["validBefore"])),
        *(bytes.fromhex(message["nonce"][2:]), raw[64], raw[:32], raw[32:64]),
    )
    assert (request(office, asked)["state"], deployed.read("token", "balanceOf", NEW)) == (
        "done",
        1_000_000,
    )


def test_a_permit_and_a_cancellation_are_relayed(office: Office) -> None:
    api, deployed = office.api, office.deployed
    query = {"holder": OLD, "spender": STRANGER, "amount_base_units": "7"}
    message, signature = signed_payment(office, "/v1/permits/typed-data", **query)
    given = {
        **query,
        "nonce": int(message["nonce"]),
        "deadline": as_time(message["deadline"]),
        "signature": signature,
    }
    asked = api.ok("POST", "/v1/permits", json=given)
    assert request(office, asked)["state"] == "done"
    assert deployed.read("token", "allowance", OLD, STRANGER) == 7
    assert api.ok("POST", "/v1/permits", json=given)["id"] == asked["id"]

    nonce = "0x" + "05" * 32
    path = "/v1/payments/cancellations"
    _, signature = signed_payment(office, f"{path}/typed-data", holder=OLD, nonce=nonce)
    void = {"holder": OLD, "nonce": nonce, "signature": signature}
    assert request(office, api.ok("POST", path, json=void))["state"] == "done"
    assert deployed.read("token", "authorizationState", OLD, b"\x05" * 32)


def test_cap_minters_and_roles_are_changed_by_governors(office: Office) -> None:
    api, deployed = office.api, office.deployed
    higher = str(deployed.read("token", "cap") + 1)
    raising = {"cap_base_units": higher, "reason": "more"}
    done(office, api.ok("POST", "/v1/cap/raise", json=raising), 2, 3)
    addition = {"address": STRANGER, "cap_base_units": "5", "reason": "the next vault"}
    done(office, api.ok("POST", "/v1/minters", json=addition), 2, 3)
    assert api.post("/v1/cap/apply").status_code == 409
    assert api.post(f"/v1/minters/{STRANGER}/activate").status_code == 409
    assert api.post(f"/v1/minters/{NEW}/activate").status_code == 404
    deployed.advance(14 * DAY_S)
    assert request(office, api.ok("POST", "/v1/cap/apply"))["state"] == "done"
    assert api.ok("GET", "/v1/cap")["cap_base_units"] == higher
    assert request(office, api.ok("POST", f"/v1/minters/{STRANGER}/activate"))["state"] == "done"
    active = {item["address"]: item["active"] for item in api.ok("GET", "/v1/minters")["items"]}
    assert active[STRANGER]
    gone = api.ok("POST", f"/v1/minters/{STRANGER}/remove", json={"reason": "not needed"})
    done(office, gone, 2, 3)

    guardian = {"account": STRANGER, "reason": "night shift"}
    assert api.post("/v1/roles/king/grant", json=guardian).status_code == 404
    assert api.post("/v1/roles/guardian/revoke", json=guardian).status_code == 409
    granted = api.ok("POST", "/v1/roles/guardian/grant", json=guardian)
    assert granted["args"]["meaning"] == f"make {STRANGER} guardian"
    done(office, granted, 2, 3)
    (shown,) = [r for r in api.ok("GET", "/v1/roles")["items"] if r["role"] == "guardian"]
    assert STRANGER in shown["holders"]
    done(office, api.ok("POST", "/v1/roles/guardian/revoke", json=guardian), 2, 3)


def test_a_pause_is_lifted_and_the_sunset_ends_approvals(office: Office) -> None:
    api, deployed = office.api, office.deployed
    deployed.send(deployed.roles["guardian"], "vault", "pause", 1)
    deployed.send(deployed.roles["guardian"], "token", "pauseTransfers")
    office.work()
    assert api.ok("GET", "/v1/pauses")["approvals"] is True
    lifting = {"operations": ["transfers", "approvals"], "reason": "key replaced"}
    for action in api.ok("POST", "/v1/pauses/lift", json=lifting)["items"]:
        done(office, action, 2, 3)
    assert api.post("/v1/pauses/lift", json=lifting).status_code == 409
    batch_id = office.pay("stream")

    assert api.post("/v1/sunset", json={"reason": "a new vault"}).status_code == 400
    sunset = {"for_good": True, "reason": "a new vault"}
    key = str(uuid4())
    proposed = api.post("/v1/sunset", json=sunset, key=key).json()
    assert api.post("/v1/sunset", json=sunset, key=key).json() == proposed
    done(office, proposed, 2, 3)
    assert api.ok("GET", "/v1/pauses")["sunset"] is True
    assert api.post("/v1/sunset", json=sunset).status_code == 409
    deployed.advance(100 * DAY_S)
    (asked,) = api.ok("POST", f"/v1/batches/{batch_id}/withdraw")["items"]
    assert request(office, asked)["state"] == "done"
    assert office.world.differences() == []
