"""The file of a payment proof: strict, and written in one way only.

JSON of objects, lists and strings: bytes as small 0x-hex, numbers as decimal strings. A file that
is not byte for byte what :func:`write` makes of it is refused, so that no two readers see different
things in it and nothing in it goes unchecked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson

from service.audit.abi import Contract
from service.audit.arithmetic import TREE_DEPTH
from service.errors import InvalidInput

FORMAT = "relief-payment-proof-1"
MAX_BYTES = 64 * 2**20

CONTRACTS = {
    "one_off": (Contract.REGISTRY, Contract.TOKEN, Contract.VAULT),
    "stream": (Contract.REGISTRY, Contract.TOKEN, Contract.VAULT),
    "grant": (Contract.LANE, Contract.REGISTRY, Contract.TOKEN),
}
"""Whose events prove each kind of payout."""

HEX = re.compile(r"0x(?:[0-9a-f]{2})*")
NUMBER = re.compile(r"0|[1-9][0-9]{0,77}")


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header.

    Attributes
    ----------
    header
        RLP of it; its Keccak-256 is the hash.
    """

    number: int
    hash: bytes
    header: bytes


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A transaction and its receipt, proven to stand at a position of a block.

    Attributes
    ----------
    receipt, transaction
        Nodes of the block's two tries, root first; the last one holds the receipt or transaction.
    """

    block: int
    position: int
    receipt: tuple[bytes, ...]
    transaction: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PaymentProof:
    """A payment proof.

    Attributes
    ----------
    contracts
        Addresses of the contracts whose events it shows.
    payout
        What it claims (:meth:`service.audit.proofs.statements.Statements.claims`).
    siblings
        Of the chunk's leaf in the signed tree, lowest first; empty for a grant.
    blocks, inclusions
        Ascending, each once.
    """

    chain_id: int
    contracts: dict[Contract, bytes]
    payout: dict[str, Any]
    siblings: tuple[bytes, ...]
    blocks: tuple[Block, ...]
    inclusions: tuple[Inclusion, ...]

    @property
    def kind(self) -> str:
        """``one_off``, ``stream`` or ``grant``."""
        return str(self.payout["kind"])


def write(proof: PaymentProof) -> bytes:
    """Return the file: keys sorted, two blanks a level, one line end at its end."""
    document = {
        "format": FORMAT,
        "chain_id": proof.chain_id,
        "contracts": {contract.value: address for contract, address in proof.contracts.items()},
        "payout": proof.payout,
        "chunk_proof": proof.siblings,
        "blocks": [
            {"number": block.number, "hash": block.hash, "header": block.header}
            for block in proof.blocks
        ],
        "receipts": [
            {
                "block": each.block,
                "position": each.position,
                "receipt": each.receipt,
                "transaction": each.transaction,
            }
            for each in proof.inclusions
        ],
    }
    return _canonical(plain(document))


def _canonical(document: Any) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def plain(value: Any) -> Any:
    """Write bytes as 0x-hex and numbers as strings, inside lists and objects too."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(member) for key, member in value.items()}
    return [plain(member) for member in value]


# ---- reading -------------------------------------------------------------------------------------


def read(data: bytes) -> PaymentProof:
    """Read a file.

    Raises
    ------
    InvalidInput
        When it is no payment proof of this format, naming the place.
    """
    if len(data) > MAX_BYTES:
        raise InvalidInput(f"the file is larger than a payment proof can be ({MAX_BYTES} bytes)")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the file is not JSON, or only a part of it: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise InvalidInput(f"the file is no payment proof: it does not say format {FORMAT}")
    members = ("blocks", "chain_id", "chunk_proof", "contracts", "format", "payout", "receipts")
    top = _object(document, "the file", members)
    proof = PaymentProof(
        chain_id=_number(top["chain_id"], "chain_id"),
        payout=_payout(top["payout"]),
        contracts=_contracts(top["contracts"], top["payout"]["kind"]),
        siblings=_siblings(top["chunk_proof"], top["payout"]["kind"]),
        blocks=tuple(_list(top["blocks"], "blocks", _block)),
        inclusions=tuple(_list(top["receipts"], "receipts", _inclusion)),
    )
    _ascending([block.number for block in proof.blocks], "blocks")
    _ascending([(each.block, each.position) for each in proof.inclusions], "receipts")
    if {block.number for block in proof.blocks} != {each.block for each in proof.inclusions}:
        raise InvalidInput("blocks: not those of the receipts")
    if not _is_canonical(document, data):
        raise InvalidInput("the file is written otherwise than a payment proof must be")
    return proof


def _is_canonical(document: Any, data: bytes) -> bool:
    try:
        return _canonical(document) == data
    except orjson.JSONEncodeError:  # deeper than can be written
        return False


def _payout(value: Any) -> dict[str, Any]:
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str) or kind not in CONTRACTS:
        raise InvalidInput("payout: kind is none of one_off, stream and grant")
    for name in ("grant",) if kind == "grant" else ("batch",):
        _bytes(value.get(name), f"payout.{name}", 32)
    for name in () if kind == "grant" else ("index", "programme"):
        _number(value.get(name), f"payout.{name}")
    return dict(value)


def _contracts(value: Any, kind: str) -> dict[Contract, bytes]:
    names = CONTRACTS[kind]
    given = _object(value, "contracts", tuple(name.value for name in names))
    found = {name: _bytes(given[name.value], f"contracts.{name.value}", 20) for name in names}
    if len(set(found.values())) != len(found):
        raise InvalidInput("contracts: one address twice")
    return found


def _siblings(value: Any, kind: str) -> tuple[bytes, ...]:
    siblings = tuple(_list(value, "chunk_proof", lambda each, where: _bytes(each, where, 32)))
    if len(siblings) != (0 if kind == "grant" else TREE_DEPTH):
        raise InvalidInput(f"chunk_proof: {len(siblings)} hashes")
    return siblings


def _block(value: Any, where: str) -> Block:
    given = _object(value, where, ("hash", "header", "number"))
    return Block(
        _number(given["number"], f"{where}.number"),
        _bytes(given["hash"], f"{where}.hash", 32),
        _bytes(given["header"], f"{where}.header"),
    )


def _inclusion(value: Any, where: str) -> Inclusion:
    given = _object(value, where, ("block", "position", "receipt", "transaction"))
    return Inclusion(
        _number(given["block"], f"{where}.block"),
        _number(given["position"], f"{where}.position"),
        tuple(_list(given["receipt"], f"{where}.receipt", _bytes)),
        tuple(_list(given["transaction"], f"{where}.transaction", _bytes)),
    )


def _object(value: Any, where: str, members: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(members):
        raise InvalidInput(f"{where}: must have exactly {', '.join(members)}")
    return value


def _list(value: Any, where: str, member: Callable[[Any, str], Any]) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidInput(f"{where}: not a list")
    return [member(each, f"{where}[{at}]") for at, each in enumerate(value)]


def _bytes(value: Any, where: str, length: int | None = None) -> bytes:
    if not isinstance(value, str) or not HEX.fullmatch(value):
        raise InvalidInput(f"{where}: not small 0x-hex")
    found = bytes.fromhex(value[2:])
    if length is not None and len(found) != length:
        raise InvalidInput(f"{where}: {len(found)} bytes and not {length}")
    return found


def _number(value: Any, where: str) -> int:
    if not isinstance(value, str) or not NUMBER.fullmatch(value):
        raise InvalidInput(f"{where}: not a number, as a string")
    return int(value)


def _ascending(keys: list[Any], where: str) -> None:
    if any(later <= earlier for earlier, later in pairwise(keys)):
        raise InvalidInput(f"{where}: out of order, or one twice")
