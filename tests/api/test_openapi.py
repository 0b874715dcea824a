"""The description of the API: complete, and true."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

from service.api import routes
from tests.api.conftest import Api
from tests.api.description import Description
from tests.support.documents import AMOUNTS

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def operations(description: Description) -> list[Operation]:
    return description.operations


def test_every_route_of_every_module_is_described(operations: list[Operation]) -> None:
    modules = [
        importlib.import_module(f"{routes.__name__}.{module.name}")
        for module in pkgutil.iter_modules(routes.__path__)
    ]
    written = {
        ("/v1" + route.path.replace(":path", ""), method.lower())
        for module in modules
        for route in module.router.routes
        for method in route.methods
    }
    described = {(path, method) for path, method, _ in operations if path.startswith("/v1/")}
    assert written == described
    assert len(described) >= 40


@pytest.mark.parametrize(
    ("command", "method", "path"),
    [
        ("programme create", "post", "/v1/programmes"),
        ("programme list", "get", "/v1/programmes"),
        ("programme show", "get", "/v1/programmes/{programme}"),
        ("officer list", "get", "/v1/officers"),
        ("officer add", "post", "/v1/officers"),
        ("officer remove", "post", "/v1/officers/{officer_id}/remove"),
        ("cases import", "post", "/v1/imports"),
        ("cases list", "get", "/v1/cases"),
        ("cases show", "get", "/v1/cases/{case}"),
        ("cases decide", "post", "/v1/cases/decisions"),
        ("batch build", "post", "/v1/batches"),
        ("batch list", "get", "/v1/batches"),
        ("batch show", "get", "/v1/batches/{batch_id}"),
        ("batch manifest", "get", "/v1/batches/{batch_id}/manifest"),
        ("batch typed-data", "get", "/v1/batches/{batch_id}/typed-data"),
        ("batch approve", "post", "/v1/batches/{batch_id}/signatures"),
        ("batch release", "post", "/v1/batches/{batch_id}/release"),
        ("batch pause", "post", "/v1/batches/{batch_id}/pause"),
        ("batch resume", "post", "/v1/batches/{batch_id}/resume"),
        ("batch cancel", "post", "/v1/batches/{batch_id}/cancel"),
        ("programme pause", "post", "/v1/programmes/{programme}/pause"),
        ("programme resume", "post", "/v1/programmes/{programme}/resume"),
        ("programme cancel", "post", "/v1/programmes/{programme}/cancel"),
        ("action list", "get", "/v1/actions"),
        ("action show", "get", "/v1/actions/{action_id}"),
        ("action typed-data", "get", "/v1/actions/{action_id}/typed-data"),
        ("action sign", "post", "/v1/actions/{action_id}/signatures"),
        ("emergency grant", "post", "/v1/emergency/grants"),
        ("emergency list", "get", "/v1/emergency/grants"),
        ("emergency show", "get", "/v1/emergency/grants/{grant_id}"),
        ("emergency countersign", "post", "/v1/emergency/grants/{grant_id}/countersign"),
        ("emergency write-off", "post", "/v1/emergency/grants/{grant_id}/write-off"),
        ("emergency limits", "get", "/v1/emergency/limits"),
        ("emergency change-limits", "post", "/v1/emergency/limits"),
        ("emergency change-limits --apply", "post", "/v1/emergency/limits/apply"),
        ("emergency region-cap", "post", "/v1/emergency/region-caps"),
        ("emergency region-cap --apply", "post", "/v1/emergency/region-caps/apply"),
        ("payout list", "get", "/v1/payouts"),
        ("payout show", "get", "/v1/payouts/{batch_id}/{index}"),
        ("payout retry", "post", "/v1/payouts/{batch_id}/{index}/retry"),
        ("stream list", "get", "/v1/streams"),
        ("stream show", "get", "/v1/streams/{batch_id}/{index}"),
        ("stream withdraw", "post", "/v1/streams/{batch_id}/{index}/withdraw"),
        ("stream cancel", "post", "/v1/streams/{batch_id}/{index}/cancel"),
        ("wallet show", "get", "/v1/wallets/{address}"),
        ("redeem", "post", "/v1/redemptions"),
        ("redeem --typed-data", "get", "/v1/redemptions/typed-data"),
        ("reserve show", "get", "/v1/reserve"),
        ("reserve attest", "post", "/v1/reserve/attestations"),
        ("batch hold", "post", "/v1/batches/{batch_id}/hold"),
        ("batch due", "get", "/v1/expiry"),
        ("batch expire", "post", "/v1/batches/{batch_id}/expire"),
        ("batch expire --all-due", "post", "/v1/expiry"),
        ("payout hold", "post", "/v1/payouts/{batch_id}/{index}/hold"),
        ("payout change-wallet", "post", "/v1/payouts/{batch_id}/{index}/change-wallet"),
        ("wallet pay", "post", "/v1/payments"),
        ("wallet pay --typed-data", "get", "/v1/payments/typed-data"),
        ("wallet cancel-payment", "post", "/v1/payments/cancellations"),
        ("wallet permit", "post", "/v1/permits"),
        ("wallet permit --typed-data", "get", "/v1/permits/typed-data"),
        ("cap show", "get", "/v1/cap"),
        ("cap raise", "post", "/v1/cap/raise"),
        ("cap apply", "post", "/v1/cap/apply"),
        ("cap lower", "post", "/v1/cap/lower"),
        ("minter list", "get", "/v1/minters"),
        ("minter add", "post", "/v1/minters"),
        ("minter activate", "post", "/v1/minters/{address}/activate"),
        ("minter remove", "post", "/v1/minters/{address}/remove"),
        ("role list", "get", "/v1/roles"),
        ("role grant", "post", "/v1/roles/{role}/grant"),
        ("role revoke", "post", "/v1/roles/{role}/revoke"),
        ("pause show", "get", "/v1/pauses"),
        ("pause lift", "post", "/v1/pauses/lift"),
        ("sunset", "post", "/v1/sunset"),
        ("alarms list", "get", "/v1/alarms"),
        ("alarms show", "get", "/v1/alarms/{alarm_id}"),
        ("alarms clear", "post", "/v1/alarms/{alarm_id}/clear"),
    ],
)
def test_what_a_command_does_has_its_route(
    description: Description, command: str, method: str, path: str
) -> None:
    assert method in description.document["paths"].get(path, {}), command


def test_every_operation_has_an_id_of_its_own_a_summary_a_tag_and_explained_parameters(
    operations: list[Operation],
) -> None:
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(set(ids)) == len(ids)
    for path, method, operation in operations:
        assert operation["operationId"].isidentifier(), (method, path)
        assert operation["summary"]
        assert operation["description"]
        assert "Parameters\n---" not in operation["description"]
        assert len(operation["tags"]) == 1
        for parameter in operation.get("parameters", ()):
            assert {"description", "examples"} & {*parameter, *parameter["schema"]}, (
                f"{method} {path} does not explain {parameter['name']}"
            )


def test_every_operation_documents_its_errors_as_problems(
    description: Description, operations: list[Operation]
) -> None:
    for path, method, operation in operations:
        answers = operation["responses"]
        expected = {"500"}
        if path.startswith("/v1/"):
            expected |= {"400", "401", "403", "503"}
        if method == "post":
            expected |= {"409", "413", "415"}
        if "{" in path and "wallets" not in path:
            expected |= {"404"}
        assert expected <= set(answers), (method, path)
        assert any(status.startswith("2") for status in answers)
        for status, answer in answers.items():
            assert answer["description"], (method, path, status)
            if status.startswith("2"):
                continue
            content = answer["content"]
            assert set(content) == {"application/problem+json"}, (method, path, status)
            assert content["application/problem+json"]["schema"] == {
                "$ref": "#/components/schemas/ProblemDocument"
            }
            examples = content["application/problem+json"]["examples"]
            assert examples
            for code, reference in examples.items():
                value = description.resolve(reference)["value"]
                assert (value["code"], str(value["status"])) == (code, status)


def test_every_body_and_every_success_has_an_example_that_fits_its_schema(
    description: Description, operations: list[Operation]
) -> None:
    for path, method, operation in operations:
        schemas = [
            content["schema"]
            for status, answer in operation["responses"].items()
            if status.startswith("2")
            for content in answer["content"].values()
        ]
        body = operation.get("requestBody", {}).get("content", {})
        if "application/json" in body:
            schemas.append(body["application/json"]["schema"])
        for schema in schemas:
            resolved = description.resolve(schema)
            assert resolved.get("examples"), (method, path)
            for example in resolved["examples"]:
                description.fits(resolved, example, f"{method} {path}")


def test_every_post_under_v1_asks_for_a_key_and_every_operation_for_a_token(
    operations: list[Operation],
) -> None:
    for path, method, operation in operations:
        if not path.startswith("/v1/"):
            assert "security" not in operation
            continue
        assert operation["security"] == [{"HTTPBearer": []}], (method, path)
        headers = {
            parameter["name"]: parameter
            for parameter in operation.get("parameters", ())
            if parameter["in"] == "header"
        }
        assert ("Idempotency-Key" in headers) == (method == "post")
        if method == "post":
            assert headers["Idempotency-Key"]["required"]


def test_no_reference_leads_nowhere(description: Description) -> None:
    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    references = set(walk(description.document))
    assert references
    for reference in references:
        assert description.resolve({"$ref": reference}), reference
    assert description.document["openapi"].startswith("3.1")
    assert "HTTPValidationError" not in str(description.document)


def test_the_description_and_the_page_are_served_and_fetch_nothing_from_elsewhere(
    api: Api,
) -> None:
    assert api.get("/v1/openapi.json").json()["info"]["title"] == "Relief"
    page = api.get("/docs")
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<script" not in page.text
    assert "http://" not in page.text
    assert "https://" not in page.text
    assert "sign_batch" in page.text
    assert "maker_officer_id" in page.text


def test_amounts_and_times_are_named_and_given_by_one_rule(description: Description) -> None:
    for name, schema in description.document["components"]["schemas"].items():
        members = schema.get("properties", {})
        for member in members:
            assert not member.endswith("_unix_s"), f"{name}.{member}"
            shown = member.removesuffix("_base_units")
            if shown != member:
                given = name.endswith("Given")
                assert given != (shown in members), f"{name}.{member}"
            elif member in AMOUNTS and name != "ProblemItem" and "$ref" not in members[member]:
                assert f"{member}_base_units" in members, f"{name}.{member}"
    for path, _, operation in description.operations:
        for parameter in operation.get("parameters", ()):
            assert parameter["name"] not in AMOUNTS, f"{path}: {parameter['name']}"
