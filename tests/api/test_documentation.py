"""docs/api.md: its example runs as it stands, and its list of errors is the code's."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from sqlalchemy import text

from service.api.openapi import error_kinds
from service.api.problems import one_line
from service.config import PROJECT_ROOT
from tests.api.conftest import Office
from tests.api.description import Description
from tests.api.test_pagination import rows

PAGE = (PROJECT_ROOT / "docs" / "api.md").read_text()


def test_the_list_of_errors_is_the_codes_own(description: Description) -> None:
    listed = [line for line in PAGE.split("## Errors")[1].splitlines() if line.startswith("| `")]

    assert listed == [
        f"| `{kind.code}` | {kind.status} | {'may succeed' if kind.retryable else 'no'} "
        f"| {one_line(kind)} |"
        for kind in error_kinds(description.document)
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_example_pays_a_file_of_cases(office: Office) -> None:
    with office.api.application.transaction() as session:
        session.execute(text("UPDATE programmes SET code = 'flood-2026'"))
    files = {"cases.csv": rows(1, 3).replace(b",P1,", b",flood-2026,")}
    variables: dict[str, str] = {}
    for command in curl_commands(PAGE):
        if "signed-1.json" in command:
            for number in (1, 2):
                signed = office.deployed.officers[number].sign_typed_data(
                    full_message=json.loads(files["batch.json"])
                )
                given = {"signature": "0x" + bytes(signed.signature).hex(), "officer_id": number}
                files[f"signed-{number}.json"] = json.dumps(given).encode()
        curl(office, command, files, variables)
        if "release" in command:
            office.work()
        if "built.json" in files:
            variables["BATCH"] = json.loads(files["built.json"])["batches"][0]["id"]

    last = json.loads(files["-"])
    paid = sorted(payout["amount"] for payout in last["items"])
    assert paid == ["600.00"] * 4 + ["601.00"]  # the file's three, and two that waited before


def curl_commands(page: str) -> list[str]:
    """The curl commands of a page's shell blocks, each on one line."""
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)).replace("\\\n", " ")
    return [line for line in blocks.splitlines() if line.startswith("curl ")]


def curl(office: Office, command: str, files: dict[str, bytes], variables: dict[str, str]) -> None:
    """Do what curl would: only the options that the page uses; its output is the file `-`."""
    for name, value in variables.items():
        command = command.replace(f"${name}", value)
    words = iter(shlex.split(command)[1:])
    method, path, output = "GET", "", "-"
    headers: dict[str, str] = {}
    body: dict[str, Any] = {}
    for word in words:
        if word == "-H":
            header = next(words)
            if header != "@auth":
                name, _, value = header.partition(": ")
                headers[name] = value
        elif word == "-X":
            method = next(words)
        elif word == "-F":
            name, _, file = next(words).partition("=@")
            method, body = "POST", {"files": {name: (file, files[file])}}
        elif word == "--json":
            data = next(words)
            content = files[data[1:]] if data.startswith("@") else data.encode()
            method, body = "POST", {"content": content}
            headers["Content-Type"] = "application/json"
        elif word == ">":
            output = next(words)
        elif word != "-sS":
            path = word.removeprefix("$API")
    assert method == "GET" or "Idempotency-Key" in headers, command
    reply = office.api.request(method, path, headers=headers, **body)
    assert reply.is_success, f"{command}: {reply.text}"
    files[output] = reply.content
