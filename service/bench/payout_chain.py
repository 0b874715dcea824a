"""A chain full of payouts, made without the service: batches that officers signed, all chunks run.

Everything follows from the numbers of the payouts, but the times that the chain gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

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


def fill(chain: BenchChain, count: int) -> None:
    """Have `count` payouts approved and paid, each to a wallet of its own.

    Raises
    ------
    ChainRefused
        When a transaction is not taken, or reverts.
    """
    relayer = account("relayer")
    chain_id = chain.node.chain_id
    for first in range(0, count, MOST_CHUNKS * MAX_CHUNK_ENTRIES):
        numbers = range(first, min(count, first + MOST_CHUNKS * MAX_CHUNK_ENTRIES))
        for calls in _batch(chain, numbers):
            send_all(chain.rpc, relayer, chain_id, calls)


def _batch(chain: BenchChain, numbers: range) -> Iterator[list[BareCall]]:
    """Yield the calls that approve a batch of these payouts, then those that run its chunks."""
    chunks = [
        numbers[at : at + MAX_CHUNK_ENTRIES] for at in range(0, len(numbers), MAX_CHUNK_ENTRIES)
    ]
    amount = AMOUNT_BASE_UNITS.to_bytes(8, "big")
    pieces = [b"".join(wallet(number) + amount for number in chunk) for chunk in chunks]
    batch_id = keccak(text=f"relief benchmark batch {numbers.start}")
    leaves = [chunk_leaf(batch_id, index, piece) for index, piece in enumerate(pieces)]
    header = chain.rpc.header("latest")
    now = int(header["timestamp"], 16) if header else 0
    message = {
        "programme": PROGRAMME,
        "programmeVersion": 1,
        "batchId": batch_id,
        "maker": 1,
        "kind": 0,
        "regionCode": REGION[0],
        "regionDigits": REGION[1],
        "chunkSize": MAX_CHUNK_ENTRIES,
        "chunksRoot": chunks_root(leaves),
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
    vault = chain.contracts.address("vault")
    signed = tuple(message[name] for name in member_names("BatchApproval"))
    approve = chain.contracts.encode_call(
        "vault", "approveBatch", signed, _signatures(chain, message)
    )
    yield [BareCall(vault, approve, APPROVAL_GAS)]
    yield [
        BareCall(
            vault,
            chain.contracts.encode_call("vault", "executeChunk", batch_id, index, piece, proof),
            CHUNK_GAS,
        )
        for index, (piece, proof) in enumerate(zip(pieces, chunk_proofs(leaves), strict=True))
    ]


def _signatures(chain: BenchChain, message: dict[str, object]) -> bytes:
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
