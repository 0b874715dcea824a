"""``relief audit replay --out`` as an auditor runs it."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.audit.exports.conftest import Relief
from tests.audit.scenario import Scenario


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_all_formats_are_written_unless_some_are_chosen(
    exported: Path, relief: Relief, tmp_path: Path
) -> None:
    report = ["report.html", "report.pdf"]
    always = ["manifest.json", "replay.json"]
    assert names(exported) == sorted(
        ["archive", "csv", "jsonl", "parquet", "relief.sqlite", *report, *always]
    )
    done = relief("--out", tmp_path / "some", "--format", "csv", "--format", "sqlite")
    assert done.exit_code == 0, done.output
    assert names(tmp_path / "some") == ["csv", "manifest.json", "relief.sqlite", "replay.json"]


def test_a_report_alone_has_no_tables(relief: Relief, tmp_path: Path) -> None:
    done = relief("--out", tmp_path / "page", "--format", "html")
    assert done.exit_code == 0, done.output
    assert names(tmp_path / "page") == ["manifest.json", "replay.json", "report.html"]


def test_a_format_asked_for_twice_is_written_once(relief: Relief, tmp_path: Path) -> None:
    done = relief("--out", tmp_path / "twice", "--format", "jsonl", "--format", "jsonl")
    assert done.exit_code == 0, done.output
    assert names(tmp_path / "twice") == ["jsonl", "manifest.json", "replay.json"]


def test_differences_are_written_too_and_exit_1(
    scenario: Scenario, relief: Relief, tmp_path: Path
) -> None:
    edited = scenario.copy_of_database(tmp_path)
    batch = scenario.batches["plain"].hex
    with closing(sqlite3.connect(edited)) as connection:
        query = "UPDATE payouts SET state = 'skipped' WHERE batch_id = ? AND \"index\" = 1"
        connection.execute(query, (batch,))
        connection.commit()
    out = tmp_path / "out"
    done = relief("--out", out, "--database", f"sqlite:///{edited}", "--json")
    assert done.exit_code == 1
    assert (out / "replay.json").read_text() == done.stdout
    (line,) = (out / "jsonl" / "findings.jsonl").read_text().splitlines()
    finding = json.loads(line)
    assert (finding["severity"], finding["code"]) == ("error", "database_mismatch")
    assert (finding["batch_id"], finding["payout_index"], finding["number"]) == (batch, 1, 2)
    assert json.loads((out / "jsonl" / "report.jsonl").read_text())["differences"] == 1


def test_a_folder_in_use_exits_2_and_is_left_alone(relief: Relief, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = relief("--out", tmp_path)
    assert done.exit_code == 2
    assert "has something in it" in " ".join(done.stderr.split())
    assert names(tmp_path) == ["mine.txt"]


def test_a_format_without_a_folder_exits_2(relief: Relief) -> None:
    done = relief("--format", "csv")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--out" in done.stderr


@pytest.mark.parametrize("option", [("--to-block", "1"), ("--database", "sqlite:////no/where.db")])
def test_a_replay_that_fails_leaves_nothing(
    relief: Relief, tmp_path: Path, option: tuple[str, str]
) -> None:
    done = relief("--out", tmp_path / "out", *option)
    assert done.exit_code in {2, 3}
    assert names(tmp_path) == []


def test_blocks_that_begin_too_late_are_written_with_the_one_finding(
    relief: Relief, exported: Path, tmp_path: Path
) -> None:
    report = json.loads((exported / "replay.json").read_text())
    out = tmp_path / "late"
    done = relief("--out", out, "--from-block", report["to_block"] - 3)
    assert done.exit_code == 1, done.output
    (line,) = (out / "jsonl" / "findings.jsonl").read_text().splitlines()
    assert json.loads(line)["code"] == "deployment_not_read"


def test_words_of_a_manifest_that_would_be_a_formula_are_told_and_do_nothing(
    scenario: Scenario, relief: Relief, tmp_path: Path
) -> None:
    manifests = tmp_path / "manifests"
    shutil.copytree(scenario.manifests, manifests)
    path = manifests / f"{scenario.batches['plain'].hex}.jsonl"
    header, _, lines = path.read_text().partition("\n")
    changed = json.dumps(json.loads(header) | {"kind": "=1+2\n"})
    path.write_text(f"{changed}\n{lines}")
    done = relief("--out", tmp_path / "out", "--manifests", manifests, "--json")
    assert done.exit_code == 1, done.output
    found = {row["code"]: row["found"] for row in json.loads(done.stdout)["findings"]}
    assert found.keys() == {"manifest_hash_mismatch", "manifest_mismatch"}
    assert found["manifest_mismatch"] == "=1+2\n"
    with (tmp_path / "out" / "csv" / "findings.csv").open(newline="") as file:
        rows = {row["code"]: row["found"] for row in csv.DictReader(file)}
    assert rows["manifest_mismatch"] == "'=1+2\\n"
