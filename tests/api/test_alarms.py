from __future__ import annotations

from service.confirmations.alarms import raise_alarm
from tests.api.conftest import Api


def test_an_alarm_is_listed_shown_and_cleared_with_actor_and_reason(api: Api) -> None:
    with api.application.transaction() as session:
        for number in range(3):
            raise_alarm(session, "sequence_gap", f"event {number} is missing", number)
            session.flush()

    first = api.ok("GET", "/v1/alarms?limit=2")
    rest = api.ok("GET", f"/v1/alarms?limit=2&cursor={first['next_cursor']}")
    numbers = [row["id"] for row in first["items"] + rest["items"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(numbers) == 3
    assert rest["next_cursor"] is None

    path = f"/v1/alarms/{numbers[0]}"
    assert api.ok("GET", path)["stops_the_worker"] is True
    cleared = api.ok("POST", f"{path}/clear", json={"reason": "index rebuilt"})
    assert (cleared["cleared_by"], cleared["cleared_because"]) == ("Chen Wei", "index rebuilt")
    assert [row["id"] for row in api.ok("GET", "/v1/alarms")["items"]] == numbers[1:]
    assert len(api.ok("GET", "/v1/alarms?cleared=true")["items"]) == 3


def test_an_alarm_cannot_be_cleared_twice_or_without_a_reason(api: Api) -> None:
    with api.application.transaction() as session:
        raise_alarm(session, "sequence_gap", "event 1 is missing", 1)
    number = api.ok("GET", "/v1/alarms")["items"][0]["id"]
    path = f"/v1/alarms/{number}/clear"

    assert api.post(path, json={}).status_code == 400
    assert api.post(path, json={"reason": "index rebuilt"}).status_code == 200
    assert api.post(path, json={"reason": "again"}).status_code == 409
    assert api.post("/v1/alarms/99/clear", json={"reason": "none"}).status_code == 404
    assert api.get("/v1/alarms/99").status_code == 404
