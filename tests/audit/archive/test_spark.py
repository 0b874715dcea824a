"""Spark, on this machine alone, finds in an archive what DuckDB finds: `make test-spark`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.audit.archive.schemas import TRANSFERS_FILE
from service.audit.command import audit_app
from service.config import PROJECT_ROOT
from tests.audit.archive.making import codes, edit, result_of

ENVIRONMENT = PROJECT_ROOT / ".venv-spark"
LONGEST_S = 300

needs_spark = pytest.mark.skipif(
    not (PROJECT_ROOT / ".stamps" / "spark").exists(), reason="make test-spark sets Spark up"
)


def by_spark(folder: Path, work: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """Replay an archive with a Spark of its own, which listens on loopback alone."""
    places = {
        "JAVA_HOME": str(ENVIRONMENT / "java"),
        "SPARK_CONF_DIR": str(Path(__file__).parent / "spark"),
        "SPARK_LOCAL_DIRS": str(work),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    command = [str(ENVIRONMENT / "bin" / "python"), "-m", "service.audit", "replay", "--json"]
    done = subprocess.run(
        [*command, "--archive", str(folder), "--engine", "spark", *words],
        cwd=work,
        env={**os.environ, **places},
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    assert done.returncode == code, (done.stdout[-2000:], done.stderr[-4000:])
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@needs_spark
def test_spark_gives_the_same_document(made: Path, tmp_path: Path) -> None:
    assert by_spark(made / "made", tmp_path) == result_of("--archive", made / "made")


def spend_more(rows: list[dict[str, Any]]) -> None:
    spent = [row for row in rows if row["source"] != bytes(20)]
    spent[-1]["value"] += 10**18


@needs_spark
def test_spark_names_the_same_differences(archive: Path, tmp_path: Path) -> None:
    forged = edit(archive, TRANSFERS_FILE, spend_more)
    duckdb = result_of("--archive", forged, code=1)
    assert "balance_impossible" in codes(duckdb)
    assert by_spark(forged, tmp_path, code=1) == duckdb


def test_without_pyspark_it_says_what_is_missing(made: Path) -> None:
    words = ("replay", "--archive", str(made / "made"), "--engine", "spark")
    done = CliRunner().invoke(audit_app, words)
    assert (done.exit_code, "needs PySpark" in " ".join(done.stderr.split())) == (2, True)


def test_an_engine_is_for_archives_alone() -> None:
    words = ("replay", "--rpc", "http://127.0.0.1:1", "--vault", "0x" + "11" * 20)
    done = CliRunner().invoke(audit_app, [*words, "--engine", "spark"])
    assert (done.exit_code, "give --archive" in " ".join(done.stderr.split())) == (2, True)
