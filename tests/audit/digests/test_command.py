"""``relief audit digest`` as an officer runs it: what it prints, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from service.approvals.domain import SigningDomain
from service.approvals.typed_data import make_typed_data
from service.audit.command import audit_app
from tests.audit.digests.documents import MESSAGES, document
from tests.audit.scenario import Scenario


def relief(given: Any, *flags: object) -> Result:
    text = given if isinstance(given, str) else json.dumps(given)
    return CliRunner().invoke(audit_app, ["digest", "-", *map(str, flags)], input=text)


@pytest.fixture
def approval(scenario: Scenario) -> dict[str, Any]:
    """The document of the scenario's first batch."""
    found = scenario.deployed.deployment
    domain = SigningDomain(found.chain_id, found.vault, found.registry, found.token, found.lane)
    return make_typed_data(domain, "BatchApproval", scenario.batches["plain"].approval)


@pytest.mark.parametrize("primary_type", MESSAGES)
def test_what_is_understood_exits_0(primary_type: str) -> None:
    done = relief(document(primary_type))
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[-1] == "understood, and consistent with what was given"
    assert any("note: no node given" in line for line in lines)


def test_a_document_is_read_from_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "batch.json"
    path.write_text(json.dumps(document("Sunset"), indent=2))
    done = CliRunner().invoke(audit_app, ["digest", str(path), "--json"])
    assert done.exit_code == 0
    told = json.loads(done.stdout)
    assert (told["clean"], told["title"]) == (True, "End all approvals for good")


def test_with_list_and_node_all_is_compared(scenario: Scenario, approval: dict[str, Any]) -> None:
    plain = scenario.batches["plain"]
    path = scenario.manifests / f"{plain.hex}.jsonl"
    done = relief(approval, "--manifest", path, "--rpc", scenario.deployed.node.rpc_url, "--json")
    told = json.loads(done.stdout)
    assert told["differences"] == []
    assert told["compared_with_contract"] == [
        "chain id",
        "domain (ERC-5267)",
        "digest (approvalDigest)",
    ]
    digest = scenario.deployed.read(
        "vault", "approvalDigest", scenario.deployed.approval_tuple(plain.approval)
    )
    assert told["digest"] == "0x" + digest.hex()
    (found,) = told["lists"]
    assert found["is_signed"] is True
    assert (found["count"], found["wallets"]) == (5, 5)
    assert found["total_base_units"] == "3010000010"
    assert found["largest_base_units"] == "604000004"
    assert [line["amount_base_units"] for line in found["first"]] == [
        str((600 + i) * 10**6 + i) for i in range(5)
    ]
    # The chain's clock stands after the batch's time: the contract would refuse it now.
    assert told["refused_because"] in ([], ["its deadline had passed"])
    assert done.exit_code == (1 if told["refused_because"] else 0)


def test_a_copy_that_differs_is_shown_beside_the_signed_one(
    scenario: Scenario, approval: dict[str, Any], tmp_path: Path
) -> None:
    right = scenario.manifests / f"{scenario.batches['plain'].hex}.jsonl"
    wrong = tmp_path / "from the server.jsonl"
    wrong.write_bytes(right.read_bytes().replace(b'"602000002"', b'"602000003"'))
    done = relief(approval, "--manifest", right, "--manifest", wrong)
    assert done.exit_code == 1
    text = " ".join(done.stdout.split())
    assert "the digest commits to exactly this list" in text
    assert f"{wrong} differs from the signed list first in line 4: expected" in text
    assert text.endswith("do not sign this")
    told = json.loads(relief(approval, "--manifest", right, "--manifest", wrong, "--json").stdout)
    assert [each["is_signed"] for each in told["lists"]] == [True, False]
    assert told["lists"][1]["first_differing_line"]["where"] == "line 4"


def test_a_document_of_another_deployment_is_found_on_chain(
    scenario: Scenario, approval: dict[str, Any]
) -> None:
    approval["domain"]["verifyingContract"] = scenario.deployed.lane
    done = relief(approval, "--rpc", scenario.deployed.node.rpc_url, "--json")
    assert done.exit_code == 1
    assert {each["where"].split(" of ")[0] for each in json.loads(done.stdout)["differences"]} == {
        "domain",
        "approvalDigest",
    }


def test_other_types_exit_1_without_a_digest() -> None:
    given = document("BatchApproval")
    given["types"]["BatchApproval"][11]["type"] = "uint256"
    done = relief(given)
    assert done.exit_code == 1
    assert "types.BatchApproval[11]: expected uint80 total; found uint256 total" in done.stdout
    assert "digest" not in done.stdout
    told = json.loads(relief(given, "--json").stdout)
    assert (told["clean"], "digest" in told) == (False, False)


def test_what_the_contracts_would_refuse_exits_1() -> None:
    done = relief(document("BatchApproval", total=0))
    assert done.exit_code == 1
    assert "the contracts would not take it: it pays nothing" in done.stdout


def test_of_a_file_larger_than_anything_signed_no_more_is_read(tmp_path: Path) -> None:
    file = tmp_path / "data.json"
    with file.open("wb") as sparse:
        sparse.truncate(2**40)
    done = CliRunner().invoke(audit_app, ["digest", str(file)])
    assert done.exit_code == 2
    assert "larger than anything that officers sign" in done.stderr


BAD: dict[str, tuple[Any, list[object], int, str]] = {
    "text": ("sign this", [], 2, "not JSON"),
    "a value": (
        document("Sunset") | {"message": {"actionId": "0x", "deadline": 1}},
        [],
        2,
        "0 bytes",
    ),
    "no list": (document("BatchApproval"), ["--manifest", "/none"], 2, "cannot read /none"),
    "a list of nothing": (
        document("Sunset"),
        ["--manifest", "/none"],
        2,
        "no list behind a Sunset",
    ),
    "no node": (document("Sunset"), ["--rpc", "nonsense"], 2, "--rpc is no address of a node"),
    "a silent node": (document("Sunset"), ["--rpc", "http://127.0.0.1:1"], 3, "does not answer"),
}


@pytest.mark.parametrize("what", BAD)
def test_wrong_input_exits_2_and_a_silent_node_3(what: str) -> None:
    given, flags, code, words = BAD[what]
    done = relief(given, *flags)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in " ".join(done.stderr.split())
    error = json.loads(relief(given, *flags, "--json").stdout)["error"]
    assert words in error["detail"]


def test_a_file_that_is_not_there_exits_2(tmp_path: Path) -> None:
    done = CliRunner().invoke(audit_app, ["digest", str(tmp_path / "none.json")])
    assert done.exit_code == 2
    assert "cannot read" in done.stderr
