"""The cap, minters, housekeeping roles and pauses, command by command, on a chain."""

from __future__ import annotations

import pytest

from tests.cli.conftest import DAY_S, Cli, keep, work
from tests.support.deployed import Deployed, account

GOVERNORS = ("-k", "officer-1", "-k", "officer-2")
STRANGER = account("a stranger").address


@pytest.fixture
def working(chain_cli: Cli, deployed: Deployed) -> Cli:
    """The command line with a relayer for its worker, which has read the officers."""
    relayer = account("relayer")
    deployed.fund(relayer.address)
    keep(chain_cli.app, "relayer-1", relayer.key)
    work(chain_cli)
    return chain_cli


def test_the_cap_rises_two_days_after_a_quorum_and_falls_at_once(
    working: Cli, deployed: Deployed
) -> None:
    cap = deployed.read("token", "cap")
    higher = f"{cap // 10**6 + 1000}"
    assert working("cap", "raise", "1", "--reason", "lower").code == 2
    assert working("cap", "apply").code == 1
    working.ok("cap", "raise", higher, "--reason", "more relief", *GOVERNORS)
    work(working)
    planned = working.ok("cap", "show")
    assert planned["cap_base_units"] == str(cap)
    assert planned["pending_cap"] == f"{higher}.00"
    early = working("cap", "apply")
    assert (early.code, f"due from {planned['pending_from']}" in early.err) == (1, True)

    deployed.advance(2 * DAY_S)
    assert working.ok("cap", "apply")["kind"] == "apply_cap"
    work(working)
    assert working.ok("cap", "show")["cap"] == f"{higher}.00"

    assert working("cap", "lower", higher, "--reason", "not lower").code == 2
    lowered = working.ok("cap", "lower", "5000", "--reason", "less relief")
    assert (lowered["args"]["cap"], lowered["reason"]) == ("5000.00", "less relief")
    work(working)
    assert deployed.read("token", "cap") == 5_000 * 10**6


def test_a_minter_is_active_fourteen_days_after_a_quorum_and_gone_for_good(
    working: Cli, deployed: Deployed
) -> None:
    work(working)
    ours = {item["contract"] for item in working.ok("minter", "list")["items"]}
    assert ours == {"vault", "lane"}
    assert working("minter", "activate", STRANGER).code == 1
    assert working("minter", "remove", STRANGER, "--reason", "none").code == 1
    working.ok("minter", "add", STRANGER, "1000", "--reason", "the next vault", *GOVERNORS)
    work(working)
    (planned,) = [
        item for item in working.ok("minter", "list")["items"] if item["address"] == STRANGER
    ]
    assert (planned["active"], planned["pending_cap"]) == (False, "1000.00")
    early = working("minter", "activate", STRANGER)
    assert (early.code, "is due from" in early.err) == (1, True)

    deployed.advance(14 * DAY_S)
    working.ok("minter", "activate", STRANGER)
    work(working)
    assert deployed.read("token", "minter", STRANGER)["active"]

    working.ok("minter", "remove", STRANGER, "--reason", "not needed", *GOVERNORS)
    work(working)
    assert not deployed.read("token", "minter", STRANGER)["active"]
    back = working("minter", "add", STRANGER, "2000", "--reason", "again after all")
    assert (back.code, "never comes back" in back.err) == (1, True)


def test_a_stranger_who_brings_the_cap_on_first_has_done_it_for_us(
    working: Cli, deployed: Deployed
) -> None:
    cap = deployed.read("token", "cap")
    working.ok("cap", "raise", f"{cap // 10**6 + 1}", "--reason", "more", *GOVERNORS)
    work(working)
    deployed.advance(2 * DAY_S)
    asked = working.ok("cap", "apply")["id"]
    stranger = account("stranger")
    deployed.fund(stranger.address)
    deployed.send(stranger, "token", "applyCap")
    work(working)
    from service.application.requests import get_request

    with working.app.transaction() as session:
        assert get_request(session, asked).state == "done"


def test_a_role_is_granted_and_taken_in_words_that_say_so(working: Cli, deployed: Deployed) -> None:
    assert working("role", "grant", "admin", STRANGER, "--reason", "all of it").code == 1
    held = ("role", "revoke", "guardian", STRANGER, "--reason", "none held")
    assert working(*held).code == 1
    granted = working.ok("role", "grant", "guardian", STRANGER, "--reason", "on duty")
    assert granted["args"]["meaning"] == f"make {STRANGER} guardian"
    working.ok("action", "sign", granted["id"], *GOVERNORS)
    work(working)
    holders = {item["role"]: item["holders"] for item in working.ok("role", "list")["items"]}
    assert STRANGER in holders["guardian"]
    assert working("role", "grant", "guardian", STRANGER, "--reason", "twice").code == 1

    taken = working.ok("role", "revoke", "guardian", STRANGER, "--reason", "left", *GOVERNORS)
    assert taken["args"]["meaning"] == f"{STRANGER} is no longer guardian"
    work(working)
    holders = {item["role"]: item["holders"] for item in working.ok("role", "list")["items"]}
    assert STRANGER not in holders["guardian"]


def test_a_guardian_pauses_at_once_and_a_quorum_lifts(working: Cli, deployed: Deployed) -> None:
    assert working("pause", "start", "everything", "--reason", "fire").code == 2
    assert working("pause", "start", "transfers", "--reason", " ").code == 2
    assert working("pause", "lift", "transfers", "--reason", "none").code == 1
    paused = working.ok(
        *("pause", "start", "withdrawals", "approvals", "transfers"),
        *("--reason", "a stolen key", "--wait", "10"),
    )
    assert [item["operations"] for item in paused["items"]] == [
        ["approvals", "withdrawals"],
        ["transfers"],
    ]
    work(working)
    shown = working.ok("pause", "show")
    assert [shown[name] for name in ("approvals", "execution", "withdrawals", "transfers")] == [
        True,
        False,
        True,
        True,
    ]
    assert shown["withdrawals_until"] is not None
    again = working("pause", "start", "withdrawals", "--reason", "again")
    assert (again.code, "can be again only after" in again.err) == (1, True)

    lifted = working.ok(
        "pause", "lift", "approvals", "transfers", "--reason", "key replaced", *GOVERNORS
    )
    assert [item["kind"] for item in lifted["items"]] == ["vault_unpause", "token_unpause"]
    work(working)
    shown = working.ok("pause", "show")
    assert [shown[name] for name in ("approvals", "withdrawals", "transfers")] == [
        False,
        True,
        False,
    ]
    from service.payouts.journal import history

    with working.app.transaction() as session:
        (entry,) = history(session, "contracts", "transfers")
        assert (entry.actor, entry.action) == ("tester", "pause")
        assert (entry.reason or "").startswith("a stolen key (transaction 0x")


def test_a_wallet_lets_a_spender_take_and_makes_a_signature_void(
    working: Cli, deployed: Deployed
) -> None:
    holder, spender = account("holder"), account("spender").address
    keep(working.app, "holder", holder.key)
    working.ok("wallet", "permit", spender, "25", "--keystore", "holder")
    work(working)
    assert deployed.read("token", "allowance", holder.address, spender) == 25 * 10**6
    base = ("wallet", "permit", spender, "0", "--from", holder.address)
    document = working(*base, "--typed-data").json
    signed = holder.sign_typed_data(full_message=document).signature.hex()
    same = ("--deadline", document["message"]["deadline"], "--signature", signed)
    assert working.ok(*base, *same)["args"]["amount"] == "0.00"
    work(working)
    assert deployed.read("token", "allowance", holder.address, spender) == 0
    stale = working(*base, *same)
    assert stale.code == 2, "over the nonce before"

    nonce = "0x" + "07" * 32
    working.ok("wallet", "cancel-payment", nonce, "--keystore", "holder")
    work(working)
    assert deployed.read("token", "authorizationState", holder.address, b"\x07" * 32)
    other = "0x" + "08" * 32
    document = working(
        "wallet", "cancel-payment", other, "--from", holder.address, "--typed-data"
    ).json
    wrong = account("a stranger").sign_typed_data(full_message=document).signature.hex()
    refused = working(
        "wallet", "cancel-payment", other, "--from", holder.address, "--signature", wrong
    )
    assert (refused.code, "not by the holder" in refused.err) == (2, True)
