"""What was found of a mutant is there for the next run, in an order that shows what changed."""

from __future__ import annotations

import json
from pathlib import Path

from scripts.mutation.record import Record, Result


def result(mutant: str, *, line: int = 1, outcome: str = "killed") -> Result:
    return {"mutant": mutant, "path": "contracts/A.sol", "line": line, "outcome": outcome}


def test_what_is_kept_is_found_again_in_the_order_of_the_source(tmp_path: Path) -> None:
    record = Record(tmp_path / "judged.jsonl")
    record.keep(result("A.b — c", line=10))
    record.keep(result("A.a", line=9))
    record.keep(result("A.b — c", line=10, outcome="survived"))

    assert Record(tmp_path / "judged.jsonl").results == record.results
    lines = (tmp_path / "judged.jsonl").read_text().splitlines()
    assert [(json.loads(line)["mutant"], json.loads(line)["outcome"]) for line in lines] == [
        ("A.a", "killed"),
        ("A.b — c", "survived"),
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "judged.jsonl"]


def test_of_two_files_joined_the_later_line_counts(tmp_path: Path) -> None:
    one, other = tmp_path / "one.jsonl", tmp_path / "other.jsonl"
    for path, outcome in ((one, "survived"), (other, "killed")):
        record = Record(path)
        record.keep(result("A.a", outcome=outcome))
        record.keep(result(path.stem))
    one.write_text(one.read_text() + other.read_text())

    found = Record(one).results
    assert found.keys() == {"A.a", "one", "other"}
    assert found["A.a"]["outcome"] == "killed"


def test_mutants_that_are_no_more_are_forgotten(tmp_path: Path) -> None:
    record = Record(tmp_path / "judged.jsonl")
    record.keep(result("A.a"))
    record.keep(result("A.b"))

    record.forget_all_but({"A.b", "A.c"})
    assert Record(tmp_path / "judged.jsonl").results.keys() == {"A.b"}
