"""A chain made up around altered logs: hashes and tries all fit, and the statements are false.

The officers' signatures, the signed tree and the mints do not depend on which chain is followed.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import rlp as pyrlp
from eth_utils.crypto import keccak
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.audit.abi import EVENTS
from service.audit.arithmetic import entry_at
from service.audit.findings import Code, Findings, Severity
from service.audit.proofs.document import read
from service.audit.proofs.evidence import gather
from service.audit.proofs.verify import Verification, statements_of, verify
from tests.audit.proofs.conftest import KINDS, Document, checked
from tests.audit.scenario import payee

Log = list[Any]
TOPICS = {event.name: event.topic for events in EVENTS.values() for event in events.values()}
RECEIPTS_ROOT, NUMBER, TIMESTAMP = 5, 8, 11
WORD = 32


def hexed(value: bytes) -> str:
    return "0x" + value.hex()


def forged(document: Document, name: str, edit: Callable[[Log], None]) -> Verification:
    """Alter every log of an event's name and build its blocks anew around it."""
    changed = deepcopy(document)
    blocks = {block["number"]: block for block in changed["blocks"]}
    for row in changed["receipts"]:
        (node,) = row["receipt"]  # each block of the development chain has one transaction
        path, receipt = pyrlp.decode(bytes.fromhex(node[2:]))
        members = pyrlp.decode(receipt[1:], strict=True)
        before = pyrlp.encode(members)
        for log in members[3]:
            if log[1][0] == TOPICS[name]:
                edit(log)
        if pyrlp.encode(members) == before:
            continue
        leaf = pyrlp.encode([path, receipt[:1] + pyrlp.encode(members)])
        row["receipt"] = [hexed(leaf)]
        rebuilt(blocks[row["block"]], RECEIPTS_ROOT, keccak(leaf))
    return checked(changed)


def rebuilt(block: dict[str, str], member: int, value: bytes) -> None:
    header = pyrlp.decode(bytes.fromhex(block["header"][2:]))
    header[member] = value
    encoded = pyrlp.encode(header)
    block["header"], block["hash"] = hexed(encoded), hexed(keccak(encoded))


def codes(verification: Verification) -> set[Code]:
    return {finding.code for finding in verification.findings if finding.severity is Severity.ERROR}


def word(at: int, by: int) -> Callable[[Log], None]:
    """Add to a word of the data."""

    def edit(log: Log) -> None:
        data = bytearray(log[2])
        value = int.from_bytes(data[at * WORD : (at + 1) * WORD], "big") + by
        data[at * WORD : (at + 1) * WORD] = (value % 2**256).to_bytes(WORD, "big")
        log[2] = bytes(data)

    return edit


def replacing(old: bytes, new: bytes) -> Callable[[Log], None]:
    def edit(log: Log) -> None:
        log[2] = log[2].replace(old, new)
        log[1] = [topic.replace(old, new) for topic in log[1]]

    return edit


def raw(number: int) -> bytes:
    return bytes.fromhex(payee(number).address[2:])


THIEF = bytes.fromhex("ab" * 20)
ENTRY = raw(1)
SIGNED = {Code.SIGNATURE_INVALID, Code.DIGEST_MISMATCH}
CLAIM = Code.PROOF_MISMATCH
STREAM = {Code.STREAM_MISMATCH, Code.BATCH_RULE_BROKEN}  # it would expire too early
ALTERED: dict[str, tuple[str, str, Callable[[Log], None], set[Code]]] = {
    # What officers signed: each member is in the digest.
    "programme version": ("paid", "BatchApproved", word(1, 1), {*SIGNED, Code.BATCH_RULE_BROKEN}),
    "chunks root": (
        *("paid", "BatchApproved", word(8, 1)),
        {*SIGNED, Code.CHUNKS_ROOT_MISMATCH},
    ),
    "manifest": ("paid", "BatchApproved", word(9, 1), SIGNED),
    "total": ("paid", "BatchApproved", word(11, 1), SIGNED),
    "start": ("stream", "BatchApproved", word(12, 86_400), {*SIGNED, *STREAM}),
    "cadence": ("stream", "BatchApproved", word(15, -1), {*SIGNED, Code.STREAM_MISMATCH}),
    "deadline": ("paid", "BatchApproved", word(16, 1), {*SIGNED, Code.BATCH_RULE_BROKEN}),
    # What the vault adds to it.
    "first number": ("paid", "BatchApproved", word(18, 1), {Code.NUMBER_MISMATCH}),
    "waiting time": ("paid", "BatchApproved", word(19, -1), {Code.BATCH_RULE_BROKEN}),
    "a sum of a lower tier": (
        "paid",
        "BatchApproved",
        word(20, -(10**9)),
        {Code.BATCH_RULE_BROKEN},
    ),
    "a sum above all tiers": ("paid", "BatchApproved", word(20, 10**14), {Code.TIER_EXCEEDED}),
    "programme's cap": (
        *("paid", "ProgrammeCreated", word(3, -(10**10) + 1)),
        {Code.PAYOUT_ABOVE_CAP},
    ),
    "programme's region": ("paid", "ProgrammeCreated", word(1, 2), {Code.BATCH_RULE_BROKEN}),
    # What was run and minted.
    "payee that ran": (
        *("paid", "ChunkPaid", replacing(ENTRY, THIEF)),
        {Code.CHUNKS_ROOT_MISMATCH, Code.MINT_MISSING, CLAIM},
    ),
    "payee that was minted to": (
        *("paid", "Transfer", replacing(ENTRY, THIEF)),
        {Code.MINT_MISSING},
    ),
    "amount that was minted": ("paid", "Transfer", word(0, 1), {Code.MINT_MISSING}),
    "sum of the chunk": ("paid", "ChunkPaid", word(2, 1), {Code.TOTAL_MISMATCH}),
    "skipped though paid": (
        *("paid", "ChunkPaid", word(3, 2)),
        {Code.TOTAL_MISMATCH, Code.SKIP_MISMATCH, CLAIM},
    ),
    "paid though skipped": (
        *("retried", "ChunkPaid", word(3, -2)),
        {Code.TOTAL_MISMATCH, Code.MINT_MISSING, Code.RETRY_INVALID, CLAIM},
    ),
    "amount of a retry": (
        *("retried", "PayoutRetried", word(1, 1)),
        {Code.RETRY_INVALID, Code.MINT_MISSING, Code.TOTAL_MISMATCH, CLAIM},
    ),
    # Streams.
    "amount withdrawn": ("stream", "StreamWithdrawn", word(1, 1), {Code.STREAM_MISMATCH}),
    "sum of a range": ("stream", "StreamsWithdrawn", word(2, 1), {Code.MINT_MISSING}),
    "second of a cut": (
        *("cut stream", "StreamsCancelled", word(3, -1)),
        {Code.CANCEL_MISMATCH, Code.MINT_MISSING, Code.TOTAL_MISMATCH, CLAIM},
    ),
    "mask of a cut": ("cut stream", "StreamsCancelled", word(1, 1), {Code.DIGEST_MISMATCH}),
    # Other wallets.
    "new wallet": (
        *("changed wallet", "WalletChanged", replacing(raw(62), THIEF)),
        {Code.DIGEST_MISMATCH, Code.RETRY_INVALID},
    ),
    "digest of a change": (
        *("changed wallet", "ActionConsumed", word(0, 1)),
        {Code.DIGEST_MISMATCH, Code.SIGNATURE_INVALID},
    ),
    # Grants.
    "amount of a grant": (
        *("grant", "GrantMade", word(3, 1)),
        {*SIGNED, Code.MINT_MISSING, Code.TOTAL_MISMATCH, CLAIM},
    ),
    "officer of a grant": (
        *("grant", "GrantMade", word(1, 1)),
        {*SIGNED, Code.GRANT_RULE_BROKEN},
    ),
    # Officers.
    "roles": (
        *("paid", "OfficerAdded", word(0, 0x10)),
        {Code.OFFICER_RULE_BROKEN},
    ),
    "officers of another region": (
        *("keys", "OfficerAdded", word(1, 33)),
        {Code.OFFICER_RULE_BROKEN, Code.DIGEST_MISMATCH, Code.OFFICER_OUTSIDE_REGION},
    ),
    "a key added early": ("keys", "SignerAdded", word(2, -1), {Code.OFFICER_RULE_BROKEN}),
}


@pytest.mark.parametrize("what", ALTERED)
def test_what_is_altered_is_named(document: Callable[[str], Document], what: str) -> None:
    kind, event, edit, expected = ALTERED[what]
    assert event in names_in(document(kind))
    assert codes(forged(document(kind), event, edit)) == expected


def test_what_no_rule_rests_on_may_be_altered(document: Callable[[str], Document]) -> None:
    """The forger's tools work: a rebuilt chain holds where the facts do."""
    assert forged(document("paid"), "BatchApproved", word(22, 1)).holds


@pytest.mark.parametrize("time", [0, 2**40, 2**64, 2**300])
@pytest.mark.parametrize("kind", ["paid", "stream", "grant"])
def test_blocks_of_another_time_are_outside_what_was_signed(
    document: Callable[[str], Document], kind: str, time: int
) -> None:
    changed = document(kind)
    rebuilt(changed["blocks"][-1], TIMESTAMP, time.to_bytes(-(-time.bit_length() // 8), "big"))
    verification = checked(changed)
    assert not verification.holds
    assert verification.as_json()["proven"] is False


@pytest.mark.parametrize("member", [NUMBER, TIMESTAMP])
def test_a_header_with_a_number_too_long_to_be_written_is_none(
    document: Callable[[str], Document], member: int
) -> None:
    changed = document("paid")
    rebuilt(changed["blocks"][-1], member, b"\1" * 4000)
    verification = checked(changed)
    assert Code.HEADER_HASH_MISMATCH in codes(verification)
    verification.render()
    assert verification.as_json()["proven"] is False


def test_streams_of_one_wallet_that_were_paid_together_are_not_told_apart(
    proofs: dict[str, bytes],
) -> None:
    proof = read(proofs["passed-by stream"])
    position, findings = int(proof.payout["index"]), Findings()
    evidence = gather(proof, findings, {})
    opened = next(event for event in evidence.events if event.name == "StreamsOpened")
    payee = entry_at(opened.args["entries"], position)[0]
    other = entry_at(opened.args["entries"], 0)[0]
    opened.args["entries"] = opened.args["entries"].replace(other, payee)
    statements_of(proof, evidence, findings).run()
    warnings = [each.message for each in findings.items if each.severity is Severity.WARNING]
    assert any("that wallet has several" in warning for warning in warnings)
    assert not verify(proof, {}).findings


@given(data=st.data())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_a_made_up_chain_says_the_check_answers(
    document: Callable[[str], Document], data: st.DataObject
) -> None:
    changed = document(data.draw(st.sampled_from(KINDS)))
    names = sorted(names_in(changed))
    name = data.draw(st.sampled_from(names))
    at = data.draw(st.integers(0, 24))
    value = data.draw(st.sampled_from([0, 1, 2, 32, 2**16, 2**31, 2**40 - 1, 2**64 - 1, 2**255]))

    def edit(log: Log) -> None:
        words = len(log[2]) // WORD
        if words:
            start = at % words * WORD
            log[2] = log[2][:start] + value.to_bytes(WORD, "big") + log[2][start + WORD :]

    verification = forged(changed, name, edit)
    assert isinstance(verification.as_json()["proven"], bool)


def names_in(document: Document) -> set[str]:
    """Events of ours in the receipts."""
    by_topic = {topic: name for name, topic in TOPICS.items()}
    found = set()
    for row in document["receipts"]:
        receipt = pyrlp.decode(bytes.fromhex(row["receipt"][0][2:]))[1]
        for log in pyrlp.decode(receipt[1:])[3]:
            found.add(by_topic.get(log[1][0], ""))
    return found & TOPICS.keys()
