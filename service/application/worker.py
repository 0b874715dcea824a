"""Which keys a worker on this machine sends with, and running it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from service.application.context import Application
from service.chain.signers import Signer, list_keystores
from service.confirmations.roles import role_holders
from service.errors import ConfigurationError
from service.transactions.calls import REQUEST_ROLES

RELAYER_PREFIX = "relayer"
"""Keystores of this name, or beginning so, relay unless others are named."""


def worker_signers(
    app: Application, relayers: Sequence[str] = (), *, with_roles: bool = True
) -> list[Signer]:
    """Open the keystores that the worker sends with, and no others.

    Officers' keystores must never become lanes: their nonces and their gas money are their own,
    and a relayer's key has no power that an officer's has.

    Parameters
    ----------
    relayers
        Names of keystores; none takes every keystore whose name begins with ``relayer``.
    with_roles
        Also those here that hold a role which the service sends requests for: the programme
        manager's, the attestor's and the treasurer's.

    Raises
    ------
    NotFound
        When a named keystore is missing.
    ConfigurationError
        When there is no relayer, or the passphrase does not fit.
    """
    stored = list_keystores(app.settings.resolved_keys_dir)
    names = list(relayers) or [k.name for k in stored if k.name.startswith(RELAYER_PREFIX)]
    if not names:
        raise ConfigurationError(
            "no relayer: `relief keys create relayer-1`, and send it gas money where gas costs"
        )
    if with_roles:
        roles = set(REQUEST_ROLES.values())
        with app.transaction() as session:
            held = role_holders(session) or app.deployment.roles
        holders = {account for role in roles for account in held.get(role, ())}
        names += [k.name for k in stored if k.address in holders and k.name not in names]
    app.passphrase  # noqa: B018  # asked for once, before several threads want it
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as openers:
        return list(openers.map(app.signer, names))
