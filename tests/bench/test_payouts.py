"""The benchmark of payouts runs from end to end and says what it promises."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from service.bench.case_files import id_number, wallet, write_case_files
from service.bench.payouts import bench_payouts
from service.errors import Conflict
from service.intake.values import read_id_number

KEYS = {
    *("count", "database", "bare_seconds", "service_seconds", "ratio", "payments_per_second"),
    *("cpu_seconds_per_payment", "peak_rss_mib", "prepare_seconds", "seconds_by_stage"),
}
"""What issue 4 asks for; there may be more."""


@pytest.mark.chain
def test_six_hundred_payouts_are_paid_and_measured(tmp_path: Path) -> None:
    database, out = tmp_path / "bench.db", tmp_path / "payouts.json"
    url = f"sqlite:///{database}"

    result = bench_payouts(600, database_url=url, out=out)

    written = json.loads(out.read_text())
    assert written == result.as_dict()
    assert set(written) >= KEYS
    assert written["ratio"] == pytest.approx(
        written["bare_seconds"] / written["service_seconds"], abs=0.01
    )
    assert 0 < written["recovery_seconds"] < 60
    stages = written["seconds_by_stage"]
    named = sum(stages[name] for name in ("import", "decide", "build", "approve"))
    assert named == pytest.approx(written["prepare_seconds"], abs=0.01)
    engine = create_engine(url)
    with engine.connect() as connection:
        payouts = connection.execute(text("SELECT state, count(*) FROM payouts GROUP BY state"))
        assert [tuple(row) for row in payouts] == [("queued", 1200)]  # half by a killed worker
        chunks = connection.execute(text("SELECT state, sum(count) FROM chunks GROUP BY state"))
        assert [tuple(row) for row in chunks] == [("final", 1200)]  # and paid by their chunks
    engine.dispose()
    with pytest.raises(Conflict, match="must be empty"):
        bench_payouts(1, database_url=url)


def test_made_up_cases_are_people_and_wallets_of_their_own(tmp_path: Path) -> None:
    (file,) = write_case_files(tmp_path, 100, 20_000, programme="x", start=date(2026, 11, 1))

    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))

    assert len(rows) == 20_000
    for column in ("case_ref", "id_number", "wallet_address"):
        assert len({row[column] for row in rows}) == 20_000
    assert all(read_id_number(row["id_number"]) == row["id_number"] for row in rows[::100])
    assert rows[0]["id_number"] == id_number(100)
    assert rows[0]["wallet_address"] == wallet(100)
