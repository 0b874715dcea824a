"""Manifests that are not what officers signed: the file, and where it can be told the line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from eth_hash.auto import keccak

from service.audit.findings import Code, Finding, Findings
from service.audit.manifests import ManifestCheck
from service.audit.replay import no_progress
from service.errors import InvalidInput
from tests.audit.checking import Replayed
from tests.audit.scenario import Scenario


@pytest.fixture
def folder(scenario: Scenario, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scenario.manifests, tmp_path / "manifests"))


def lines_of(folder: Path, batch: str) -> tuple[Path, list[str]]:
    path = folder / f"{batch}.jsonl"
    return path, path.read_text().splitlines(keepends=True)


def named(findings: list[Finding]) -> set[tuple[Code, str | None, int | None]]:
    return {(each.code, each.place.batch, each.place.index) for each in findings}


def one_unit_more(line: str) -> str:
    payout = json.loads(line)
    amount = str(int(payout["amount_base_units"]) + 1)
    return line.replace(payout["amount_base_units"], amount)


def other_case(line: str) -> str:
    return line.replace(json.loads(line)["commitment"], "ab" * 32)


CHANGES: dict[str, tuple[Callable[[list[str]], list[str]], int | None]] = {
    "an amount of line 3": (lambda lines: [*lines[:3], one_unit_more(lines[3]), *lines[4:]], 2),
    "a payee of line 2": (
        lambda lines: [*lines[:2], lines[2].replace(lines[2][-5:-3], "00"), *lines[3:]],
        1,
    ),
    "a line gone": (lambda lines: [*lines[:2], *lines[3:]], 1),
    "the last line gone": (lambda lines: lines[:-1], 4),
    "a line more": (lambda lines: [*lines, lines[-1].replace('"index":4', '"index":5')], 5),
    "two lines exchanged": (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 0),
    "a case": (
        lambda lines: [lines[0], other_case(lines[1]), *lines[2:]],
        None,
    ),
    "the maker": (
        lambda lines: [lines[0].replace('_officer_id":1', '_officer_id":2'), *lines[1:]],
        None,
    ),
    "a blank": (lambda lines: [lines[0].replace(",", ", ", 1), *lines[1:]], None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_manifest_is_named_and_the_line_where_it_can_be_told(
    scenario: Scenario, replayed: Replayed, folder: Path, change: str
) -> None:
    edit, index = CHANGES[change]
    batch = scenario.batches["plain"].hex
    path, lines = lines_of(folder, batch)
    path.write_text("".join(edit(lines)))
    found = named(replayed.against_manifests(folder))
    assert (Code.MANIFEST_HASH_MISMATCH, batch, None) in found
    assert index is None or (Code.MANIFEST_MISMATCH, batch, index) in found


def test_a_missing_manifest_is_named(scenario: Scenario, replayed: Replayed, folder: Path) -> None:
    batch = scenario.batches["streams"].hex
    (folder / f"{batch}.jsonl").unlink()
    assert named(replayed.against_manifests(folder)) == {(Code.MANIFEST_MISSING, batch, None)}


def test_the_manifest_of_a_batch_that_paid_nobody_is_not_missed(
    scenario: Scenario, replayed: Replayed, folder: Path
) -> None:
    (folder / f"{scenario.batches['cancelled'].hex}.jsonl").unlink()
    assert replayed.against_manifests(folder) == []


def test_one_case_in_a_grant_and_a_batch_names_both(
    scenario: Scenario, replayed: Replayed, folder: Path
) -> None:
    plain, grant = scenario.batches["plain"], keccak(b"grant seen")
    case = bytes.fromhex(json.loads(lines_of(folder, plain.hex)[1][2])["commitment"])
    state = replace(replayed.state, lane=replace(replayed.state.lane, cases={case: grant}))
    (finding,) = replace(replayed, state=state).against_manifests(folder)
    assert finding.code is Code.COMMITMENT_REPEATED
    assert (finding.place.batch, finding.place.index) == (plain.hex, 1)
    assert f"grant 0x{grant.hex()} of the emergency lane" in finding.message


def test_one_case_in_two_batches_names_both_payouts(
    scenario: Scenario, replayed: Replayed, folder: Path
) -> None:
    """Officers signed both: the manifests are right, and the case was paid twice."""
    plain, served = scenario.batches["plain"], scenario.batches["served"]
    case = json.loads(lines_of(folder, plain.hex)[1][1])["commitment"]
    path, lines = lines_of(folder, served.hex)
    payout = json.loads(lines[2])
    lines[2] = lines[2].replace(payout["commitment"], case)
    path.write_text("".join(lines))
    batch = replayed.state.batches[served.id]
    signed = replace(batch, approval=batch.approval | {"manifestHash": keccak(path.read_bytes())})
    state = replace(replayed.state, batches=replayed.state.batches | {served.id: signed})
    (finding,) = replace(replayed, state=state).against_manifests(folder)
    assert finding.code is Code.COMMITMENT_REPEATED
    assert (finding.place.batch, finding.place.index) == (served.hex, 1)
    assert f"payout 0 of batch {plain.hex}" in finding.message


def test_a_list_that_changes_after_it_was_checked_is_not_read(
    replayed: Replayed, folder: Path
) -> None:
    check = ManifestCheck(folder, replayed.state, Findings())
    check.run(replayed.time, no_progress)
    batch_id, *_ = check.signed.hashes
    lines = check.signed.of(batch_id)
    assert lines is not None
    assert check.signed.of(bytes(32)) is None
    path = folder / f"0x{batch_id.hex()}.jsonl"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(InvalidInput, match="changed meanwhile"):
        check.signed.of(batch_id)
    path.unlink()
    with pytest.raises(InvalidInput, match="changed meanwhile"):
        check.signed.of(batch_id)
