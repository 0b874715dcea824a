"""Hundreds of views asked in one call, by a program that the node runs and nobody deploys.

``eth_call`` without a receiver runs its data as a contract's creation code and gives back what that
returns (geth and those that follow it). The code calls one contract's views one by one, compares
each answer with the one that is expected, and returns a byte each. So a million balances are a
thousand questions. It changes nothing: the calls are static, and no transaction is made.
"""

from __future__ import annotations

from collections.abc import Sequence

LARGEST_CODE = 48_000
"""Below the 49,152 bytes that creation code may have (EIP-3860)."""

_CODE_BYTES = 101
_LOOP = 3

_PUSH1, _PUSH2, _PUSH20 = 0x60, 0x61, 0x73
_ADD, _MUL, _GT, _EQ, _AND, _KECCAK256 = 1, 2, 0x11, 0x14, 0x16, 0x20
_CODECOPY, _RETURNDATASIZE, _MSTORE8, _JUMPI, _GAS = 0x39, 0x3D, 0x53, 0x57, 0x5A
_JUMPDEST, _DUP1, _DUP2, _RETURN, _STATICCALL = 0x5B, 0x80, 0x81, 0xF3, 0xFA


def fitting(call_bytes: int, answer_bytes: int) -> int:
    """Return how many views of such calls and answers fit one question."""
    return (LARGEST_CODE - _CODE_BYTES) // (call_bytes + answer_bytes)


def comparing_code(to: bytes, views: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return creation code that compares views of one contract.

    It returns one byte a view: 1 where the answer is the expected one, else 0, also where the call
    reverts.

    Parameters
    ----------
    to
        The contract, 20 bytes.
    views
        Call data and expected answer; all call data of one length, all answers of one length, and
        not more than :func:`fitting` says.

    Raises
    ------
    ValueError
        When lengths differ or there are too many.
    """
    (call_bytes,), (answer_bytes,) = ({len(view[part]) for view in views} for part in (0, 1))
    if len(views) > fitting(call_bytes, answer_bytes):
        raise ValueError(f"{len(views)} views do not fit one question")
    item = call_bytes + answer_bytes
    answer_at, results_at = item, item + answer_bytes
    code = bytes(
        [
            *_push(0),  # the number of the view
            _JUMPDEST,
            # Copy the view to 0.
            *_push(item),
            *(_DUP2, *_push(item), _MUL, *_push(_CODE_BYTES), _ADD),
            *(*_push(0), _CODECOPY),
            # Call it with all gas; its answer goes behind it.
            *(*_push(answer_bytes), *_push(answer_at), *_push(call_bytes), *_push(0)),
            *(_PUSH20, *to, _GAS, _STATICCALL),
            # A shorter answer would leave the end of the one before where it is compared.
            *(*_push(answer_bytes), _RETURNDATASIZE, _EQ, _AND),
            # Compare the hashes of the answer and of the expected one.
            *(*_push(answer_bytes), *_push(answer_at), _KECCAK256),
            *(*_push(answer_bytes), *_push(call_bytes), _KECCAK256),
            *(_EQ, _AND),
            *(_DUP2, *_push(results_at), _ADD, _MSTORE8),
            *(_PUSH1, 1, _ADD),
            *(_DUP1, *_push(len(views)), _GT, _PUSH1, _LOOP, _JUMPI),
            *(*_push(len(views)), *_push(results_at), _RETURN),
        ]
    )
    assert len(code) == _CODE_BYTES
    return code + b"".join(call + answer for call, answer in views)


def _push(number: int) -> tuple[int, int, int]:
    return (_PUSH2, number >> 8, number & 0xFF)
