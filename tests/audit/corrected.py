"""A life with everything that corrects an approved batch: holds, another wallet, expiry, sunset.

Apart from :mod:`tests.audit.scenario`, whose batches would all expire.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from sqlalchemy.orm import Session

from service.chain.signers import LocalSigner
from service.db import transaction
from tests.audit.scenario import ACTION, DAY_S, UNIT, Planned, Scenario, payee
from tests.support.deployed import Deployed, account
from tests.support.rows import add_officers, add_programme
from tests.support.world import World

ZERO_ADDRESS = "0x" + "00" * 20
BATCH, INDEX = ("batchId", "bytes32"), ("index", "uint256")


def live_corrected(deployed: Deployed, world: World, folder: Path) -> Scenario:
    """Live it; returns the scenario with the worker's database at the head."""
    manifests = folder / "manifests"
    manifests.mkdir()
    scenario = Scenario(deployed, folder / "relief.db", manifests)
    deployed.create_programme(1, budget=10**12, payout_cap=10**10, tiers=[(10**12, 1, 0)])
    deployed.attest(10**12)
    with transaction(world.sessions) as session:
        add_programme(session)
        add_officers(session, deployed)
        one_off = _one_off(scenario, session)
        streams = _streams(scenario, session)
    scenario.send("vault", "beginSunset", *scenario.quorum("vault", "Sunset", [], {}))
    deployed.advance(streams.approval["expiresAt"] - deployed.now())
    scenario.send("vault", "expireUnexecuted", one_off.id)
    scenario.send("vault", "expirePayout", one_off.id, 0)
    scenario.send("vault", "expireStreams", streams.id, 0)
    scenario.send("vault", "withdrawChunk", streams.id, 0)
    relayer = LocalSigner(account("relayer"))
    deployed.fund(relayer.address)
    world.run(signers=[relayer])
    assert world.differences() == []
    world.engine.dispose()  # the last connection writes the log back: the file can be copied
    return scenario


def _one_off(scenario: Scenario, session: Session) -> Planned:
    """Held before it runs; one skipped is paid to another wallet; the second chunk never runs."""
    deployed = scenario.deployed
    wallets = [ZERO_ADDRESS, *(payee(i).address for i in (60, 61, 66, 67))]
    payouts = [(wallet, (5 + i) * UNIT) for i, wallet in enumerate(wallets)]
    batch = scenario.plan(session, "one-off", payouts, chunk_size=4, region=(33, 2))
    scenario.approve(session, batch)
    for officer in (2, 3):
        deployed.advance(DAY_S)
        _hold(scenario, "Batch", [BATCH], {"batchId": batch.id}, officer)
    deployed.advance(3 * DAY_S)
    deployed.freeze(payee(60).address)
    deployed.freeze(payee(66).address)
    scenario.execute(batch, 0)
    deployed.unfreeze(payee(60).address)
    hold_entry(scenario, batch, 1, 3)
    change_wallet(scenario, batch, 1, payee(60).address, payee(62).address)
    scenario.send("vault", "retryPayout", batch.id, 1)
    return batch


def _streams(scenario: Scenario, session: Session) -> Planned:
    """One is held, passed by, and goes to another wallet; one can never be paid."""
    deployed = scenario.deployed
    wallets = [payee(63).address, ZERO_ADDRESS, payee(64).address]
    batch = scenario.plan(
        session,
        "streams",
        [(wallet, 30 * UNIT + i) for i, wallet in enumerate(wallets)],
        chunk_size=10,
        region=(33, 2),
        stream_days=30,
    )
    scenario.approve(session, batch)
    scenario.execute(batch, 0)
    deployed.advance(5 * DAY_S)
    hold_entry(scenario, batch, 0, 2)
    scenario.send("vault", "withdrawChunk", batch.id, 0)
    change_wallet(scenario, batch, 0, payee(63).address, payee(65).address)
    scenario.send("vault", "withdrawChunk", batch.id, 0)
    deployed.advance(2 * DAY_S)
    scenario.send("vault", "withdraw", batch.id, 0)
    hold_entry(scenario, batch, 2, 3)
    return batch


def hold_entry(scenario: Scenario, batch: Planned, index: int, officer: int) -> None:
    message = {"batchId": batch.id, "index": index}
    _hold(scenario, "Entry", [BATCH, INDEX], message, officer)


def _hold(
    scenario: Scenario,
    what: str,
    members: list[tuple[str, str]],
    message: dict[str, Any],
    officer: int,
) -> None:
    action = keccak(text=f"hold {what} {sorted(map(str, message.items()))} {officer}")
    deadline = scenario.deployed.now() + DAY_S
    full = {**message, "actionId": action, "deadline": deadline}
    signature = scenario.deployed.sign_action(
        "vault", f"{what}Hold", [*members, *ACTION], full, (officer,)
    )
    scenario.send("vault", f"hold{what}", *message.values(), action, deadline, signature)


def change_wallet(scenario: Scenario, batch: Planned, index: int, old: str, new: str) -> None:
    members = [BATCH, INDEX, ("from", "address"), ("to", "address")]
    message = {"batchId": batch.id, "index": index, "from": old, "to": new}
    action = scenario.quorum("vault", "WalletChange", members, message)
    scenario.send("vault", "changeWallet", *message.values(), *action)
