"""The manifest's bytes: what is written is read, and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.audit.auditor_key import canonical_json
from service.audit.reports.manifest import (
    MalformedManifest,
    Manifest,
    NamedFile,
    entries,
    is_inside,
)

GOOD = Manifest(
    chain_id=100,
    contracts={"vault": "0x" + "11" * 20},
    to_block=9,
    to_block_hash="0x" + "22" * 32,
    state_digest="0x" + "33" * 32,
    findings={"error": 0, "warning": 2},
    files=(NamedFile("a/b.csv", 3, "ab" * 32), NamedFile("report.html", 0, "cd" * 32)),
)


def test_what_is_written_is_read() -> None:
    assert Manifest.decoded(GOOD.encoded()) == GOOD
    assert GOOD.encoded() == (
        b'{"chain_id":100,"contracts":{"vault":"0x' + b"11" * 20 + b'"},"files":[{"bytes":3,'
        b'"path":"a/b.csv","sha256":"' + b"ab" * 32 + b'"},{"bytes":0,"path":"report.html",'
        b'"sha256":"' + b"cd" * 32 + b'"}],"findings":{"error":0,"warning":2},'
        b'"format":"relief-audit-report-1","state_digest":"0x' + b"33" * 32 + b'","to_block":9,'
        b'"to_block_hash":"0x' + b"22" * 32 + b'"}'
    )


def edited(edit: Callable[[dict[str, Any]], object]) -> bytes:
    document = json.loads(GOOD.encoded())
    edit(document)
    return canonical_json(document)


MALFORMED: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"{", "not JSON"),
    "JSON too deep to be written": (b"[" * 1000 + b"]" * 1000, "not JSON, or too deep"),
    "a list": (b"[]", "its format is not relief-audit-report-1"),
    "another format": (edited(lambda d: d.update(format="x")), "its format is not"),
    "a member more": (edited(lambda d: d.update(more=1)), "members beside"),
    "a member less": (edited(lambda d: d.pop("state_digest")), "state_digest"),
    "a count less": (edited(lambda d: d["findings"].pop("error")), "error"),
    "a number as text": (edited(lambda d: d.update(to_block="9")), "to_block is no whole number"),
    "truth as a number": (edited(lambda d: d.update(chain_id=True)), "chain_id is no whole"),
    "a negative length": (edited(lambda d: d["files"][0].update(bytes=-1)), "bytes is no whole"),
    "a number as a hash": (edited(lambda d: d["files"][0].update(sha256=1)), "is none"),
    "half a hash": (edited(lambda d: d["files"][0].update(sha256="ab")), "hash of a/b.csv is none"),
    "files no list": (edited(lambda d: d.update(files=7)), "another kind"),
    "contracts no object": (edited(lambda d: d.update(contracts=[])), "another kind"),
    "a number as an address": (edited(lambda d: d["contracts"].update(vault=1)), "spelled"),
    "another order": (edited(lambda d: d["files"].reverse()), "in the order of their paths"),
    "a file twice": (edited(lambda d: d["files"].append(d["files"][1])), "each there once"),
    "a way out": (edited(lambda d: d["files"][0].update(path="../b.csv")), "leads out"),
    "itself": (edited(lambda d: d["files"][0].update(path="manifest.json")), "cannot know"),
    "blanks": (json.dumps(json.loads(GOOD.encoded())).encode(), "spelled otherwise"),
    "a member twice": (
        GOOD.encoded().replace(b'{"chain_id":100,', b'{"chain_id":1,"chain_id":100,'),
        "spelled otherwise",
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_anything_else_is_no_manifest(what: str) -> None:
    data, words = MALFORMED[what]
    with pytest.raises(MalformedManifest, match=words):
        Manifest.decoded(data)


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("report.html", True),
        ("tables/payouts.csv", True),
        ("..html", True),
        ("", False),
        (".", False),
        ("/etc/passwd", False),
        ("../x", False),
        ("a/../../x", False),
        ("a/../x", False),
        ("a//x", False),
        ("./x", False),
        ("x/", False),
        ("a\\x", False),
        ("a\0x", False),
        ("//x", False),
    ],
)
def test_a_path_names_one_thing_below_the_folder(path: str, inside: bool) -> None:  # noqa: FBT001
    assert is_inside(path) is inside


def test_only_files_are_files_and_nothing_is_followed(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "file").write_text("")
    (tmp_path / "a").symlink_to("/")
    os.mkfifo(tmp_path / "pipe")
    assert dict(entries(tmp_path)) == {
        "a": "a symbolic link",
        "b/file": None,
        "pipe": "neither a file nor a folder",
    }


def test_folders_may_be_deep(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 1_200)
    deep.mkdir(parents=True)
    (deep / "f").write_text("")
    try:
        assert list(entries(tmp_path)) == [("d/" * 1_200 + "f", None)]
    finally:  # deeper than what clears temporary folders away can go
        (deep / "f").unlink()
        for _ in range(1_200):
            deep.rmdir()
            deep = deep.parent
