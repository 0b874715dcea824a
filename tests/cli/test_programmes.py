from __future__ import annotations

from typing import Any

from tests.cli.conftest import Cli, states, work

OPTIONS: tuple[Any, ...] = (
    "--name",
    "2026 flood relief",
    "--region",
    "51",
    "--budget",
    "5000000",
    "--payout-cap",
    "20000",
    "--tier",
    "1000000:1",
    "--tier",
    "5000000:2:24h",
)


def test_a_programme_is_planned_listed_and_shown(cli: Cli) -> None:
    made = cli.ok("programme", "create", "flood-2026", *OPTIONS)
    assert made["budget_base_units"] == "5000000000000"
    assert made["tiers"][1]["reviewers"] == 2
    assert made["tiers"][1]["challenge_delay_s"] == 86_400
    assert [p["code"] for p in cli.ok("programme", "list")["items"]] == ["flood-2026"]
    assert cli.ok("programme", "show", "flood-2026")["state"] == "proposed"
    assert cli.ok("programme", "show", "1")["code"] == "flood-2026"


def test_a_code_is_used_once(cli: Cli) -> None:
    cli.ok("programme", "create", "flood-2026", *OPTIONS)
    assert cli("programme", "create", "flood-2026", *OPTIONS).code == 1


def test_a_number_that_nothing_can_have_is_no_traceback(cli: Cli) -> None:
    cli.ok("programme", "create", "flood-2026", *OPTIONS)
    huge = "9" * 25
    assert cli("programme", "show", huge).code == 1
    assert cli("programme", "create", "drought", *OPTIONS, "--number", 2**31).code == 2
    assert cli("payout", "show", f"flood-2026#{huge}").code == 2


def test_a_code_that_is_a_number_or_the_chains_is_refused(cli: Cli) -> None:
    for code in ("2026", "chain-7"):
        ran = cli("programme", "create", code, *OPTIONS)
        assert ran.code == 2
        assert code in ran.err


def test_a_malformed_tier_is_invalid_input(cli: Cli) -> None:
    ran = cli("programme", "create", "flood-2026", *OPTIONS[:-1], "5000000")
    assert ran.code == 2
    assert "5000000" in ran.err


def test_the_budget_of_a_planned_programme_cannot_change(cli: Cli) -> None:
    cli.ok("programme", "create", "flood-2026", *OPTIONS)
    assert cli("programme", "budget", "flood-2026", "1").code == 1
    assert cli("programme", "budget", "flood-2026").code == 2


def test_a_programme_is_stopped_goes_on_and_is_cancelled_batch_by_batch(ready: Cli) -> None:
    (drafted,) = ready.ok("batch", "build", "flood", "--kind", "stream", "--maker", "1")["batches"]
    (built,) = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")["batches"]
    ready.ok("batch", "approve", built["id"], "-k", "officer-1", "-k", "officer-2")

    ready.ok("programme", "pause", "flood", "--reason", "the list is wrong")
    assert ready.ok("programme", "list")["items"][0]["paused"]
    refused = ready("batch", "release", built["id"])
    assert (refused.code, "flood is paused: the list is wrong" in refused.err) == (1, True)

    resumed = ready.ok("programme", "resume", "flood", "--reason", "it was right")
    assert (resumed["paused"], resumed["in_flight"]["transactions"]) == (False, 0)
    ready.ok("batch", "release", built["id"])
    waiting = ready.ok("programme", "cancel", "flood", "--reason", "the decree was withdrawn")
    outcomes = {item["batch_id"]: item for item in waiting["batches"]}
    assert outcomes[drafted["id"]]["outcome"] == "cancelled"
    assert outcomes[built["id"]]["outcome"] == "refused"
    assert "not on chain yet" in outcomes[built["id"]]["message"]
    assert waiting["programme"]["paused"]
    # It comes on chain, and a guardian stops the chunks.
    ready.ok("programme", "resume", "flood", "--reason", "to bring it on chain")
    ready.ok("pause", "start", "execution", "--reason", "look again", "--wait", "10")
    work(ready)
    assert ready.ok("batch", "show", built["id"])["state"] == "onchain"

    cancelled = ready.ok(
        *("programme", "cancel", "flood", "--reason", "the decree was withdrawn"),
        *("-k", "officer-2", "-k", "officer-3"),
    )
    (item,) = cancelled["batches"]
    assert (item["batch_id"], item["outcome"]) == (built["id"], "proposed")
    again = ready.ok("programme", "cancel", "flood", "--reason", "again")
    assert [one["action_id"] for one in again["batches"]] == [item["action_id"]]
    work(ready)
    assert ready.ok("batch", "show", built["id"])["state"] == "cancelled"
    assert states(ready, built["id"]) == {"cancelled": 2}
    journal = ready.ok("programme", "show", "flood")["journal"]
    assert [(row["action"], row["actor"]) for row in journal][-1] == ("cancel_programme", "tester")
    assert ready.ok("ledger", "reconcile")["agrees"]
