"""Tampering with what was handed over: each caught, with the words that say what."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from service.audit.auditor_key import AuditorKey, canonical_json
from service.audit.findings import Code, Findings, Place
from service.audit.report import ReplayReport
from service.audit.reports.folder import write_result
from service.audit.reports.manifest import seal
from service.audit.reports.verifying import check
from service.errors import InvalidInput
from service.terminal import json_document
from tests.audit.reports.conftest import Told

FILES = ("report.html", "report.pdf", "replay.json", "tables/payouts.csv")


def test_what_was_handed_over_holds(handed_over: Path, key: AuditorKey) -> None:
    checked = check(handed_over, key.public_hex)
    assert checked.problems == checked.notes == []
    assert (checked.signed_by, checked.trusted) == (key.public_hex, True)


def test_without_a_key_to_trust_it_says_whose_signature_it_is(
    handed_over: Path, key: AuditorKey
) -> None:
    checked = check(handed_over)
    assert checked.problems == []
    assert (checked.signed_by, checked.trusted) == (key.public_hex, None)
    (note,) = checked.notes
    assert key.public_hex in note
    assert "only the auditor can tell you" in note


# ---- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_changed_byte_of_any_file_is_caught(handed_over: Path, name: str) -> None:
    path = handed_over / name
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    problems = check(handed_over).problems
    assert f"{name} has the hash " in problems[0]
    assert len(problems) == (2 if name == "replay.json" else 1), "which is no JSON any more"


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_grew_is_caught(handed_over: Path, name: str) -> None:
    with (handed_over / name).open("ab") as file:
        file.write(b"\n")
    size = (handed_over / name).stat().st_size
    assert check(handed_over).problems == [f"{name} has {size} bytes, not {size - 1}"]


@pytest.mark.parametrize("name", FILES)
def test_a_removed_file_is_caught(handed_over: Path, name: str) -> None:
    (handed_over / name).unlink()
    problems = check(handed_over).problems
    assert problems[0] == f"{name} is missing"


@pytest.mark.parametrize("name", FILES)
def test_a_renamed_file_is_caught(handed_over: Path, name: str) -> None:
    (handed_over / name).rename(handed_over / "other")
    assert {"other is not named by the manifest", f"{name} is missing"} <= set(
        check(handed_over).problems
    )


@pytest.mark.parametrize("name", ["notes.txt", "tables/more.csv", "deep/er/x", ".hidden"])
def test_an_added_file_is_caught(handed_over: Path, name: str) -> None:
    (handed_over / name).parent.mkdir(parents=True, exist_ok=True)
    (handed_over / name).write_text("")
    assert check(handed_over).problems == [f"{name} is not named by the manifest"]


@pytest.mark.parametrize("name", FILES)
def test_a_link_to_the_very_same_bytes_is_refused(
    handed_over: Path, tmp_path: Path, name: str
) -> None:
    elsewhere = (handed_over / name).rename(tmp_path / "elsewhere")
    (handed_over / name).symlink_to(elsewhere)
    problems = check(handed_over).problems
    assert f"{name} is a symbolic link: nothing but files belongs here" in problems
    assert f"{name} is missing" in problems


def test_a_link_to_a_folder_is_refused(handed_over: Path, tmp_path: Path) -> None:
    elsewhere = (handed_over / "tables").rename(tmp_path / "elsewhere")
    (handed_over / "tables").symlink_to(elsewhere)
    assert check(handed_over).problems == [
        "tables is a symbolic link: nothing but files belongs here",
        "tables/payouts.csv is missing",
    ]


def test_a_pipe_is_refused_and_not_waited_for(handed_over: Path) -> None:
    (handed_over / "report.pdf").unlink()
    os.mkfifo(handed_over / "report.pdf")
    assert check(handed_over).problems == [
        "report.pdf is neither a file nor a folder: nothing but files belongs here",
        "report.pdf is missing",
    ]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"\x1b[2J\x1b[Hthe report holds", "\\u001b[2J\\u001b[Hthe report holds"),
        (b"x\nthe report holds", "x\\nthe report holds"),
        ("\u202efdp".encode(), "\\u202efdp"),
        (b"\xff", "\\udcff"),
    ],
)
def test_a_name_that_would_hide_what_is_wrong_is_shown_for_what_it_is(
    handed_over: Path, name: bytes, shown: str
) -> None:
    Path(os.fsdecode(os.fsencode(handed_over) + b"/" + name)).write_text("")
    checked = check(handed_over)
    assert checked.problems == [f"{shown} is not named by the manifest"]
    assert b"is not named by" in json_document(checked.as_json())


# ---- the manifest --------------------------------------------------------------------------------


def rewritten(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    document = json.loads(path.read_bytes())
    edit(document)
    path.write_bytes(canonical_json(document))


FIELDS: dict[str, Callable[[dict[str, Any]], object]] = {
    "format": lambda d: d.update(format="relief-audit-report-0"),
    "chain_id": lambda d: d.update(chain_id=1),
    "contracts": lambda d: d["contracts"].update(vault="0x" + "00" * 20),
    "to_block": lambda d: d.update(to_block=d["to_block"] + 1),
    "to_block_hash": lambda d: d.update(to_block_hash="0x" + "00" * 32),
    "state_digest": lambda d: d.update(state_digest="0x" + "00" * 32),
    "findings": lambda d: d["findings"].update(error=1),
    "a path": lambda d: d["files"][0].update(path="replay.jsom"),
    "a length": lambda d: d["files"][0].update(bytes=1),
    "a hash": lambda d: d["files"][0].update(sha256="00" * 32),
    "a file less": lambda d: d["files"].pop(),
    "a file more": lambda d: d["files"].append({"path": "z", "bytes": 0, "sha256": "00" * 32}),
}

WORDS = {
    "format": "manifest.json is no manifest of a report: its format is not relief-audit-report-1",
    "chain_id": "the manifest's chain_id is 1, replay.json has 31337",
    "contracts": "the manifest's contracts is ",
    "to_block": "the manifest's to_block is ",
    "to_block_hash": "the manifest's to_block_hash is ",
    "state_digest": "the manifest's state_digest is ",
    "findings": "the manifest's findings is ",
    "a path": "replay.jsom is missing",
    "a length": "bytes, not 1",
    "a hash": "replay.json has the hash ",
    "a file less": "tables/payouts.csv is not named by the manifest",
    "a file more": "z is missing",
}


@pytest.mark.parametrize("what", FIELDS)
def test_a_changed_field_of_the_manifest_is_caught(
    handed_over: Path, key: AuditorKey, what: str
) -> None:
    rewritten(handed_over, FIELDS[what])
    problems = check(handed_over).problems
    assert problems[0] == f"manifest.json is not what the key {key.public_hex} signed"
    assert any(WORDS[what] in problem for problem in problems[1:])


@pytest.mark.parametrize("what", FIELDS)
def test_a_changed_field_is_caught_without_a_signature_too(handed_over: Path, what: str) -> None:
    rewritten(handed_over, FIELDS[what])
    (handed_over / "manifest.sig").unlink()
    checked = check(handed_over)
    assert any(WORDS[what] in problem for problem in checked.problems)
    assert checked.notes == ["not signed: anybody can have written this report"]


def test_a_manifest_spelled_otherwise_is_caught(handed_over: Path) -> None:
    path = handed_over / "manifest.json"
    path.write_bytes(path.read_bytes() + b"\n")
    assert [problem[:40] for problem in check(handed_over).problems] == [
        "manifest.json is not what the key " + path.with_name("manifest.sig").read_text()[15:21],
        "manifest.json is no manifest of a report",
    ]


def test_a_folder_without_a_manifest_is_no_report(handed_over: Path) -> None:
    (handed_over / "manifest.json").unlink()
    with pytest.raises(InvalidInput, match=r"is no report: there is no file manifest\.json in it"):
        check(handed_over)


def test_a_link_to_the_manifest_is_refused(handed_over: Path, tmp_path: Path) -> None:
    elsewhere = (handed_over / "manifest.json").rename(tmp_path / "elsewhere")
    (handed_over / "manifest.json").symlink_to(elsewhere)
    assert check(handed_over).problems == [
        "manifest.json is a symbolic link: nothing but files belongs here"
    ]


def test_a_manifest_that_leads_out_is_refused(handed_over: Path) -> None:
    (handed_over.parent / "secret").write_text("")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    entry = {"path": "../secret", "bytes": 0, "sha256": empty}
    rewritten(handed_over, lambda document: document["files"].insert(0, entry))
    (handed_over / "manifest.sig").unlink()
    (problem,) = check(handed_over).problems
    assert "'../secret' leads out of the folder" in problem


# ---- the signature -------------------------------------------------------------------------------


def resigned(folder: Path, **members: object) -> None:
    path = folder / "manifest.sig"
    path.write_bytes(canonical_json(json.loads(path.read_bytes()) | members))


def test_a_changed_signature_is_caught(handed_over: Path, key: AuditorKey) -> None:
    resigned(handed_over, signature="00" * 64)
    assert check(handed_over).problems == [
        f"manifest.json is not what the key {key.public_hex} signed"
    ]


def test_another_key_beside_the_signature_is_caught(handed_over: Path) -> None:
    resigned(handed_over, public_key="00" * 32)
    assert check(handed_over).problems == [f"manifest.json is not what the key {'00' * 32} signed"]


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[1,2]", b'{"public_key":"","signature":"","x":1}', b"[" * 1000 + b"]" * 1000],
)
def test_what_is_no_signature_is_caught(handed_over: Path, data: bytes) -> None:
    (handed_over / "manifest.sig").write_bytes(data)
    assert check(handed_over).problems == [
        "manifest.sig is no signature: it holds a public key and a signature"
    ]


@pytest.mark.parametrize(
    "respell",
    [
        lambda data: data + b"\n",
        lambda data: data.upper().replace(b"PUBLIC_KEY", b"public_key"),
        lambda data: b'{"public_key":"00",' + data[1:],
    ],
)
def test_a_signature_spelled_otherwise_is_caught(
    handed_over: Path, respell: Callable[[bytes], bytes]
) -> None:
    path = handed_over / "manifest.sig"
    path.write_bytes(respell(path.read_bytes()))
    assert check(handed_over).problems == [
        "manifest.sig is no signature: it holds a public key and a signature"
    ]


def test_a_report_signed_by_somebody_else_is_not_trusted(
    handed_over: Path, tmp_path: Path, key: AuditorKey
) -> None:
    other = AuditorKey.create(tmp_path / "other.pem")
    data = (handed_over / "manifest.json").read_bytes()
    resigned(handed_over, public_key=other.public_hex, signature=other.sign(data))
    assert check(handed_over).problems == []
    checked = check(handed_over, key.public_hex)
    assert checked.problems == [f"signed by the key {other.public_hex}, which you do not trust"]
    assert checked.trusted is False


def test_a_removed_signature_is_caught_by_who_knows_the_key(
    handed_over: Path, key: AuditorKey
) -> None:
    (handed_over / "manifest.sig").unlink()
    assert check(handed_over, key.public_hex).problems == [
        "manifest.sig is missing: the key you trust signed nothing"
    ]


def test_the_trusted_key_may_be_spelled_large(handed_over: Path, key: AuditorKey) -> None:
    assert check(handed_over, key.public_hex.upper()).trusted is True


# ---- the result ----------------------------------------------------------------------------------


def forged(folder: Path, told: Told, key: AuditorKey, edit: Callable[[Any], object]) -> None:
    """Write another result and seal it again, as an auditor who lies would."""
    path = folder / "replay.json"
    result = json.loads(path.read_bytes())
    edit(result)
    path.write_text(json.dumps(result))
    for name in ("manifest.json", "manifest.sig"):
        (folder / name).unlink()
    seal(folder, told.report, key)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


LIES: dict[str, tuple[Callable[[Any], object], str]] = {
    "another digest": (
        lambda r: r.update(state_digest="0x" + "00" * 32),
        "replay.json has 0x" + "00" * 32,
    ),
    "a block less": (lambda r: r.update(to_block=3), "the manifest's to_block is"),
    "differences not listed": (lambda r: r.update(differences=2), "2 differences and lists 0"),
    "a finding not counted": (
        lambda r: r["findings"].append({"severity": "warning", "code": "x"}),
        "replay.json has {'error': 0, 'warning': 1}",
    ),
    "no findings": (lambda r: r.pop("findings"), "replay.json is no result of a replay"),
    "a finding that is none": (lambda r: r["findings"].append(7), "is no result of a replay"),
    "a finding without a code": (
        lambda r: r["findings"].append({"severity": "error"}),
        "is no result of a replay",
    ),
    "a finding whose code is a list": (
        lambda r: r["findings"].append({"severity": "error", "code": []}),
        "is no result of a replay",
    ),
    "a finding nobody can write": (
        lambda r: r["findings"].append({"severity": "error", "code": "x", "found": nested(300)}),
        "is no result of a replay",
    ),
    "a block nobody can write": (lambda r: r.update(to_block=nested(990)), "is no result of"),
    "findings that are none": (lambda r: r.update(findings=7), "is no result of a replay"),
}


@pytest.mark.parametrize("what", LIES)
def test_a_result_that_contradicts_its_manifest_is_caught(
    handed_over: Path, told: Told, key: AuditorKey, what: str
) -> None:
    edit, words = LIES[what]
    forged(handed_over, told, key, edit)
    (problem,) = check(handed_over, key.public_hex).problems
    assert words in problem


def test_a_report_that_leaves_a_finding_out_or_invents_one_is_caught_by_another_replay(
    told: Told, key: AuditorKey, tmp_path: Path
) -> None:
    honest, lying = Findings(), Findings()
    honest.error(Code.BUDGET_EXCEEDED, "the batch passes a limit", Place(block=7))
    lying.error(Code.TIER_EXCEEDED, "the batch passes a limit", Place(block=8))
    # What only one node, or one set of manifests, shows is no difference between two honest audits.
    lying.error(Code.LOG_MALFORMED, "a log", Place(block=9))
    lying.error(Code.MANIFEST_MISSING, "a manifest", Place(block=9))
    said = replace(told.report, findings=lying.items)
    write_result(tmp_path, said)
    seal(tmp_path, said, key)
    checked = check(tmp_path, key.public_hex)
    assert checked.problems == []
    checked.replay_again(lambda _: replace(told.report, findings=honest.items))
    assert [problem.split(": ")[0] for problem in checked.problems] == [
        "the report leaves out a finding",
        "the report has, and the chain replayed again has not, a finding",
    ]
    assert '"code":"budget_exceeded"' in checked.problems[0]
    assert '"code":"tier_exceeded"' in checked.problems[1]


@pytest.mark.parametrize("what", ["totals", "grants", "events_by_contract", "code_hashes"])
def test_figures_that_the_chain_does_not_have_are_caught_by_another_replay(
    handed_over: Path, told: Told, key: AuditorKey, what: str
) -> None:
    forged(handed_over, told, key, lambda result: result.update({what: {}}))
    checked = check(handed_over, key.public_hex)
    assert checked.problems == []
    checked.replay_again(lambda _: told.report)
    assert checked.problems == [f"replayed again, {what} of replay.json is another"]


AGAIN: dict[str, tuple[Callable[[ReplayReport], ReplayReport], str]] = {
    "digest": (lambda r: replace(r, state_digest="0x00"), "the state digest is 0x00"),
    "block": (lambda r: replace(r, to_block_hash="0x00"), "the hash of the last block is 0x00"),
    "chain": (lambda r: replace(r, chain_id=1), "the chain is 1, not 31337"),
    "vault": (lambda r: replace(r, addresses={}), "the contracts is {}"),
}


@pytest.mark.parametrize("what", AGAIN)
def test_another_chain_than_the_reports_is_told(handed_over: Path, told: Told, what: str) -> None:
    change, words = AGAIN[what]
    checked = check(handed_over)
    checked.replay_again(lambda _: change(told.report))
    (problem,) = checked.problems
    assert words in problem


# ---- wrong input ---------------------------------------------------------------------------------


def test_wrong_input_is_named(handed_over: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is no folder"):
        check(tmp_path / "nothing")
    with pytest.raises(InvalidInput, match="is no folder"):
        check(handed_over / "report.html")
    for text in ("", "00", "zz" * 32, "00" * 33):
        with pytest.raises(InvalidInput, match="--trusted-key is no public key"):
            check(handed_over, text)
