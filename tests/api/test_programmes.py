"""A programme over HTTP: stopped, going on, and cancelled batch by batch."""

from __future__ import annotations

from tests.api.conftest import Office

WHY = {"reason": "the decree was withdrawn"}


def test_a_programme_is_stopped_goes_on_and_its_batches_are_cancelled(office: Office) -> None:
    api, path = office.api, "/v1/programmes/P1"
    built = api.ok(
        "POST",
        "/v1/batches",
        json={"programme": "P1", "kind": "one_off", "region": "51", "maker_officer_id": 1},
    )
    (batch,) = built["batches"]

    paused = api.ok("POST", f"{path}/pause", json={"reason": "look again"})
    assert (paused["paused"], paused["pause_reason"]) == (True, "look again")
    assert paused["in_flight"] == {"transactions": 0, "payouts": 0}
    assert api.ok("GET", "/v1/programmes")["items"][0]["paused"]
    twice = api.post(f"{path}/pause", json={"reason": "again"})
    assert (twice.status_code, "look again" in twice.json()["detail"]) == (409, True)
    assert api.post(f"{path}/resume", json={"reason": " "}).status_code == 400
    assert not api.ok("POST", f"{path}/resume", json={"reason": "it is well"})["paused"]

    cancelled = api.ok("POST", f"{path}/cancel", json=WHY)
    assert cancelled["programme"]["paused"]
    assert cancelled["batches"] == [
        {"batch_id": batch["id"], "outcome": "cancelled", "message": "", "action_id": None}
    ]
    assert api.ok("GET", f"/v1/batches/{batch['id']}")["state"] == "cancelled"
    rows = [(row["action"], row["reason"]) for row in api.ok("GET", path)["journal"]]
    assert rows[-4:] == [
        ("pause_programme", "look again"),
        ("resume_programme", "it is well"),
        ("pause_programme", WHY["reason"]),
        ("cancel_programme", WHY["reason"]),
    ]
