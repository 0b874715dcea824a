"""``relief batch manifest``: the signed lists of payouts, handed out to an auditor."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Cli, pay


def test_an_auditor_replays_with_the_lists_that_the_office_handed_out(
    ready: Cli, tmp_path: Path
) -> None:
    paid, streams = pay(ready, "one_off"), pay(ready, "stream")
    lists = tmp_path / "lists"
    items = ready.ok("batch", "manifest", "--all", "--programme", "flood", "--out", lists)["items"]
    assert [(item["batch_id"], item["count"], item["written"]) for item in items] == [
        (paid, 2, True),
        (streams, 2, True),
    ]
    stored = ready.app.settings.resolved_manifests_dir
    for path in lists.iterdir():
        assert path.read_bytes() == (stored / path.name).read_bytes()

    settings = ready.app.settings
    ran = ready(
        *("audit", "replay", "--rpc", settings.rpc_url, "--vault", ready.app.deployment.vault),
        *("--manifests", lists, "--json"),
    )
    document = json.loads(ran.out)
    assert (ran.code, document["findings"]) == (0, [])
    assert document["manifests_checked"] == 2

    again = ready.ok("batch", "manifest", streams[:12], paid[:12], paid, "--out", lists)["items"]
    assert [(item["batch_id"], item["written"]) for item in again] == [
        (streams, False),
        (paid, False),
    ]


def test_where_one_list_cannot_be_handed_out_none_is(ready: Cli, tmp_path: Path) -> None:
    paid, streams = pay(ready, "one_off"), pay(ready, "stream")
    stored, lists = ready.app.settings.resolved_manifests_dir, tmp_path / "lists"
    path = stored / f"{streams}.jsonl"
    content = path.read_bytes()

    path.write_bytes(content.replace(b'"index":1', b'"index":2'))
    ran = ready("batch", "manifest", "--all", "--out", lists, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (3, "integrity_error")
    assert [problem["value"] for problem in ran.json["error"]["problems"]] == [streams]
    assert (
        f"{path.name} in the manifests' folder {stored} was changed" in ran.json["error"]["detail"]
    )
    path.unlink()
    ran = ready("batch", "manifest", "--all", "--out", lists)
    assert ran.code == 3
    assert "is missing in the manifests' folder" in " ".join(ran.err.split())
    assert not lists.exists()

    path.write_bytes(content)
    lists.mkdir()
    (lists / path.name).write_text("mine")
    ran = ready("batch", "manifest", paid, streams, "--out", lists, "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "already_exists")
    assert [file.read_text() for file in lists.iterdir()] == ["mine"]


def test_what_to_hand_out_must_be_said(cli: Cli, tmp_path: Path) -> None:
    out = tmp_path / "lists"
    batch = "0x" + "ab" * 32
    for words, code, said in (
        ((), 2, "name batches, or give --all"),
        ((batch, "--all"), 2, "name batches, or give --all"),
        ((batch, "--programme", "flood"), 2, "--programme goes with --all"),
        ((batch,), 1, f"there is no batch {batch}"),
        (("--all", "--programme", "flood"), 1, "there is no programme flood"),
    ):
        ran = cli("batch", "manifest", *words, "--out", out)
        assert ran.code == code, words
        assert said in " ".join(ran.err.split())
        assert not out.exists()
    (tmp_path / "file").write_text("mine")
    ran = cli("batch", "manifest", "--all", "--out", tmp_path / "file")
    assert ran.code == 2
    assert "is no folder" in " ".join(ran.err.split())
