"""From the id of a batch all of its way is found in the log, and from the call that asked."""

from __future__ import annotations

from service.processes import wait_until
from tests.api.conftest import Office
from tests.support.lines import logged

STEPS = ["planned", "signed", "sent", "included", "final", "cost"]
WAY = [
    *("release_batch", "planned", "signed", "sent", "event", "posted"),
    *("included", "final", "cost"),
]


def test_the_id_of_a_batch_finds_its_whole_way_in_the_log(office: Office) -> None:
    with logged() as lines:
        batch_id = office.build()
        office.sign(f"/v1/batches/{batch_id}", 1, 2)
        released = {"X-Request-Id": "release-17"}
        office.api.post(f"/v1/batches/{batch_id}/release", headers=released)
        office.work()

    told = lines.of(batch=batch_id)
    events = [line["event"] for line in told]
    assert [name for name in dict.fromkeys(events) if name in WAY] == WAY
    chunk = [line for line in told if line.get("chunk") == 0 and line.get("kind")]
    assert [line["event"] for line in chunk] == STEPS
    assert {line["request_id"] for line in chunk} == {"release-17"}
    assert len({line["transaction"] for line in chunk}) == 1
    (tx_hash,) = {line["tx_hash"] for line in chunk if "tx_hash" in line}
    assert {line["event"] for line in lines.of(tx_hash=tx_hash)} >= {"event", "posted"}
    *_, final, cost = chunk
    assert final["after_s"] >= 0
    assert cost["gas"] > 0


def test_what_was_asked_of_the_chain_says_which_call_asked(office: Office) -> None:
    given = {"amount_base_units": "10000000000000", "document_hash": "0x" + "11" * 32}
    with logged() as lines:
        office.deployed.advance(60)
        headers = {"X-Request-Id": "attest-1"}
        asked = office.api.post("/v1/reserve/attestations", json=given, headers=headers)
        assert asked.status_code == 202
        office.work()
    told = lines.of(chain_request=str(asked.json()["id"]), request_id="attest-1")
    steps = [line["event"] for line in told if line.get("kind") == "request"]
    # Its event was stored before it was seen to be included, so the next round settles it.
    assert steps == ["planned", "signed", "sent", "included", "cost", "final"]


def test_no_name_amount_or_wallet_is_in_the_log(office: Office) -> None:
    with logged() as lines:
        office.pay()
    for secret in ("王芳", "51072219800101001X", "Chen Wei", office.api.token):
        assert secret not in lines.text
    payees = [item["payee"] for item in office.api.ok("GET", "/v1/payouts")["items"]]
    assert payees
    assert not [payee for payee in payees if payee in lines.text]


def test_a_refused_call_is_told_with_the_template_of_its_route(office: Office) -> None:
    batch_id = office.build()
    refused = {"event": "request", "route": "/v1/batches/{batch_id}/release"}
    with logged() as lines:
        reply = office.api.post(f"/v1/batches/{batch_id}/release")
        # The line is written after the answer has gone.
        wait_until(lambda: bool(lines.of(**refused)), 5, "the line of the call")
    assert reply.status_code == 409
    assert lines.of(event="release_batch") == []
    (request,) = lines.of(**refused)
    assert request["status"] == 409
