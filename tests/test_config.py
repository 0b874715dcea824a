from __future__ import annotations

from pathlib import Path

import pytest

from service.config import Settings
from service.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"RELIEF_{name.upper()}", raising=False)


def test_a_name_that_is_no_setting_is_refused_with_the_nearest_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RELIEF_DATABSE_URL", "sqlite:///x.db")
    with pytest.raises(ConfigurationError, match=r"RELIEF_DATABSE_URL .*RELIEF_DATABASE_URL"):
        Settings.from_environment()


def test_every_wrong_value_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELIEF_LEASE_SECONDS", "soon")
    monkeypatch.setenv("RELIEF_RPC_URL", "localhost:8545")
    with pytest.raises(ConfigurationError) as refused:
        Settings.from_environment()
    assert "RELIEF_LEASE_SECONDS=soon: " in refused.value.detail
    assert "RELIEF_RPC_URL=localhost:8545: write http" in refused.value.detail


def test_what_the_deployment_reads_is_no_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELIEF_DEPLOY_CONFIG", "deploy.json")
    monkeypatch.setenv("RELIEF_DEPLOYER", "me")
    Settings.from_environment()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELIEF_KEY_PASSPHRASE_FILE", "")
    monkeypatch.setenv("RELIEF_DATA_DIR", "/data")
    settings = Settings.from_environment()
    assert settings.key_passphrase_file is None
    assert settings.resolved_keys_dir == Path("/data/keys")
