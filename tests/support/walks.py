"""A seeded walk over what somebody may send to the contracts.

What the contracts refuse is mined all the same and leaves no event. :class:`Walk` has the deeds;
who lives through them, with re-orgs and with what beside the chain, is said where it is derived
from: ``tests/support/histories.py`` and ``tests/audit/driving``.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from eth_utils.crypto import keccak

from service.payouts.chunk_tree import chunk_leaf, chunk_proofs
from service.payouts.entries import pack_entries
from tests.support.deployed import Deployed, account, pack
from tests.support.rows import DAY_S, SignedBatch

MOST_BLOCKS_AT_ONCE = 12
"""That one happening makes."""

ZERO = "0x" + "00" * 20
ACTION = [("actionId", "bytes32"), ("deadline", "uint40")]
BATCH, INDEX = ("batchId", "bytes32"), ("index", "uint256")
REVIEWERS, GOVERNORS = (2, 3), (2, 3)
UNIT = 10**6


class Walk:
    """Deeds on deployed contracts, each drawn from a seed.

    Attributes
    ----------
    batches
        Batches that officers may sign, approved or not.
    sent
        How often each deed was done, not refused.
    weights
        How often each is tried.
    """

    weights: Mapping[str, float]

    def __init__(self, deployed: Deployed, seed: int) -> None:
        self.seed = seed
        self._draw = random.Random(seed)
        self._deployed = deployed
        self._actions = 0
        self._grants: list[dict[str, Any]] = []
        self.batches: list[SignedBatch] = []
        self.sent: Counter[str] = Counter()

    def _something_happens(self) -> None:
        self._attempt(self._draw.choices(list(self.weights), list(self.weights.values()))[0])

    def _attempt(self, name: str) -> None:
        try:
            getattr(self, f"_{name}")()
        except AssertionError:
            return  # the contract refused: a block without an event
        self.sent[name] += 1

    # ---- who does it, and to what: for those who walk to say otherwise ---------------------------

    def _reviewers(self, batch: SignedBatch) -> tuple[int, ...]:
        """A quorum for a batch's region."""
        return REVIEWERS

    def _reviewer(self, batch: SignedBatch) -> int:
        """One of them."""
        return self._draw.choice(REVIEWERS)

    def _governors(self) -> tuple[int, ...]:
        """A quorum."""
        return GOVERNORS

    def _wallet(self) -> str:
        """Somebody who may be paid."""
        return account(f"fuzz {self._draw.randrange(6)}").address

    def _programme(self) -> int:
        """Whose budget moves."""
        return 1

    def _batch(self, *, streams: bool | None = None) -> tuple[SignedBatch, bytes]:
        wanted = [b for b in self.batches if streams is None or bool(b.approval["kind"]) == streams]
        batch = self._draw.choice(wanted)
        return batch, batch.approval["batchId"]

    def _index(self, batch: SignedBatch) -> int:
        return self._draw.randrange(len(batch.amounts))

    def _chunk(self, batch: SignedBatch) -> int:
        return self._index(batch) // int(batch.approval["chunkSize"])

    def _unapproved(self) -> SignedBatch:
        """A batch to approve."""
        return self._batch()[0]

    def _unrun(self) -> tuple[SignedBatch, int]:
        """A batch and its chunk to run."""
        batch, _ = self._batch()
        return batch, self._chunk(batch)

    def _skipped(self) -> tuple[SignedBatch, int]:
        """A one-off payout to retry."""
        batch, _ = self._batch(streams=False)
        return batch, self._index(batch)

    def _unpaid(self) -> tuple[SignedBatch, int]:
        """A payout to hold, or to pay to another wallet."""
        batch, _ = self._batch()
        return batch, self._index(batch)

    def _unpayable(self) -> tuple[SignedBatch, int]:
        """A one-off payout that can never be paid, if there is one."""
        batch, _ = self._batch(streams=False)
        unpayable = [i for i, payee in enumerate(batch.payees) if payee == ZERO]
        return batch, self._draw.choice(unpayable) if unpayable else self._index(batch)

    def _signatures_of(self, batch: SignedBatch) -> bytes:
        """What officers signed of a batch, packed."""
        officers = self._deployed.officers
        return pack({n: (officers[n].address, s) for n, s in batch.signatures.items()})

    def _mask(self, batch: SignedBatch) -> tuple[int, int]:
        """A chunk, and the mask of some of its streams."""
        size = int(batch.approval["chunkSize"])
        index = self._index(batch)
        return index // size, 1 << index % size

    def _payee_now(self, batch: SignedBatch, index: int) -> str:
        """Who is paid, as far as the officers know who sign a change."""
        return batch.payees[index]

    def _newcomer(self) -> dict[str, Any]:
        """Somebody whom governors make an officer."""
        number = self._draw.randint(10, 12)
        return {
            "officerId": number,
            "roles": self._draw.choice([1, 2]),
            "regionCode": 51,
            "regionDigits": 2,
            "signerType": 1,
            "signer": bytes.fromhex(account(f"fuzz officer {number}").address[2:]),
        }

    def _leaver(self) -> int:
        """An officer whom governors remove."""
        return self._draw.randint(10, 12)

    def _signer(self) -> dict[str, Any]:
        officer = self._draw.choice([4, 10, 11])
        signer = account(f"fuzz signer {officer} {self._draw.randrange(2)}").address
        return {"officerId": officer, "signerType": 1, "signer": bytes.fromhex(signer[2:])}

    def _leaving_signer(self) -> dict[str, Any]:
        message = self._signer()
        del message["officerId"]
        return message

    def _leaving_verifier(self) -> str:
        deployment = self._deployed.deployment
        return self._draw.choice([deployment.p256_verifier, deployment.passkey_verifier])

    def _new_verifier(self) -> str:
        deployment = self._deployed.deployment
        # Any contract does here; one that was listed before is refused.
        return self._draw.choice([deployment.token, deployment.vault, deployment.lane])

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

    def _approve(self) -> None:
        batch = self._unapproved()
        signed = self._deployed.approval_tuple(batch.approval)
        self._send("vault", "approveBatch", signed, self._signatures_of(batch))

    def _execute(self) -> None:
        batch, chunk = self._unrun()
        batch_id, size = batch.approval["batchId"], batch.approval["chunkSize"]
        words = list(zip(batch.payees, batch.amounts, strict=True))
        pieces = [pack_entries(words[at : at + size]) for at in range(0, len(words), size)]
        proofs = chunk_proofs([chunk_leaf(batch_id, i, piece) for i, piece in enumerate(pieces)])
        self._send("vault", "executeChunk", batch_id, chunk, pieces[chunk], proofs[chunk])

    def _retry(self) -> None:
        batch, index = self._skipped()
        self._send("vault", "retryPayout", batch.approval["batchId"], index)

    def _withdraw(self) -> None:
        batch, batch_id = self._batch(streams=True)
        self._send("vault", "withdraw", batch_id, self._index(batch))

    def _withdraw_chunk(self) -> None:
        batch, batch_id = self._batch(streams=True)
        self._send("vault", "withdrawChunk", batch_id, self._chunk(batch))

    def _cancel_batch(self) -> None:
        batch, batch_id = self._batch()
        by = self._reviewers(batch)
        action = self._signed("vault", "BatchCancellation", [BATCH], {"batchId": batch_id}, by)
        self._send("vault", "cancelBatch", batch_id, *action)

    def _cancel_streams(self) -> None:
        batch, batch_id = self._batch(streams=True)
        chunk, mask = self._mask(batch)
        message = {
            "batchId": batch_id,
            "chunkIndex": chunk,
            "maskLow": mask % 2**256,
            "maskHigh": mask >> 256,
        }
        members = list(zip(message, ["bytes32", "uint256", "uint256", "uint256"], strict=True))
        action = self._signed(
            "vault", "StreamCancellation", members, message, self._reviewers(batch)
        )
        self._send("vault", "cancelStreams", *message.values(), *action)

    def _hold_batch(self) -> None:
        batch, batch_id = self._batch()
        by = (self._reviewer(batch),)
        action = self._signed("vault", "BatchHold", [BATCH], {"batchId": batch_id}, by)
        self._send("vault", "holdBatch", batch_id, *action)

    def _hold_entry(self) -> None:
        batch, index = self._unpaid()
        message = {"batchId": batch.approval["batchId"], "index": index}
        by = (self._reviewer(batch),)
        action = self._signed("vault", "EntryHold", [BATCH, INDEX], message, by)
        self._send("vault", "holdEntry", *message.values(), *action)

    def _change_wallet(self) -> None:
        batch, index = self._unpaid()
        old = self._payee_now(batch, index)
        if self._draw.random() < 0.3:
            old = self._wallet()
        new = self._wallet()
        batch_id = batch.approval["batchId"]
        message = {"batchId": batch_id, "index": index, "from": old, "to": new}
        members = [BATCH, INDEX, ("from", "address"), ("to", "address")]
        action = self._signed("vault", "WalletChange", members, message, self._reviewers(batch))
        self._send("vault", "changeWallet", *message.values(), *action)

    def _expire_unexecuted(self) -> None:
        self._send("vault", "expireUnexecuted", self._batch()[1])

    def _expire_payout(self) -> None:
        batch, index = self._unpayable()
        self._send("vault", "expirePayout", batch.approval["batchId"], index)

    def _expire_streams(self) -> None:
        batch, batch_id = self._batch(streams=True)
        self._send("vault", "expireStreams", batch_id, self._chunk(batch))

    def _freeze(self) -> None:
        self._role("freezer", "token", "freeze", self._wallet())

    def _unfreeze(self) -> None:
        self._role("freezer", "token", "unfreeze", self._wallet())

    def _time_passes(self) -> None:
        long = [3_600, DAY_S, 3 * DAY_S, 7 * DAY_S, 40 * DAY_S, 130 * DAY_S]
        self._deployed.advance(self._draw.choices(long, [8, 8, 4, 1, 0.7, 0.7])[0])

    def _blocks_pass(self) -> None:
        self._deployed.mine(self._draw.randint(1, MOST_BLOCKS_AT_ONCE))

    def _attest(self) -> None:
        self._deployed.attest(10**13)

    def _raise_budget(self) -> None:
        budget = self._draw.randint(1, 10**13)
        self._role(
            "programme_manager", "vault", "scheduleBudgetIncrease", self._programme(), budget
        )

    def _apply_budget(self) -> None:
        self._send("vault", "applyBudgetIncrease", self._programme())

    def _lower_budget(self) -> None:
        budget = self._draw.randint(10**10, 10**13)
        self._role("programme_manager", "vault", "decreaseBudget", self._programme(), budget)

    def _create_programme(self) -> None:
        number = self._draw.randint(2, 4)
        budget = self._draw.randint(10**8, 10**9)
        self._deployed.create_programme(number, budget=budget, payout_cap=10**7, wait=False)

    def _grant(self) -> None:
        name = f"{self.seed} {self._draw.randrange(4)}"
        payee = self._wallet()
        self._grants.append(self._deployed.grant(name, payee, self._draw.randint(1, 99) * UNIT))

    def _countersign(self) -> None:
        if self._grants:
            self._deployed.countersign(self._draw.choice(self._grants), self._draw.choice((2, 3)))

    def _write_off(self) -> None:
        if self._grants:
            grant_id = self._draw.choice(self._grants)["grantId"]
            message, members = {"grantId": grant_id}, [("grantId", "bytes32")]
            action = self._signed("lane", "GrantWriteOff", members, message, self._governors())
            self._send("lane", "writeOff", grant_id, *action)

    def _add_officer(self) -> None:
        added = self._newcomer()
        kinds = ("uint32", "uint16", "uint24", "uint8", "uint8", "bytes")
        members = list(zip(added, kinds, strict=True))
        action = self._signed("registry", "OfficerAddition", members, added, self._governors())
        self._send("registry", "addOfficer", tuple(added.values()), *action)

    def _remove_officer(self) -> None:
        message = {"officerId": self._leaver()}
        members = [("officerId", "uint32")]
        action = self._signed("registry", "OfficerRemoval", members, message, self._governors())
        self._send("registry", "removeOfficer", *message.values(), *action)

    def _add_signer(self) -> None:
        message = self._signer()
        members = [("officerId", "uint32"), ("signerType", "uint8"), ("signer", "bytes")]
        action = self._signed("registry", "SignerAddition", members, message, self._governors())
        self._send("registry", "addSigner", *message.values(), *action)

    def _remove_signer(self) -> None:
        message = self._leaving_signer()
        members = [("signerType", "uint8"), ("signer", "bytes")]
        action = self._signed("registry", "SignerRemoval", members, message, self._governors())
        self._send("registry", "removeSigner", *message.values(), *action)

    def _remove_verifier(self) -> None:
        self._verifier("removeVerifier", "VerifierRemoval", self._leaving_verifier())

    def _add_verifier(self) -> None:
        self._verifier("addVerifier", "VerifierAddition", self._new_verifier())

    def _verifier(self, function: str, name: str, verifier: str) -> None:
        members, message = [("verifier", "address")], {"verifier": verifier}
        action = self._signed("registry", name, members, message, self._governors())
        self._send("registry", function, verifier, *action)


WEIGHTS = {
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
