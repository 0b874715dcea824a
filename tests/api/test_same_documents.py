"""A thing has one shape: over HTTP, on the command line, in a list and alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from service.cli.main import app as command_line
from tests.api.conftest import Office
from tests.support.deployed import account

WALLET = account("one-off 0").address


class Both:
    """The same question asked of the API and of the command line."""

    def __init__(self, office: Office, capsys: pytest.CaptureFixture[str]) -> None:
        import typer.main

        self._office = office
        self._capsys = capsys
        self._root = typer.main.get_command(command_line)

    def api(self, path: str) -> Any:
        return self._office.api.ok("GET", f"/v1/{path}")

    def cli(self, *args: str) -> Any:
        self._capsys.readouterr()
        code = self._root.main(
            [*args, "--json"], standalone_mode=False, obj=self._office.api.application
        )
        out, err = self._capsys.readouterr()
        assert not code, err
        return json.loads(out)


@pytest.fixture
def both(office: Office, capsys: pytest.CaptureFixture[str]) -> Both:
    return Both(office, capsys)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_api_and_command_line_give_the_same(office: Office, both: Both) -> None:
    granted = office.grant("A-1")
    batch_id = office.pay()
    streams = office.pay("stream")
    proposal = {"reason": "the household moved away"}
    action = office.api.ok("POST", f"/v1/streams/{streams}/1/cancel", json=proposal)["id"]
    asked = office.api.ok("POST", f"/v1/batches/{streams}/withdraw")["items"]
    assert both.cli("stream", "withdraw", streams, "--all")["items"] == asked

    for path, command in {
        "programmes": "programme list",
        "batches": "batch list",
        "actions": "action list",
        "payouts": "payout list",
        "cases": "cases list",
        "officers": "officer list",
        "emergency/grants": "emergency list",
    }.items():
        assert both.api(path)["items"] == both.cli(*command.split())["items"], path
    for path, command in {
        "cases/A-0": "cases show A-0",
        f"batches/{batch_id}": f"batch show {batch_id}",
        f"actions/{action}": f"action show {action}",
        f"payouts/{batch_id}/0": f"payout show {batch_id}:0",
        f"wallets/{WALLET}": f"wallet show {WALLET}",
        "reserve": "reserve show",
        "expiry": "batch due",
        "cap": "cap show",
        "minters": "minter list",
        "roles": "role list",
        "pauses": "pause show",
        f"emergency/grants/{granted}": f"emergency show {granted}",
        "emergency/limits?region=510722&officer_id=3": "emergency limits --region 510722 "
        "--officer 3",
    }.items():
        assert both.api(path) == both.cli(*command.split()), path
    for path, command in {
        "programmes/1": "programme show 1",
        f"streams/{streams}/0": f"stream show {streams}:0",
    }.items():
        shown = both.cli(*command.split())
        assert shown.pop("chain")["block_number" if path == "programmes/1" else "id"]
        assert {**both.api(path), "as_of": None} == {**shown, "as_of": None}, path
    ledger = both.cli("ledger", "show", "--entries", "500")
    assert both.api("ledger/balances")["items"] == ledger["accounts"]
    assert both.api("ledger/entries?limit=500")["items"] == ledger["entries"][::-1]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_lists_item_is_part_of_what_is_shown(office: Office, both: Both) -> None:
    batch_id = office.pay("stream")
    office.api.ok("POST", f"/v1/streams/{batch_id}/1/cancel", json={"reason": "moved away"})
    office.api.ok("POST", f"/v1/batches/{batch_id}/withdraw")
    office.grant("A-0")
    for path, key in {
        "programmes": "number",
        "batches": "id",
        "actions": "id",
        "requests": "id",
        "cases": "id",
        "emergency/grants": "id",
    }.items():
        for item in both.api(path)["items"]:
            shown = both.api(f"{path}/{item[key]}")
            assert item.items() <= shown.items(), path


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_api_and_command_line_give_a_batchs_manifest_to_the_byte(
    office: Office, both: Both, tmp_path: Path
) -> None:
    batch_id, other = office.build(), office.build("stream")
    stored = office.api.application.settings.resolved_manifests_dir / f"{batch_id}.jsonl"
    reply = office.api.get(f"/v1/batches/{batch_id}/manifest")
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert reply.headers["Content-Disposition"] == f'attachment; filename="{stored.name}"'
    assert reply.headers["Content-Length"] == str(len(reply.content))
    (item,) = both.cli("batch", "manifest", batch_id, "--out", str(tmp_path / "lists"))["items"]
    assert Path(item["file"]) == tmp_path / "lists" / stored.name
    assert Path(item["file"]).read_bytes() == reply.content == stored.read_bytes()
    shown = both.api(f"batches/{batch_id}")
    assert "0x" + keccak(reply.content).hex() == shown["manifest_hash"] == item["manifest_hash"]
    head = office.api.head(f"/v1/batches/{batch_id}/manifest")
    assert (head.content, head.headers["Content-Length"]) == (b"", reply.headers["Content-Length"])
    # Officers were asked to sign neither: there is no signed list yet.
    assert both.cli("batch", "manifest", "--all", "--out", str(tmp_path / "signed"))["items"] == []
    office.sign(f"/v1/batches/{other}", 1)
    (item,) = both.cli("batch", "manifest", "--all", "--out", str(tmp_path / "signed"))["items"]
    assert item["batch_id"] == other


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_api_gives_no_manifest_that_is_lost_changed_or_of_no_batch(office: Office) -> None:
    batch_id = office.build()
    path = f"/v1/batches/{batch_id}/manifest"
    stored = office.api.application.settings.resolved_manifests_dir / f"{batch_id}.jsonl"
    with stored.open("ab") as file:
        file.write(b"\n")
    changed = office.api.get(path)
    stored.unlink()
    lost = office.api.get(path)
    for reply in (changed, lost):
        assert (reply.status_code, reply.json()["code"]) == (500, "integrity_error")
        assert str(stored.parent) not in reply.text
    unknown = office.api.get(f"/v1/batches/0x{'ab' * 32}/manifest")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert office.api.get("/v1/batches/0x12/manifest").status_code == 400
