"""Every error is a problem document of one shape that says what to do and nothing of the inside."""

from __future__ import annotations

import json
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import exc

from service.api import openapi
from service.api.app import create_app
from service.api.routes import programmes
from service.application.context import Application
from service.application.database import head_revision
from service.chain.rpc import RpcError
from service.config import Settings
from service.errors import ChainUnavailable, ConfigurationError, IntegrityError
from tests.api.conftest import Api, import_cases, serving
from tests.api.description import Description
from tests.api.test_idempotency import order
from tests.support.version import stamp

MEMBERS = {
    "type",
    "title",
    "status",
    "detail",
    "instance",
    "code",
    "retryable",
    "request_id",
    "problems",
}
BATCH = "0x" + "ab" * 32


def check(reply: httpx.Response, status: int, code: str) -> Any:
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    document = reply.json()
    assert set(document) == MEMBERS
    assert (document["status"], document["code"]) == (status, code)
    assert document["type"] == f"/docs#problem-{code}"
    assert document["request_id"] == reply.headers["X-Request-Id"]
    assert document["instance"] == reply.request.url.path
    return document


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "code"),
    [
        ("GET", "/none", {}, 404, "not_found"),
        ("GET", "/v1/none", {}, 404, "not_found"),
        ("GET", "/v1/programmes/", {}, 404, "not_found"),
        ("GET", "/v1/programmes/none", {}, 404, "not_found"),
        ("GET", "/v1/cases/none", {}, 404, "not_found"),
        ("GET", "/v1/cases?programme=none", {}, 404, "not_found"),
        ("GET", f"/v1/batches/{BATCH}", {}, 404, "not_found"),
        ("GET", f"/v1/actions/{BATCH}", {}, 404, "not_found"),
        ("GET", f"/v1/payouts/{BATCH}/0", {}, 404, "not_found"),
        ("GET", f"/v1/streams/{BATCH}/0", {}, 404, "not_found"),
        ("GET", "/v1/imports/none", {}, 404, "not_found"),
        ("GET", "/v1/requests/1", {}, 404, "not_found"),
        ("DELETE", "/v1/programmes", {}, 405, "method_not_allowed"),
        ("POST", "/healthz", {}, 405, "method_not_allowed"),
        ("GET", "/v1/batches/0x12", {}, 400, "invalid_input"),
        ("GET", "/v1/batches?state=lost", {}, 400, "invalid_input"),
        ("GET", "/v1/cases?region=abc", {}, 400, "invalid_input"),
        ("GET", "/v1/cases?region=999", {}, 400, "invalid_input"),
        ("GET", "/v1/cases?region=99", {}, 400, "invalid_input"),
        ("GET", "/v1/cases?region=", {}, 400, "invalid_input"),
        ("GET", "/v1/cases?wallet_address=", {}, 400, "invalid_input"),
        ("GET", "/v1/cases?import_id=none", {}, 404, "not_found"),
        ("GET", "/v1/ledger/entries?account=bogus", {}, 400, "invalid_input"),
        ("GET", "/v1/payouts?payee=", {}, 400, "invalid_input"),
        ("GET", "/v1/payouts?case_id=none", {}, 404, "not_found"),
        ("GET", "/v1/streams?payee=0x12", {}, 400, "invalid_input"),
        ("GET", "/v1/cases?wallet_address=0x12", {}, 400, "invalid_input"),
        ("GET", "/v1/payouts?payee=0x12", {}, 400, "invalid_input"),
        ("GET", "/v1/wallets/0x12", {}, 400, "invalid_input"),
        ("GET", "/v1/requests/0", {}, 400, "invalid_input"),
        ("GET", f"/v1/requests/{10**30}", {}, 400, "invalid_input"),
        ("GET", f"/v1/payouts/{BATCH}/{10**10}", {}, 400, "invalid_input"),
        ("POST", "/v1/programmes", {"content": b"{"}, 415, "unsupported_media_type"),
        ("POST", "/v1/programmes", {"data": {"code": "a"}}, 415, "unsupported_media_type"),
        ("POST", "/v1/programmes", {"files": {"a": b"b"}}, 415, "unsupported_media_type"),
        ("POST", "/v1/imports", {"json": {}}, 415, "unsupported_media_type"),
        ("POST", "/v1/imports", {"files": {"other": b"x"}}, 400, "invalid_input"),
        ("POST", "/v1/programmes", {"json": {"x": "y" * 2**20}}, 413, "payload_too_large"),
        ("POST", f"/v1/batches/{BATCH}/release", {}, 404, "not_found"),
        ("POST", "/v1/cases/decisions", {"json": {"decision": "approved"}}, 400, "invalid_input"),
        (
            "POST",
            "/v1/cases/decisions",
            {"json": {"decision": "approved", "cases": ["none"]}},
            404,
            "not_found",
        ),
    ],
)
def test_each_wrong_call_gets_its_problem(
    api: Api, *, method: str, path: str, options: dict[str, Any], status: int, code: str
) -> None:
    reply = api.post(path, **options) if method == "POST" else api.request(method, path)

    check(reply, status, code)


def test_a_body_that_streams_past_the_limit_is_refused(api: Api) -> None:
    def body() -> Any:
        for _ in range(40):
            yield b" " * 2**16

    headers = {"Content-Type": "application/json"}
    check(api.post("/v1/programmes", content=body(), headers=headers), 413, "payload_too_large")


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        ("/v1/ledger/balances", "GET, HEAD, OPTIONS"),
        ("/v1/programmes", "GET, POST, HEAD, OPTIONS"),
        ("/v1/cases/decisions", "GET, POST, HEAD, OPTIONS"),
        (f"/v1/batches/{BATCH}/release", "POST, OPTIONS"),
        ("/healthz", "GET, HEAD, OPTIONS"),
        ("/v1/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
def test_every_method_that_a_path_has_is_named(api: Api, path: str, allow: str) -> None:
    refused = api.delete(path)
    check(refused, 405, "method_not_allowed")
    assert refused.headers["Allow"] == allow
    options = api.options(path)
    assert (options.status_code, options.content) == (204, b"")
    assert options.headers["Allow"] == allow


@pytest.mark.parametrize("path", ["/v1/programmes", "/healthz", "/docs", "/v1/openapi.json"])
def test_head_answers_as_get_without_the_body(api: Api, path: str) -> None:
    got, head = api.get(path), api.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "Content-Length"):
        assert head.headers[name] == got.headers[name]


def test_head_of_a_path_without_get_and_options_of_no_path_are_refused(api: Api) -> None:
    assert api.head(f"/v1/batches/{BATCH}/release").status_code == 405
    check(api.options("/v1/none"), 404, "not_found")


def test_no_method_goes_without_a_token(api: Api) -> None:
    for method in ("HEAD", "OPTIONS"):
        reply = httpx.request(method, f"{api.url}/v1/programmes", trust_env=False)
        assert reply.status_code == 401


@pytest.mark.parametrize(
    "path", ["/v1/cases", "/v1/programmes", f"/v1/batches/{BATCH}", "/v1/ledger/balances"]
)
def test_a_query_parameter_that_a_path_does_not_have_is_named(api: Api, path: str) -> None:
    reply = api.get(path, params={"programm": "flood", "stat": "received"})

    document = check(reply, 400, "invalid_input")
    assert [problem["field"] for problem in document["problems"]] == ["programm", "stat"]


def test_a_query_parameter_that_a_post_does_not_have_is_named(api: Api) -> None:
    reply = api.post("/v1/imports?dryrun=true", files={"file": ("cases.csv", b"x")})

    document = check(reply, 400, "invalid_input")
    assert [problem["field"] for problem in document["problems"]] == ["dryrun"]
    assert "dry_run" in document["detail"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": None}, "code"),
        ({"code": 7}, "code"),
        ({"budget_base_units": 5}, "budget_base_units"),
        ({"budget_base_units": "5.0"}, "budget_base_units"),
        ({"budget_base_units": "-5"}, "budget_base_units"),
        ({"budget_base_units": "05"}, "budget_base_units"),
        ({"budget_base_units": "9" * 25}, "budget_base_units"),
        ({"budget_base_units": "٥"}, "budget_base_units"),
        ({"tiers": []}, "tiers"),
        ({"tiers": [{"up_to_base_units": "1", "reviewers": 0}]}, "tiers.0.reviewers"),
        ({"tiers": [{"up_to_base_units": "1", "reviewers": True}]}, "tiers.0.reviewers"),
        ({"tiers": [{"reviewers": 1}]}, "tiers.0.up_to_base_units"),
        ({"state": "onchain"}, "state"),
        ({"region": "99999"}, "region"),
        ({"metadata_hash": "0x12"}, "metadata_hash"),
    ],
)
def test_a_field_that_does_not_fit_is_named(api: Api, change: dict[str, Any], field: str) -> None:
    reply = api.post("/v1/programmes", json=order(**change))

    document = check(reply, 400, "invalid_input")
    assert [problem["field"] for problem in document["problems"]] == [field]


def test_every_field_that_does_not_fit_is_named_at_once(api: Api) -> None:
    reply = api.post("/v1/programmes", json={"code": "a", "extra": 1})

    fields = {problem["field"] for problem in check(reply, 400, "invalid_input")["problems"]}
    assert fields == {"name", "budget_base_units", "payout_cap_base_units", "tiers", "extra"}


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b'{"code": "\\ud800"}',
        b'{"code": NaN}',
        b"[" * 50_000,
        b'{"code":' + b"9" * 10_000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_refused(api: Api, content: bytes) -> None:
    reply = api.post(
        "/v1/programmes", content=content, headers={"Content-Type": "application/json"}
    )

    check(reply, 400, "invalid_input")


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_text_that_no_database_stores_is_refused_or_stored_but_never_an_error_of_ours(
    api: Api, text: str
) -> None:
    # Escaped by json.dumps: the client's own encoder refuses half a surrogate pair.
    reply = api.post(
        "/v1/programmes",
        content=json.dumps(order(name=text)),
        headers={"Content-Type": "application/json"},
    )

    assert reply.status_code in (201, 400)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("secret"), 500, "internal_error"),
        (ConfigurationError("secret"), 500, "configuration_error"),
        (IntegrityError("secret"), 500, "integrity_error"),
        (ChainUnavailable("secret"), 503, "chain_unavailable"),
        (RpcError(-32000, "secret"), 502, "rpc_error"),
        (exc.OperationalError("secret", {}, Exception("secret")), 503, "database_unavailable"),
        (exc.TimeoutError("secret"), 503, "database_unavailable"),
        (exc.IntegrityError("secret", {}, Exception("secret")), 409, "concurrent_change"),
    ],
)
def test_an_error_of_the_service_tells_nothing_of_its_inside(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    status: int,
    code: str,
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(programmes, "create_programme", fail)
    api.description = None  # this operation does not ask the chain
    reply = api.post("/v1/programmes", json=order())

    document = check(reply, status, code)
    assert "secret" not in reply.text
    assert document["retryable"] == ("Retry-After" in reply.headers)


def test_an_id_that_the_caller_gives_is_kept_when_it_is_harmless(api: Api) -> None:
    given = api.get("/v1/none", headers={"X-Request-Id": "trace-7.a"})
    assert given.headers["X-Request-Id"] == given.json()["request_id"] == "trace-7.a"
    bad = api.get("/v1/none", headers={"X-Request-Id": "a b<script>"})
    assert bad.headers["X-Request-Id"] != "a b<script>"


def test_each_reply_carries_the_security_headers(api: Api) -> None:
    for path in ("/v1/programmes", "/v1/none", "/healthz", "/docs", "/none"):
        headers = api.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


def test_health_answers_without_parts_and_readiness_names_what_is_missing(api: Api) -> None:
    stamp(api.application.engine)
    assert api.ok("GET", "/healthz") == {"status": "alive", "checks": [], "warnings": []}
    document = check(api.get("/readyz"), 503, "not_ready")
    assert [problem["field"] for problem in document["problems"]] == ["chain"]


def test_a_database_at_another_version_is_not_ready(api: Api) -> None:
    stamp(api.application.engine, "0001")
    document = check(api.get("/readyz"), 503, "not_ready")
    found = [problem["message"] for problem in document["problems"] if problem["field"] != "chain"]
    assert found == [f"the database is at version 0001, not {head_revision('')}"]


def test_readiness_does_not_wait_long_for_a_node_that_hangs(
    sqlite_template: Path, tmp_path: Path
) -> None:
    shutil.copyfile(sqlite_template, tmp_path / "relief.db")
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # accepts, and never answers
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}"
        with (
            Application(Settings(data_dir=tmp_path, rpc_url=url)) as application,
            serving(create_app(application)) as served,
        ):
            began = time.monotonic()
            reply = httpx.get(f"{served}/readyz", trust_env=False, timeout=60)
            took_s = time.monotonic() - began
    check(reply, 503, "not_ready")
    assert took_s < 10


def test_every_kind_of_error_is_on_the_page_of_documentation(
    api: Api, description: Description
) -> None:
    page = api.get("/docs").text
    kinds = openapi.error_kinds(description.document)
    assert len(kinds) > 20
    for kind in kinds:
        assert f"id='problem-{kind.code}'" in page


def test_a_bad_file_gives_every_problem_and_nothing_of_it_is_imported(
    api: Api, filed: Callable[[], Any], cases_file: bytes
) -> None:
    filed()
    header, *lines = cases_file.decode().splitlines()
    bad = [
        lines[0].replace("A-0", "Z-1").replace("600", "6.0000001").replace("房屋倒塌 0", "x"),
        lines[1].replace("A-1", "Z-2").replace("510722,", "999999,").replace("房屋倒塌 1", "y"),
        lines[2].replace("51072219800101001X", "510722198001010011").replace("P1", "P9"),
    ]
    content = "\n".join([header, *bad]).encode()
    before = api.ok("GET", "/v1/cases")

    document = check(import_cases(api, content), 422, "invalid_import")

    found = {(p["row"], p["field"]) for p in document["problems"]}
    assert {
        (2, "amount"),
        (3, "region_code"),
        (4, "id_number"),
        (4, "programme"),
        (4, "case_ref"),
    } <= found
    assert all(problem["message"] and problem["code"] for problem in document["problems"])
    assert any(problem["value"] == "6.0000001" for problem in document["problems"])
    assert api.ok("GET", "/v1/cases") == before
    dry = import_cases(api, content, dry_run=True)
    assert (dry.status_code, dry.json()["problems"]) == (200, document["problems"])
    both = import_cases(api, content, dry_run=True, skip_bad_rows=True)
    check(both, 400, "invalid_input")


def test_bad_rows_are_skipped_on_demand_and_their_values_kept_masked(
    api: Api, filed: Callable[[], Any], cases_file: bytes
) -> None:
    filed()
    header, *lines = cases_file.decode().splitlines()
    good = lines[0].replace("A-0", "Z-1").replace("房屋倒塌 0", "水灾")
    bad = lines[1].replace("A-1", "Z-2").replace("510722197503150026", "510722197503150027")
    reply = import_cases(api, f"{header}\n{good}\n{bad}".encode(), skip_bad_rows=True)

    report = reply.json()
    assert (reply.status_code, report["accepted"], report["rejected"]) == (201, 1, 1)
    assert "510722197503150027" not in reply.text
    shown = api.ok("GET", reply.headers["Location"])
    assert shown["problems"] == report["problems"]
    assert (shown["id"], shown["actor"]) == (report["import_id"], "Chen Wei")
