"""The benchmark of a replay measures readers that read the same logs, and writes what it says."""

from __future__ import annotations

import json
from pathlib import Path

from service.bench.replay import bench_replay
from service.chain.devnode import DevNode


def test_each_reader_reads_every_log(anvil: DevNode, tmp_path: Path) -> None:
    assert anvil.pid, "asked for so that the test counts as one of the chain's"
    out = tmp_path / "bench" / "replay.json"
    result = bench_replay(600, out=out)
    assert json.loads(out.read_text()) == result.as_dict()
    assert result.events > 600
    rates = result.events_per_second
    assert set(rates) == {
        *("ours", "ours_with_views", "parquet_duckdb"),
        *("raw", "web3", "ethereum_etl", "cryo"),
    }
    assert all(rates[name] for name in ("ours", "ours_with_views", "parquet_duckdb", "raw"))
    assert result.ratio_to_raw > 0
    assert result.cpu_seconds > 0
    assert result.peak_rss_mib > 20
    sizes = [archive.events for archive in result.archives]
    assert sizes[1] - sizes[0] > 540
    assert sizes[2] - sizes[1] > 5_400
    assert all(archive.peak_rss_mib > 20 for archive in result.archives)
