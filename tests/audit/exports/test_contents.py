"""What the scenario's tables say, held against what was done on its chain."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from service.audit.exports.tables import TABLES
from tests.audit.exports.reading import as_dicts
from tests.audit.scenario import UNIT, Scenario, payee

BY_NAME = {table.name: table for table in TABLES}
Dicts = list[dict[str, Any]]


class Folder:
    """Tables by name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __getitem__(self, name: str) -> Dicts:
        return as_dicts(self._path, BY_NAME[name])


@pytest.fixture(scope="module")
def tables(exported: Path) -> Folder:
    return Folder(exported)


def of_batch(rows: Dicts, scenario: Scenario, name: str) -> Dicts:
    return [row for row in rows if row["batch_id"] == scenario.batches[name].hex]


def total(rows: Dicts, column: str) -> int:
    return sum(row[column] for row in rows)


def test_a_batch_has_its_terms_its_state_and_who_approved_it(
    scenario: Scenario, tables: Folder
) -> None:
    rows = {row["batch_id"]: row for row in tables["batches"]}
    states = {
        name: rows[scenario.batches[name].hex] for name in scenario.batches if name != "draft"
    }
    assert {name: (row["state"], row["approved_by"]) for name, row in states.items()} == {
        "plain": ("executed", "1 2 3"),
        "waiting": ("executing", "1 2 3"),
        "served": ("executed", "1 2"),
        "cancelled": ("cancelled", "1 2"),
        "streams": ("executed", "1 2"),
    }
    streams, signed = states["streams"], scenario.batches["streams"].approval
    assert streams["kind"] == "stream"
    assert streams["duration_s"] == 90 * 86_400
    assert streams["manifest_hash"] == "0x" + signed["manifestHash"].hex()
    assert streams["total_base_units"] == signed["total"]
    assert streams["expires_at_unix_s"] == signed["expiresAt"]


def test_every_signature_under_a_batch_is_a_row(scenario: Scenario, tables: Folder) -> None:
    rows = of_batch(tables["batch_approvers"], scenario, "plain")
    keys = scenario.deployed.officers
    assert [(row["position"], row["officer_id"], row["signer"]) for row in rows] == [
        (place, officer, keys[officer].address.lower())
        for place, officer in enumerate((1, 2, 3), 1)
    ]


def test_payouts_have_status_payee_amount_number_commitment_and_why_they_were_skipped(
    scenario: Scenario, tables: Folder
) -> None:
    plain = of_batch(tables["payouts"], scenario, "plain")
    assert [
        (row["number"], row["payee"], row["amount_base_units"], row["paid_base_units"])
        for row in plain
    ] == [(i + 1, payee(i).address, (600 + i) * UNIT + i, (600 + i) * UNIT + i) for i in range(5)]
    assert [row["commitment"] for row in plain] == [
        keccak(text=f"plain {i}").hex() for i in range(5)
    ]
    assert [(row["skip_reason"], row["retried"]) for row in plain] == [
        *[(None, 0)] * 3,
        (4, 1),
        (None, 0),
    ]
    waiting = of_batch(tables["payouts"], scenario, "waiting")
    assert [(row["status"], row["payee"], row["signed_payee"]) for row in waiting] == [
        ("paid", payee(10).address, payee(10).address),
        ("skipped", payee(11).address, payee(11).address),
        ("paid", payee(12).address, payee(12).address),
        ("approved", None, payee(13).address),
    ]
    assert [row["amount_base_units"] for row in waiting] == [700 * UNIT] * 4
    (cancelled,) = of_batch(tables["payouts"], scenario, "cancelled")
    assert (cancelled["status"], cancelled["returned_base_units"]) == ("cancelled", 50 * UNIT)


def test_a_payout_is_told_with_the_block_and_time_it_was_paid_in(
    scenario: Scenario, tables: Folder
) -> None:
    events = {(row["tx"], row["name"]): row for row in tables["events"]}
    retried = of_batch(tables["payouts"], scenario, "plain")[3]
    event = events[retried["tx"], "PayoutRetried"]
    assert (retried["block"], retried["time_unix_s"]) == (event["block"], event["time_unix_s"])
    assert (retried["tx"], "ChunkPaid") not in events


def test_withdrawals_sum_to_what_streams_were_paid_and_cut_ones_returned_the_rest(
    scenario: Scenario, tables: Folder
) -> None:
    streams = of_batch(tables["payouts"], scenario, "streams")
    withdrawals = tables["withdrawals"]
    assert len(withdrawals) == 36
    paid: Counter[int] = Counter()
    through: dict[int, int] = {}
    for row in withdrawals:
        paid[row["payout_index"]] += row["amount_base_units"]
        assert through.get(row["payout_index"], -1) < row["paid_through_s"]
        through[row["payout_index"]] = row["paid_through_s"]
    assert paid == {row["payout_index"]: row["paid_base_units"] for row in streams}
    assert through == {row["payout_index"]: row["paid_through_s"] for row in streams}
    assert [row["payout_index"] for row in withdrawals if row["alone"]] == [2, 4]
    cut = [row for row in streams if row["cut_s"] is not None]
    assert [row["payout_index"] for row in cut] == [3, 4]
    for row in cut:
        assert row["accrued_base_units"] == row["paid_base_units"]
        assert row["accrued_base_units"] + row["returned_base_units"] == row["amount_base_units"]
    for row in streams:
        assert row["paid_base_units"] <= row["accrued_base_units"] <= row["amount_base_units"]


def test_payouts_and_grants_are_all_that_was_minted(tables: Folder) -> None:
    (report,) = tables["report"]
    minted = [row for row in tables["transfers"] if row["kind"] == "mint"]
    assert (
        total(tables["payouts"], "paid_base_units") + total(tables["grants"], "amount_base_units")
        == total(minted, "amount_base_units")
        == total(tables["minters"], "minted_base_units")
        == report["minted_base_units"]
    )
    assert total(tables["balances"], "balance_base_units") == report["supply_base_units"]


def test_postings_balance_what_is_in_circulation(tables: Folder) -> None:
    (report,) = tables["report"]
    accounts: Counter[str] = Counter()
    for row in tables["postings"]:
        accounts[row["source"]] -= row["amount_base_units"]
        accounts[row["target"]] += row["amount_base_units"]
    assert sum(accounts.values()) == 0
    assert accounts["circulating"] == report["supply_base_units"]
    assert accounts["committed:1"] == report["committed_base_units"]
    assert accounts["redeemed"] == 100 * UNIT


def test_a_redemption_has_the_reference_of_its_bank_payment(tables: Folder) -> None:
    (row,) = tables["redemptions"]
    assert (row["holder"], row["amount_base_units"]) == (payee(0).address, 100 * UNIT)
    assert row["payment_reference"] == "0x" + keccak(text="paid out").hex()


def test_grants_stand_as_they_ended(tables: Folder) -> None:
    rows = {row["grant_id"]: row for row in tables["grants"]}
    named = {
        name: rows["0x" + keccak(text=f"grant {name}").hex()]
        for name in ("seen", "spoilt", "forgotten", "fresh")
    }
    assert {name: row["state"] for name, row in named.items()} == {
        "seen": "countersigned",
        "spoilt": "written_off",
        "forgotten": "overdue",
        "fresh": "outstanding",
    }
    assert named["seen"]["countersigned_by_officer_id"] == 2


def test_officers_who_left_stay_with_the_block_they_left_in(tables: Folder) -> None:
    rows = {row["officer_id"]: row for row in tables["officers"]}
    assert sorted(rows) == [1, 2, 3, 4, 5, 6, 9]
    assert {number: row["roles"] for number, row in rows.items() if number in {1, 2, 5}} == {
        1: "maker governor",
        2: "reviewer governor",
        5: "emergency",
    }
    left = next(row for row in tables["events"] if row["name"] == "OfficerRemoved")
    assert (rows[4]["removed"], rows[4]["removed_block"]) == (1, left["block"])
    assert rows[1]["removed_block"] is None


def test_every_quorum_action_has_its_signers(tables: Folder) -> None:
    used = {row["action_id"] for row in tables["actions"]}
    signers: dict[str, set[int]] = {}
    for row in tables["action_signers"]:
        signers.setdefault(row["action_id"], set()).add(row["officer_id"])
    assert signers.keys() == used
    assert all(len(officers) >= 2 for officers in signers.values())


def test_freezes_pauses_attestations_and_roles_are_told(scenario: Scenario, tables: Folder) -> None:
    frozen = [row["account"] for row in tables["freezes"] if row["frozen"]]
    assert frozen == [payee(i).address for i in (3, 11, 34, 35)]
    assert [row["account"] for row in tables["balances"] if row["frozen"]] == [payee(11).address]
    assert [(row["contract"], row["event"], row["operations"]) for row in tables["pauses"]] == [
        ("vault", "Paused", 7),
        ("vault", "Unpaused", 7),
        ("token", "TransfersPaused", None),
        ("token", "TransfersUnpaused", None),
        ("lane", "GrantsPaused", None),
        ("lane", "GrantsUnpaused", None),
    ]
    assert [row["amount_base_units"] for row in tables["attestations"]] == [
        10**12,
        10**12 - 100 * UNIT,
    ]
    admins = [row["account"] for row in tables["roles"] if row["role_id"] == "0"]
    assert admins == [scenario.deployed.registry]


def test_events_are_all_that_were_replayed_with_their_arguments(
    scenario: Scenario, tables: Folder
) -> None:
    (report,) = tables["report"]
    events = tables["events"]
    assert [row["event_number"] for row in events] == list(range(1, report["events"] + 1))
    approved = next(row for row in events if row["name"] == "BatchApproved")
    args = json.loads(approved["args"])
    plain = scenario.batches["plain"]
    assert args["batchId"] == plain.hex
    assert args["approval"]["total"] == str(plain.approval["total"])
    assert args["approval"]["count"] == 5
    assert approved["args"] == json.dumps(args, sort_keys=True, separators=(",", ":"))


def test_the_table_of_columns_describes_every_table(tables: Folder) -> None:
    described = Counter(row["table_name"] for row in tables["columns"])
    assert described == {name: len(table.columns) for name, table in BY_NAME.items()}
    assert all(row["meaning"].endswith(".") for row in tables["columns"])
