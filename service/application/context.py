"""The application context: settings and the parts made from them, each when it is first needed.

The command line, the API and the worker each make one :class:`Application` and close it at their
end, so that a command that needs no chain opens none and one that needs no keys asks for no
passphrase.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from service.chain.patience import short_of_patience
from service.config import Settings, get_settings
from service.db import create_database_engine, session_factory, transaction
from service.errors import ConfigurationError
from service.privacy.keyring import Keyring
from service.privacy.passphrase import read_passphrase as read_service_passphrase
from service.telemetry.redaction import hide

if TYPE_CHECKING:  # the parts import web3, which takes a second that most commands can spare
    from service.application.chain_clock import ChainClock
    from service.approvals.domain import SigningDomain
    from service.chain.contracts import Contracts
    from service.chain.deployment import Deployment
    from service.chain.rpc import Rpc
    from service.chain.signers import Signer

KEYRING_FILE = "keyring.json"
"""Name of the keyring's file in the folder of keys."""


class Application:
    """The parts of one deployment of the service, made when first asked for and kept.

    Parameters
    ----------
    settings
        What the deployment is told; the process's settings when None.

    Raises
    ------
    ConfigurationError
        Of any part whose settings or files are missing or wrong, when it is first asked for.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or get_settings()
        self._signers: dict[str, Signer] = {}

    # ---- Database ----------------------------------------------------------------------------

    @cached_property
    def engine(self) -> Engine:
        """The database engine; the folder of the embedded database is made when missing."""
        url = self.settings.resolved_database_url
        if url == f"sqlite:///{self.settings.data_dir / 'relief.db'}":
            try:
                self.settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                folder = self.settings.data_dir
                message = f"the folder of RELIEF_DATA_DIR, {folder}: {error.strerror}"
                raise ConfigurationError(message) from None
        return create_database_engine(url)

    @cached_property
    def sessions(self) -> sessionmaker[Session]:
        """The factory of sessions."""
        return session_factory(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One unit of work: commits when its block ends, rolls back when it raises.

        On SQLite nobody else writes meanwhile, so a node is not waited for long in its block.
        """
        held = self.engine.dialect.name == "sqlite"
        with (
            transaction(self.sessions) as session,
            short_of_patience() if held else nullcontext(),
        ):
            yield session

    # ---- Chain -------------------------------------------------------------------------------

    @cached_property
    def deployment(self) -> Deployment:
        """The contracts' addresses, roles and code hashes, as deployment wrote them."""
        from service.chain.deployment import load_deployment

        return load_deployment(
            self.settings.resolved_deployment_file,
            finality_depth_blocks=self.settings.finality_depth_blocks,
        )

    @cached_property
    def rpc(self) -> Rpc:
        """The client of the chain's node, or of several."""
        from service.chain.deployment import check_deployment
        from service.chain.nodes import open_rpc

        return open_rpc(self.settings.rpc_urls, lambda rpc: check_deployment(rpc, self.deployment))

    @cached_property
    def contracts(self) -> Contracts:
        """The deployed contracts: calls, views, events."""
        from service.chain.contracts import Contracts

        return Contracts(self.deployment, self.settings.artifacts_dir)

    @property
    def chain_clock(self) -> ChainClock:
        """The time that the contracts will see; asks the node now, before a transaction begins."""
        from service.application.chain_clock import ChainClock

        return ChainClock(self.rpc)

    @cached_property
    def signing_domain(self) -> SigningDomain:
        """Chain and contracts that signatures are made for (EIP-712)."""
        from service.approvals.domain import SigningDomain

        deployment = self.deployment
        return SigningDomain(
            chain_id=deployment.chain_id,
            vault=deployment.vault,
            token=deployment.token,
            registry=deployment.registry,
            lane=deployment.lane,
        )

    # ---- Keys --------------------------------------------------------------------------------

    @cached_property
    def passphrase(self) -> str:
        """The passphrase of the keyring and the keystores: from its file, or asked for once."""
        passphrase = read_service_passphrase(self.settings)
        hide(passphrase)
        return passphrase

    @property
    def keyring_path(self) -> Path:
        """Where the keyring of personal data is."""
        return self.settings.resolved_keys_dir / KEYRING_FILE

    @cached_property
    def keyring(self) -> Keyring:
        """The keys of personal data, opened with the passphrase (takes about 0.4 s)."""
        return Keyring.load(self.keyring_path, self.passphrase)

    def signer(self, name: str, *, passphrase_file: Path | None = None) -> Signer:
        """Open a keystore of the folder of keys, once; decrypting takes about a second.

        Parameters
        ----------
        name
            Name of the keystore.
        passphrase_file
            Private file with the keystore's own passphrase; the service's passphrase when None.

        Raises
        ------
        NotFound
            When there is no such keystore.
        ConfigurationError
            When the passphrase is wrong or missing.
        """
        if name not in self._signers:
            from service.chain.signers import load_keystore, read_passphrase

            passphrase = read_passphrase(passphrase_file) if passphrase_file else self.passphrase
            self._signers[name] = load_keystore(self.settings.resolved_keys_dir, name, passphrase)
        return self._signers[name]

    # ---- Its end -----------------------------------------------------------------------------

    def close(self) -> None:
        """Close what was opened; the context can be used again and opens anew."""
        for name in ("rpc", "engine"):
            part = self.__dict__.pop(name, None)
            for method in ("close", "dispose"):
                if callable(end := getattr(part, method, None)):
                    end()
        for name in ("sessions", "keyring", "passphrase"):
            self.__dict__.pop(name, None)
        self._signers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
