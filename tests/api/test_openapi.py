"""The description of the API: complete, and true."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

from service.api import openapi, routes
from service.api.app import create_app
from service.application.context import Application
from service.config import Settings
from tests.api.conftest import Api

Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("description"))
    with Application(settings) as application:
        yield create_app(application).openapi()


@pytest.fixture(scope="module")
def operations(document: dict[str, Any]) -> list[Operation]:
    return list(openapi.operations(document))


def resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


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


def test_every_operation_has_an_id_of_its_own_a_summary_and_a_tag(
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


def test_every_operation_documents_its_errors_as_problems(
    document: dict[str, Any], operations: list[Operation]
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
                value = resolve(document, reference)["value"]
                assert (value["code"], str(value["status"])) == (code, status)


def test_every_body_and_every_success_has_an_example_that_fits_its_schema(
    document: dict[str, Any], operations: list[Operation]
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
            resolved = resolve(document, schema)
            assert resolved.get("examples"), (method, path)
            for example in resolved["examples"]:
                _fits(document, resolved, example, f"{method} {path}")


def _fits(document: dict[str, Any], schema: dict[str, Any], value: Any, where: str) -> None:
    """A small part of JSON Schema: required and unknown members, types, unions, items."""
    schema = resolve(document, schema)
    if "anyOf" in schema:
        errors = []
        for choice in schema["anyOf"]:
            try:
                _fits(document, choice, value, where)
            except AssertionError as error:
                errors.append(error)
            else:
                return
        raise errors[0]
    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "boolean": bool,
        "object": dict,
        "array": list,
        "null": type(None),
    }
    kind = schema.get("type")
    if kind is None:
        return
    assert isinstance(value, kinds[kind]), f"{where}: {value!r} is no {kind}"
    if kind == "array":
        for item in value:
            _fits(document, schema["items"], item, where)
    if kind == "object" and "properties" in schema:
        members = schema["properties"]
        assert set(schema.get("required", ())) <= set(value), f"{where}: {value}"
        assert set(value) <= set(members), f"{where}: {set(value) - set(members)}"
        for name, member in value.items():
            _fits(document, members[name], member, f"{where}.{name}")


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


def test_no_reference_leads_nowhere(document: dict[str, Any]) -> None:
    def walk(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                yield node["$ref"]
            for value in node.values():
                yield from walk(value)
        elif isinstance(node, list):
            for value in node:
                yield from walk(value)

    references = set(walk(document))
    assert references
    for reference in references:
        assert resolve(document, {"$ref": reference}), reference
    assert document["openapi"].startswith("3.1")
    assert "HTTPValidationError" not in str(document)


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
