from __future__ import annotations

from typing import Any

from tests.cli.conftest import Cli

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
