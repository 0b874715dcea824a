"""What Relief's own operations cost, for 1, 100 and 500 payees, and its other functions once.

The measured chunk holds that many payees. For 1 and 100 it is its batch's only chunk; for 500 it is
the second to run of a batch of eight (4,000 payees). Before all of it the county was paid once, so
that the words of its rolling sums, the supply and the programme's are not new. A stranger to the
contracts sends whatever anybody may send. docs/gas.md says what each operation is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

from eth_utils.crypto import keccak

from service.payouts.chunk_tree import chunk_leaf, chunk_proofs, chunks_root
from service.payouts.entries import pack_entries
from tests.gas.chain import DAY_S, SINGLE_GAS, UNIT, Call, GasChain, named_address, wallets
from tests.support.deployed import TWO_DAYS_S, deploy

Gas = dict[str, dict[int, int]]
"""Operation → payees → gas."""

OPERATIONS = (
    "approval",
    "mint_fresh",
    "mint_existing",
    "stream_open",
    "withdraw_self_fresh",
    "withdraw_self_existing",
    "withdraw_relayed_fresh",
    "withdraw_relayed_existing_first",
    "withdraw_relayed_existing",
    "cancel",
    "officer_signature",
)
"""In the order of the tables."""

SIZES = {1: 1, 100: 1, 500: 8}
"""Payees of the measured chunk → chunks of its batch."""
COUNTY = (510722, 6)
PROGRAMME = 1
RESERVE = 10**9 * UNIT
STREAM_DAYS = 90
ANYONE = named_address("anyone")
ACTION = [("actionId", "bytes32"), ("deadline", "uint40")]
CANCELLATION = [
    ("batchId", "bytes32"),
    ("chunkIndex", "uint256"),
    ("maskLow", "uint256"),
    ("maskHigh", "uint256"),
    *ACTION,
]
OFFICERS = {1: (1 | 8, 0, 0), 2: (2 | 8, 0, 0), 3: (2 | 8, 0, 0)}
"""Officer id → roles and region: 1 makes, 2 and 3 review."""


@dataclass(frozen=True)
class Batch:
    """A batch as its maker prepared it."""

    approval: dict[str, Any]
    entries: Sequence[tuple[str, int]]
    chunks: list[bytes]
    leaves: list[bytes]

    @property
    def id(self) -> bytes:
        batch_id: bytes = self.approval["batchId"]
        return batch_id

    @property
    def start(self) -> int:
        """When the streams start, Unix seconds."""
        return int(self.approval["start"])

    @property
    def measured(self) -> int:
        """Index of the measured chunk: the second where there are more."""
        return 1 if len(self.chunks) > 1 else 0

    @property
    def measured_indices(self) -> range:
        """Indices in the batch of the measured chunk's payees."""
        size = self.approval["chunkSize"]
        return range(self.measured * size, (self.measured + 1) * size)


class Relief:
    """The contracts deployed, with one programme in force, a reserve, and one payment made."""

    def __init__(self, chain: GasChain) -> None:
        self.chain = chain
        self.deployed = deploy(chain.node, officers=OFFICERS)
        self.deployed.create_programme(
            PROGRAMME, budget=RESERVE, payout_cap=10_000 * UNIT, wait=False
        )
        chain.next_block_at(chain.now() + TWO_DAYS_S)
        self.deployed.attest(RESERVE)
        self._pay("before", [(named_address("paid before"), UNIT)])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.deployed.rpc.close()

    # ---- what is measured --------------------------------------------------------------------

    def measure(self) -> Gas:
        """Measure each operation for each number of payees."""
        gas: Gas = {}
        for payees in SIZES:
            for part in (
                self._approval,
                self._one_off,
                self._streams_to_fresh,
                self._streams_to_holders,
                self._own_to_fresh,
                self._own_to_holders,
                self._cancel,
            ):
                with self.chain.undone():
                    for operation, charged in part(payees).items():
                        gas.setdefault(operation, {})[payees] = round(charged)
        return {operation: gas[operation] for operation in OPERATIONS}

    def _approval(self, payees: int) -> dict[str, float]:
        batch = self._batch("approval", payees)
        with self.chain.undone():
            one = self._approve(batch)
        two = self._approve(batch, reviewers=(2, 3))
        return {"approval": one, "officer_signature": two - one}

    def _one_off(self, payees: int) -> dict[str, float]:
        gas = {}
        for operation in ("mint_fresh", "mint_existing"):
            batch = self._batch(operation, payees)
            self._approve(batch)
            gas[operation] = self._run(batch) / payees
        return gas

    def _streams_to_fresh(self, payees: int) -> dict[str, float]:
        batch, opened = self._open("streams", payees)
        return {
            "stream_open": opened,
            "withdraw_relayed_fresh": self._withdraw_chunk(batch, day=1) / payees,
        }

    def _streams_to_holders(self, payees: int) -> dict[str, float]:
        batch = self._open_to_holders(payees)
        return {
            "withdraw_relayed_existing_first": self._withdraw_chunk(batch, day=1) / payees,
            "withdraw_relayed_existing": self._withdraw_chunk(batch, day=2) / payees,
        }

    def _own_to_fresh(self, payees: int) -> dict[str, float]:
        batch, _ = self._open("streams", payees)
        return {"withdraw_self_fresh": self._withdraw_each(batch) / payees}

    def _own_to_holders(self, payees: int) -> dict[str, float]:
        batch = self._open_to_holders(payees)
        return {"withdraw_self_existing": self._withdraw_each(batch) / payees}

    def _cancel(self, payees: int) -> dict[str, float]:
        batch, _ = self._open("streams", payees)
        return {"cancel": self._cut(batch, range(payees)) / payees}

    # ---- what else there is ------------------------------------------------------------------

    def measure_features(self) -> Gas:
        """Measure what the exceptions of a chunk of 500 cost a payee, and single functions."""
        gas: Gas = {}
        parts: dict[int, list[Callable[[], dict[str, float]]]] = {
            500: [self._frozen_in_chunk, self._cut_in_chunk],
            1: [
                self._own_in_an_opened_word,
                self._skipped_and_retried,
                self._spending,
                self._housekeeping,
            ],
        }
        for payees, measures in parts.items():
            for part in measures:
                with self.chain.undone():
                    for operation, charged in part().items():
                        gas[operation] = {payees: round(charged / payees)}
        return gas

    def _frozen_in_chunk(self) -> dict[str, float]:
        batch = self._open_to_holders(500)
        for position in (3, 200, 450):
            self.deployed.freeze(batch.entries[batch.measured_indices[position]][0])
        worst = max(self._withdraw_chunk(batch, day) for day in (1, 2, 3))
        return {"withdraw_relayed_3_frozen": worst}

    def _cut_in_chunk(self) -> dict[str, float]:
        batch = self._open_to_holders(500)
        self._cut(batch, [3])
        worst = max(self._withdraw_chunk(batch, day) for day in (1, 2))
        return {"withdraw_relayed_after_cancel": worst}

    def _own_in_an_opened_word(self) -> dict[str, float]:
        """Eight streams share a word; the first of them to withdraw alone opens it."""
        batch = self._open_to_holders(500)
        first, second, *_ = batch.measured_indices
        self.chain.next_block_at(batch.start + DAY_S)
        self._send(ANYONE, "vault", "withdraw", batch.id, first)
        return {"withdraw_self_opened": self._send(ANYONE, "vault", "withdraw", batch.id, second)}

    def _skipped_and_retried(self) -> dict[str, float]:
        payee = wallets(1)[0][0]
        batch = self._batch("skipped", 1)
        self._approve(batch)
        frozen = self._send("freezer", "token", "freeze", payee)
        skipped = self._execute(batch, 0)
        unfrozen = self._send("freezer", "token", "unfreeze", payee)
        return {
            "freeze": frozen,
            "mint_skipped": skipped,
            "unfreeze": unfrozen,
            "retry": self._send(ANYONE, "vault", "retryPayout", batch.id, 0),
        }

    def _spending(self) -> dict[str, float]:
        (holder, amount), (other, _), (merchant, _) = wallets(3)
        self._pay("spending", [(holder, amount), (other, amount)])
        part = 37 * UNIT
        return {
            "transfer_fresh": self._send(holder, "token", "transfer", merchant, part),
            "transfer_existing": self._send(holder, "token", "transfer", other, part),
            "redeem": self._send(holder, "token", "redeem", part, keccak(text="payment")),
        }

    def _housekeeping(self) -> dict[str, float]:
        now = self.deployed.now()
        attested = self._send("attestor", "token", "attestReserve", RESERVE, 0, now, bytes(32))
        return {
            "attest_reserve": attested,
            "pause": self._send("guardian", "vault", "pause", 4),
        }

    # ---- how ---------------------------------------------------------------------------------

    def _send(self, sender: str, key: str, function: str, *arguments: Any) -> int:
        """Send a call, from an address or the holder of a role, and return the gas."""
        held = self.deployed.roles.get(sender)
        data = self.deployed.contracts.encode_call(key, function, *arguments)
        address = self.deployed.contracts.address(key)
        return self.chain.send(held.address if held else sender, address, data)

    def _batch(self, name: str, payees: int, *, streams: bool = False) -> Batch:
        """Prepare a batch whose measured chunk has so many payees."""
        return self._prepare(
            f"{name} {payees}", wallets(payees * SIZES[payees]), payees, streams=streams
        )

    def _prepare(
        self, name: str, entries: Sequence[tuple[str, int]], size: int, *, streams: bool
    ) -> Batch:
        batch_id = keccak(text=name)
        chunks = [pack_entries(entries[at : at + size]) for at in range(0, len(entries), size)]
        leaves = [chunk_leaf(batch_id, index, chunk) for index, chunk in enumerate(chunks)]
        now = self.deployed.now()
        duration = STREAM_DAYS * DAY_S if streams else 0
        approval = {
            "programme": PROGRAMME,
            "programmeVersion": 1,
            "batchId": batch_id,
            "maker": 1,
            "kind": int(streams),
            "regionCode": COUNTY[0],
            "regionDigits": COUNTY[1],
            "chunkSize": size,
            "chunksRoot": chunks_root(leaves),
            "manifestHash": keccak(text=f"manifest of {name}"),
            "count": len(entries),
            "total": sum(amount for _, amount in entries),
            "start": now if streams else 0,
            "cliff": 0,
            "duration": duration,
            "cadence": DAY_S if streams else 0,
            "executeBefore": now + 10 * DAY_S,
            "expiresAt": now + 10 * DAY_S + duration + 90 * DAY_S,
        }
        return Batch(approval, entries, chunks, leaves)

    def _approve(self, batch: Batch, reviewers: Sequence[int] = (2,)) -> int:
        signatures = self.deployed.sign_batch(batch.approval, maker=1, reviewers=reviewers)
        struct = self.deployed.approval_tuple(batch.approval)
        return self._send(ANYONE, "vault", "approveBatch", struct, signatures)

    def _execute(self, batch: Batch, chunk: int) -> int:
        proof = chunk_proofs(batch.leaves)[chunk]
        return self._send(
            ANYONE, "vault", "executeChunk", batch.id, chunk, batch.chunks[chunk], proof
        )

    def _run(self, batch: Batch) -> int:
        """Run the measured chunk, after the first where there is one before it."""
        if batch.measured:
            self._execute(batch, 0)
        return self._execute(batch, batch.measured)

    def _pay(self, name: str, entries: Sequence[tuple[str, int]]) -> None:
        batch = self._prepare(name, entries, len(entries), streams=False)
        self._approve(batch)
        self._run(batch)

    def _open(self, name: str, payees: int) -> tuple[Batch, float]:
        """Open the measured chunk's streams; the batch, and what that cost a stream."""
        batch = self._batch(name, payees, streams=True)
        approved = self._approve(batch) / len(batch.entries)
        return batch, approved + self._run(batch) / payees

    def _open_to_holders(self, payees: int) -> Batch:
        """Open the measured chunk's streams, each payee having been paid before."""
        batch, _ = self._open("streams", payees)
        self._pay("held", [batch.entries[index] for index in batch.measured_indices])
        return batch

    def _withdraw_chunk(self, batch: Batch, day: int) -> int:
        self.chain.next_block_at(batch.start + day * DAY_S)
        return self._send(ANYONE, "vault", "withdrawChunk", batch.id, batch.measured)

    def _withdraw_each(self, batch: Batch) -> int:
        self.chain.next_block_at(batch.start + DAY_S)
        encode, vault = self.deployed.contracts.encode_call, self.deployed.vault
        return self.chain.send_all(
            [
                Call(
                    batch.entries[index][0],
                    vault,
                    encode("vault", "withdraw", batch.id, index),
                    SINGLE_GAS,
                )
                for index in batch.measured_indices
            ]
        )

    def _cut(self, batch: Batch, positions: Sequence[int]) -> int:
        """Cancel streams of the measured chunk, half a day after the start."""
        self.chain.next_block_at(batch.start + DAY_S // 2)
        mask = sum(1 << position for position in positions)
        message = {
            "batchId": batch.id,
            "chunkIndex": batch.measured,
            "maskLow": mask & (2**256 - 1),
            "maskHigh": mask >> 256,
            "actionId": keccak(text="cut"),
            "deadline": batch.start + DAY_S,
        }
        signatures = self.deployed.sign_action(
            "vault", "StreamCancellation", CANCELLATION, message, (2, 3)
        )
        return self._send(ANYONE, "vault", "cancelStreams", *message.values(), signatures)
