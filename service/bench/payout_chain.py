"""A chain full of payouts, made without the service: batches that officers signed, all chunks run.

Everything follows from the numbers of the payouts, but the times that the chain gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from eth_utils.crypto import keccak

from service.approvals.domain import SigningDomain
from service.approvals.signatures import pack_signatures
from service.approvals.typed_data import digest_of, make_typed_data, member_names
from service.bench.bare import BareCall, send_all
from service.bench.chains import PROGRAMME, BenchChain, account
from service.chain.signers import LocalSigner
from service.payouts.chunk_tree import chunk_leaf, chunk_proofs, chunks_root
from service.payouts.entries import MAX_CHUNK_ENTRIES

MOST_CHUNKS = 256
"""Of a batch: leaves of a tree of depth 8."""

AMOUNT_BASE_UNITS = 300_000_000
REGION = (51, 2)
DAY_S = 86_400
YEAR_S = 366 * DAY_S
APPROVAL_GAS = 1_000_000
CHUNK_GAS = 16_500_000
"""Below the cap of a transaction (EIP-7825), above what 500 new wallets cost."""

ACCOUNT = 1
"""Type of a signer that is an externally owned account."""


@dataclass(frozen=True, slots=True)
class _Signature:
    officer_id: int
    signer_type: int
    signer: str
    signature: str


def wallet(number: int) -> bytes:
    """Wallet of a payout, 20 bytes; nobody has its key."""
    return sha256(b"relief benchmark payee %d" % number).digest()[:20]


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """A batch that officers signed.

    Attributes
    ----------
    message
        What they signed: the members of ``BatchApproval``.
    pieces
        Packed entries of each chunk.
    signatures
        Packed, as the vault takes them.
    """

    message: dict[str, Any]
    pieces: list[bytes]
    signatures: bytes

    @property
    def signed(self) -> tuple[Any, ...]:
        """Return the message's values in their order."""
        return tuple(self.message[name] for name in member_names("BatchApproval"))


def fill(chain: BenchChain, count: int) -> None:
    """Have `count` payouts approved and paid, each to a wallet of its own.

    Raises
    ------
    ChainRefused
        When a transaction is not taken, or reverts.
    """
    relayer = account("relayer")
    chain_id = chain.node.chain_id
    for numbers in batches_of(count):
        header = chain.rpc.header("latest")
        batch = plan_batch(chain, numbers, int(header["timestamp"], 16) if header else 0)
        for calls in _calls(chain, batch):
            send_all(chain.rpc, relayer, chain_id, calls)


def batches_of(count: int) -> Iterator[range]:
    """Yield the numbers of the payouts of each batch."""
    most = MOST_CHUNKS * MAX_CHUNK_ENTRIES
    for first in range(0, count, most):
        yield range(first, min(count, first + most))


def plan_batch(chain: BenchChain, numbers: range, now: int) -> PlannedBatch:
    """Make a batch of these payouts at a time, and sign it as maker and reviewer."""
    chunks = [
        numbers[at : at + MAX_CHUNK_ENTRIES] for at in range(0, len(numbers), MAX_CHUNK_ENTRIES)
    ]
    amount = AMOUNT_BASE_UNITS.to_bytes(8, "big")
    pieces = [b"".join([wallet(number) + amount for number in chunk]) for chunk in chunks]
    batch_id = keccak(text=f"relief benchmark batch {numbers.start}")
    message = {
        "programme": PROGRAMME,
        "programmeVersion": 1,
        "batchId": batch_id,
        "maker": 1,
        "kind": 0,
        "regionCode": REGION[0],
        "regionDigits": REGION[1],
        "chunkSize": MAX_CHUNK_ENTRIES,
        "chunksRoot": chunks_root(_leaves(batch_id, pieces)),
        "manifestHash": keccak(batch_id),
        "count": len(numbers),
        "total": len(numbers) * AMOUNT_BASE_UNITS,
        "start": 0,
        "cliff": 0,
        "duration": 0,
        "cadence": 0,
        "executeBefore": now + 7 * DAY_S,
        "expiresAt": now + YEAR_S,
    }
    return PlannedBatch(message, pieces, _signatures(chain, message))


def _leaves(batch_id: bytes, pieces: Sequence[bytes]) -> list[bytes]:
    return [chunk_leaf(batch_id, index, piece) for index, piece in enumerate(pieces)]


def _calls(chain: BenchChain, batch: PlannedBatch) -> Iterator[list[BareCall]]:
    """Yield the call that approves a batch, then those that run its chunks."""
    contracts, vault = chain.contracts, chain.contracts.address("vault")
    approve = contracts.encode_call("vault", "approveBatch", batch.signed, batch.signatures)
    yield [BareCall(vault, approve, APPROVAL_GAS)]
    batch_id = batch.message["batchId"]
    proofs = chunk_proofs(_leaves(batch_id, batch.pieces))
    yield [
        BareCall(
            vault,
            contracts.encode_call("vault", "executeChunk", batch_id, index, piece, proof),
            CHUNK_GAS,
        )
        for index, (piece, proof) in enumerate(zip(batch.pieces, proofs, strict=True))
    ]


def _signatures(chain: BenchChain, message: dict[str, Any]) -> bytes:
    """Sign as the maker and the reviewer."""
    domain = SigningDomain(
        chain.node.chain_id,
        *(chain.contracts.address(name) for name in ("vault", "registry", "token", "lane")),
    )
    digest = digest_of(make_typed_data(domain, "BatchApproval", message))
    signers = {officer: LocalSigner(account(f"officer {officer}")) for officer in (1, 2)}
    return pack_signatures(
        _Signature(officer, ACCOUNT, signer.address, "0x" + signer.sign_digest(digest).hex())
        for officer, signer in signers.items()
    )
