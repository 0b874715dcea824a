"""Emergency grants, command by command, on a real chain; the audit finds no difference."""

from __future__ import annotations

import json
from typing import Any

import pytest

from service.audit.replay import Options, replay
from service.audit.rpc import Node
from tests.cli.conftest import Cli, Ran, pay, work
from tests.support.deployed import TWO_DAYS_S, Deployed, account
from tests.support.rows import wallet

DAY_S = 86_400
AD_HOC = ("--amount", "600", "--region", "510722", "--reason", "the bridge is gone")
GOVERNORS = ("-k", "officer-1", "-k", "officer-2")


def granted(cli: Cli, *args: Any) -> dict[str, Any]:
    """A grant of officer 3, paid; by default without a case."""
    asked = args or ("--payee", wallet(1), *AD_HOC)
    made: dict[str, Any] = cli.ok("emergency", "grant", *asked, "-k", "officer-3")
    work(cli)
    return made


def shown(cli: Cli, grant: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = cli.ok("emergency", "show", grant["id"][:12])
    return document


def refusal(ran: Ran) -> str:
    """What a command that was refused said, on one line."""
    assert ran.code != 0, ran.out
    return " ".join(ran.err.split())


# ---- the way -------------------------------------------------------------------------------------


def test_a_case_is_granted_paid_overdue_countersigned_and_audited(
    ready: Cli, deployed: Deployed
) -> None:
    made = granted(ready, "--case", "A-0", "--reason", "the house fell")
    assert (made["state"], made["signed"], made["case_ref"]) == ("proposed", True, "A-0")
    paid = shown(ready, made)
    assert (paid["state"], paid["final"], paid["amount"]) == ("outstanding", True, "600.00")
    assert paid["may_countersign"] == [2]
    assert ready.ok("wallet", "show", account("one-off 0").address)["balance"] == "600.00"
    assert "the house fell" in ready("emergency", "show", made["id"]).out

    # The case is in no batch any more; the other one is.
    batch = pay(ready, "one_off")
    items = ready.ok("payout", "list", "--batch", batch)["items"]
    assert [item["amount"] for item in items] == ["601.00"]

    # Not countersigned in time, it closes its officer.
    deployed.advance(6 * DAY_S)
    work(ready)
    assert shown(ready, made)["state"] == "overdue"
    late = ready.ok("emergency", "list", "--state", "overdue")["items"]
    assert [item["id"] for item in late] == [made["id"]]
    checks = {check["area"]: check for check in ready("doctor", "--json").json["checks"]}
    assert checks["grants"]["status"] == "warning"
    assert "1 overdue, 600.00 in all, so officers 3" in checks["grants"]["detail"]
    ran = ready("emergency", "grant", "--payee", wallet(1), *AD_HOC, "-k", "officer-3")
    assert "600.00 of officer 3's grants are overdue" in refusal(ran)

    own = ready(*("emergency", "countersign", made["id"], "--reason", "seen", "-k", "officer-3"))
    assert "officer 3 granted it, so another must countersign" in refusal(own)
    ready.ok("emergency", "countersign", made["id"], "--reason", "seen", "-k", "officer-2")
    work(ready)
    ended = shown(ready, made)
    assert (ended["state"], ended["countersigned_by"]) == ("countersigned", 2)
    assert granted(ready)["signed"]

    assert ready.ok("ledger", "reconcile")["agrees"]
    accounts = {a["account"]: a["balance"] for a in ready.ok("ledger", "show")["accounts"]}
    assert accounts["emergency"] == "-1200.00"
    with Node(deployed.node.rpc_url) as node:
        vault = bytes.fromhex(deployed.vault[2:])
        report = replay(node, Options(vault, database=ready.app.settings.resolved_database_url))
    assert report.findings == []


def test_a_grant_signed_elsewhere_goes_the_way_of_an_action(ready: Cli) -> None:
    made = ready.ok("emergency", "grant", "--payee", wallet(1), *AD_HOC, "--officer", 3)
    assert not made["signed"]
    document = ready.ok("action", "typed-data", made["id"])
    assert document["primaryType"] == "EmergencyGrant"
    assert document["message"]["grantId"] == made["id"]
    assert document["message"]["amount"] == "600000000"
    wrong = ready("action", "sign", made["id"], "-k", "officer-2")
    assert "officer 2 is no emergency" in refusal(wrong)

    ready.ok("action", "sign", made["id"], "-k", "officer-3")
    work(ready)

    assert shown(ready, made)["state"] == "outstanding"


def test_governors_write_a_grant_off(ready: Cli) -> None:
    made = granted(ready)
    ready.ok("emergency", "write-off", made["id"], "--reason", "unreachable", *GOVERNORS)
    work(ready)
    assert shown(ready, made)["state"] == "written_off"
    again = ready("emergency", "write-off", made["id"], "--reason", "unreachable", *GOVERNORS)
    assert "is written_off, not outstanding" in refusal(again)


def test_a_grant_that_nobody_signs_in_time_frees_its_case(ready: Cli, deployed: Deployed) -> None:
    made = ready.ok("emergency", "grant", "--case", "A-0", "--officer", 3, "--reason", "fire")
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    assert built["count"] == 1
    deployed.advance(DAY_S + 60)
    work(ready)

    assert shown(ready, made)["state"] == "expired"
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    assert built["count"] == 1


# ---- refused before anybody signs ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--case", "A-0", "--amount", "5"), "are the case's: leave them out"),
        (("--payee", wallet(1)), "give a case, or payee, amount and region"),
        (("--case", "B-0"), "case B-0 is a stream"),
        (("--case", "C-9"), "there is no case C-9"),
        (("--payee", wallet(1), "--amount", "0", "--region", "51"), "'0' is out of range"),
        (("--payee", wallet(1), "--amount", "5", "--region", "0"), "not the whole country"),
        (("--payee", wallet(1).lower(), "--amount", "5", "--region", "51"), "EIP-55"),
        (("--payee", "0x" + "00" * 20, "--amount", "5", "--region", "51"), "the zero address"),
        (
            ("--payee", wallet(1), "--amount", "1000.01", "--region", "51"),
            "1000.01 is above the cap of one grant, 1000.00: pay it in a batch",
        ),
    ],
)
def test_a_grant_that_cannot_be_is_refused(ready: Cli, args: tuple[str, ...], words: str) -> None:
    ran = ready("emergency", "grant", *args, "--reason", "why", "-k", "officer-3")
    assert words in refusal(ran)
    assert ready.ok("emergency", "list")["items"] == []
    assert ready.ok("action", "list")["items"] == []


def test_a_grant_is_refused_to_those_who_may_not_and_to_wallets_that_cannot_be_paid(
    ready: Cli, deployed: Deployed
) -> None:
    def grant(payee: str, *who: Any) -> str:
        return refusal(ready("emergency", "grant", "--payee", payee, *AD_HOC, *who))

    assert "officer 2 is no emergency" in grant(wallet(1), "-k", "officer-2")
    assert "there is no officer 9" in grant(wallet(1), "--officer", 9)
    assert "is no officer's account" in grant(wallet(1), "-k", "freezer")
    assert "is one of the deployed contracts (vault)" in grant(deployed.vault, "-k", "officer-3")
    deployed.freeze(wallet(1))
    assert f"the wallet {wallet(1)} cannot be paid: it is frozen" in grant(
        wallet(1), "-k", "officer-3"
    )


def test_a_case_is_granted_once_and_not_while_it_stands_in_a_batch(ready: Cli) -> None:
    how = ("--reason", "fire", "-k", "officer-3")
    granted(ready, "--case", "A-0", "--reason", "fire")
    again = ready("emergency", "grant", "--case", "A-0", *how)
    assert "case A-0 has the emergency grant" in refusal(again)
    batch = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")["batches"][0]
    other = ready("emergency", "grant", "--case", "A-1", *how)
    assert f"case A-1 stands in batch {batch['id']}" in refusal(other)
    ready.ok("batch", "cancel", batch["id"], "--reason", "grant it")
    assert ready.ok("emergency", "grant", "--case", "A-1", *how)["signed"]


def test_every_cap_is_told_before_anybody_signs(ready: Cli, deployed: Deployed) -> None:
    limits = {
        "perGrant": ("--per-grant", "600"),
        "perOfficer": ("--per-officer", "1000"),
        "perCounty": ("--per-county", "1000"),
        "outstanding": ("--outstanding", "1000"),
    }
    words = {
        "perOfficer": "officer 3 would have granted 1200.00 lately",
        "perCounty": "1200.00 would have been granted lately in region 510722",
        "outstanding": "1200.00 would stand uncountersigned",
    }
    granted(ready)
    for name, expected in words.items():
        snapshot = deployed.node.rpc("evm_snapshot")
        now = deployed.read("lane", "limits")
        value = int(limits[name][1]) * 10**6
        deployed.send(
            deployed.roles["treasurer"],
            "lane",
            "lowerLimits",
            tuple({**now, name: value}.values()),
        )
        # Proposed only: no signature is there that the contract could refuse.
        ran = ready("emergency", "grant", "--payee", wallet(2), *AD_HOC, "--officer", 3)
        assert expected in refusal(ran)
        left = ready.ok("emergency", "limits", "--region", "510722", "--officer", 3)
        assert left["largest_grant"] == "400.00"
        deployed.node.rpc("evm_revert", snapshot)


def test_sums_over_the_window_count_in_whole_tokens(ready: Cli, deployed: Deployed) -> None:
    granted(ready)
    now = deployed.read("lane", "limits")
    lowered = {**now, "perOfficer": 1_000_500_000}
    treasurer = deployed.roles["treasurer"]
    deployed.send(treasurer, "lane", "lowerLimits", tuple(lowered.values()))
    asked = ("--region", "510722", "--reason", "more", "--officer", 3, "--payee", wallet(2))

    ran = ready("emergency", "grant", "--amount", "400.20", *asked)

    assert "officer 3 would have granted 1001.00 lately" in refusal(ran)
    assert ready.ok("emergency", "limits", "--officer", 3)["largest_grant"] == "400.00"
    assert ready.ok("emergency", "grant", "--amount", "400", *asked)["state"] == "proposed"


def test_too_much_overdue_closes_a_region_to_other_officers_too(
    ready: Cli, deployed: Deployed
) -> None:
    newcomer = account("newcomer").address
    ready.ok(
        *("officer", "add", 9, newcomer, "--roles", "emergency", "--reason", "joins", *GOVERNORS)
    )
    work(ready)
    deployed.advance(TWO_DAYS_S)
    granted(ready)
    deployed.advance(6 * DAY_S)
    work(ready)
    asked = ("--payee", wallet(2), *AD_HOC, "--officer", 9)
    assert ready.ok("emergency", "grant", *asked)["state"] == "proposed"

    change = ("--county-overdue", "599", "--reason", "nobody countersigns")
    ready.ok("emergency", "change-limits", *change)
    work(ready)

    ran = ready("emergency", "grant", *asked)
    assert "600.00 are overdue in region 510722, more than the 599.00 that may" in refusal(ran)
    left = ready.ok("emergency", "limits", "--region", "510722", "--officer", 9)
    assert [item["closed"] for item in left["regions"]] == [True, False, False, False]
    assert (left["largest_grant"], left["officer"]["closed"]) == ("0.00", False)


def test_a_grant_beyond_the_reserve_is_refused(ready: Cli, deployed: Deployed) -> None:
    deployed.advance(60)
    ready.ok("reserve", "attest", "599", "--document-hash", "0x" + "11" * 32)
    work(ready)

    ran = ready("emergency", "grant", "--payee", wallet(1), *AD_HOC, "--officer", 3)

    assert "would be 600.00, more than the reserve of 599.00" in refusal(ran)
    assert ready.ok("emergency", "limits")["largest_grant"] == "599.00"


# ---- limits --------------------------------------------------------------------------------------


def test_the_limits_show_what_is_left_of_each(ready: Cli) -> None:
    granted(ready)

    left = ready.ok("emergency", "limits", "--region", "510722", "--officer", 3)

    assert left["limits"]["per_grant"] == "1000.00"
    assert (left["outstanding"], left["outstanding_left"]) == ("600.00", "19400.00")
    assert left["officer"]["left"] == "9400.00"
    assert [(item["region"], item["left"]) for item in left["regions"]] == [
        ("510722", "9400.00"),
        ("5107", "19400.00"),
        ("51", "29400.00"),
        ("0", "39400.00"),
    ]
    assert left["granted_ever_left"] == "999400.00"
    assert left["largest_grant"] == "1000.00"
    printed = ready("emergency", "limits", "--region", "510722").out
    assert "四川省绵阳市三台县" in printed
    assert "5 days" in printed


def test_limits_are_lowered_at_once_and_raised_after_two_days(
    ready: Cli, deployed: Deployed
) -> None:
    def limits() -> dict[str, str]:
        shown: dict[str, str] = ready.ok("emergency", "limits")["limits"]
        return shown

    change = ("emergency", "change-limits", "--reason", "calm")
    lowered = ready.ok(*change, "--per-grant", "500", "--countersign-within", "2d")
    assert (lowered["action"], lowered["request"]["state"]) == (None, "requested")
    assert lowered["request"]["args"]["lowered"]["per_grant"] == "500.00"
    work(ready)
    assert (limits()["per_grant"], limits()["countersign_window_s"]) == ("500.00", 172_800)

    raised = ready.ok(*change, "--per-grant", "2000", "--per-city", "100", *GOVERNORS)
    assert (raised["request"], raised["action"]["state"]) == (None, "ready")
    work(ready)
    planned = ready.ok("emergency", "limits")
    assert planned["planned_limits"]["per_grant"] == "2000.00"
    early = ready("emergency", "change-limits", "--apply")
    assert f"it can be applied from {planned['planned_limits']['applies_from']} on" in refusal(
        early
    )
    deployed.advance(TWO_DAYS_S)
    ready.ok("emergency", "change-limits", "--apply")
    work(ready)
    assert (limits()["per_grant"], limits()["per_city"]) == ("2000.00", "100.00")
    none = ready("emergency", "change-limits", "--apply")
    assert "no higher limits are planned" in refusal(none)
    short = ready(*change, "--countersign-within", "23h")
    assert "the time for countersigning is 1 to 14 days" in refusal(short)
    same = ready(*change, "--per-grant", "2000")
    assert "these limits are in force" in refusal(same)
    why = ready("emergency", "change-limits", "--per-grant", "7")
    assert "this needs a reason" in refusal(why)


def test_a_regions_own_cap_is_lowered_at_once_and_raised_after_two_days(
    ready: Cli, deployed: Deployed
) -> None:
    def cap() -> Any:
        return ready.ok("emergency", "limits", "--region", "5107")["regions"][0]

    how = ("--reason", "flood")
    ready.ok("emergency", "region-cap", "5107", "300", *how)
    work(ready)
    assert cap()["cap"] == "300.00"
    ready.ok("emergency", "region-cap", "5107", "70000", *how, *GOVERNORS)
    work(ready)
    assert (cap()["cap"], cap()["planned"]["cap"]) == ("300.00", "70000.00")
    deployed.advance(TWO_DAYS_S)
    ready.ok("emergency", "region-cap", "5107", "--apply")
    work(ready)
    assert (cap()["cap"], cap()["planned"]) == ("70000.00", None)
    assert "no higher cap of region 5107 is planned" in refusal(
        ready("emergency", "region-cap", "5107", "--apply")
    )
    assert "is the cap of region 5107 in force" in refusal(
        ready("emergency", "region-cap", "5107", "70000", *how)
    )
    assert "one of the limits, country" in refusal(
        ready("emergency", "region-cap", "0", "70000", *how)
    )


def test_a_table_of_grants_says_when_each_must_be_countersigned(ready: Cli) -> None:
    made = granted(ready)
    table = ready("emergency", "list", "--region", "51", "--officer", 3).out
    assert made["id"][:12] in table
    assert shown(ready, made)["overdue_from"] in table
    assert ready.ok("emergency", "list", "--region", "32")["items"] == []
    assert ready.ok("emergency", "list", "--state", "overdue")["items"] == []
    assert "'late' is not one of" in refusal(ready("emergency", "list", "--state", "late"))
    assert json.loads(ready("emergency", "list", "--json").out)["next_cursor"] is None


def test_a_guardian_pauses_grants_and_governors_go_on(ready: Cli) -> None:
    ready.ok("pause", "start", "grants", "--reason", "a key is lost", "--wait", "10")
    assert ready.ok("pause", "show")["grants"]
    assert ready.ok("emergency", "limits")["largest_grant"] == "0.00"
    ran = ready("emergency", "grant", "--payee", wallet(1), *AD_HOC, "-k", "officer-3")
    assert "a guardian paused emergency grants" in refusal(ran)

    ready.ok("pause", "lift", "grants", "--reason", "found", *GOVERNORS)
    work(ready)

    assert not ready.ok("pause", "show")["grants"]
    assert granted(ready)["signed"]
