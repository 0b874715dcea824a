"""An archive tells what the chain told: the same document, and no file of it can be changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.audit.archive.answers import RecordingNode
from service.audit.archive.schemas import BLOCKS_FILE, LOGS_FILE, TRANSFERS_FILE
from service.audit.archive.writing import ArchiveWriter
from service.audit.replay import Options, replay
from service.audit.reports.folder import write_result
from service.audit.reports.manifest import seal
from tests.audit.archive.making import codes, edit, part_file, resealed, result_of, run
from tests.audit.scenario import Scenario

SAME = (
    *("chain_id", "contracts", "code_hashes", "from_block", "to_block", "to_block_hash"),
    *("events", "events_by_contract", "totals", "grants", "state_digest", "manifests_checked"),
)


def test_an_archive_gives_the_chains_document(scenario: Scenario, made: Path) -> None:
    where = ("--rpc", scenario.deployed.node.rpc_url, "--vault", scenario.deployed.vault)
    manifests = ("--manifests", scenario.manifests)
    chain = result_of(*where, *manifests)
    alone = result_of("--archive", made / "made", *manifests)
    for name in SAME:
        assert alone[name] == chain[name], name
    (warning,) = alone["findings"]
    assert (warning["code"], warning["severity"]) == ("evidence_weak", "warning")
    assert f"{chain['evidence']['receipts_proven']} receipts roots" in warning["message"]
    assert (made / "public").read_text() in warning["message"]
    assert (alone["views_compared"], alone["evidence"]["blocks"]) == (
        0,
        chain["evidence"]["blocks"],
    )
    assert alone["evidence"]["hashes_recomputed"] == chain["evidence"]["hashes_recomputed"] > 0
    assert alone["evidence"]["receipts_proven"] == 0


def test_in_many_parts_it_tells_the_same(scenario: Scenario, made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    writer = ArchiveWriter(folder / "archive", blocks_a_part=1)
    vault = bytes.fromhex(scenario.deployed.vault[2:])
    with RecordingNode(scenario.deployed.node.rpc_url) as node:
        report = replay(node, Options(vault), writer=writer)
        writer.finish(node)
    write_result(folder, report)
    seal(folder, report, None)
    assert len(writer.parts) > 1
    assert [path.name for path in sorted(folder.glob("archive/blocks-*"))] == writer.parts
    many, one = result_of("--archive", folder), result_of("--archive", made / "made")
    for name in SAME:
        assert many[name] == one[name], name
    shutil.rmtree(folder / "archive" / writer.parts[0])
    assert "sequence_gap" in codes(result_of("--archive", resealed(folder), code=1))


def test_parts_that_do_not_follow_upon_each_other_are_refused(archive: Path) -> None:
    (part,) = (archive / "archive").glob("blocks-*")
    part.rename(part.with_name("blocks-000000000000-000000000009"))
    done = run("replay", "--archive", resealed(archive))
    assert (done.exit_code, "do not follow" in " ".join(done.stderr.split())) == (2, True)
    part.with_name("blocks-000000000000-000000000009").rename(part.with_name("blocks-x"))
    done = run("replay", "--archive", resealed(archive))
    assert (done.exit_code, "no name of an archive's part" in done.stderr) == (2, True)


def test_with_a_node_beside_views_and_database_are_compared_too(
    scenario: Scenario, made: Path
) -> None:
    where = ("--rpc", scenario.deployed.node.rpc_url)
    database = ("--database", scenario.database_url)
    chain = result_of(*where, "--vault", scenario.deployed.vault, *database)
    both = result_of(*where, "--archive", made / "made", *database)
    for name in (*SAME, "views_compared", "database_rows_compared"):
        assert both[name] == chain[name], name
    assert codes(both) == {"evidence_weak"}


def test_a_report_made_of_an_archive_is_the_one_made_of_the_chain(
    made: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    result_of("--archive", made / "made", "--out", out, "--format", "csv", "--format", "html")
    assert run("verify-report", out).exit_code == 0
    assert (out / "report.html").is_file()


def test_whatever_its_folder_is_called(made: Path, tmp_path: Path) -> None:
    odd = tmp_path / "year=2026" / "it's [a] *star? {x}"
    odd.parent.mkdir()
    shutil.copytree(made / "made", odd)
    assert result_of("--archive", odd) == result_of("--archive", made / "made")


def before_time(rows: list[dict[str, Any]]) -> None:
    rows[5]["timestamp"] = -1


def test_who_signed_it_can_be_asked_for(made: Path, archive: Path) -> None:
    key = (made / "public").read_text()
    result_of("--archive", made / "made", "--trusted-key", key)
    done = run("replay", "--archive", resealed(archive), "--trusted-key", key)
    assert (done.exit_code, "none of the trusted keys signed it" in done.stderr) == (2, True)


@pytest.mark.parametrize("name", [BLOCKS_FILE, LOGS_FILE, TRANSFERS_FILE, "answers.jsonl"])
def test_a_file_that_is_not_the_manifests_is_refused(archive: Path, name: str) -> None:
    path = part_file(archive, name)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    done = run("replay", "--archive", archive)
    assert done.exit_code == 2
    assert "does not hold" in done.stderr
    assert name in done.stderr.replace("\n", "")


def drop_mint(rows: list[dict[str, Any]]) -> None:
    del rows[0]


def more_money(rows: list[dict[str, Any]]) -> None:
    rows[0]["value"] += 1


def other_payee(rows: list[dict[str, Any]]) -> None:
    rows[0]["target"] = b"\x77" * 20


def drop_log(rows: list[dict[str, Any]]) -> None:
    del rows[len(rows) // 2]


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        (TRANSFERS_FILE, drop_mint, {"mint_missing", "accounting_mismatch"}),
        (TRANSFERS_FILE, more_money, {"mint_missing", "mint_unexplained"}),
        (TRANSFERS_FILE, other_payee, {"mint_missing", "mint_unexplained"}),
        (LOGS_FILE, drop_log, {"sequence_gap"}),
    ],
    ids=["mint left out", "more money", "another payee", "log left out"],
)
def test_a_forger_without_key_who_names_the_files_anew_is_found_out(
    archive: Path, name: str, change: Callable[..., None], expected: set[str]
) -> None:
    found = codes(result_of("--archive", edit(archive, name, change), code=1))
    assert found >= {*expected, "archive_mismatch", "evidence_weak"}


def unlink_block(rows: list[dict[str, Any]]) -> None:
    rows[5]["parent_hash"] = b"\1" * 32


def other_time(rows: list[dict[str, Any]]) -> None:
    rows[5]["timestamp"] += 1


def other_hash(rows: list[dict[str, Any]]) -> None:
    rows[5]["block_hash"] = b"\2" * 32


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (unlink_block, {"block_linkage_broken", "header_hash_mismatch"}),
        (other_time, {"header_hash_mismatch"}),
        (before_time, {"header_hash_mismatch"}),
        (other_hash, {"block_linkage_broken", "header_hash_mismatch"}),
    ],
)
def test_blocks_that_do_not_hang_together_are_named(
    archive: Path, change: Callable[..., None], expected: set[str]
) -> None:
    found = codes(result_of("--archive", edit(archive, BLOCKS_FILE, change), code=1))
    assert found >= expected


def duplicate(rows: list[dict[str, Any]]) -> None:
    rows.insert(1, rows[0])


def backwards(rows: list[dict[str, Any]]) -> None:
    rows.reverse()


def no_block(rows: list[dict[str, Any]]) -> None:
    rows[-1]["block_number"] = 10**6


def strange(rows: list[dict[str, Any]]) -> None:
    rows[0]["topic0"] = b"\3" * 32


def foreign(rows: list[dict[str, Any]]) -> None:
    rows[0]["address"] = b"\3" * 20


def short_hash(rows: list[dict[str, Any]]) -> None:
    rows[0]["transaction_hash"] = b"\3"


def nothing(rows: list[dict[str, Any]]) -> None:
    rows[0]["target"] = None


def short_target(rows: list[dict[str, Any]]) -> None:
    rows[0]["target"] = b"\3"


def gap(rows: list[dict[str, Any]]) -> None:
    del rows[5]


def timeless(rows: list[dict[str, Any]]) -> None:
    rows[3]["timestamp"] = None


def placeless(rows: list[dict[str, Any]]) -> None:
    rows[3]["log_index"] = None


def at_a_logs_place(rows: list[dict[str, Any]]) -> None:
    rows[-1]["log_index"] += 1


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (TRANSFERS_FILE, duplicate, "not in the order of the chain"),
        (TRANSFERS_FILE, backwards, "not in the order of the chain"),
        (TRANSFERS_FILE, no_block, "no such block"),
        (TRANSFERS_FILE, short_hash, "hash is none"),
        (TRANSFERS_FILE, nothing, "missing"),
        (TRANSFERS_FILE, short_target, "another size"),
        (TRANSFERS_FILE, at_a_logs_place, "stand at one place"),
        (LOGS_FILE, duplicate, "not in the order of the chain"),
        (LOGS_FILE, backwards, "not in the order of the chain"),
        (LOGS_FILE, no_block, "no such block"),
        (LOGS_FILE, strange, "no event of ours"),
        (LOGS_FILE, foreign, "no event of ours"),
        (LOGS_FILE, short_hash, "hash is none"),
        (BLOCKS_FILE, gap, "comes after"),
        (BLOCKS_FILE, timeless, "a timestamp is missing"),
        (LOGS_FILE, placeless, "a log_index is missing"),
    ],
)
def test_what_no_archive_can_have_is_refused(
    archive: Path, name: str, change: Callable[..., None], said: str
) -> None:
    done = run("replay", "--archive", edit(archive, name, change))
    assert done.exit_code == 2, done.stdout
    assert said in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ['["another format"]'],
        ['["relief-audit-archive-1"]', "not JSON"],
        ['["relief-audit-archive-1"]', '["eth_chainId",[],"result","no number"]'],
        ['["relief-audit-archive-1"]', '["eth_getLogs",[],"result",[]]'],
        ['["relief-audit-archive-1"]', '["eth_call",[],"error",["a"]]'],
    ],
)
def test_answers_that_are_none_are_refused(archive: Path, lines: list[str]) -> None:
    part_file(archive, "answers.jsonl").write_text("".join(f"{line}\n" for line in lines))
    done = run("replay", "--archive", resealed(archive))
    assert done.exit_code in (2, 3)
    assert "answers.jsonl" in done.stderr.replace("\n", "") or "no answer" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "3"), "alone, not of block 3"),
        (("--from-block", "3"), "read whole"),
        (("--no-receipts",), "read whole"),
        (("--vault", "0x" + "11" * 20), "another vault"),
        (("--database", "sqlite:///nowhere.db"), "give --rpc too"),
    ],
)
def test_what_an_archive_cannot_tell_is_refused(
    made: Path, words: tuple[str, ...], said: str
) -> None:
    done = run("replay", "--archive", made / "made", *words)
    assert (done.exit_code, said in " ".join(done.stderr.split())) == (2, True), done.stderr


def test_no_archive_is_made_of_an_archive(made: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "out", "--format", "archive")
    done = run("replay", "--archive", made / "made", *out)
    assert (done.exit_code, "made of a chain" in done.stderr) == (2, True)


def test_a_report_without_an_archive_is_none(scenario: Scenario, tmp_path: Path) -> None:
    where = ("--rpc", scenario.deployed.node.rpc_url, "--vault", scenario.deployed.vault)
    result_of(*where, "--out", tmp_path / "out", "--format", "csv")
    done = run("replay", "--archive", tmp_path / "out")
    assert (done.exit_code, "without an archive" in " ".join(done.stderr.split())) == (2, True)


def test_a_folder_of_other_files_is_no_archive(scenario: Scenario) -> None:
    done = run("replay", "--archive", scenario.manifests)
    said = "".join(done.stderr.splitlines())
    assert (done.exit_code, f"--archive {scenario.manifests} is no report" in said) == (2, True)


def test_neither_chain_nor_archive(scenario: Scenario) -> None:
    done = run("replay", "--vault", scenario.deployed.vault)
    assert (done.exit_code, "or --archive" in done.stderr) == (2, True)
