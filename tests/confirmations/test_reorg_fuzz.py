"""After any re-orgs, what was read step by step equals a replay of the last chain from nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.chain.devnode import DevNode, start_anvil
from service.chain.rpc import RpcError
from service.confirmations.projections import _UNDOERS
from tests.audit.conftest import OFFICERS
from tests.support.deployed import Deployed, deploy
from tests.support.digest import assert_same
from tests.support.histories import DEPTH, History
from tests.support.rows import DAY_S
from tests.support.world import BUDGET, PAYOUT_CAP, RESERVE, World

STEPS = 60
DEEP_EVERY = 5


def deploy_for_fuzz(node: DevNode) -> Deployed:
    """Contracts with a reserve and a programme in force."""
    deployed = deploy(node, officers=OFFICERS, finality_depth_blocks=DEPTH)
    deployed.create_programme(1, budget=BUDGET, payout_cap=PAYOUT_CAP)
    deployed.attest(RESERVE)
    return deployed


@pytest.fixture(scope="module")
def fuzzed(anvil: DevNode) -> Iterator[Deployed]:
    """A chain of the module's own; asking for `anvil` marks the tests."""
    with start_anvil() as node:
        deployed = deploy_for_fuzz(node)
        yield deployed
        deployed.rpc.close()


@contextmanager
def lived(deployed: Deployed, template: Path, folder: Path, seed: int) -> Iterator[History]:
    """A history that begins; at its end what was read is compared with a replay."""
    snapshot = deployed.node.rpc("evm_snapshot")
    in_force = deployed.rpc.block_number()
    file = folder / f"rows-{seed}.db"
    shutil.copyfile(template, file)
    world = World(deployed, f"sqlite:///{file}", folder, DEPTH)
    try:
        history = History(world, folder, seed)
        yield history
        replay = history.finish()
        assert_same(history.live.engine, replay.engine)
        if history.live.final_block() >= in_force:
            assert agrees(history)
        history.live.close()
        replay.close()
    finally:
        world.engine.dispose()
        deployed.node.rpc("evm_revert", snapshot)


def agrees(history: History) -> bool:
    """Whether the ledger is the chain's; anvil forgets states from before it went back."""
    try:
        return history.live.differences() == []
    except RpcError as error:
        if "BlockOutOfRange" in error.detail:
            return True
        raise


def run_history(
    deployed: Deployed, template: Path, folder: Path, seed: int, steps: int = STEPS
) -> History:
    """Live one history and compare; returns it. One in five goes back as far as one may."""
    with lived(deployed, template, folder, seed) as history:
        history.live_through(steps)
        if seed % DEEP_EVERY == 0:
            history.go_back_to_the_final_block()
    return history


# The last two: a cancellation is taken back of what expired, and of what was out of time.
@pytest.mark.parametrize("seed", [*range(16), 70_006, 70_020])
def test_read_through_re_orgs_equals_read_at_once(
    fuzzed: Deployed, sqlite_template: Path, tmp_path: Path, seed: int
) -> None:
    history = run_history(fuzzed, sqlite_template, tmp_path, seed)

    if seed % 5 == 0:
        assert max(history.live.rewound) == 64


def test_every_kind_of_event_is_taken_back(
    fuzzed: Deployed, sqlite_template: Path, tmp_path: Path
) -> None:
    with lived(fuzzed, sqlite_template, tmp_path, 1) as history:
        history.undo_each("approve", "create_programme", "grant", "add_officer")
        history.happen(freeze=6, approve=40)
        history.undo_each("hold_batch", "cancel_batch", *["execute"] * 8)
        history.happen(execute=40, unfreeze=20, grant=3, time_passes=2)
        history.happen(add_officer=2, add_signer=6, remove_verifier=1)
        history.undo_each("retry", "withdraw", "withdraw_chunk", "change_wallet", "hold_entry")
        history.undo_each("cancel_streams", "countersign", "write_off", "add_signer")
        history.undo_each("remove_signer", "remove_officer", "add_verifier", "remove_verifier")
        history.undo_each("lower_budget")
        fuzzed.advance(200 * DAY_S)
        history.undo_each("expire_streams", "expire_payout", "expire_unexecuted")
        missed = {name for _, name in _UNDOERS} - set(history.live.undone)

    assert not missed
