"""The API's description as a judge: every reply in these tests must be one that it documents."""

from __future__ import annotations

import re
from typing import Any

import httpx

from tests.support.documents import check_document

PROBLEM = "application/problem+json"
KINDS: dict[str, Any] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}


class Description:
    """An OpenAPI document and what it says of a reply."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.operations = [
            (path, method, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]
        # A literal part of one path may fit another's parameter: fewer parameters are tried first.
        self._patterns = [
            (re.compile(_pattern(path)), method, operation)
            for path, method, operation in sorted(self.operations, key=lambda o: o[0].count("{"))
        ]

    def check(self, reply: httpx.Response) -> None:
        """Fail where a reply of an operation has a status, kind of error or document not described.

        Paths and methods that do not exist have no operation and are passed over.
        """
        where = f"{reply.request.method} {reply.request.url.path}"
        answers = self._answers(reply.request)
        if answers is None:
            return
        status = str(reply.status_code)
        assert status in answers, f"{where} does not document {status}: {reply.text}"
        described = answers[status]["content"]
        reply.read()
        if reply.is_success:
            media_type = reply.headers.get("Content-Type", "").partition(";")[0]
            assert media_type in described, f"{where} does not document {media_type}"
            if media_type == "application/json":
                self.fits(described[media_type]["schema"], reply.json(), where)
                check_document(reply.json(), where)
        else:
            code = reply.json()["code"]
            assert code in described[PROBLEM]["examples"], f"{where} does not document {code}"
            self.fits(described[PROBLEM]["schema"], reply.json(), where)

    def _answers(self, request: httpx.Request) -> dict[str, Any] | None:
        for pattern, method, operation in self._patterns:
            if method == request.method.lower() and pattern.fullmatch(request.url.path):
                answers: dict[str, Any] = operation["responses"]
                return answers
        return None

    def resolve(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Follow references."""
        while "$ref" in schema:
            found: Any = self.document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema

    def fits(self, schema: dict[str, Any], value: Any, where: str) -> None:
        """Fail where a value does not fit: a small part of JSON Schema.

        Required and unknown members, types, unions, items.
        """
        schema = self.resolve(schema)
        if "anyOf" in schema:
            errors = []
            for choice in schema["anyOf"]:
                try:
                    self.fits(choice, value, where)
                except AssertionError as error:
                    errors.append(error)
                else:
                    return
            raise errors[0]
        kind = schema.get("type")
        if kind is None:
            return
        assert isinstance(value, KINDS[kind]), f"{where}: {value!r} is no {kind}"
        if kind == "array":
            for item in value:
                self.fits(schema["items"], item, where)
        if kind == "object" and "properties" in schema:
            members = schema["properties"]
            assert set(schema.get("required", ())) <= set(value), f"{where}: {value}"
            assert set(value) <= set(members), f"{where}: {set(value) - set(members)}"
            for name, member in value.items():
                self.fits(members[name], member, f"{where}.{name}")


def _pattern(path: str) -> str:
    """Return the regular expression of a path; a case's reference may hold slashes."""
    return re.sub(r"\{\w+\}", "[^/]+", path.replace("{case}", ".+"))
