"""A stolen relayer key: no unit moves that officers did not approve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from service.chain.rpc import RpcError
from service.payouts.chunk_tree import chunk_leaf, chunk_proofs
from service.payouts.entries import pack_entries
from tests.support.deployed import account, pack, send
from tests.support.rows import SignedBatch, add_batch, wallet
from tests.support.world import Money, World


@dataclass
class Stolen:
    """What a thief with the relayer's key has to work with."""

    world: World
    paid: SignedBatch
    waiting: SignedBatch

    @property
    def key(self) -> LocalAccount:
        return account("relayer")

    @property
    def accomplice(self) -> str:
        """Another wallet of the thief's: the token never mints to its caller anyway."""
        return account("thief").address

    def forged(self, **changes: Any) -> tuple[Any, ...]:
        new = {**self.waiting.approval, "batchId": keccak(text="forged"), **changes}
        return self.world.deployed.approval_tuple(new)

    def signed(self, *officers: int) -> bytes:
        """The officers' true signatures, over the waiting batch."""
        deployed = self.world.deployed
        return pack(
            {n: (deployed.officers[n].address, self.waiting.signatures[n]) for n in officers}
        )

    def by_thief(self, *officers: int) -> bytes:
        """Records that name officers' signers and carry the thief's own signature."""
        own = bytes(self.key.unsafe_sign_hash(bytes(32)).signature)
        return pack({n: (self.world.deployed.officers[n].address, own) for n in officers})

    def chunk(self, entries: bytes) -> tuple[Any, ...]:
        batch_id = self.paid.approval["batchId"]
        return (batch_id, 0, entries, chunk_proofs([chunk_leaf(batch_id, 0, entries)])[0])


Attempt = Callable[[Stolen], tuple[str, str, tuple[Any, ...]]]
ATTEMPTS: Mapping[str, tuple[str, Attempt]] = {
    "mint": (
        "CommitmentExceeded",
        lambda s: ("token", "mintBatch", (pack_entries([(s.accomplice, 10**6)]), 10**9)),
    ),
    "commit": ("NotMinter", lambda _: ("token", "commit", (10**6,))),
    "release what is committed": ("CommitmentExceeded", lambda _: ("token", "release", (1,))),
    "approve without signatures": (
        "MakerSignatureMissing",
        lambda s: ("vault", "approveBatch", (s.forged(), b"")),
    ),
    "approve with forged signatures": (
        "WrongSignature",
        lambda s: ("vault", "approveBatch", (s.forged(), s.by_thief(1, 2))),
    ),
    "approve with signatures over another batch": (
        "WrongSignature",
        lambda s: ("vault", "approveBatch", (s.forged(), s.signed(1, 2))),
    ),
    "approve a signed batch with a larger total": (
        "WrongSignature",
        lambda s: (
            "vault",
            "approveBatch",
            (
                s.forged(batchId=s.waiting.approval["batchId"], total=10**6),
                s.signed(1, 2),
            ),
        ),
    ),
    "approve with the maker alone": (
        "NotEnoughReviewers",
        lambda s: (
            "vault",
            "approveBatch",
            (s.forged(batchId=s.waiting.approval["batchId"]), s.signed(1)),
        ),
    ),
    "run a chunk with an entry of one's own": (
        "ChunkNotApproved",
        lambda s: (
            "vault",
            "executeChunk",
            s.chunk(pack_entries([(s.key.address, 5), (wallet(1), 6)])),
        ),
    ),
    "run a paid chunk again": (
        "ChunkAlreadyExecuted",
        lambda s: (
            "vault",
            "executeChunk",
            s.chunk(pack_entries(zip(s.paid.payees, s.paid.amounts, strict=True))),
        ),
    ),
    "retry a payout that was paid": (
        "NotSkipped",
        lambda s: ("vault", "retryPayout", (s.paid.approval["batchId"], 0)),
    ),
    "withdraw where nothing is streamed": (
        "WrongKind",
        lambda s: ("vault", "withdraw", (s.paid.approval["batchId"], 0)),
    ),
    "move tokens that one does not have": (
        "InsufficientBalance",
        lambda s: ("token", "transfer", (s.accomplice, 1)),
    ),
    "move a payee's tokens": (
        "InsufficientAllowance",
        lambda s: ("token", "transferFrom", (s.paid.payees[0], s.key.address, 1)),
    ),
    "move a payee's tokens by a forged authorization": (
        "WrongSigner",
        lambda s: (
            "token",
            "transferWithAuthorization",
            (s.paid.payees[0], s.key.address, 1, 0, 2**40, bytes(32), 27, b"\1" * 32, b"\1" * 32),
        ),
    ),
    "burn a payee's tokens": (
        "WrongSigner",
        lambda s: (
            "token",
            "redeemWithAuthorization",
            (s.paid.payees[0], 1, bytes(32), 0, 2**40, bytes(32), 27, b"\1" * 32, b"\1" * 32),
        ),
    ),
    "freeze a payee": (
        "AccessManagedUnauthorized",
        lambda s: ("token", "freeze", (s.paid.payees[0],)),
    ),
    "attest a reserve": (
        "AccessManagedUnauthorized",
        lambda s: ("token", "attestReserve", (2**79, 0, s.world.deployed.now(), bytes(32))),
    ),
    "create a programme": (
        "AccessManagedUnauthorized",
        lambda _: (
            "vault",
            "createProgramme",
            (9, 0, 0, 10**9, 10**9, [(10**9, 1, 0)], bytes(32)),
        ),
    ),
    "grant oneself a role": (
        "AccessManagerUnauthorizedAccount",
        lambda s: ("manager", "grantRole", (5, s.key.address, 0)),
    ),
    "replace the authority": (
        "AccessManagedUnauthorized",
        lambda s: ("token", "setAuthority", (s.key.address,)),
    ),
    "become a minter": (
        "NotEnoughOfficers",
        lambda s: ("token", "scheduleMinter", (s.key.address, 10**9, bytes(32), 2**40 - 1, b"")),
    ),
    "become an officer": (
        "WrongSignature",
        lambda s: (
            "registry",
            "addOfficer",
            (
                (9, 15, 0, 0, 1, bytes.fromhex(s.key.address[2:])),
                bytes(32),
                2**40 - 1,
                s.by_thief(1, 2),
            ),
        ),
    ),
    "cancel a batch": (
        "WrongSignature",
        lambda s: (
            "vault",
            "cancelBatch",
            (s.paid.approval["batchId"], bytes(32), 2**40 - 1, s.by_thief(2, 3)),
        ),
    ),
}


@pytest.fixture
def stolen(world: World) -> Stolen:
    """A batch that was paid, and one that officers signed and nobody sent."""
    with world.session() as session:
        paid = add_batch(session, world.deployed, [5, 6])
    world.run()
    with world.session() as session:
        waiting = add_batch(session, world.deployed, [7], name="waiting", state="draft")
    return Stolen(world, paid, waiting)


def test_a_stolen_relayer_key_moves_no_unit_and_each_try_is_refused_by_its_own_error(
    stolen: Stolen,
) -> None:
    world, deployed = stolen.world, stolen.world.deployed
    before = Money.of(world, stolen.paid, stolen.waiting)
    refused = {}

    for name, (_, attempt) in ATTEMPTS.items():
        contract, function, args = attempt(stolen)
        data = deployed.contracts.encode_call(contract, function, *args)
        target = deployed.contracts.address(contract)
        assert send(deployed.rpc, stolen.key, target, data)["status"] == "0x0", name
        with pytest.raises(RpcError) as caught:
            deployed.rpc.eth_call(target, data, sender=stolen.key.address)
        refusal = deployed.contracts.refusal(caught.value)
        refused[name] = refusal and refusal.name

    assert refused == {name: error for name, (error, _) in ATTEMPTS.items()}
    assert Money.of(world, stolen.paid, stolen.waiting) == before


def test_a_stolen_relayer_key_can_only_pay_whom_officers_approved(stolen: Stolen) -> None:
    deployed, waiting = stolen.world.deployed, stolen.waiting
    thief = stolen.key
    deployed.send(
        thief,
        "vault",
        "approveBatch",
        deployed.approval_tuple(waiting.approval),
        stolen.signed(1, 2),
    )

    assert stolen.world.balance_on_chain(thief.address) == 0
    assert deployed.read("token", "committed") == 7
