"""Who may call: a token in force for everything under /v1, nothing for health."""

from __future__ import annotations

import time

import httpx
import pytest

from service.identity.tokens import list_tokens, revoke_token
from tests.api.conftest import Api, new_token


def bare(api: Api, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=api.url, headers=headers, trust_env=False)


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer relief_ " + "A" * 43,
        "Basic cmVsaWVm",
        "Bearer relief_",
        "Bearer relief_" + "A" * 43,
        "relief_" + "A" * 43,
    ],
)
def test_a_call_without_a_token_in_force_is_refused(api: Api, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    with bare(api, **headers) as client:
        reply = client.get("/v1/programmes")

    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == 'Bearer realm="relief"'
    assert reply.json()["code"] == "unauthenticated"


def test_every_operation_under_v1_needs_a_token_and_so_do_paths_that_do_not_exist(
    api: Api,
) -> None:
    document = api.ok("GET", "/v1/openapi.json")
    with bare(api) as client:
        for path, methods in document["paths"].items():
            for method in methods:
                reply = client.request(method, path, content=b"x")
                expected = 401 if path.startswith("/v1/") else None
                if expected:
                    assert reply.status_code == expected, f"{method} {path}"
        assert client.get("/v1/none").status_code == 401
        assert client.delete("/v1/programmes").status_code == 401
        assert client.get("/healthz").json()["status"] == "alive"


def test_a_revoked_token_is_refused_at_once(api: Api) -> None:
    token = new_token(api.application, "Li Na")
    with bare(api, Authorization=f"bearer {token}") as client:
        assert client.get("/v1/programmes").status_code == 200
        with api.application.transaction() as session:
            row = next(row for row in list_tokens(session) if row.name == "Li Na")
            revoke_token(session, row.id)
        assert client.get("/v1/programmes").status_code == 401


def test_the_tokens_use_is_recorded(api: Api) -> None:
    api.ok("GET", "/v1/programmes")
    deadline = time.monotonic() + 10
    while True:  # the note is written after the reply
        with api.application.transaction() as session:
            (row,) = list_tokens(session)
            if row.last_used_at is not None:
                break
        assert time.monotonic() < deadline


def test_what_is_done_carries_the_name_of_the_token(api: Api) -> None:
    given = {
        "code": "flood",
        "name": "Flood",
        "budget_base_units": "1",
        "payout_cap_base_units": "1",
        "tiers": [{"up_to_base_units": "1", "reviewers": 1}],
    }
    assert api.ok("POST", "/v1/programmes", json=given)["created_by"] == "Chen Wei"
    requests = api.ok("GET", "/v1/requests")["items"]
    assert [request["actor"] for request in requests] == ["Chen Wei"]
