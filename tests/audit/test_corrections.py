"""Holds, changed wallets, expiry and sunset: replayed, and each rule of theirs broken and found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from service.audit.abi import Contract
from service.audit.findings import Code
from service.audit.replay import Options, replay
from service.audit.rpc import Node
from service.audit.state import PayoutStatus
from tests.audit.checking import Replayed, replayed_once
from tests.audit.scenario import DAY_S, Scenario, payee
from tests.audit.test_rules import (
    RECORD,
    Edit,
    Events,
    at,
    codes,
    dropping,
    flipped,
    later,
    less,
    more,
    moving,
    repeating,
    setting,
)


@pytest.fixture(scope="module")
def events(corrected: Scenario) -> Iterator[Replayed]:
    with Node(corrected.deployed.node.rpc_url) as node:
        yield replayed_once(node, corrected.deployed)


def test_chain_database_ledger_and_manifests_agree(corrected: Scenario) -> None:
    vault = bytes.fromhex(corrected.deployed.vault[2:])
    options = Options(vault, database=corrected.database_url, manifests=corrected.manifests)
    with Node(corrected.deployed.node.rpc_url) as node:
        report = replay(node, options)
    assert report.findings == []


def test_the_state_has_who_is_paid_now_and_what_returned(
    corrected: Scenario, events: Replayed
) -> None:
    one_off = events.state.batches[corrected.batches["one-off"].id]
    payouts = list(events.state.payouts(one_off))
    assert [payout.status for payout in payouts] == [
        PayoutStatus.EXPIRED,
        PayoutStatus.PAID,
        PayoutStatus.PAID,
        PayoutStatus.SKIPPED,
        PayoutStatus.EXPIRED,
    ]
    assert payouts[1].payee == bytes.fromhex(payee(62).address[2:])
    assert payouts[1].signed_payee == bytes.fromhex(payee(60).address[2:])
    streams = events.state.batches[corrected.batches["streams"].id]
    first, never, last = events.state.payouts(streams)
    assert first.payee == bytes.fromhex(payee(65).address[2:])
    assert (first.withdrawn, last.withdrawn) == (first.amount, last.amount)
    assert (never.withdrawn, never.returned) == (0, never.amount)
    assert events.state.sunset


def one_record_more(blob: bytes) -> bytes:
    return blob + blob


RULES: dict[str, tuple[Edit, Code]] = {
    # Holds of a batch.
    "a hold with an altered signature": (
        setting("BatchHeld", signatures=flipped),
        Code.SIGNATURE_INVALID,
    ),
    "a hold that another officer signed than it names": (
        setting("BatchHeld", officerId=4),
        Code.HOLD_RULE_BROKEN,
    ),
    "a hold that nobody signed": (setting("BatchHeld", signatures=b""), Code.HOLD_RULE_BROKEN),
    "a hold of two officers": (
        setting("BatchHeld", signatures=one_record_more),
        Code.OFFICERS_NOT_ASCENDING,
    ),
    "a hold by who is no reviewer": (
        setting("OfficerAdded", 1, roles=8),
        Code.OFFICER_LACKS_ROLE,
    ),
    "a hold by a reviewer of another province": (
        setting("OfficerAdded", 2, regionCode=11, regionDigits=2),
        Code.OFFICER_OUTSIDE_REGION,
    ),
    "a hold signed for another deadline": (
        setting("BatchHeld", deadline=more),
        Code.SIGNATURE_INVALID,
    ),
    "a hold after its deadline": (later("BatchHeld", 2 * DAY_S), Code.OFFICER_RULE_BROKEN),
    "a hold longer than 72 hours": (setting("BatchHeld", executeFrom=more), Code.HOLD_RULE_BROKEN),
    "a hold into the last day": (later("BatchHeld", 26 * DAY_S, 1), Code.HOLD_RULE_BROKEN),
    "an officer's second hold": (repeating("BatchHeld"), Code.HOLD_RULE_BROKEN),
    "a chunk run while its batch is held": (
        setting("BatchHeld", 1, executeFrom=lambda old: old + 5 * DAY_S),
        Code.CHUNK_RULE_BROKEN,
    ),
    "a hold of what was run": (moving("BatchHeld", "SunsetBegan"), Code.HOLD_RULE_BROKEN),
    # Holds of a payout.
    "a payout's hold with an altered signature": (
        setting("EntryHeld", signatures=flipped),
        Code.SIGNATURE_INVALID,
    ),
    "a hold of another payout than signed": (setting("EntryHeld", index=3), Code.SIGNATURE_INVALID),
    "a payout held longer than 72 hours": (
        setting("EntryHeld", until=more),
        Code.HOLD_RULE_BROKEN,
    ),
    "an officer's second hold of a payout": (repeating("EntryHeld"), Code.HOLD_RULE_BROKEN),
    "a hold of what was paid": (setting("EntryHeld", index=2), Code.HOLD_RULE_BROKEN),
    "a held payout retried": (dropping("WalletChanged"), Code.HOLD_IGNORED),
    "a stream skipped that nobody held": (dropping("EntryHeld", 1), Code.SKIP_MISMATCH),
    "a held stream withdrawn": (moving("StreamWithdrawn", "SunsetBegan"), Code.MINT_MISSING),
    # Another wallet.
    "a changed wallet without its quorum": (
        setting("WalletChanged", signatures=lambda blob: blob[:RECORD]),
        Code.TOO_FEW_OFFICERS,
    ),
    "a change to another wallet than signed": (
        setting("WalletChanged", to=b"\x77" * 20),
        Code.DIGEST_MISMATCH,
    ),
    "a change of another payout than signed": (
        setting("WalletChanged", index=3),
        Code.DIGEST_MISMATCH,
    ),
    "a change from who is not paid": (
        setting("WalletChanged", **{"from": b"\x77" * 20}),
        Code.WALLET_CHANGE_INVALID,
    ),
    "a change to who cannot be paid": (
        setting("WalletChanged", to=bytes(20)),
        Code.WALLET_CHANGE_INVALID,
    ),
    "a change of what was paid": (setting("WalletChanged", index=2), Code.WALLET_CHANGE_INVALID),
    "the old wallet paid after the change": (
        setting("PayoutRetried", payee=bytes.fromhex(payee(60).address[2:])),
        Code.RETRY_INVALID,
    ),
    "a stream paid to the old wallet": (
        setting("StreamWithdrawn", payee=bytes.fromhex(payee(63).address[2:])),
        Code.STREAM_MISMATCH,
    ),
    # Expiry.
    "chunks expired that may still run": (
        moving("UnexecutedExpired", "SunsetBegan"),
        Code.EXPIRY_MISMATCH,
    ),
    "another sum for chunks not run": (
        setting("UnexecutedExpired", returned=less),
        Code.EXPIRY_MISMATCH,
    ),
    "a payout expired before its time": (
        moving("PayoutExpired", "SunsetBegan"),
        Code.EXPIRY_MISMATCH,
    ),
    "a frozen payee's payout expired": (setting("PayoutExpired", index=3), Code.EXPIRY_MISMATCH),
    "a paid payout expired": (setting("PayoutExpired", index=1), Code.EXPIRY_MISMATCH),
    "another amount expired": (setting("PayoutExpired", amount=less), Code.EXPIRY_MISMATCH),
    "streams expired before their time": (
        moving("StreamsExpired", "SunsetBegan"),
        Code.EXPIRY_MISMATCH,
    ),
    "a payable stream expired": (setting("StreamsExpired", maskLow=0b11), Code.EXPIRY_MISMATCH),
    "another sum of expired streams": (
        setting("StreamsExpired", returned=less),
        Code.EXPIRY_MISMATCH,
    ),
    "money returned that the token did not release": (dropping("Released"), Code.CANCEL_MISMATCH),
    # Sunset.
    "a sunset without its quorum": (
        setting("SunsetBegan", signatures=lambda blob: blob[:RECORD]),
        Code.TOO_FEW_OFFICERS,
    ),
    "a sunset that nobody signed": (dropping("ActionConsumed", -1), Code.ACTION_MISSING),
    "a batch approved in the sunset": (moving("SunsetBegan", "BatchApproved"), Code.SUNSET_IGNORED),
    "a programme created in the sunset": (
        moving("SunsetBegan", "ProgrammeCreated"),
        Code.SUNSET_IGNORED,
    ),
    "a second sunset": (repeating("SunsetBegan"), Code.SUNSET_IGNORED),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_broken_rule_is_found(events: Replayed, rule: str) -> None:
    edit, code = RULES[rule]
    findings, _ = events.against_rules(edit(events.events))
    assert code in codes(findings), codes(findings)


def test_what_expires_while_it_is_paused_is_named(events: Replayed) -> None:
    def paused(before: str) -> Events:
        i = at(events.events, before)
        args = {"operations": 6, "until": events.events[i].timestamp + 3 * DAY_S, "seq": 0}
        pause = replace(events.events[i], contract=Contract.VAULT, name="Paused", args=args)
        return [*events.events[:i], pause, *events.events[i:]]

    for name in ("PayoutExpired", "StreamsExpired"):
        findings, _ = events.against_rules(paused(name))
        assert f"{name} happened while it was paused" in {f.message for f in findings}


@pytest.mark.parametrize(
    ("name", "which"),
    [
        # Of two holds the later one counts; one that stopped nothing leaves nothing but the count.
        *(("BatchHeld", -1), ("EntryHeld", 1)),
        *(("WalletChanged", 0), ("WalletChanged", 1), ("SunsetBegan", 0)),
        *(("UnexecutedExpired", 0), ("PayoutExpired", 0), ("StreamsExpired", 0)),
    ],
)
def test_an_event_left_out_is_missed_beside_the_count(
    events: Replayed, name: str, which: int
) -> None:
    """By a rule of its own, or by the contracts' views."""
    findings, state = events.against_rules(dropping(name, which)(events.events))
    broken = codes(findings) - {Code.SEQUENCE_GAP}
    assert broken or events.against_views(state)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE payouts SET payee = '{old}' WHERE payee = '{new}'",
        "UPDATE payouts SET state = 'skipped' WHERE state = 'expired'",
        "UPDATE streams SET returned_base_units = 0",
        "UPDATE batches SET execute_from_unix_s = execute_from_unix_s - 1",
        "DELETE FROM ledger_entries WHERE event_name = 'UnexecutedExpired'",
    ],
)
def test_a_database_that_says_otherwise_is_named(
    corrected: Scenario, events: Replayed, tmp_path: Path, statement: str
) -> None:
    url = f"sqlite:///{corrected.copy_of_database(tmp_path)}"
    old, new = payee(60).address, payee(62).address
    with create_engine(url).begin() as connection:
        connection.execute(text(statement.format(old=old, new=new)))
    assert events.against_database(url) != []
