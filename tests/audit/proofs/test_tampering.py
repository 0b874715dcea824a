"""Nothing in a payment proof can be changed: not a leaf, not a node, not a receipt."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from eth_utils.crypto import keccak

from service.audit.findings import Code
from service.audit.proofs.document import read
from service.audit.proofs.verify import verify
from service.errors import InvalidInput
from service.terminal import console
from tests.audit.proofs.conftest import KINDS, Document, checked, rewritten

Documents = Callable[[str], Document]
Path = tuple[str | int, ...]


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every string of a document, and where it stands."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield from leaves(member, (*path, name))
    elif isinstance(value, list):
        for at, member in enumerate(value):
            yield from leaves(member, (*path, at))
    else:
        assert isinstance(value, str)
        yield path, value


def mutations(text: str) -> Iterator[Any]:
    """Other values of the same kind, and of others."""
    if text.startswith("0x"):
        for at in {2, len(text) // 2, len(text) - 1}:
            if at < len(text):
                yield text[:at] + f"{int(text[at], 16) ^ 1:x}" + text[at + 1 :]
        yield text[:-2] if len(text) > 2 else text + "00"
        yield text + "00"
        yield text.upper().replace("0X", "0x") if text.upper() != text.replace("x", "X") else "0x"
        yield text[2:]
    elif text.isdecimal():
        yield from (str(int(text) + 1), str(int(text) + 10**20), "0" + text, int(text), "")
        if int(text):
            yield from ("0", str(int(text) - 1))
    else:
        yield from ({"one_off": "stream", "stream": "one_off"}.get(text, "x"), text + " ", "")
    yield None


def put(document: Document, path: Path, value: Any) -> Document:
    changed: Any = deepcopy(document)
    at = changed
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return dict(changed)


def refused(document: Any) -> bool:
    """Whether a document is malformed, or a statement of it false."""
    try:
        return not checked(document).holds
    except InvalidInput:
        return True


@pytest.mark.parametrize("kind", KINDS)
def test_no_leaf_can_be_changed(document: Documents, kind: str) -> None:
    honest = document(kind)
    assert not refused(honest)
    found = list(leaves(honest))
    assert len(found) > 30
    passed = [
        (path, value)
        for path, text in found
        for value in mutations(text)
        if value != text and not refused(put(honest, path, value))
    ]
    assert passed == []


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_can_be_left_out_added_or_reordered(document: Documents, kind: str) -> None:
    honest = document(kind)
    false = [{each: honest[each] for each in honest if each != name} for name in honest]
    for name in honest["payout"]:
        false.append(put(honest, ("payout",), {**honest["payout"], name: [honest["payout"][name]]}))
        rest = {each: honest["payout"][each] for each in honest["payout"] if each != name}
        false.append(put(honest, ("payout",), rest))
    false.append({**honest, "note": "checked by the office"})
    false.append(put(honest, ("payout",), {**honest["payout"], "note": "x"}))
    for name in ("blocks", "receipts", "chunk_proof"):
        rows = honest[name]
        for at in range(len(rows)):
            false.append(put(honest, (name,), rows[:at] + rows[at + 1 :]))
            false.append(put(honest, (name,), [*rows[: at + 1], *rows[at:]]))
        if len(rows) > 1:
            false.append(put(honest, (name,), rows[::-1]))
    assert [each for each in false if each != honest and not refused(each)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_receipt_left_out_with_its_block_is_missed(document: Documents, kind: str) -> None:
    honest = document(kind)
    for at in range(len(honest["receipts"])):
        less = deepcopy(honest)
        gone = less["receipts"].pop(at)["block"]
        if all(each["block"] != gone for each in less["receipts"]):
            less["blocks"] = [each for each in less["blocks"] if each["number"] != gone]
        assert not checked(less).holds


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_short_anywhere_is_malformed(proofs: dict[str, bytes], kind: str) -> None:
    data = proofs[kind]
    for end in {*range(0, len(data), 997), len(data) - 1, len(data) - 2}:
        with pytest.raises(InvalidInput):
            read(data[:end])


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: data + b"\n",
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"  ", b" "),
        lambda data: data.replace(b'"format"', b'"format": "other",\n  "format"'),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.decode().encode("utf-16"),
        lambda _data: b"[]",
        lambda _data: b"{" * 5_000,
        lambda _data: b"",
    ],
)
def test_a_file_written_otherwise_is_malformed(
    proofs: dict[str, bytes], edit: Callable[[bytes], bytes]
) -> None:
    with pytest.raises(InvalidInput):
        read(edit(proofs["paid"]))


def codes(document: Document) -> set[Code]:
    return {finding.code for finding in checked(document).findings}


def test_each_false_statement_has_its_code(document: Documents) -> None:
    honest = document("paid")

    def changed(*path: str | int, by: int = 1) -> Document:
        at: Any = honest
        for step in path:
            at = at[step]
        if at.startswith("0x"):
            return put(honest, path, at[:-1] + f"{int(at[-1], 16) ^ by:x}")
        return put(honest, path, str(int(at) + by))

    assert codes(changed("payout", "number")) == {Code.NUMBER_MISMATCH}
    assert codes(changed("payout", "digest")) == {Code.DIGEST_MISMATCH}
    assert codes(changed("payout", "amount_base_units")) == {Code.TOTAL_MISMATCH}
    assert codes(changed("payout", "payee")) == {Code.PROOF_MISMATCH}
    assert codes(changed("payout", "payments", 0, "transaction")) == {Code.PROOF_MISMATCH}
    assert codes(changed("chunk_proof", 3)) == {Code.CHUNKS_ROOT_MISMATCH}
    assert codes(changed("chain_id")) == {
        Code.SIGNATURE_INVALID,
        Code.DIGEST_MISMATCH,
        Code.PROOF_MISMATCH,
    }
    assert codes(changed("contracts", "token")) == {Code.MINT_MISSING}
    assert Code.SIGNER_NOT_IN_FORCE in codes(changed("contracts", "registry"))
    assert Code.PROOF_MISMATCH in codes(changed("contracts", "vault"))
    assert Code.HEADER_HASH_MISMATCH in codes(changed("blocks", 3, "hash"))
    assert Code.HEADER_HASH_MISMATCH in codes(changed("blocks", 3, "header"))
    assert Code.RECEIPTS_ROOT_MISMATCH in codes(changed("receipts", 3, "receipt", -1))
    assert Code.TRANSACTIONS_ROOT_MISMATCH in codes(changed("receipts", 3, "transaction", -1))


def test_the_header_of_another_block_under_this_ones_number_is_found(document: Documents) -> None:
    honest = document("paid")
    other = {**honest["blocks"][0], "number": honest["blocks"][1]["number"]}
    false = put(honest, ("blocks", 1), other)
    assert Code.PROOF_MISMATCH in codes(false)


def test_nodes_of_another_receipt_prove_nothing(document: Documents) -> None:
    honest = document("retried")
    for at in range(len(honest["receipts"])):
        for other in range(len(honest["receipts"])):
            if at != other:
                for member in ("receipt", "transaction"):
                    nodes = honest["receipts"][other][member]
                    assert refused(put(honest, ("receipts", at, member), nodes))


def test_what_was_proven_of_one_payout_proves_nothing_of_another(document: Documents) -> None:
    one, other = document("paid"), document("retried")
    # One batch, two chunks: the same approval, other entries, another place in the tree.
    assert one["payout"]["batch"] == other["payout"]["batch"]
    for name in ("payout", "chunk_proof"):
        assert refused({**one, name: other[name]})
    mixed = {
        name: sorted(
            {rewritten(each): each for each in one[name] + other[name]}.values(),
            key=lambda each: (
                int(each.get("block", each.get("number"))),
                int(each.get("position", 0)),
            ),
        )
        for name in ("blocks", "receipts")
    }
    assert codes({**one, **mixed}) == {Code.PROOF_MISMATCH}
    assert codes({**other, **mixed, "chunk_proof": one["chunk_proof"]}) >= {
        Code.CHUNKS_ROOT_MISMATCH,
        Code.PROOF_MISMATCH,
    }


def test_the_approval_of_another_batch_is_none(document: Documents) -> None:
    one, other = document("paid"), document("stream")
    for at, row in enumerate(other["receipts"]):
        for place, mine in enumerate(one["receipts"]):
            if row == mine:
                continue
            false = deepcopy(one)
            false["receipts"][place] = row
            false["blocks"] = [each for each in false["blocks"] if each["number"] != mine["block"]]
            false["blocks"] += [each for each in other["blocks"] if each["number"] == row["block"]]
            for name in ("blocks", "receipts"):
                false[name].sort(key=lambda each: int(each.get("block", each.get("number"))))
            assert refused(false), (at, place)


def test_a_proof_of_another_chain_differs_from_the_hashes_given(
    proofs: dict[str, bytes],
) -> None:
    here, there = read(proofs["paid"]), read(proofs["changed wallet"])
    hashes = {block.number: block.hash for block in here.blocks}
    assert verify(here, hashes).holds
    common = {block.number for block in there.blocks} & hashes.keys()
    differing = {
        number: hashes[number]
        for number in common
        if hashes[number] not in {block.hash for block in there.blocks}
    }
    assert differing
    found = verify(there, differing).findings
    assert {finding.code for finding in found} == {Code.BLOCK_DIFFERS}
    assert {finding.place.block for finding in found} == set(differing)


def test_a_chain_made_up_is_found_only_by_its_hashes(document: Documents) -> None:
    """What no file can prove: headers that fit each other, of a chain that nobody follows."""
    false = document("paid")
    block = false["blocks"][-1]
    header = bytearray.fromhex(block["header"][2:])
    header[40] ^= 1  # in the hash of the uncles, which nothing else rests on
    true_hash = block["hash"]
    block["header"], block["hash"] = "0x" + header.hex(), "0x" + keccak(bytes(header)).hex()
    proof = read(rewritten(false))
    assert verify(proof, {}).holds
    number = int(block["number"])
    (finding,) = verify(proof, {number: bytes.fromhex(true_hash[2:])}).findings
    assert finding.code is Code.BLOCK_DIFFERS


def test_a_chain_that_nobody_sent_the_transactions_to_is_false_whoever_signed(
    document: Documents,
) -> None:
    changed = put(document("keys"), ("chain_id",), "1")
    found = [
        (finding.expected, finding.found)
        for finding in checked(changed).findings
        if finding.message == "a transaction of the proof was sent on another chain"
    ]
    assert set(found) == {("1", "31337")}
    assert len(found) == len(changed["receipts"])


def test_a_claim_cannot_write_on_the_terminal_what_it_likes(document: Documents) -> None:
    changed = document("paid")
    changed["payout"]["\x1b[2J\nProven"] = "\x9b2J\nProven"
    out = io.StringIO()
    console(out).print(checked(changed).render())
    printed = out.getvalue()
    assert printed.splitlines()[0] == "NOT proven: what the file says is false"
    assert len(printed.splitlines()) == 2
    assert all(each.isprintable() or each == "\n" for each in printed)
