"""An archive of the scenario, and copies of it to change."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from service.audit.auditor_key import AuditorKey
from tests.audit.archive.making import result_of
from tests.audit.scenario import Scenario


@pytest.fixture(scope="session")
def made(scenario: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive, signed."""
    folder = tmp_path_factory.mktemp("archive")
    key = AuditorKey.create(folder / "key.pem")
    (folder / "public").write_text(key.public_hex)
    where = ("--rpc", scenario.deployed.node.rpc_url, "--vault", scenario.deployed.vault)
    out = ("--out", folder / "made", "--format", "archive", "--key", folder / "key.pem")
    result_of(*where, *out)
    return folder


@pytest.fixture
def archive(made: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    shutil.copytree(made / "made", tmp_path / "copy")
    return tmp_path / "copy"
