"""Batches lost with the database come back from their manifests, and what became of them since."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from service.chain.devnode import DevNode
from service.chain.rpc import Rpc
from service.confirmations.models import ChainAlarm
from service.confirmations.projections import unknown_batch
from service.confirmations.restoring import restore_batch, unknown_batches
from service.errors import AlreadyExists, Conflict, IntegrityError, NotFound
from service.payouts import manifests
from service.payouts.models import Batch, Chunk, Payout
from service.payouts.service import cancel_draft, resume
from service.transactions.models import Transaction
from tests.audit.conftest import OFFICERS
from tests.audit.corrected import live_corrected
from tests.audit.scenario import Planned, Scenario, live, payee
from tests.confirmations.test_reorgs import Reorg
from tests.support.deployed import Deployed, deploy
from tests.support.digest import assert_same
from tests.support.rows import add_batch, add_officers, add_programme
from tests.support.world import Killed, World, killer, leave_as_killed

REASON = "the disk died"
OTHER_WISE_KNOWN = {
    # The lost database had rows that no event makes: officers' signatures and actions.
    "without": ("quorum_actions",),
    "but": (("batches", "last_error"),),
}


def restore_all(world: World, folder: Path) -> list[str]:
    """Restore every unknown batch, as the command does."""
    with world.session() as session:
        ids = unknown_batches(session)
    for batch_id in ids:
        manifest = manifests.read(manifests.manifest_path(folder, batch_id))
        with world.session() as session:
            restore_batch(session, manifest, actor="zhao", reason=REASON)
    return ids


def forget_drafts(world: World) -> None:
    """What was never on chain went with the database."""
    with world.session() as session:
        drafts = session.scalars(select(Batch.id).where(Batch.first_number.is_(None))).all()
        for model, batch_id in ((Payout, Payout.batch_id), (Chunk, Chunk.batch_id)):
            session.execute(delete(model).where(batch_id.in_(drafts)))
        session.execute(delete(Batch).where(Batch.id.in_(drafts)))


@pytest.fixture
def kept(tmp_path: Path, sqlite_template: Path) -> Path:
    """A folder with a database of its own."""
    folder = tmp_path / "kept"
    folder.mkdir()
    shutil.copyfile(sqlite_template, folder / "relief.db")
    return folder


@pytest.mark.parametrize("life", [live, live_corrected])
def test_restored_batches_stand_as_in_the_database_that_was_lost(
    chain: DevNode,
    life: Callable[[Deployed, World, Path], Scenario],
    database_url: str,
    kept: Path,
    tmp_path: Path,
) -> None:
    deployed = deploy(chain, officers=OFFICERS)
    before = World(deployed, f"sqlite:///{kept / 'relief.db'}", kept, 0)
    scenario = life(deployed, before, kept)
    lost = World(deployed, database_url, tmp_path, 0)
    lost.run()
    with lost.session() as session:
        assert unknown_batch(session) is not None

    restored = restore_all(lost, scenario.manifests)
    lost.run()

    assert len(restored) >= 2
    with lost.session() as session:
        assert unknown_batch(session) is None
        assert not session.scalars(select(ChainAlarm).where(ChainAlarm.cleared_at.is_(None))).all()
    forget_drafts(before)
    assert_same(before.engine, lost.engine, **OTHER_WISE_KNOWN)
    assert lost.differences() == []
    before.engine.dispose()
    lost.engine.dispose()
    deployed.rpc.close()


# ---- one lost batch ------------------------------------------------------------------------------


class Lost:
    """A batch on chain whose rows are gone, and its manifest."""

    def __init__(self, world: World, name: str = "lost") -> None:
        folder = world.folder / "manifests"
        folder.mkdir(exist_ok=True)
        self.scenario = Scenario(world.deployed, world.folder / "relief.db", folder)
        with world.session() as session:
            add_programme(session)
            add_officers(session, world.deployed)
        with world.sessions() as session:
            self.batch: Planned = self.scenario.plan(
                session,
                name,
                [(payee(i).address, (5 + i) * 10**6) for i in range(3)],
                chunk_size=2,
            )
            self.scenario.approve(session, self.batch)
            session.rollback()

    @property
    def path(self) -> Path:
        return manifests.manifest_path(self.scenario.manifests, self.batch.hex)

    def restore(self, world: World) -> None:
        with world.session() as session:
            restore_batch(session, manifests.read(self.path), actor="zhao", reason=REASON)


def with_another_payee(lines: list[dict[str, Any]]) -> None:
    lines[1]["payee"] = payee(77).address


def with_another_commitment(lines: list[dict[str, Any]]) -> None:
    lines[1]["commitment"] = "ab" * 32


def with_a_later_expiry(lines: list[dict[str, Any]]) -> None:
    lines[0]["expires_at_unix_s"] += 1


@pytest.mark.parametrize(
    "change", [with_another_payee, with_another_commitment, with_a_later_expiry]
)
def test_a_manifest_that_officers_did_not_sign_is_refused(
    world: World, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    lost = Lost(world)
    world.run()
    lines = [json.loads(line) for line in lost.path.read_bytes().splitlines()]
    change(lines)
    payouts = [manifests.ManifestLine(**_line(line)) for line in lines[1:]]
    # Whole in itself: only the chain tells that it is another.
    lines[0]["chunks_root"] = manifests.root_of(lost.batch.hex, 2, payouts)
    lost.path.write_bytes(b"".join(manifests.manifest_bytes(lines[0], payouts)))
    manifests.read(lost.path)

    with pytest.raises(IntegrityError, match="manifest_hash is"):
        lost.restore(world)
    with world.session() as session:
        assert session.get(Batch, lost.batch.hex) is None
        assert unknown_batch(session) == lost.batch.hex


def _line(line: dict[str, Any]) -> dict[str, Any]:
    return line | {"amount_base_units": int(line["amount_base_units"])}


def test_what_was_not_run_yet_is_paused_and_paid_once_after_it_is_resumed(world: World) -> None:
    lost = Lost(world)
    lost.scenario.execute(lost.batch, 1)
    world.run()
    lost.restore(world)
    world.run()
    assert world.payout_states(lost.batch.hex) == ["held", "held", "paid"]

    with world.session() as session:
        resume(session, lost.batch.hex, actor="zhao", reason="nobody had paused it")
    world.run()

    assert world.payout_states(lost.batch.hex) == ["paid"] * 3
    assert [world.balance_on_chain(payee(i).address) for i in range(3)] == [
        5_000_000,
        6_000_000,
        7_000_000,
    ]
    assert world.differences() == []


def test_a_batch_that_never_came_on_chain_or_is_here_is_not_restored(world: World) -> None:
    lost = Lost(world)
    with world.session() as session, pytest.raises(NotFound, match="no block"):
        restore_batch(session, manifests.read(lost.path), actor="zhao", reason=REASON)
    world.run()
    lost.restore(world)
    with pytest.raises(AlreadyExists):
        lost.restore(world)
    with world.sessions() as session:
        lost.scenario.plan(session, "draft", [(payee(9).address, 5)], chunk_size=1)
        session.rollback()
    draft = manifests.manifest_path(lost.scenario.manifests, lost.scenario.batches["draft"].hex)
    with world.session() as session, pytest.raises(NotFound, match="not on chain"):
        restore_batch(session, manifests.read(draft), actor="zhao", reason=REASON)


def test_a_case_that_stands_in_a_draft_here_too_is_named_and_the_draft_given_up_first(
    world: World,
) -> None:
    lost = Lost(world)
    with world.session() as session:
        draft = add_batch(session, world.deployed, [5], name="draft", state="draft")
        row = session.get_one(Payout, (draft.id, 0))
        row.commitment, row.own_state = _commitment(lost), "draft"
    world.run()
    with pytest.raises(Conflict, match=f"{draft.id} .draft"):
        lost.restore(world)

    with world.session() as session:
        cancel_draft(session, draft.id, actor="zhao", reason="it is in another batch")
    lost.restore(world)
    with world.session() as session:
        assert unknown_batch(session) is None


def _commitment(lost: Lost) -> str:
    text: str = json.loads(lost.path.read_bytes().splitlines()[1])["commitment"]
    return text


def test_a_restored_batch_whose_approval_a_reorg_took_back_is_not_sent_again(
    make_world: Callable[[int], World],
) -> None:
    world = make_world(8)
    reorg = Reorg(world)
    lost = Lost(world)
    world.run()
    lost.restore(world)
    assert world.payout_states(lost.batch.hex) == ["held"] * 3

    reorg.happen(3)
    world.run()

    assert world.batch_state(lost.batch.hex) == "cancelled"
    assert world.payout_states(lost.batch.hex) == ["held"] * 3


# ---- the start after a restore -------------------------------------------------------------------


class Recording(Rpc):
    """Keeps what was asked, in order."""

    asked: list[str]

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        self.asked += [method for method, _ in calls]
        return super().batch(calls)


def test_after_a_restore_nothing_is_sent_before_the_chain_was_read(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    # The backup was made between the commit of signed bytes and their sending.
    worker = world.worker(hook=killer("signed:after-commit", 1))
    with pytest.raises(Killed):
        worker.run_until_idle(20)
    leave_as_killed(world, worker)
    world.deployed.mine(450)  # more than two steps of reading
    rpc = Recording(world.settings.rpc_url)
    rpc.asked = []

    with world.worker(rpc=rpc) as worker:
        worker.step()
        worker.step()
        assert "eth_sendRawTransaction" not in rpc.asked
        worker.run_until_idle(20)

    assert "eth_sendRawTransaction" in rpc.asked
    assert world.payout_states(batch.id) == ["paid"] * 2


def test_an_approval_that_was_built_before_waits_while_a_batch_is_unknown(world: World) -> None:
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6], chunk_size=1)
    worker = world.worker(hook=killer("planned", 1))
    with pytest.raises(Killed):
        worker.run_until_idle(20)
    leave_as_killed(world, worker)
    lost = Lost(world)

    world.run()

    assert world.batch_state(batch.id) == "released"
    with world.session() as session:
        assert session.scalars(select(Transaction.state)).all() == ["closed"]
    lost.restore(world)
    world.run()
    assert world.payout_states(batch.id) == ["paid"] * 2
