"""The scenario's tables, written once by the command an auditor types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.audit.command import audit_app
from tests.audit.scenario import Scenario

Relief = Callable[..., Result]


@pytest.fixture(scope="session")
def relief(scenario: Scenario) -> Relief:
    """Runs the replay of the scenario with manifests and database, and with further words."""

    def run(*words: object) -> Result:
        given = [
            *("replay", "--rpc", scenario.deployed.node.rpc_url),
            *("--vault", scenario.deployed.vault, "--database", scenario.database_url),
            *("--manifests", str(scenario.manifests), *map(str, words)),
        ]
        return CliRunner().invoke(audit_app, given)

    return run


@pytest.fixture(scope="session")
def exported(relief: Relief, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder, in all formats."""
    out = tmp_path_factory.mktemp("exported") / "audit"
    done = relief("--out", out)
    assert done.exit_code == 0, done.output
    return out
