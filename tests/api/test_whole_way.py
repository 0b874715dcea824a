"""The whole way of payouts over HTTP, on a real chain."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from service.payouts.models import JournalEntry
from tests.api.conftest import Office
from tests.support.deployed import account

DAY_S = 86_400
EXECUTION = 2
"""The vault's bit for executing chunks."""


def states(office: Office, batch_id: str) -> dict[str, int]:
    shown = office.api.ok("GET", f"/v1/batches/{batch_id}")
    return {item["state"]: item["count"] for item in shown["payouts"]}


def test_one_off_payouts_are_paid_and_the_ledger_shows_them(office: Office) -> None:
    batch_id = office.pay()

    assert states(office, batch_id) == {"paid": 2}
    wallet = office.api.ok("GET", f"/v1/wallets/{account('one-off 1').address}")
    assert wallet["balance"] == "601.00"
    assert wallet["balance_base_units"] == "601000000"
    assert [move["kind"] for move in wallet["history"]] == ["paid"]
    paid = office.api.ok("GET", "/v1/payouts", params={"batch_id": batch_id, "state": "paid"})
    assert [item["amount"] for item in paid["items"]] == ["600.00", "601.00"]
    one = office.api.ok("GET", f"/v1/payouts/{batch_id}/0")
    shown_alone = {"held_until": None, "unpaid": "0.00", "unpaid_base_units": "0"}
    assert one == paid["items"][0] | shown_alone
    balances = office.api.ok("GET", "/v1/ledger/balances")["items"]
    held = {item["account"]: int(item["balance_base_units"]) for item in balances}
    assert held["circulating"] == 1_201_000_000
    assert sum(held.values()) == 0
    entries = office.api.ok("GET", "/v1/ledger/entries", params={"batch_id": batch_id})["items"]
    assert {entry["event"] for entry in entries} == {"BatchApproved", "ChunkPaid"}


def test_a_frozen_wallet_is_skipped_and_paid_when_it_is_retried(office: Office) -> None:
    frozen = account("one-off 0").address
    office.deployed.freeze(frozen)
    batch_id = office.pay()
    assert states(office, batch_id) == {"paid": 1, "skipped": 1}
    office.deployed.unfreeze(frozen)

    path = f"/v1/payouts/{batch_id}/0/retry"
    assert office.api.post(path, json={"reason": ""}).status_code == 400
    asked = office.api.post(path, json={"reason": "the bank has unfrozen it"})
    office.work()

    assert asked.status_code == 202
    assert asked.json()["reason"] == "the bank has unfrozen it"
    assert office.api.ok("GET", asked.headers["Location"])["state"] == "done"
    assert states(office, batch_id) == {"paid": 2}
    with office.world.session() as session:
        told = session.scalars(
            select(JournalEntry.reason).where(JournalEntry.action == "request_retry_payout")
        )
        assert told.all() == ["the bank has unfrozen it"]
    again = office.api.post(path)
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_streams_open_accrue_pay_and_are_cut(office: Office) -> None:
    batch_id = office.pay("stream")
    assert len(office.api.ok("GET", "/v1/streams", params={"batch_id": batch_id})["items"]) == 2
    office.deployed.advance(32 * DAY_S)
    office.work()

    office.api.ok("POST", f"/v1/streams/{batch_id}/0/withdraw")
    asked = office.api.ok("POST", f"/v1/batches/{batch_id}/withdraw")
    assert len(asked["items"]) == 1
    office.work()
    stream = office.api.ok("GET", f"/v1/streams/{batch_id}/0")
    wallet = office.api.ok("GET", f"/v1/wallets/{stream['payee']}")
    assert stream["withdrawn"] == wallet["streams"][0]["withdrawn"] == wallet["balance"] != "0.00"

    proposed = office.api.ok("POST", f"/v1/streams/{batch_id}/1/cancel", json={"reason": "moved"})
    assert (proposed["kind"], proposed["state"]) == ("stream_cancellation", "collecting")
    path = f"/v1/actions/{proposed['id']}"
    assert office.sign(path, 2, 3)["state"] == "ready"
    office.work()
    assert office.api.ok("GET", path)["state"] == "done"
    assert office.api.ok("GET", path)["officers"] == [2, 3]
    cut = office.api.ok("GET", f"/v1/streams/{batch_id}/1")
    assert cut["cancelled"]
    assert cut["cancelled_at"].endswith("Z")
    assert int(cut["returned_base_units"]) > 0
    assert cut["accrued_by"] == "chain"


def test_a_batch_on_chain_is_cancelled_by_a_quorum_and_a_draft_at_once(office: Office) -> None:
    batch_id = office.build()
    draft = office.api.ok("POST", f"/v1/batches/{batch_id}/cancel", json={"reason": "wrong"})
    assert (draft["batch"]["state"], draft["action"]) == ("cancelled", None)

    office.deployed.send(office.deployed.roles["guardian"], "vault", "pause", EXECUTION)
    batch_id = office.pay()
    asked = office.api.ok("POST", f"/v1/batches/{batch_id}/cancel", json={"reason": "wrong"})
    action = office.api.ok("GET", f"/v1/actions/{asked['action']['id']}")
    assert action == asked["action"]
    assert (action["kind"], action["roles"]) == ("batch_cancellation", ["reviewer"])
    assert action["args"] == {"batch_id": batch_id}


def test_a_batch_that_is_paid_or_cancelled_is_not_cancelled(office: Office) -> None:
    paid = office.pay()
    refused = office.api.post(f"/v1/batches/{paid}/cancel", json={"reason": "wrong"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert "every chunk ran" in refused.json()["detail"]

    draft = office.build("stream")
    office.api.ok("POST", f"/v1/batches/{draft}/cancel", json={"reason": "wrong"})
    again = office.api.post(f"/v1/batches/{draft}/cancel", json={"reason": "wrong"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert office.api.ok("GET", "/v1/actions")["items"] == []


def test_an_officer_is_added_and_removed_by_governors(office: Office) -> None:
    new = {
        "officer_id": 9,
        "roles": ["reviewer"],
        "region": "51",
        "signer": account("officer 9").address,
        "reason": "new colleague",
    }
    added = office.api.post("/v1/officers", json=new)
    office.sign(added.headers["Location"], 1, 2)
    office.work()
    officers = office.api.ok("GET", "/v1/officers")["items"]
    assert [officer["officer_id"] for officer in officers] == [1, 2, 3, 9]
    assert officers[-1]["roles"] == ["reviewer"]
    assert officers[-1]["region"] == "51"

    removal = office.api.post("/v1/officers/9/remove", json={"reason": "left"})
    office.sign(removal.headers["Location"], 2, 3)
    office.work()
    assert office.api.ok("GET", "/v1/officers")["items"][-1]["removed"]
    unknown = office.api.post("/v1/officers/77/remove", json={"reason": "left"})
    assert unknown.status_code == 404


def test_a_holder_redeems_by_a_relayed_signature(office: Office) -> None:
    office.pay()
    holder = account("one-off 0")
    wanted = {
        "holder": holder.address,
        "amount_base_units": "250000000",
        "payment_reference": "invoice 7",
    }
    document = office.api.ok("GET", "/v1/redemptions/typed-data", params=wanted)
    signature = holder.sign_typed_data(full_message=document).signature
    message = document["message"]
    given = wanted | {
        "payment_reference": message["paymentReference"],
        "valid_after": datetime.fromtimestamp(int(message["validAfter"]), UTC).isoformat(),
        "valid_before": datetime.fromtimestamp(int(message["validBefore"]), UTC).isoformat(),
        "nonce": message["nonce"],
        "signature": "0x" + bytes(signature).hex(),
    }
    more = office.api.post("/v1/redemptions", json=given | {"amount_base_units": "250000001"})
    assert (more.status_code, more.json()["code"]) == (422, "invalid_signature")
    office.api.ok("POST", "/v1/redemptions", json=given)
    office.work()

    wallet = office.api.ok("GET", f"/v1/wallets/{holder.address}")
    assert wallet["balance"] == "350.00"
    assert [move["kind"] for move in wallet["history"]] == ["redeemed", "paid"]


def test_the_reserve_is_attested_and_shown(office: Office) -> None:
    before = office.api.ok("GET", "/v1/reserve")
    office.deployed.advance(60)

    given = {"amount_base_units": "20000000000000", "document_hash": "0x" + "11" * 32}
    asked = office.api.post("/v1/reserve/attestations", json=given)
    office.work()

    assert asked.status_code == 202
    after = office.api.ok("GET", "/v1/reserve")
    assert (before["attested"], after["attested"]) == ("10000000.00", "20000000.00")
    assert after["as_of"] > before["as_of"]


def test_a_programme_is_proposed_and_comes_on_chain(office: Office) -> None:
    given = {
        "code": "flood",
        "name": "Flood",
        "region": "51",
        "budget_base_units": "100000000000",
        "payout_cap_base_units": "5000000000",
        "tiers": [{"up_to_base_units": "100000000000", "reviewers": 2, "challenge_delay_s": 60}],
    }
    asked = office.api.post("/v1/programmes", json=given)
    assert asked.json()["state"] == "proposed"
    office.work()

    shown = office.api.ok("GET", "/v1/programmes/flood")
    assert shown["state"] == "onchain"
    assert shown["active_from"] is not None
    assert shown["tiers"] == [
        {
            "up_to": "100000.00",
            "up_to_base_units": "100000000000",
            "reviewers": 2,
            "challenge_delay_s": 60,
        }
    ]
    listed = office.api.ok("GET", "/v1/programmes")["items"]
    assert [programme["code"] for programme in listed] == ["P1", "flood"]


def test_a_batch_is_paused_and_resumed_with_reasons(office: Office) -> None:
    batch_id = office.build()
    path = f"/v1/batches/{batch_id}"
    refused = office.api.post(f"{path}/release")
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_transition")
    assert office.api.ok("POST", f"{path}/pause", json={"reason": "the bank asked"})["paused"]
    assert office.api.ok("GET", path)["stuck"][0]["message"] == "paused: the bank asked"
    assert not office.api.ok("POST", f"{path}/resume", json={"reason": "settled"})["paused"]
    journal = [entry["action"] for entry in office.api.ok("GET", path)["journal"]]
    assert journal == ["build_batch", "pause_batch", "resume_batch"]


def test_signatures_that_prove_nothing_are_refused_each_for_its_reason(office: Office) -> None:
    batch_id = office.build()
    path = f"/v1/batches/{batch_id}"
    document = office.api.ok("GET", f"{path}/typed-data")
    stranger = account("stranger").sign_typed_data(full_message=document).signature.hex()
    maker = office.deployed.officers[1].sign_typed_data(full_message=document).signature.hex()

    def post(signature: str, **more: int) -> tuple[int, str]:
        given = {"signature": "0x" + signature.removeprefix("0x"), **more}
        reply = office.api.post(f"{path}/signatures", json=given)
        return reply.status_code, reply.json().get("code", "")

    assert post(stranger) == (422, "invalid_signature")
    assert post(maker, officer_id=2) == (422, "invalid_signature")
    assert post("00" * 65) == (422, "invalid_signature")
    assert post(maker) == (201, "")
    assert post(maker) == (409, "already_exists")
