"""Whether a signature is its signer's: proven by arithmetic, or by asking a contract."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from service.audit.arithmetic import ADDRESS_BYTES
from service.audit.decode import hex_text
from service.audit.keys import POINT_BYTES, is_point, signed_by_key
from service.audit.rpc import Node, NodeRefused
from service.audit.signatures import Record, recover, word

SIGNER_EOA, SIGNER_ACCOUNT, SIGNER_KEY = 1, 2, 3
DELEGATION = bytes.fromhex("ef0100")
"""What an account that runs another's code has for its own (EIP-7702)."""

IS_VALID_SIGNATURE = bytes.fromhex("1626ba7e")
"""``isValidSignature(bytes32,bytes)``: selector and good answer (ERC-1271)."""
VERIFY = bytes.fromhex("024ad318")
"""``verify(bytes,bytes32,bytes)``: selector and good answer (ERC-7913)."""


class Proof(Enum):
    """What became of the attempt to prove a signature."""

    PROVEN = auto()
    WRONG = auto()
    UNPROVEN = auto()
    """Only a contract could tell, and the node has no state of that block."""


Ask = Callable[[bytes, bytes, int], bytes | None]
"""Asks a contract: address, call, block; the answer, or None where the node cannot tell."""


@dataclass(frozen=True, slots=True)
class Signatures:
    """Proves signatures of each type of signer.

    Attributes
    ----------
    ask
        Asks a contract account or a verifier.
    """

    ask: Ask

    def prove(self, record: Record, digest: bytes, block: int) -> Proof:
        """Prove that a record's signature over a digest is its signer's, as of a block."""
        signer, signature = record.signer, record.signature
        if record.signer_type == SIGNER_EOA:
            return _known(recover(digest, signature) == signer)
        if record.signer_type == SIGNER_ACCOUNT:
            call = IS_VALID_SIGNATURE + digest + _tail(signature, head=2)
            return self._asked(signer, call, IS_VALID_SIGNATURE, block)
        verifier, key = signer[:ADDRESS_BYTES], signer[ADDRESS_BYTES:]
        if signed_by_key(key, digest, signature):
            return Proof.PROVEN
        # A verifier that governors added may read signatures that nobody here can.
        key_tail = _padded(key)
        head = word(3 * 32) + digest + word(3 * 32 + len(key_tail))
        return self._asked(verifier, VERIFY + head + key_tail + _padded(signature), VERIFY, block)

    def _asked(self, contract: bytes, call: bytes, good: bytes, block: int) -> Proof:
        answer = self.ask(contract, call, block)
        if answer is None:
            return Proof.UNPROVEN
        return _known(answer[:32] == good.ljust(32, b"\0"))


def well_formed(signer_type: int, signer: bytes) -> bool:
    """Tell whether a signer can be one of its type (contracts/libraries/Signers.sol)."""
    if signer_type == SIGNER_KEY:
        return len(signer) == ADDRESS_BYTES + POINT_BYTES and is_point(signer[ADDRESS_BYTES:])
    return (
        signer_type in (SIGNER_EOA, SIGNER_ACCOUNT) and len(signer) == ADDRESS_BYTES and any(signer)
    )


def asking(node: Node) -> Ask:
    """Return a function that asks contracts through a node.

    A revert, and an address without a contract of its own, are answers: empty ones.
    """

    def ask(address: bytes, call: bytes, block: int) -> bytes | None:
        try:
            code = bytes.fromhex(node.call("eth_getCode", hex_text(address), hex(block))[2:])
            if not code or code.startswith(DELEGATION):
                return b""
            return node.view(hex_text(address), call, block)
        except NodeRefused as error:
            return b"" if "revert" in str(error) else None

    return ask


def _known(good: bool) -> Proof:  # noqa: FBT001  # the only thing there is to say
    return Proof.PROVEN if good else Proof.WRONG


def _padded(value: bytes) -> bytes:
    """ABI-encode bytes: length and content, to a whole number of words."""
    return word(len(value)) + value + bytes(-len(value) % 32)


def _tail(value: bytes, *, head: int) -> bytes:
    """ABI-encode one dynamic argument behind a head of so many words."""
    return word(head * 32) + _padded(value)
