"""What officers do to batches and payouts after their approval, command by command, on a chain."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import DAY_S, Cli, keep, pay, states, work
from tests.support.deployed import Deployed, account

OLD, NEW = account("one-off 0").address, account("another wallet").address
TWO_REVIEWERS = ("-k", "officer-2", "-k", "officer-3")


def agrees_with_replay(cli: Cli) -> bool:
    """Whether an auditor who rebuilds everything from events finds the database equal to it."""
    cli.app.close()
    settings = cli.app.settings
    ran = cli(
        *("audit", "replay", "--rpc", settings.rpc_url, "--vault", cli.app.deployment.vault),
        *("--database", settings.resolved_database_url),
        *("--manifests", settings.resolved_manifests_dir, "--json"),
    )
    found = json.loads(ran.out)["findings"]
    assert (ran.code, found) == (0, [])
    return bool(cli.ok("ledger", "reconcile")["agrees"])


def approve(cli: Cli, kind: str) -> str:
    """Build, approve and release one batch, and put it on chain without running it."""
    (batch,) = cli.ok("batch", "build", "flood", "--kind", kind, "--maker", "1")["batches"]
    batch_id: str = batch["id"]
    cli.ok("batch", "approve", batch_id, "-k", "officer-1", "-k", "officer-2")
    cli.ok("batch", "release", batch_id)
    return batch_id


def test_a_payout_is_held_skipped_gets_another_wallet_and_is_paid(
    ready: Cli, deployed: Deployed
) -> None:
    ready.ok("wallet", "freeze", OLD, "--wait", "10")
    batch_id = pay(ready, "one_off")
    payout = next(
        item["id"]
        for item in ready.ok("payout", "list", "--batch", batch_id)["items"]
        if item["payee"] == OLD
    )
    shown = ready.ok("payout", "show", payout)
    assert (shown["state"], shown["unpaid"], shown["held_until"]) == ("skipped", "600.00", None)

    held = ready.ok("payout", "hold", payout, "--reason", "a thief has it", "-k", "officer-3")
    assert (held["quorum"], held["state"], held["officers"]) == (1, "ready", [3])
    work(ready)
    assert ready.ok("action", "show", held["id"])["state"] == "done"
    assert ready.ok("payout", "show", payout)["held_until"] is not None
    again = ready("payout", "hold", payout, "--reason", "once more", "-k", "officer-3")
    assert (again.code, "officer 3 held this once already" in again.err) == (1, True)

    ready.ok("wallet", "unfreeze", OLD, "--wait", "10")
    retried = ready.ok("payout", "retry", payout)["items"][0]["id"]
    work(ready)
    with ready.app.transaction() as session:
        from service.payouts.models import ChainRequest

        assert "EntryIsHeld" in (session.get_one(ChainRequest, retried).last_error or "")

    changed = ready.ok(
        "payout", "change-wallet", payout, NEW, "--reason", "wallet lost", *TWO_REVIEWERS
    )
    assert changed["args"] == {
        "batch_id": batch_id,
        "index": int(payout.split(":")[1]),
        "from_wallet": OLD,
        "to_wallet": NEW,
    }
    work(ready)
    shown = ready.ok("payout", "show", payout)
    assert (shown["payee"], shown["held_until"], shown["state"]) == (NEW, None, "skipped")
    ready.ok("payout", "retry", payout)
    work(ready)

    assert ready.ok("payout", "show", payout)["state"] == "paid"
    assert ready.ok("wallet", "show", NEW)["balance"] == "600.00"
    assert ready.ok("wallet", "show", OLD)["balance"] == "0.00"
    over = ready("payout", "hold", payout, "--reason", "too late", "-k", "officer-2")
    assert (over.code, "is paid, not skipped" in over.err) == (1, True)
    assert agrees_with_replay(ready)


def test_a_stream_goes_on_to_another_wallet(ready: Cli, deployed: Deployed) -> None:
    batch_id = pay(ready, "stream")
    deployed.advance(30 * DAY_S)
    ready.ok("stream", "withdraw", batch_id, "--all")
    work(ready)
    stream = f"{batch_id}:0"
    paid = ready.ok("stream", "show", stream)["withdrawn_base_units"]
    old = ready.ok("payout", "show", stream)["payee"]

    ready.ok("payout", "hold", stream, "--reason", "phone stolen", "-k", "officer-2")
    ready.ok("payout", "change-wallet", stream, NEW, "--reason", "phone stolen", *TWO_REVIEWERS)
    work(ready)
    deployed.advance(70 * DAY_S)
    ready.ok("stream", "withdraw", stream)
    work(ready)

    assert ready.ok("wallet", "show", old)["balance_base_units"] == paid
    assert ready.ok("wallet", "show", NEW)["balance_base_units"] == str(90_000_000 - int(paid))
    assert agrees_with_replay(ready)


@pytest.mark.parametrize("wallet", ["token", "vault", "lane", "frozen", "zero", "old"])
def test_a_wallet_that_cannot_be_paid_is_no_new_wallet(
    ready: Cli, deployed: Deployed, wallet: str
) -> None:
    ready.ok("wallet", "freeze", OLD, "--wait", "10")
    deployed.freeze(account("frozen").address)
    batch_id = pay(ready, "one_off")
    (skipped,) = ready.ok("payout", "list", "--batch", batch_id, "--state", "skipped")["items"]
    to = {
        "token": deployed.token,
        "vault": deployed.vault,
        "lane": deployed.deployment.contracts["lane"].address,
        "frozen": account("frozen").address,
        "zero": "0x" + "00" * 20,
        "old": OLD,
    }[wallet]

    ran = ready("payout", "change-wallet", skipped["id"], to, "--reason", "lost")

    assert ran.code == 2
    assert ran.out == ""
    assert ready.ok("action", "list")["items"] == []


def test_a_held_batch_waits_and_a_batch_not_run_in_time_returns_to_the_budget(
    ready: Cli, deployed: Deployed
) -> None:
    budget = ready.ok("programme", "show", "flood")["chain"]["budget_left"]
    pausing = ready.ok("pause", "start", "execution", "--reason", "a doubt", "--wait", "10")
    assert pausing["items"][0]["operations"] == ["execution"]
    batch_id = approve(ready, "one_off")
    work(ready)
    assert ready.ok("batch", "show", batch_id)["state"] == "onchain"

    held = ready.ok("batch", "hold", batch_id, "--reason", "a doubt", "-k", "officer-3")
    work(ready)
    assert ready.ok("action", "show", held["id"])["state"] == "done"
    until = ready.ok("batch", "show", batch_id)["execute_from"]
    assert until > held["deadline"][:10], "three days from now, as the default deadline"
    lifted = ready.ok(
        "pause", "lift", "execution", "--reason", "no doubt", "-k", "officer-1", "-k", "officer-2"
    )
    assert lifted["items"][0]["args"] == {"operations": ["execution"]}
    work(ready)
    assert ready.ok("pause", "show")["execution"] is False
    assert states(ready, batch_id) == {"queued": 2}
    early = ready("batch", "expire", batch_id)
    assert (early.code, "nothing of batch" in early.err) == (1, True)
    assert ready.ok("batch", "due")["items"] == []

    deployed.advance(31 * DAY_S)
    (due,) = ready.ok("batch", "due")["items"]
    assert (due["what"], due["batch_id"], due["amount"]) == ("unexecuted", batch_id, "1201.00")
    (asked,) = ready.ok("batch", "expire", "--all-due", "--reason", "too late")["items"]
    assert (asked["kind"], asked["reason"]) == ("expire_batch", "too late")
    work(ready)

    assert states(ready, batch_id) == {"expired": 2}
    assert ready.ok("batch", "show", batch_id)["stuck"] == []
    assert ready.ok("programme", "show", "flood")["chain"]["budget_left"] == budget
    assert ready.ok("batch", "due")["items"] == []
    assert agrees_with_replay(ready)


def test_the_worker_returns_what_is_due_by_itself(ready: Cli, deployed: Deployed) -> None:
    ready.ok("pause", "start", "execution", "--reason", "a doubt", "--wait", "10")
    batch_id = approve(ready, "one_off")
    work(ready)
    deployed.advance(31 * DAY_S)
    work(ready)
    assert states(ready, batch_id) == {"expired": 2}
    again = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    assert again["count"] == 2, "their cases are free again"


def test_a_sunset_ends_approvals_and_what_was_approved_is_paid(
    ready: Cli, deployed: Deployed
) -> None:
    batch_id = pay(ready, "stream")
    asked = ready("sunset", "--reason", "a new vault", "--json")
    assert (asked.code, "cannot be taken back" in asked.json["error"]["detail"]) == (2, True)
    ready.ok("sunset", "--yes", "--reason", "a new vault", "-k", "officer-1", "-k", "officer-2")
    work(ready)
    assert ready.ok("pause", "show")["sunset"] is True
    assert ready("sunset", "--yes", "--reason", "again").code == 1
    late = approve(ready, "one_off")
    work(ready)
    (stuck, *_) = ready.ok("batch", "show", late)["stuck"]
    assert "sunset" in stuck["message"]

    deployed.advance(100 * DAY_S)
    ready.ok("stream", "withdraw", batch_id, "--all")
    work(ready)
    assert ready.ok("wallet", "show", account("stream 0").address)["balance"] == "90.00"
    assert agrees_with_replay(ready)


def test_a_holder_pays_without_gas_once(ready: Cli, deployed: Deployed) -> None:
    pay(ready, "one_off")
    holder, shop = account("one-off 0"), account("shop").address
    keep(ready.app, "holder", holder.key)
    made = ready.ok("wallet", "pay", shop, "100", "--keystore", "holder")
    assert made["args"]["holder"] == holder.address
    assert (made["args"]["payee"], made["args"]["amount"]) == (shop, "100.00")
    work(ready)
    assert ready.ok("wallet", "show", shop)["balance"] == "100.00"

    base = ("wallet", "pay", shop, "50", "--from", holder.address)
    document = ready(*base, "--typed-data").json
    message = document["message"]
    same = ("--nonce", message["nonce"], "--valid-before", message["validBefore"])
    signed = ("--signature", holder.sign_typed_data(full_message=document).signature.hex())
    first = ready.ok(*base, *same, *signed)
    assert ready.ok(*base, *same, *signed)["id"] == first["id"]
    work(ready)
    assert ready.ok(*base, *same, *signed)["id"] == first["id"]
    assert ready.ok("wallet", "show", shop)["balance"] == "150.00"

    receive = ready(*base, "--typed-data", "--receive").json
    assert receive["primaryType"] == "ReceiveWithAuthorization"
    message = receive["message"]
    same = ("--nonce", message["nonce"], "--valid-before", message["validBefore"])
    signed = ("--signature", holder.sign_typed_data(full_message=receive).signature.hex())
    refused = ready(*base, *same, *signed)
    assert (refused.code, "only the payee" in refused.err) == (2, True)
    assert agrees_with_replay(ready)
