"""The scenario replayed once with what a report collects, and a signed report of it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from service.audit.auditor_key import AuditorKey
from service.audit.replay import Options, replay
from service.audit.report import ReplayReport
from service.audit.reports.folder import write_report, write_result
from service.audit.reports.manifest import seal
from service.audit.reports.series import Series
from service.audit.rpc import Node
from tests.audit.scenario import Scenario


@dataclass(frozen=True)
class Told:
    """A replay and what was collected of it."""

    report: ReplayReport
    series: Series


@pytest.fixture(scope="session")
def told(scenario: Scenario) -> Told:
    series = Series()
    options = Options(bytes.fromhex(scenario.deployed.vault[2:]))
    with Node(scenario.deployed.node.rpc_url) as node:
        report = replay(node, options, listeners=(series,))
    series.close(report.state, report.timestamp)
    return Told(report, series)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> AuditorKey:
    return AuditorKey.create(tmp_path_factory.mktemp("key") / "auditor.pem")


@pytest.fixture(scope="session")
def _written(told: Told, key: AuditorKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_result(folder, told.report)
    write_report(folder, told.report, told.series)
    tables = folder / "tables"
    tables.mkdir()
    (tables / "payouts.csv").write_text("index\n0\n")
    seal(folder, told.report, key)
    return folder


@pytest.fixture
def handed_over(_written: Path, tmp_path: Path) -> Path:
    """A copy of a signed report with a table in a folder of its own, to be tampered with."""
    return Path(shutil.copytree(_written, tmp_path / "handed over"))
