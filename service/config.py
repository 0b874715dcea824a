"""Settings, from environment variables ``RELIEF_*`` with embedded defaults.

Secrets are never settings: keystores are files, their passphrase is read from a file named by
``RELIEF_KEY_PASSPHRASE_FILE`` (or typed at a prompt).
"""

from __future__ import annotations

import os
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.errors import ConfigurationError

PROJECT_ROOT = Path(__file__).resolve().parent.parent

LogFormat = Literal["auto", "json", "text"]
LogLevel = Literal["debug", "info", "warning", "error"]

PREFIX = "RELIEF_"
OF_THE_DEPLOYMENT = frozenset({"RELIEF_DEPLOY_CONFIG", "RELIEF_DEPLOYER"})
"""Variables that only the deployment reads (docs/deployment.md)."""


class Settings(BaseSettings):
    """What one deployment of the service is told.

    Every field can be set by ``RELIEF_<FIELD>`` in the environment; ``docs/configuration.md``
    lists them.
    """

    # A variable that is empty counts as not set: an empty path would mean the working folder.
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", env_ignore_empty=True)

    data_dir: Path = Field(
        default=PROJECT_ROOT / "var",
        description="Folder of the embedded defaults: database, keys, manifests, reports.",
    )
    database_url: str | None = Field(
        default=None,
        description="SQLAlchemy URL; default is SQLite at <data_dir>/relief.db.",
    )
    rpc_url: str = Field(
        default="http://127.0.0.1:8545",
        description="JSON-RPC URL of the node; of several, with commas between, the preferred one "
        "first.",
    )
    deployment_file: Path | None = Field(
        default=None,
        description="Addresses `brownie run deploy` wrote; default <data_dir>/deployment.json.",
    )
    artifacts_dir: Path = Field(
        default=PROJECT_ROOT / "build" / "contracts",
        description="Compiled contracts (Brownie artifacts) whose ABIs the service reads.",
    )
    keys_dir: Path | None = Field(
        default=None, description="Folder of encrypted keystores; default <data_dir>/keys."
    )
    key_passphrase_file: Path | None = Field(
        default=None,
        description="File (mode 0600) with the passphrase of the service's own keystores.",
    )
    manifests_dir: Path | None = Field(
        default=None,
        description="Second durable place of batch manifests; default <data_dir>/manifests.",
    )
    finality_depth_blocks: int | None = Field(
        default=None,
        ge=0,
        description="Blocks after which inclusion is final; 0 on BFT chains. Mandatory: "
        "taken from the deployment file when not set here.",
    )
    max_fee_per_gas_cap_wei: int = Field(
        default=500 * 10**9, ge=0, description="No transaction ever offers more, in wei per gas."
    )
    max_in_flight_blocks: float = Field(
        default=1.0,
        gt=0,
        description="How many blocks' worth of gas all lanes together may have in flight.",
    )
    blocks_ahead: float = Field(
        default=0.0,
        ge=0,
        description="How many blocks' worth of gas is sent ahead of the next block: 1 suits a "
        "chain that makes blocks steadily, 0 a node that mines only when a transaction arrives.",
    )
    lease_seconds: int = Field(
        default=15, ge=1, description="How long a worker holds a lane without renewing, seconds."
    )
    worker_metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Loopback port of the worker's /metrics, /healthz, /readyz; off when unset.",
    )
    api_metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Loopback port of the API's /metrics; off when unset.",
    )
    log_format: LogFormat = Field(
        default="auto", description="json, text, or auto: text at a terminal, JSON elsewhere."
    )
    log_level: LogLevel = Field(default="info", description="debug, info, warning or error.")

    @field_validator("rpc_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        given = [each.strip() for each in url.split(",")]
        for each in given:
            parts = urlsplit(each)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("write http://host:port or https://host, several with commas")
        if len(set(given)) != len(given):
            raise ValueError("name each node once")
        return ",".join(given)

    @classmethod
    def from_environment(cls) -> Self:
        """Read the settings from the environment.

        Raises
        ------
        ConfigurationError
            When a variable has a value it cannot have, or none of the settings has its name.
        """
        names = [f"{PREFIX}{field.upper()}" for field in cls.model_fields]
        wrong = [
            f"{name} is no setting{_nearest(name, names)}"
            for name in map(str.upper, os.environ)
            if name.startswith(PREFIX) and name not in OF_THE_DEPLOYMENT.union(names)
        ]
        try:
            settings = cls()
        except ValidationError as error:
            wrong += [
                f"{PREFIX}{str(each['loc'][0]).upper()}={each['input']}: "
                f"{each['msg'].removeprefix('Value error, ')}"
                for each in error.errors()
            ]
            raise ConfigurationError("; ".join(wrong)) from None
        if wrong:
            raise ConfigurationError("; ".join(wrong))
        return settings

    @property
    def rpc_urls(self) -> tuple[str, ...]:
        """The nodes' addresses, the preferred one first."""
        return tuple(self.rpc_url.split(","))

    @property
    def resolved_database_url(self) -> str:
        """The database URL in force."""
        return self.database_url or f"sqlite:///{self.data_dir / 'relief.db'}"

    @property
    def resolved_deployment_file(self) -> Path:
        """The deployment file in force."""
        return self.deployment_file or self.data_dir / "deployment.json"

    @property
    def resolved_keys_dir(self) -> Path:
        """The keystore folder in force."""
        return self.keys_dir or self.data_dir / "keys"

    @property
    def resolved_manifests_dir(self) -> Path:
        """The folder of the manifests' second copy."""
        return self.manifests_dir or self.data_dir / "manifests"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Return the process's settings, read once.

    Raises
    ------
    ConfigurationError
        When one is wrong.
    """
    return Settings.from_environment()


def _nearest(name: str, names: list[str]) -> str:
    close = get_close_matches(name, names, n=1)
    return f" ({close[0]} is one)" if close else " (docs/configuration.md lists them)"
