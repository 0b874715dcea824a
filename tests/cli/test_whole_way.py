"""The whole way of payouts, command by command, on a real chain."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.application.requests import request_view
from service.application.worker import worker_signers
from service.approvals.models import Officer, Role
from service.cli.waiting import refuse_failed
from service.clock import SystemClock
from service.errors import ChainRefused
from service.ledger.worker import Worker
from service.payouts.models import Batch, ChainRequest
from tests.cli.conftest import DAY_S, Cli, keep, pay, states, work
from tests.support.deployed import Deployed, account


def test_one_off_payouts_are_paid_and_agree_with_the_ledger(ready: Cli) -> None:
    batch_id = pay(ready, "one_off")
    assert states(ready, batch_id) == {"paid": 2}
    late = ready("batch", "cancel", batch_id, "--reason", "wrong", "-k", "officer-2")
    assert (late.code, "every chunk ran" in late.err) == (1, True)
    assert ready.ok("action", "list")["items"] == []
    shown = ready.ok("wallet", "show", account("one-off 1").address)
    assert shown["balance"] == "601.00"
    assert [move["kind"] for move in shown["history"]] == ["paid"]
    assert ready.ok("ledger", "reconcile")["agrees"]
    accounts = {a["account"]: a["balance"] for a in ready.ok("ledger", "show")["accounts"]}
    assert accounts["circulating"] == "1201.00"
    paid = ready.ok("payout", "list", "--batch", batch_id, "--state", "paid")["items"]
    assert ready.ok("payout", "show", paid[0]["id"])["number"] is not None


def test_after_an_old_backup_no_case_gets_into_a_second_batch(ready: Cli, tmp_path: Path) -> None:
    ready.app.close()
    backup = (tmp_path / "relief.db").read_bytes()
    batch_id = pay(ready, "one_off")
    ready.app.close()
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"relief.db{suffix}").unlink(missing_ok=True)
    (tmp_path / "relief.db").write_bytes(backup)
    work(ready)

    refused = ready("batch", "build", "flood", "--kind", "one_off", "--maker", "1")

    assert refused.code == 1
    assert batch_id in refused.err
    assert ready.ok("batch", "list")["items"] == []


def test_a_frozen_wallet_is_skipped_and_paid_when_it_is_retried(ready: Cli) -> None:
    wallet = account("one-off 0").address
    ready.ok("wallet", "freeze", wallet, "--wait", "10")
    batch_id = pay(ready, "one_off")
    assert states(ready, batch_id) == {"paid": 1, "skipped": 1}
    stuck = ready.ok("batch", "show", batch_id)["stuck"]
    assert "frozen" in stuck[0]["message"]
    ready.ok("wallet", "unfreeze", wallet, "--wait", "10")
    ready.ok("payout", "retry", "--skipped-of", batch_id)
    work(ready)
    assert states(ready, batch_id) == {"paid": 2}


def test_streams_open_accrue_pay_and_are_cut(ready: Cli, deployed: Deployed) -> None:
    batch_id = pay(ready, "stream")
    assert len(ready.ok("stream", "list", "--batch", batch_id)["items"]) == 2
    deployed.advance(30 * DAY_S)
    work(ready)
    asked = ready.ok("stream", "withdraw", batch_id, "--all")
    assert len(asked["items"]) == 1
    work(ready)
    shown = ready.ok("stream", "show", f"{batch_id}:0")
    assert shown["withdrawn"] == shown["chain"]["withdrawn"] != "0.00"
    cancelled = ready.ok(
        "stream", "cancel", f"{batch_id}:1", "--reason", "moved away", "-k", "officer-2"
    )
    (action,) = cancelled["items"]
    assert action["state"] == "collecting"
    signed = ready.ok("action", "sign", action["id"], "-k", "officer-3")
    assert signed["state"] == "ready"
    work(ready)
    assert ready.ok("action", "show", action["id"])["state"] == "done"
    cut = ready.ok("stream", "show", f"{batch_id}:1")
    assert cut["cancelled"]
    assert cut["chain"]["cancelled"]
    assert ready.ok("ledger", "reconcile")["agrees"]
    assert cut["accrued_by"] == "chain"
    ready.app.close()
    ready.app.settings.rpc_url = "http://127.0.0.1:1"
    listed = ready.ok("stream", "list")["items"]
    assert {stream["accrued_by"] for stream in listed} == {"machine"}
    assert "machine" in ready("stream", "list").out


def test_a_wallet_elsewhere_signs_the_typed_data(ready: Cli, deployed: Deployed) -> None:
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    document = ready("batch", "typed-data", batch_id).json
    signatures = [
        deployed.officers[number].sign_typed_data(full_message=document).signature.hex()
        for number in (1, 2)
    ]
    first = ready.ok("batch", "approve", batch_id, "--signature", signatures[0])
    assert not first["items"][0]["approved"]
    second = ready.ok("batch", "approve", batch_id, "--signature", signatures[1])
    assert second["items"][0]["approved"]
    stranger = deployed.deployer.sign_typed_data(full_message=document)
    ran = ready("batch", "approve", batch_id, "--signature", stranger.signature.hex())
    assert ran.code == 2
    assert "no officer" in ran.err


def test_an_officer_sees_what_they_are_about_to_sign(
    ready: Cli, deployed: Deployed, tmp_path: Path
) -> None:
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    document = tmp_path / "batch.json"
    document.write_text(ready("batch", "typed-data", batch_id).out)
    manifest = ready.app.settings.resolved_manifests_dir / f"{batch_id}.jsonl"
    checked = ready.ok(
        *("audit", "digest", document, "--manifest", manifest, "--rpc", deployed.node.rpc_url)
    )
    assert (checked["clean"], checked["title"]) == (True, "Approve a batch of payouts")
    total = {"name": "total", "says": "1201.00 tokens (1201000000 base units)"}
    assert total in checked["facts"]
    assert checked["signed"]["message"]["total"] == "1201000000"
    assert checked["lists"][0]["is_signed"] is True
    signature = deployed.officers[1].unsafe_sign_hash(bytes.fromhex(checked["digest"][2:]))
    ready.ok("batch", "approve", batch_id, "--signature", signature.signature.hex())


def test_one_officer_alone_releases_nothing(ready: Cli) -> None:
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    assert built["budget"]["left"] == "98799.00"
    assert built["total"] == "1201.00"
    ready.ok("batch", "approve", batch_id, "-k", "officer-1")
    assert ready("batch", "release", batch_id).code == 1
    assert ready("batch", "approve", batch_id, "-k", "officer-1").code == 1
    ready.ok("batch", "approve", batch_id, "-k", "officer-3")
    ready.ok("batch", "pause", batch_id, "--reason", "a question")
    assert ready("batch", "release", batch_id).code == 1
    ready.ok("batch", "resume", batch_id, "--reason", "answered")
    cancelled = ready.ok("batch", "cancel", batch_id, "--reason", "built twice")
    assert cancelled["batch"]["state"] == "cancelled"
    assert cancelled["action"] is None
    journal = ready.ok("batch", "show", batch_id)["journal"]
    assert journal[0]["action"] == "build_batch"
    assert {entry["actor"] for entry in journal} == {"tester"}


@pytest.mark.parametrize(
    ("maker", "region", "words"),
    [
        ("99", "51", "there is no officer 99"),
        ("2", "51", "officer 2 is no maker"),
        ("7", "51", "officer 7 may not sign for region 51"),
        ("7", "5107", None),
    ],
)
def test_only_who_may_sign_as_the_maker_is_taken_for_one(
    ready: Cli, maker: str, region: str, words: str | None
) -> None:
    with ready.app.transaction() as session:
        session.add(
            Officer(
                officer_id=7,
                roles=Role.MAKER,
                region_code=5107,
                region_digits=4,
                active_from=SystemClock().now(),
            )
        )
    ran = ready(
        "batch", "build", "flood", "--kind", "one_off", "--maker", maker, "--region", region
    )
    if words is None:
        assert ran.code == 0
        return
    assert (ran.code, ran.out) == (1, "")
    assert words in ran.err
    assert ready.ok("batch", "list")["items"] == []


def test_who_approves_sees_programme_region_maker_and_amount(ready: Cli) -> None:
    ready.ok("officer", "name", "1", "王芳")
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    approved = ready("batch", "approve", batch_id, "-k", "officer-1", "-k", "officer-3")
    for shown in (approved, ready("batch", "show", batch_id)):
        for words in ("flood (1)", "51 四川省", "officer 1 王芳", "1201.00"):
            assert words in shown.out
    items = ready.ok("batch", "list")["items"]
    status = ready.ok("batch", "show", batch_id)
    assert items == [{name: status[name] for name in items[0]}]
    assert (status["programme"], status["region"], status["maker_officer_id"]) == (1, "51", 1)
    signers = [deployed_officer(number) for number in (1, 3)]
    assert [signature["signer"] for signature in status["signatures"]] == signers


def deployed_officer(number: int) -> str:
    return account(f"officer {number}").address


def test_the_journal_has_one_clock(ready: Cli, deployed: Deployed) -> None:
    """The chain's, which this fixture moved ahead of the machine's."""
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    ready.ok("batch", "pause", batch_id, "--reason", "a question")
    ready.ok("batch", "resume", batch_id, "--reason", "answered")
    ready.ok("batch", "cancel", batch_id, "--reason", "built twice")
    times = [entry["at"] for entry in ready.ok("batch", "show", batch_id)["journal"]]
    assert len(times) == 4
    assert times == sorted(times)


def test_a_contracts_refusal_is_told_in_a_sentence_and_kept_beside_it(ready: Cli) -> None:
    words = "BudgetExceeded(requested=1201000000, budget=1000000000)"
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    with ready.app.transaction() as session:
        session.get_one(Batch, batch_id).last_error = words
    (stuck,) = ready.ok("batch", "show", batch_id)["stuck"]
    assert stuck["contract_error"] == words
    assert "1201.00, more than its budget of 1000.00" in stuck["message"]
    shown = ready("batch", "show", batch_id).out
    assert "BudgetExceeded" not in shown
    assert "more than its budget of 1000.00" in shown


def test_a_request_that_the_contract_refused_tells_why(ready: Cli) -> None:
    words = "BudgetBelowAllocated(requested=600000000, allocated=1201000000)"
    asked = ready.ok("programme", "budget", "flood", "600")
    assert asked["args"] == {
        "programme": 1,
        "budget": "600.00",
        "budget_base_units": "600000000",
    }
    with ready.app.transaction() as session:
        request = session.get_one(ChainRequest, asked["id"])
        request.state, request.last_error = "failed", words
        with pytest.raises(ChainRefused, match=r"1201\.00 of the budget") as refused:
            refuse_failed(request_view(request))
    assert refused.value.problems[0].value == words


def test_officers_come_and_go_by_a_quorum_of_governors(ready: Cli, deployed: Deployed) -> None:
    newcomer = account("newcomer").address
    added = ready.ok(
        *("officer", "add", "7", newcomer, "--roles", "reviewer", "--region", "51"),
        *("--reason", "new post", "-k", "officer-1", "-k", "officer-2"),
    )
    assert added["state"] == "ready"
    work(ready)
    officers = {item["officer_id"]: item for item in ready.ok("officer", "list")["items"]}
    assert officers[7]["roles"] == ["reviewer"]
    assert officers[7]["signers"][0]["signer"] == newcomer
    assert ready.ok("officer", "name", "7", "王芳")["display_name"] == "王芳"
    removed = ready.ok("officer", "remove", "7", "--reason", "left", "-k", "officer-1")
    document = ready("action", "typed-data", removed["id"]).json
    assert document["primaryType"] == "OfficerRemoval"
    signed = deployed.officers[3].sign_typed_data(full_message=document)
    ready.ok("action", "sign", removed["id"], "--signature", signed.signature.hex())
    work(ready)
    assert 7 not in {item["officer_id"] for item in ready.ok("officer", "list")["items"]}


def test_a_holder_redeems_gaslessly(ready: Cli) -> None:
    pay(ready, "one_off")
    holder = account("one-off 0")
    keep(ready.app, "holder", holder.key)
    ready.ok("redeem", "100", "--keystore", "holder", "--reference", "bank 7")
    work(ready)
    shown = ready.ok("wallet", "show", holder.address)
    assert shown["balance"] == "500.00"
    assert shown["history"][0]["kind"] == "redeemed"
    assert ready.ok("reserve", "show")["redeemed_total"] == "100.00"


def test_the_doctor_misses_a_manifest(ready: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from service.application.doctor import machine

    monkeypatch.setattr(machine, "head_revision", lambda _url: "newest")
    monkeypatch.setattr(machine, "current_revision", lambda _engine: "newest")
    batch_id = pay(ready, "one_off")
    assert ready.ok("doctor")["healthy"]
    (ready.app.settings.resolved_manifests_dir / f"{batch_id}.jsonl").unlink()
    ran = ready("doctor", "--json")
    assert ran.code == 1
    failed = [check for check in ran.json["checks"] if check["status"] == "failed"]
    assert [check["area"] for check in failed] == ["manifests"]
    assert batch_id in failed[0]["detail"]


def test_a_failed_request_leaves_one_document_on_stdout(ready: Cli) -> None:
    wallet = account("one-off 0").address
    ready.ok("wallet", "freeze", wallet, "--wait", "10")
    batch_id = pay(ready, "one_off")
    asked = ready.ok("payout", "retry", "--skipped-of", batch_id)
    with ready.app.transaction() as session:
        session.get_one(ChainRequest, asked["items"][0]["id"]).state = "failed"
    ran = ready("payout", "retry", "--skipped-of", batch_id, "--json")
    assert ran.code == 0, "a failed request may be asked for again"
    assert ran.json["items"][0]["id"] != asked["items"][0]["id"]


def test_a_worker_that_runs_out_of_time_says_what_is_left(ready: Cli) -> None:
    built = ready.ok("batch", "build", "flood", "--kind", "one_off", "--maker", "1")
    batch_id = built["batches"][0]["id"]
    ready.ok("batch", "approve", batch_id, "-k", "officer-1", "-k", "officer-2")
    ready.ok("batch", "release", batch_id)
    with (
        Worker(ready.app.settings, worker_signers(ready.app)) as worker,
        pytest.raises(TimeoutError) as late,
    ):
        worker.run_until_idle(0)
    # Which of the two, the node decides: it mines a moment after it answers.
    assert str(late.value) in (
        "still at work after 0 seconds: the last round still found something to do",
        "still at work after 0 seconds: 1 transaction is due or not mined yet",
    )
