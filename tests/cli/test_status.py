"""``relief status`` on a real chain: what it counts, what it asks a person to do, how it looks."""

from __future__ import annotations

import io
import signal
import subprocess
from typing import Any

import pytest
from rich.console import Console

from service.cli.status import screen
from service.processes import end_process, environment_of, start_relief
from tests.cli.conftest import Cli, pay, work
from tests.support.deployed import Deployed


def shown(view: dict[str, Any], width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, markup=False, highlight=False, emoji=False).print(
        screen(view, width)
    )
    return out.getvalue()


def codes(view: dict[str, Any]) -> list[str]:
    return [each["code"] for each in view["attention"]]


def test_money_is_counted_when_it_is_final_and_no_worker_is_said(ready: Cli) -> None:
    before = ready("status", "--json").json
    pay(ready, "one_off")
    after = ready("status", "--json").json

    assert before["paid"]["total"] == "0.00"
    assert after["paid"]["total"] == after["paid"]["today"]
    paid = {each["state"]: each for each in after["payouts"]}["paid"]
    assert after["paid"]["total_base_units"] == paid["amount_base_units"] != "0"
    assert after["chain"]["posted"] == after["chain"]["final"] == after["chain"]["read"]
    assert codes(after) == ["no_worker"]


def test_what_is_stuck_is_said_with_what_to_type(ready: Cli, deployed: Deployed) -> None:
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    ready.ok("batch", "approve", batch_id, "-k", "officer-1", "-k", "officer-2")
    ready.ok("batch", "release", batch_id)
    ready.ok("batch", "pause", batch_id, "--reason", "a second look")
    ran = ready("status", "--json")

    assert ran.code == 1
    (paused,) = [each for each in ran.json["attention"] if each["code"] == "batch_paused"]
    assert "a second look" in paused["message"]
    assert paused["do"] == f"relief batch resume {batch_id[:12]}"
    ready.ok(*paused["do"].split()[1:], "--reason", "looked")
    work(ready)
    assert codes(ready("status", "--json").json) == ["no_worker"]


def test_a_payee_whose_wallet_is_frozen_is_said_with_the_payouts_to_list(
    ready: Cli, deployed: Deployed
) -> None:
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    ready.ok("batch", "approve", batch_id, "-k", "officer-1", "-k", "officer-2")
    payee = ready.ok("payout", "list", "--batch", batch_id)["items"][0]["payee"]
    deployed.send(deployed.roles["freezer"], "token", "freeze", payee)
    ready.ok("batch", "release", batch_id)
    work(ready)

    view = ready("status", "--json").json
    (skipped,) = [each for each in view["attention"] if each["code"] == "batch_skipped"]
    listed = ready.ok(*skipped["do"].split()[1:])["items"]
    assert [item["payee"] for item in listed] == [payee]
    assert view["batches"][0]["executed"] == view["batches"][0]["count"]


def test_a_node_that_is_away_does_not_keep_the_rest_from_being_shown(
    ready: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(ready, "one_off")
    rpc = ready.app.rpc
    monkeypatch.setattr(rpc, "url", "http://127.0.0.1:1")
    ran = ready("status", "--json")
    assert ran.code == 1
    assert "node" in codes(ran.json)
    assert ran.json["paid"]["total"] != "0.00"
    assert "no answer" in shown(ran.json, 80)


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_is_whole_at_80_and_120_columns(ready: Cli, width: int) -> None:
    pay(ready, "one_off")
    built = ready.ok("batch", "build", "flood", "--kind", "stream", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    ready.ok("batch", "approve", batch_id, "-k", "officer-1", "-k", "officer-2")
    ready.ok("batch", "release", batch_id)
    ready.ok("batch", "pause", batch_id, "--reason", "a second look at the lists of the county")
    text = shown(ready("status", "--json").json, width)

    assert text.isascii()
    assert all(len(line) <= width for line in text.splitlines())
    for word in ("Paid", "today", "Batches", batch_id[:12], "Lanes", "Reserve", "Budgets", "head"):
        assert word in text
    assert f"> relief batch resume {batch_id[:12]}" in text


def test_watching_and_one_document_exclude_each_other(cli: Cli) -> None:
    assert cli("status", "--watch", "--json").code == 2


def test_a_programme_that_stands_still_is_said_with_the_command_that_lets_it_go_on(
    ready: Cli,
) -> None:
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    ready.ok("batch", "approve", batch_id, "-k", "officer-1", "-k", "officer-2")
    ready.ok("batch", "release", batch_id)
    ready.ok("programme", "pause", "flood", "--reason", "a second look")
    view = ready("status", "--json").json
    (paused,) = [each for each in view["attention"] if each["code"] == "batch_programme_paused"]
    ready.ok(*paused["do"].split()[1:], "--reason", "looked")
    assert "batch_programme_paused" not in codes(ready("status", "--json").json)


def test_a_window_that_is_too_low_loses_its_end_and_not_what_a_person_must_do(ready: Cli) -> None:
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    ready.ok("batch", "approve", batch_id, "-k", "officer-1", "-k", "officer-2")
    ready.ok("batch", "release", batch_id)
    ready.ok("batch", "pause", batch_id, "--reason", "a second look")
    view = ready("status", "--json").json
    out = io.StringIO()
    Console(file=out, width=80).print(screen(view, 80, fits_the_window=True))
    text = out.getvalue()
    assert text.index("To look at") < text.index("Batches") < text.index("Reserve")
    assert text.count("To look at") == 1


def test_watching_without_a_terminal_shows_each_look_at_once(chain_cli: Cli) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        pytest.skip("Ctrl-C is kept from this process and its children")
    settings = chain_cli.app.settings
    watching = start_relief(
        *("status", "--watch", "--every", "1"),
        environment=environment_of(settings),
        stdout=subprocess.PIPE,
    )
    assert watching.stdout is not None
    try:
        looks = 0
        for line in watching.stdout:
            looks += line.startswith(b"Relief  chain 31337")
            if looks == 3:
                break
        watching.send_signal(signal.SIGINT)
        watching.communicate(timeout=30)
        assert watching.returncode == 0
    finally:
        end_process(watching)
        watching.stdout.close()
