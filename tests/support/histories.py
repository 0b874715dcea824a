"""Random histories of the contracts' events with re-orgs, and what is projected of them.

A history is a walk over everything that somebody may send; what the contracts refuse is mined
all the same and leaves no event. Now and then the chain goes back to an earlier moment and another
life follows. Everything is drawn from a seed.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eth_utils.crypto import keccak
from sqlalchemy import Engine, select, update

from service.approvals.grants import free_expired
from service.confirmations.finality import FINAL_CURSOR, finalise
from service.confirmations.ingest import Ingestor
from service.confirmations.models import Cursor, Event
from service.db import create_database_engine, session_factory, transaction
from service.ledger.posting import post_final
from service.ledger.reconcile import Difference, reconcile
from service.payouts.chunk_tree import chunk_leaf, chunk_proofs
from service.payouts.entries import pack_entries
from service.payouts.models import Batch, Payout
from service.payouts.service import free_overdue
from service.payouts.states import PayoutState
from tests.support.deployed import account, pack
from tests.support.rows import DAY_S, SignedBatch, add_batch, add_officers, add_programme
from tests.support.world import World

DEPTH = 64
"""Blocks below which nothing is taken back."""

MOST_BLOCKS_AT_ONCE = 12
"""That one happening makes."""

HAPPENINGS_AFTERWARDS = 10

ZERO = "0x" + "00" * 20
ACTION = [("actionId", "bytes32"), ("deadline", "uint40")]
BATCH, INDEX = ("batchId", "bytes32"), ("index", "uint256")
REVIEWERS, GOVERNORS = (2, 3), (2, 3)
UNIT = 10**6


class Projection:
    """One database that follows a chain without sending anything."""

    def __init__(self, world: World, file: Path) -> None:
        self._deployed = world.deployed
        self.engine: Engine = create_database_engine(f"sqlite:///{file}")
        self.sessions = session_factory(self.engine)
        self._ingestor = Ingestor(self.sessions, world.deployed.rpc, world.deployed.contracts)
        self._chain_id = world.deployed.deployment.chain_id
        self.rewound: list[int] = []
        self.undone: Counter[str] = Counter()

    def follow(self) -> None:
        """Read all there is, take back what is gone, settle and post what is final."""
        while True:
            before = self._events()
            read = self._ingestor.step()
            if read.rewound:
                self.rewound.append(read.rewound)
                self.undone.update((before - self._events()).elements())
            if read.caught_up:
                break
        with transaction(self.sessions) as session:
            final = finalise(session, self._chain_id, DEPTH)
            if final is not None:
                free_overdue(session, final.timestamp_unix_s)
                free_expired(session, final.timestamp_unix_s)
        with transaction(self.sessions) as session:
            post_final(session, self._chain_id)

    def final_block(self) -> int:
        """Newest block that no re-org may take back."""
        with transaction(self.sessions) as session:
            cursor = session.get(Cursor, (self._chain_id, FINAL_CURSOR))
            return 0 if cursor is None else cursor.block_number

    def _events(self) -> Counter[str]:
        with transaction(self.sessions) as session:
            return Counter(session.scalars(select(Event.name)))

    def differences(self) -> list[Difference]:
        """Of the ledger from the chain."""
        with transaction(self.sessions) as session:
            return reconcile(session, self._deployed.rpc, self._deployed.contracts)

    def close(self) -> None:
        """Close the file."""
        self.engine.dispose()


class History:
    """One seeded life of a chain, which a projection follows.

    Parameters
    ----------
    world
        Contracts in force, with a reserve and programme 1, and a database with no event yet.
    folder
        For the databases.
    """

    def __init__(self, world: World, folder: Path, seed: int) -> None:
        self.seed = seed
        self._draw = random.Random(seed)
        self._world, self._deployed = world, world.deployed
        self._folder = folder
        self._moments: list[tuple[str, int]] = []
        self._actions = 0
        self.sent: Counter[str] = Counter()
        self._grants: list[dict[str, Any]] = []
        self.batches = self._add_rows()
        base = folder / f"base-{seed}.db"
        world.engine.dispose()
        copy_database(world.engine, base)
        self._base = base
        self.live = Projection(world, Path(shutil.copyfile(base, folder / f"live-{seed}.db")))

    def _add_rows(self) -> list[SignedBatch]:
        deployed, draw = self._deployed, self._draw
        made = []
        with self._world.session() as session:
            add_programme(session)
            add_officers(session, deployed)
            for number in range(5):
                stream = number >= 3
                count = draw.randint(2, 5)
                payees = [
                    ZERO if draw.random() < 0.15 else account(f"fuzz {draw.randrange(6)}").address
                    for _ in range(count)
                ]
                made.append(
                    add_batch(
                        session,
                        deployed,
                        [draw.randint(1, 90) * UNIT for _ in range(count)],
                        payees=payees,
                        kind="stream" if stream else "one_off",
                        chunk_size=draw.choice([1, 2, 500]),
                        name=f"fuzz {self.seed} {number}",
                        duration=30 * DAY_S,
                    )
                )
                if draw.random() < 0.2:
                    session.get_one(Batch, made[-1].id).paused = True
                    session.execute(
                        update(Payout)
                        .where(Payout.batch_id == made[-1].id)
                        .values(state=PayoutState.HELD.value)
                    )
        return made

    # ---- living --------------------------------------------------------------------------------

    def live_through(self, steps: int) -> None:
        """Let so many things happen, with re-orgs, and the projection follow now and then."""
        self._begin()
        for _ in range(steps):
            draw = self._draw.random()
            if draw < 0.12:
                self._reorganise()
            elif draw < 0.30:
                self.live.follow()
            elif draw < 0.42:
                self._remember()
            self._something_happens()
        self.live.follow()

    def go_back_to_the_final_block(self) -> None:
        """Have a re-org take back all that one may: exactly `DEPTH` blocks; life goes on."""
        self._remember()
        _, final = self._moments[-1]
        node, rpc = self._deployed.node, self._deployed.rpc
        while (left := final + DEPTH - rpc.block_number()) > MOST_BLOCKS_AT_ONCE:
            self._something_happens()
            if self._draw.random() < 0.1:
                self.live.follow()
        node.rpc("anvil_mine", hex(left))
        self.live.follow()
        assert self.live.final_block() == final
        self._go_back(len(self._moments) - 1)
        self.live.follow()
        assert self.live.rewound[-1] == DEPTH
        for _ in range(HAPPENINGS_AFTERWARDS):
            self._something_happens()
        self.live.follow()

    def _begin(self) -> None:
        """Mostly something is on its way when the re-orgs begin."""
        for name, times in (("freeze", 2), ("approve", 8), ("execute", 10), ("unfreeze", 3)):
            for _ in range(self._draw.randint(0, times)):
                self._attempt(name)
        if self._draw.random() < 0.7:
            self._deployed.advance(self._draw.randint(1, 20) * DAY_S)

    def undo_each(self, *names: str) -> None:
        """Have each thing happen once, read it, and let a re-org take it back."""
        for name in names:
            self._remember()
            for _ in range(60):
                before = self.sent[name]
                self._attempt(name)
                if self.sent[name] > before:
                    break
            self.live.follow()
            self._go_back(len(self._moments) - 1)
            self.live.follow()

    def happen(self, **times: int) -> None:
        """Try each thing so many times."""
        for name, count in times.items():
            for _ in range(count):
                self._attempt(name)

    def _remember(self) -> None:
        number = self._deployed.rpc.block_number()
        self._moments.append((self._deployed.node.rpc("evm_snapshot"), number))

    def _reorganise(self) -> None:
        final = self.live.final_block()
        possible = [at for at, (_, number) in enumerate(self._moments) if number >= final]
        if not possible:
            return
        self._go_back(self._draw.choice(possible))
        if self._draw.random() < 0.7:
            self.live.follow()

    def _go_back(self, at: int) -> None:
        snapshot, _ = self._moments[at]
        del self._moments[at:]
        node = self._deployed.node
        node.rpc("evm_revert", snapshot)
        node.rpc("evm_increaseTime", self._draw.randint(1, 50))  # other times, so other hashes
        self._deployed.mine(self._draw.randint(1, 3))

    def finish(self) -> Projection:
        """Let the chain grow past every head it had; returns a replay of it from nothing."""
        head = self._deployed.rpc.block_number()
        self._deployed.node.rpc("anvil_mine", hex(self._draw.choice([1, DEPTH // 2, 2 * DEPTH])))
        while self._deployed.rpc.block_number() - DEPTH < self.live.final_block():
            self._deployed.mine()
        assert self._deployed.rpc.block_number() > head
        self.live.follow()
        fresh = self._folder / f"fresh-{self.seed}.db"
        replay = Projection(self._world, Path(shutil.copyfile(self._base, fresh)))
        replay.follow()
        return replay

    def _something_happens(self) -> None:
        self._attempt(self._draw.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0])

    def _attempt(self, name: str) -> None:
        try:
            getattr(self, f"_{name}")()
        except AssertionError:
            return  # the contract refused: a block without an event
        self.sent[name] += 1

    # ---- what may happen -------------------------------------------------------------------------

    def _send(self, key: str, function: str, *args: Any) -> None:
        self._deployed.send(self._deployed.deployer, key, function, *args)

    def _role(self, role: str, key: str, function: str, *args: Any) -> None:
        self._deployed.send(self._deployed.roles[role], key, function, *args)

    def _signed(
        self,
        key: str,
        name: str,
        members: list[tuple[str, str]],
        message: Mapping[str, Any],
        by: tuple[int, ...],
    ) -> tuple[bytes, int, bytes]:
        self._actions += 1
        action = keccak(text=f"{self.seed} action {self._actions}")
        deadline = self._deployed.now() + DAY_S
        full = {**message, "actionId": action, "deadline": deadline}
        signatures = self._deployed.sign_action(key, name, [*members, *ACTION], full, by)
        return action, deadline, signatures

    def _batch(self, *, streams: bool | None = None) -> tuple[SignedBatch, bytes]:
        wanted = [b for b in self.batches if streams is None or bool(b.approval["kind"]) == streams]
        batch = self._draw.choice(wanted)
        return batch, batch.approval["batchId"]

    def _index(self, batch: SignedBatch) -> int:
        return self._draw.randrange(len(batch.amounts))

    def _chunk(self, batch: SignedBatch) -> int:
        return self._index(batch) // int(batch.approval["chunkSize"])

    def _approve(self) -> None:
        batch, _ = self._batch()
        deployed = self._deployed
        signatures = pack(
            {n: (deployed.officers[n].address, s) for n, s in batch.signatures.items()}
        )
        self._send("vault", "approveBatch", deployed.approval_tuple(batch.approval), signatures)

    def _execute(self) -> None:
        batch, batch_id = self._batch()
        size = batch.approval["chunkSize"]
        words = list(zip(batch.payees, batch.amounts, strict=True))
        pieces = [pack_entries(words[at : at + size]) for at in range(0, len(words), size)]
        proofs = chunk_proofs([chunk_leaf(batch_id, i, piece) for i, piece in enumerate(pieces)])
        chunk = self._chunk(batch)
        self._send("vault", "executeChunk", batch_id, chunk, pieces[chunk], proofs[chunk])

    def _retry(self) -> None:
        batch, batch_id = self._batch(streams=False)
        self._send("vault", "retryPayout", batch_id, self._index(batch))

    def _withdraw(self) -> None:
        batch, batch_id = self._batch(streams=True)
        self._send("vault", "withdraw", batch_id, self._index(batch))

    def _withdraw_chunk(self) -> None:
        batch, batch_id = self._batch(streams=True)
        self._send("vault", "withdrawChunk", batch_id, self._chunk(batch))

    def _cancel_batch(self) -> None:
        _, batch_id = self._batch()
        action = self._signed(
            "vault", "BatchCancellation", [BATCH], {"batchId": batch_id}, REVIEWERS
        )
        self._send("vault", "cancelBatch", batch_id, *action)

    def _cancel_streams(self) -> None:
        batch, batch_id = self._batch(streams=True)
        size = int(batch.approval["chunkSize"])
        index = self._index(batch)
        message = {
            "batchId": batch_id,
            "chunkIndex": index // size,
            "maskLow": 1 << index % size,
            "maskHigh": 0,
        }
        members = list(zip(message, ["bytes32", "uint256", "uint256", "uint256"], strict=True))
        action = self._signed("vault", "StreamCancellation", members, message, REVIEWERS)
        self._send("vault", "cancelStreams", *message.values(), *action)

    def _hold_batch(self) -> None:
        _, batch_id = self._batch()
        by = (self._draw.choice(REVIEWERS),)
        action = self._signed("vault", "BatchHold", [BATCH], {"batchId": batch_id}, by)
        self._send("vault", "holdBatch", batch_id, *action)

    def _hold_entry(self) -> None:
        batch, batch_id = self._batch()
        message = {"batchId": batch_id, "index": self._index(batch)}
        by = (self._draw.choice(REVIEWERS),)
        action = self._signed("vault", "EntryHold", [BATCH, INDEX], message, by)
        self._send("vault", "holdEntry", *message.values(), *action)

    def _change_wallet(self) -> None:
        batch, batch_id = self._batch()
        index = self._index(batch)
        old = batch.payees[index]
        if self._draw.random() < 0.3:
            old = account(f"fuzz {self._draw.randrange(6)}").address
        new = account(f"fuzz {self._draw.randrange(6)}").address
        message = {"batchId": batch_id, "index": index, "from": old, "to": new}
        members = [BATCH, INDEX, ("from", "address"), ("to", "address")]
        action = self._signed("vault", "WalletChange", members, message, REVIEWERS)
        self._send("vault", "changeWallet", *message.values(), *action)

    def _expire_unexecuted(self) -> None:
        self._send("vault", "expireUnexecuted", self._batch()[1])

    def _expire_payout(self) -> None:
        batch, batch_id = self._batch(streams=False)
        unpayable = [i for i, payee in enumerate(batch.payees) if payee == ZERO]
        index = self._draw.choice(unpayable) if unpayable else self._index(batch)
        self._send("vault", "expirePayout", batch_id, index)

    def _expire_streams(self) -> None:
        batch, batch_id = self._batch(streams=True)
        self._send("vault", "expireStreams", batch_id, self._chunk(batch))

    def _freeze(self) -> None:
        self._deployed.freeze(account(f"fuzz {self._draw.randrange(6)}").address)

    def _unfreeze(self) -> None:
        self._deployed.unfreeze(account(f"fuzz {self._draw.randrange(6)}").address)

    def _time_passes(self) -> None:
        long = [3_600, DAY_S, 3 * DAY_S, 7 * DAY_S, 40 * DAY_S, 130 * DAY_S]
        self._deployed.advance(self._draw.choices(long, [8, 8, 4, 1, 0.7, 0.7])[0])

    def _blocks_pass(self) -> None:
        self._deployed.node.rpc("anvil_mine", hex(self._draw.randint(1, MOST_BLOCKS_AT_ONCE)))

    def _attest(self) -> None:
        self._deployed.attest(10**13)

    def _raise_budget(self) -> None:
        budget = self._draw.randint(1, 10**13)
        self._role("programme_manager", "vault", "scheduleBudgetIncrease", 1, budget)

    def _apply_budget(self) -> None:
        self._send("vault", "applyBudgetIncrease", 1)

    def _lower_budget(self) -> None:
        budget = self._draw.randint(10**10, 10**13)
        self._role("programme_manager", "vault", "decreaseBudget", 1, budget)

    def _create_programme(self) -> None:
        number = self._draw.randint(2, 4)
        budget = self._draw.randint(10**8, 10**9)
        self._deployed.create_programme(number, budget=budget, payout_cap=10**7, wait=False)

    def _grant(self) -> None:
        name = f"{self.seed} {self._draw.randrange(4)}"
        payee = account(f"fuzz {self._draw.randrange(6)}").address
        self._grants.append(self._deployed.grant(name, payee, self._draw.randint(1, 99) * UNIT))

    def _countersign(self) -> None:
        if self._grants:
            self._deployed.countersign(self._draw.choice(self._grants), self._draw.choice((2, 3)))

    def _write_off(self) -> None:
        if self._grants:
            grant_id = self._draw.choice(self._grants)["grantId"]
            message, members = {"grantId": grant_id}, [("grantId", "bytes32")]
            action = self._signed("lane", "GrantWriteOff", members, message, GOVERNORS)
            self._send("lane", "writeOff", grant_id, *action)

    def _add_officer(self) -> None:
        number = self._draw.randint(10, 12)
        added: dict[str, Any] = {
            "officerId": number,
            "roles": self._draw.choice([1, 2]),
            "regionCode": 51,
            "regionDigits": 2,
            "signerType": 1,
            "signer": bytes.fromhex(account(f"fuzz officer {number}").address[2:]),
        }
        kinds = ("uint32", "uint16", "uint24", "uint8", "uint8", "bytes")
        members = list(zip(added, kinds, strict=True))
        action = self._signed("registry", "OfficerAddition", members, added, GOVERNORS)
        self._send("registry", "addOfficer", tuple(added.values()), *action)

    def _remove_officer(self) -> None:
        message = {"officerId": self._draw.randint(10, 12)}
        members = [("officerId", "uint32")]
        action = self._signed("registry", "OfficerRemoval", members, message, GOVERNORS)
        self._send("registry", "removeOfficer", *message.values(), *action)

    def _signer(self) -> dict[str, Any]:
        officer = self._draw.choice([4, 10, 11])
        signer = account(f"fuzz signer {officer} {self._draw.randrange(2)}").address
        return {"officerId": officer, "signerType": 1, "signer": bytes.fromhex(signer[2:])}

    def _add_signer(self) -> None:
        message = self._signer()
        members = [("officerId", "uint32"), ("signerType", "uint8"), ("signer", "bytes")]
        action = self._signed("registry", "SignerAddition", members, message, GOVERNORS)
        self._send("registry", "addSigner", *message.values(), *action)

    def _remove_signer(self) -> None:
        message = self._signer()
        del message["officerId"]
        members = [("signerType", "uint8"), ("signer", "bytes")]
        action = self._signed("registry", "SignerRemoval", members, message, GOVERNORS)
        self._send("registry", "removeSigner", *message.values(), *action)

    def _remove_verifier(self) -> None:
        deployment = self._deployed.deployment
        verifier = self._draw.choice([deployment.p256_verifier, deployment.passkey_verifier])
        members = [("verifier", "address")]
        action = self._signed(
            "registry", "VerifierRemoval", members, {"verifier": verifier}, GOVERNORS
        )
        self._send("registry", "removeVerifier", verifier, *action)

    def _add_verifier(self) -> None:
        deployment = self._deployed.deployment
        # Any contract does here; one that was listed before is refused.
        verifier = self._draw.choice([deployment.token, deployment.vault, deployment.lane])
        members = [("verifier", "address")]
        action = self._signed(
            "registry", "VerifierAddition", members, {"verifier": verifier}, GOVERNORS
        )
        self._send("registry", "addVerifier", verifier, *action)


_WEIGHTS = {
    "approve": 8,
    "execute": 10,
    "retry": 6,
    "withdraw": 5,
    "withdraw_chunk": 5,
    "cancel_batch": 1.5,
    "cancel_streams": 2,
    "hold_batch": 1.5,
    "hold_entry": 2,
    "change_wallet": 6,
    "expire_unexecuted": 2,
    "expire_payout": 1.5,
    "expire_streams": 2.5,
    "freeze": 2,
    "unfreeze": 2,
    "time_passes": 4,
    "blocks_pass": 3,
    "attest": 2,
    "raise_budget": 1,
    "apply_budget": 1.5,
    "lower_budget": 1,
    "create_programme": 1,
    "grant": 2,
    "countersign": 1.5,
    "write_off": 1,
    "add_officer": 1.5,
    "remove_officer": 1.5,
    "add_signer": 1.5,
    "remove_signer": 1.5,
    "remove_verifier": 1,
    "add_verifier": 2.5,
}
"""How often each is tried."""


def copy_database(engine: Engine, target: Path) -> None:
    """Copy an SQLite database whole, whatever lies in its log still."""
    with sqlite3.connect(str(engine.url.database)) as source, sqlite3.connect(target) as copy:
        source.backup(copy)


Checked = Callable[[History], None]
