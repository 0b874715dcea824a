"""That a receipt or a transaction belongs to a block: Merkle-Patricia proofs, made and checked.

A proof is the nodes of the trie from the root, whose hash the block's header has, down to the leaf,
which is the receipt or transaction itself. Sources: the Ethereum yellow paper, appendices B (RLP)
and D (trie).
"""

from __future__ import annotations

from collections.abc import Sequence

from eth_hash.auto import keccak

from service.audit.receipts import (
    LONG_LIST,
    LONG_STRING,
    SHORT,
    SMALL,
    Rlp,
    rlp,
    trie_items,
    trie_node,
    trie_path,
)

EMPTY_LIST = 0xC0
HASH_BYTES = 32
BRANCH_MEMBERS = 17
DEEPEST = 8
"""Lists within lists; a receipt's topics stand in the fifth."""


class Misfit(ValueError):
    """Bytes that are no RLP, or nodes that do not lead from the root to a value."""


# ---- RLP -----------------------------------------------------------------------------------------


def unrlp(encoded: bytes) -> Rlp:
    """Decode the one way of writing a value; a second way of writing it is refused.

    Raises
    ------
    Misfit
        When the bytes are not RLP, or not all of them are used.
    """
    value, end = _item(encoded, 0, len(encoded), 0)
    if end != len(encoded):
        raise Misfit(f"{len(encoded) - end} bytes behind the value")
    return value


def unrlp_list(encoded: bytes) -> Sequence[Rlp]:
    """Decode a list.

    Raises
    ------
    Misfit
        As :func:`unrlp`, or when it is a string.
    """
    value = unrlp(encoded)
    if isinstance(value, bytes):
        raise Misfit("a string where a list must be")
    return value


def string(value: Rlp) -> bytes:
    """Return a member that must be a string.

    Raises
    ------
    Misfit
        When it is a list.
    """
    if not isinstance(value, bytes):
        raise Misfit("a list where a string must be")
    return value


def _item(data: bytes, at: int, limit: int, depth: int) -> tuple[Rlp, int]:
    """Return the value at a place, and where it ends: not behind `limit`, the end of its list."""
    if at >= limit or depth > DEEPEST:
        raise Misfit("ends before a value, or lies too deep")
    first = data[at]
    if first < SMALL:
        return data[at : at + 1], at + 1
    is_list = first >= EMPTY_LIST
    short, long = (EMPTY_LIST, LONG_LIST) if is_list else (SMALL, LONG_STRING)
    start, size = at + 1, first - short
    if first > long:
        start += first - long
        length = data[at + 1 : min(start, limit)]
        size = int.from_bytes(length, "big")
        if len(length) != first - long or length[0] == 0 or size < SHORT:
            raise Misfit("a length written otherwise than it must be")
    end = start + size
    if end > limit:
        raise Misfit("a value ends behind the bytes")
    if not is_list:
        if size == 1 and data[start] < SMALL:
            raise Misfit("a byte written otherwise than it must be")
        return data[start:end], end
    members: list[Rlp] = []
    while start < end:
        first = data[start]
        after = start + 1 + first - SMALL
        if SMALL + 1 < first <= LONG_STRING and after <= end and depth < DEEPEST:  # most are so
            members.append(data[start + 1 : after])
            start = after
            continue
        member, start = _item(data, start, end, depth + 1)
        members.append(member)
    return members, end


# ---- tries ---------------------------------------------------------------------------------------


def inclusion(values: Sequence[bytes], position: int) -> list[bytes]:
    """Return the nodes from the root to one of a block's receipts or transactions.

    Parameters
    ----------
    values
        All of the block's receipts or transactions, encoded, in order.
    position
        Of the one to prove.

    Returns
    -------
    list of bytes
        RLP of each node, root first. A node of less than 32 bytes stands in the one above it.
    """
    path, items, depth = trie_path(position), trie_items(values), 0
    nodes: list[bytes] = []
    while True:
        node = trie_node(items, depth)
        encoded = rlp(node)
        if not nodes or len(encoded) >= HASH_BYTES:
            nodes.append(encoded)
        if len(items) == 1:
            return nodes
        if len(node) == BRANCH_MEMBERS:
            nibble = path[depth]
            items = [item for item in items if item[0][depth] == nibble]
            depth += 1
        else:
            depth += len(_expanded(string(node[0]))[0])


def proven_value(root: bytes, position: int, nodes: Sequence[bytes]) -> bytes:
    """Return the receipt or transaction that nodes prove to stand at a position.

    Raises
    ------
    Misfit
        When the nodes do not lead from the root to a value there, or are more than needed.
    """
    path, left = trie_path(position), list(nodes)
    node = _taken(left, root)
    while True:
        if len(node) == BRANCH_MEMBERS and path:
            child, path = node[path[0]], path[1:]
        elif len(node) == 2:  # noqa: PLR2004  # yellow paper, appendix D: a leaf or an extension
            part, is_leaf = _expanded(string(node[0]))
            if path[: len(part)] != part:
                raise Misfit("the nodes lead elsewhere")
            child, path = node[1], path[len(part) :]
            if is_leaf:
                if path or left:
                    raise Misfit("the nodes end at another place")
                return string(child)
        else:
            raise Misfit("a node that none can be")
        node = _taken(left, child) if isinstance(child, bytes) else child


def _taken(left: list[bytes], digest: bytes) -> Sequence[Rlp]:
    if not left or keccak(left[0]) != digest:
        raise Misfit("a node is missing or is another than the one above it names")
    return unrlp_list(left.pop(0))


def _expanded(compact: bytes) -> tuple[tuple[int, ...], bool]:
    """Return the nibbles of a compact path, and whether a leaf has it."""
    nibbles = tuple(half for byte in compact for half in (byte >> 4, byte & 15))
    if not nibbles or nibbles[0] > 3 or (not nibbles[0] & 1 and nibbles[1]):  # noqa: PLR2004  # two flags
        raise Misfit("a path with impossible flags")
    return nibbles[1:] if nibbles[0] & 1 else nibbles[2:], bool(nibbles[0] & 2)
