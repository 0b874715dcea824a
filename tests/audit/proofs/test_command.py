"""``relief audit prove`` and ``verify-proof`` as people run them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from typer.testing import CliRunner, Result

from service.audit.command import audit_app
from service.config import PROJECT_ROOT
from tests.audit.lying_node import Refuse, lying_node
from tests.audit.scenario import Scenario

OFFLINE = """
import socket, sys
from service.audit.__main__ import main


def refuse(*_args, **_kwargs):
    raise AssertionError("a socket was opened")


class Refused(socket.socket):  # a class: that of TLS, loaded with the command, is derived from it
    __init__ = refuse


socket.socket, socket.create_connection, socket.getaddrinfo = Refused, refuse, refuse
sys.argv[1:] = ["verify-proof", "--json", sys.argv[1]]
main()
"""


ONLY_IF = "Proven, if its {} blocks are on the chain: none of their hashes was compared"


def blocks_of(proof: bytes) -> list[dict[str, str]]:
    blocks: list[dict[str, str]] = json.loads(proof)["blocks"]
    return blocks


def verdict(result: Result) -> str:
    """The first line, which a narrow terminal folds: until what is indented below it."""
    return " ".join(result.stdout.split("\n  ")[0].split())


def run(*words: object) -> Result:
    return CliRunner().invoke(audit_app, [str(word) for word in words])


Prove = Callable[..., Result]


@pytest.fixture
def prove(scenario: Scenario) -> Prove:
    """Runs the command against the scenario's node, or another."""

    def proving(*words: object, rpc: str | None = None) -> Result:
        node = rpc or scenario.deployed.node.rpc_url
        return run("prove", "--rpc", node, "--vault", scenario.deployed.vault, *words)

    return proving


def test_a_proof_is_written_and_checked_without_any_socket(
    scenario: Scenario, prove: Prove, tmp_path: Path
) -> None:
    file = tmp_path / "proof.json"
    done = prove("--batch", scenario.batches["plain"].hex, "--index", 3, "--out", file)
    assert done.exit_code == 0, done.stderr
    assert verdict(done) == ONLY_IF.format(len(blocks_of(file.read_bytes())))
    assert [each.name for each in tmp_path.iterdir()] == ["proof.json"]
    checked = subprocess.run(
        [sys.executable, "-c", OFFLINE, str(file)],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
    result = json.loads(checked.stdout)
    assert result["proven"] is True
    assert result["verdict"] == verdict(done)
    blocks = len(result["blocks"])
    assert (result["blocks_compared"], result["blocks_not_compared"]) == (0, blocks)
    assert result["payout"]["paid_base_units"] == "603000003"
    assert result["findings"] == []


def test_a_terminal_shows_how_far_the_proof_is(scenario: Scenario, tmp_path: Path) -> None:
    terminal, stderr = pty.openpty()
    where = ("--rpc", scenario.deployed.node.rpc_url, "--vault", scenario.deployed.vault)
    which = ("--programme", "1", "--number", "6", "--out", str(tmp_path / "proof.json"))
    done = subprocess.run(
        [sys.executable, "-m", "service.audit", "prove", *where, *which],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        stderr=stderr,
        check=True,
    )
    shown = os.read(terminal, 65_536).decode()
    os.close(stderr)
    os.close(terminal)
    assert all(stage in shown for stage in ("officers", "approvals", "payments", "blocks"))
    assert done.stdout.startswith(b"Proven, if")


def test_without_a_file_the_proof_goes_to_stdout(
    prove: Prove, proofs: dict[str, bytes], tmp_path: Path
) -> None:
    done = prove("--programme", 1, "--number", 6)
    assert done.stdout.encode() == proofs["number"]
    file = tmp_path / "proof.json"
    file.write_bytes(done.stdout_bytes)
    shown = run("verify-proof", file)
    only_if = ONLY_IF.format(len(blocks_of(proofs["number"])))
    assert (shown.exit_code, verdict(shown)) == (0, only_if)
    assert "Not proven by this file" in shown.stdout


def test_a_false_statement_exits_1_and_is_named(proofs: dict[str, bytes], tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_bytes(proofs["paid"].replace(b'"601000001"', b'"901000001"'))
    shown = run("verify-proof", file)
    assert shown.exit_code == 1
    assert shown.stdout.splitlines()[0] == "NOT proven: what the file says is false"
    assert "total_mismatch: payout.paid_base_units is not what the events prove" in shown.stdout
    assert "expected 601000001; found 901000001" in shown.stdout
    as_json = run("verify-proof", file, "--json")
    assert as_json.exit_code == 1
    result = json.loads(as_json.stdout)
    assert (result["proven"], result["payout"], result["statements"]) == (False, None, [])
    assert {finding["code"] for finding in result["findings"]} == {
        "total_mismatch",
        "proof_mismatch",
    }


def test_hashes_from_elsewhere_are_compared(proofs: dict[str, bytes], tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_bytes(proofs["paid"])
    blocks = blocks_of(proofs["paid"])
    right = [f"--block-hash={block['number']}={block['hash']}" for block in blocks]
    shown = run("verify-proof", file, *right)
    assert (shown.exit_code, verdict(shown)) == (0, "Proven")
    assert "not compared" not in shown.stdout
    some = run("verify-proof", file, *right[1:-1])
    assert some.exit_code == 0
    assert verdict(some) == (
        f"Proven, if its {len(blocks)} blocks are on the chain: the hashes of 2 were not compared"
    )
    result = json.loads(run("verify-proof", file, *right[1:-1], "--json").stdout)
    assert (result["blocks_compared"], result["blocks_not_compared"]) == (len(blocks) - 2, 2)
    assert [block["compared"] for block in result["blocks"]].count(True) == len(blocks) - 2
    other = f"--block-hash={blocks[1]['number']}={blocks[0]['hash']}"
    shown = run("verify-proof", file, other)
    assert shown.exit_code == 1
    assert f"block_differs: block {blocks[1]['number']} of the proof" in shown.stdout


def test_wrong_input_exits_2(proofs: dict[str, bytes], tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    file.write_bytes(proofs["paid"][:-100])
    hashes = f"{'ab' * 32}"
    for words, said in (
        ((file,), "not JSON, or only a part"),
        ((tmp_path / "none.json",), "cannot be read"),
        ((tmp_path,), "cannot be read"),
        ((file, "--block-hash", "7"), "--block-hash is not NUMBER=HASH"),
        (
            (file, f"--block-hash=7=0x{hashes}", f"--block-hash=7=0x{'cd' * 32}"),
            "two hashes of block 7",
        ),
    ):
        shown = run("verify-proof", *words)
        assert shown.exit_code == 2, said
        assert said in " ".join(shown.stderr.split())


def test_what_cannot_be_proven_exits_2_and_writes_nothing(
    scenario: Scenario, prove: Prove, tmp_path: Path
) -> None:
    hexes = {name: batch.hex for name, batch in scenario.batches.items()}
    nobody = "0x" + "ab" * 32
    file = tmp_path / "proof.json"
    for words, said in (
        ((), "name one payout"),
        (("--batch", nobody), "name one payout"),
        (("--batch", nobody, "--index", 0, "--grant", nobody), "name one payout"),
        (("--batch", "0x12", "--index", 0), "--batch is no batch id: 0x12"),
        (("--grant", "0x12"), "--grant is no grant id: 0x12"),
        (("--batch", nobody, "--index", 0), f"no officers approved batch {nobody}"),
        (("--batch", hexes["draft"], "--index", 0), "no officers approved batch"),
        (("--programme", 1, "--number", 900), "no officers approved payout 900 of programme 1"),
        (("--programme", 2, "--number", 1), "no officers approved payout 1 of programme 2"),
        (("--grant", nobody), f"there is no grant {nobody}"),
        (("--batch", hexes["plain"], "--index", 5), "has payouts 0 to 4"),
        (("--batch", hexes["waiting"], "--index", 1), "was skipped, and not retried since"),
        (("--batch", hexes["waiting"], "--index", 3), "its chunk was not run"),
        (("--batch", hexes["cancelled"], "--index", 0), "its chunk was not run"),
        (("--programme", 1, "--number", 1, "--at", 10**9), "is not there"),
    ):
        done = prove(*words, "--out", file)
        assert done.exit_code == 2, (words, done.stdout)
        assert said in " ".join(done.stderr.split())
        assert list(tmp_path.iterdir()) == []
    done = prove("--programme", 1, "--number", 1, "--out", tmp_path / "none" / "proof.json")
    assert done.exit_code == 2
    assert "there is no folder" in done.stderr
    file.write_text("another")
    done = prove("--programme", 1, "--number", 1, "--out", file)
    assert (done.exit_code, file.read_text()) == (2, "another")
    assert "is there already: it is never written over" in done.stderr


def test_an_earlier_block_proves_what_was_paid_until_then(
    scenario: Scenario, prove: Prove, proofs: dict[str, bytes]
) -> None:
    all_of_it = json.loads(proofs["stream"])["payout"]["payments"]
    before = int(all_of_it[2]["block"]) - 1
    batch = scenario.batches["streams"].hex
    done = prove("--batch", batch, "--index", 2, "--at", before)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["payout"]["payments"] == all_of_it[:2]


def test_a_node_without_receipts_by_block_is_asked_for_each(
    scenario: Scenario, prove: Prove, proofs: dict[str, bytes]
) -> None:
    def lie(method: str, _params: list[Any], result: Any) -> Any:
        if method == "eth_getBlockReceipts":
            raise Refuse(-32601, "the method does not exist")
        return result

    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        assert prove("--programme", 1, "--number", 6, rpc=url).stdout.encode() == proofs["number"]


def _receipt_altered(method: str, _params: list[Any], result: Any) -> Any:
    if method == "eth_getBlockReceipts":
        result[0]["cumulativeGasUsed"] = "0x1"
    return result


def _hash_altered(method: str, _params: list[Any], result: Any) -> Any:
    if method == "eth_getBlockByNumber":
        result["hash"] = "0x" + "ab" * 32
    return result


@pytest.mark.parametrize(
    ("lie", "code"),
    [(_receipt_altered, "receipts_root_mismatch"), (_hash_altered, "header_hash_mismatch")],
    ids=["a receipt", "a hash"],
)
def test_of_what_a_lying_node_says_no_proof_is_written(
    scenario: Scenario, prove: Prove, tmp_path: Path, lie: Any, code: str
) -> None:
    file = tmp_path / "proof.json"
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        done = prove("--programme", 1, "--number", 6, "--out", file, rpc=url)
    assert done.exit_code == 1
    assert code in done.stderr
    assert not file.exists()


def test_a_block_with_a_transaction_of_another_kind_cannot_be_proven(
    scenario: Scenario, prove: Prove
) -> None:
    def lie(method: str, _params: list[Any], result: Any) -> Any:
        if method == "eth_getBlockByNumber":
            for transaction in result["transactions"]:
                transaction["type"] = "0x7e"
        return result

    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        done = prove("--programme", 1, "--number", 6, rpc=url)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "has a type unknown here (0x7e)" in " ".join(done.stderr.split())


def test_as_json_it_says_what_the_file_proves_and_what_went_wrong(
    prove: Prove, tmp_path: Path
) -> None:
    done = prove("--programme", 1, "--number", 4, "--json", "--out", tmp_path / "proof.json")
    assert json.loads(done.stdout)["payout"]["number"] == "4"
    failed = prove("--programme", 1, "--number", 900, "--json")
    assert failed.exit_code == 2
    assert json.loads(failed.stdout)["error"]["code"] == "invalid_input"


def test_a_grants_proof_names_the_grant(scenario: Scenario, prove: Prove) -> None:
    grant = "0x" + keccak(text="grant seen").hex()
    done = prove("--grant", grant)
    assert json.loads(done.stdout)["payout"]["grant"] == grant
    assert scenario.deployed.token.lower() in done.stdout


def test_a_proof_is_not_written_through_a_link_that_somebody_put_beside_it(
    scenario: Scenario, prove: Prove, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "proof.json.draft").symlink_to(other)
    done = prove(
        "--batch", scenario.batches["plain"].hex, "--index", 1, "--out", tmp_path / "proof.json"
    )
    assert done.exit_code == 0, done.stderr
    assert other.read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("other", "proof.json", "proof.json.draft"),
    ]


def test_of_a_file_larger_than_a_proof_can_be_no_more_is_read(tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    with file.open("wb") as sparse:
        sparse.truncate(2**40)
    checked = run("verify-proof", file)
    assert checked.exit_code == 2
    assert "larger than a payment proof can be" in checked.stderr


@pytest.mark.parametrize(
    "result", [None, [], [None], [{"logs": 7}], "0x", {"transactions": ["0x"]}]
)
def test_receipts_that_are_none_prove_nothing_and_crash_nothing(
    scenario: Scenario, prove: Prove, result: Any
) -> None:
    def lie(method: str, _params: list[Any], true: Any) -> Any:
        return result if method == "eth_getBlockReceipts" else true

    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        done = prove("--batch", scenario.batches["plain"].hex, "--index", 1, rpc=url)
    assert done.exit_code == 3
    assert not done.stdout
