"""What officers sign is what the contracts hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from service.approvals import actions
from service.approvals.domain import SigningDomain
from service.approvals.models import ActionKind, QuorumAction
from service.approvals.service import batch_digest
from service.approvals.typed_data import TYPES, digest_of, make_typed_data
from service.clock import ManualClock
from service.config import PROJECT_ROOT
from service.payouts.models import Batch, Payout
from service.transactions import calls
from tests.approvals.conftest import DOMAIN, sign
from tests.support.deployed import Deployed, account, send
from tests.support.programme import NOW
from tests.support.rows import add_batch, wallet
from tests.support.world import World, run_as_stranger


def domain_of(deployed: Deployed) -> SigningDomain:
    d = deployed.deployment
    return SigningDomain(d.chain_id, d.vault, d.registry, d.token, d.lane)


# ---- against the contracts -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["one_off", "stream"])
def test_a_batchs_digest_is_the_vaults(world: World, kind: str) -> None:
    with world.session() as session:
        signed = add_batch(session, world.deployed, [5, 6], kind=kind)
        batch = session.get_one(Batch, signed.id)

    by_vault = world.deployed.read(
        "vault", "approvalDigest", world.deployed.approval_tuple(signed.approval)
    )

    assert batch_digest(batch, domain_of(world.deployed)) == by_vault


def approved_batch(world: World, kind: str) -> str:
    """A batch on chain that officers 2 and 3 may cancel; of streams the first chunk is open."""
    with world.session() as session:
        batch = add_batch(session, world.deployed, [9_000_000, 6], kind=kind)
    run_as_stranger(world, batch, approve=True, chunks=[0] if kind == "stream" else [])
    world.run()
    return batch.id


def waiting_batch(world: World) -> str:
    """A batch on chain none of whose chunks was run."""
    with world.session() as session:
        batch = add_batch(session, world.deployed, [5, 6])
        session.get_one(Batch, batch.id).paused = True
    run_as_stranger(world, batch, approve=True, chunks=[])
    world.run()
    return batch.id


def payee(world: World, index: int) -> str:
    """Who gets a payout of the only batch."""
    with world.session() as session:
        return session.scalars(select(Payout.payee).where(Payout.index == index)).one()


def granted(world: World) -> dict[str, Any]:
    """A grant on chain that officer 3 made, by its members."""
    given = world.deployed.grant("for typed data", wallet(5), 7_000_000, officer=3)
    world.run()
    return {**given, "grantId": "0x" + given["grantId"].hex()}


def limits(world: World, **change: int) -> dict[str, int]:
    return {**world.deployed.read("lane", "limits"), **change}


def label_role(world: World) -> str:
    call = world.deployed.contracts.encode_call("manager", "labelRole", 5, "planners")
    return "0x" + call.hex()


NEW = account("new officer").address
MESSAGES: Mapping[ActionKind, Callable[[World], dict[str, Any]]] = {
    ActionKind.BATCH_CANCELLATION: lambda w: {"batchId": approved_batch(w, "one_off")},
    ActionKind.STREAM_CANCELLATION: lambda w: {
        "batchId": approved_batch(w, "stream"),
        "chunkIndex": 0,
        "maskLow": 0b11,
        "maskHigh": 0,
    },
    ActionKind.BATCH_HOLD: lambda w: {"batchId": waiting_batch(w)},
    ActionKind.ENTRY_HOLD: lambda w: {"batchId": approved_batch(w, "stream"), "index": 1},
    ActionKind.WALLET_CHANGE: lambda w: {
        "batchId": approved_batch(w, "stream"),
        "index": 1,
        "from": payee(w, 1),
        "to": wallet(77),
    },
    ActionKind.SUNSET: lambda _: {},
    ActionKind.VAULT_UNPAUSE: lambda _: {"operations": 7},
    ActionKind.OFFICER_ADDITION: lambda _: {
        "officerId": 9,
        "roles": 3,
        "regionCode": 5107,
        "regionDigits": 4,
        "signerType": 1,
        "signer": NEW,
    },
    ActionKind.OFFICER_REMOVAL: lambda _: {"officerId": 1},
    ActionKind.SIGNER_ADDITION: lambda _: {"officerId": 1, "signerType": 1, "signer": NEW},
    ActionKind.SIGNER_REMOVAL: lambda w: {
        "signerType": 1,
        "signer": w.deployed.officers[1].address,
    },
    ActionKind.VERIFIER_ADDITION: lambda w: {"verifier": w.deployed.token},
    ActionKind.VERIFIER_REMOVAL: lambda w: {"verifier": w.deployed.deployment.p256_verifier},
    ActionKind.MANAGER_CALL: lambda w: {"data": label_role(w)},
    ActionKind.TOKEN_UNPAUSE: lambda _: {},
    ActionKind.CAP_INCREASE: lambda w: {"cap": w.deployed.read("token", "cap") + 1},
    ActionKind.MINTER_ADDITION: lambda _: {"minter": wallet(4), "cap": 2**79},
    ActionKind.MINTER_REMOVAL: lambda w: {"minter": w.deployed.vault},
    ActionKind.EMERGENCY_GRANT: lambda _: {
        "officer": 3,
        "payee": wallet(5),
        "amount": 7_000_000,
        "regionCode": 510722,
        "regionDigits": 6,
        "caseCommitment": "0x" + "11" * 32,
    },
    ActionKind.GRANT_COUNTERSIGNATURE: lambda w: {
        name: value for name, value in granted(w).items() if name in ("grantId", "payee", "amount")
    },
    ActionKind.GRANT_WRITE_OFF: lambda w: {"grantId": granted(w)["grantId"]},
    ActionKind.LIMITS_RAISE: lambda w: limits(w, perGrant=2_000_000_000),
    ActionKind.REGION_CAP_RAISE: lambda _: {"regionCode": 5107, "regionDigits": 4, "cap": 2**79},
    ActionKind.GRANTS_UNPAUSE: lambda _: {},
}
GRANTER = 3


@pytest.mark.parametrize("kind", ActionKind)
def test_each_action_is_carried_out_under_the_digest_that_was_signed(
    world: World, kind: ActionKind
) -> None:
    message = MESSAGES[kind](world)
    world.run()  # the officers' mirror
    deployed, domain = world.deployed, domain_of(world.deployed)
    clock = ManualClock(NOW.fromtimestamp(deployed.now(), NOW.tzinfo))
    with world.session() as session:
        action = actions.create_action(
            session,
            kind,
            message,
            domain,
            deadline_unix_s=deployed.now() + 3600,
            actor="test",
            reason="test",
            clock=clock,
        )
        document = actions.action_typed_data(session, action.id, domain)
        signing = (GRANTER,) if kind is ActionKind.EMERGENCY_GRANT else (2, 3)
        for officer in signing[: actions.officers_needed(kind, 2)]:
            signature = sign(f"officer {officer}", document)
            actions.submit_action_signature(
                session, action.id, signature, domain, quorum=2, clock=clock
            )
        assert action.state == "ready"
        packed = actions.packed_action(session, action.id, clock.now())
        call = calls.quorum_action(deployed.contracts, action, packed)

    stranger = account("stranger")
    deployed.fund(stranger.address)
    receipt = send(deployed.rpc, stranger, deployed.contracts.address(call.contract), call.calldata)

    assert receipt["status"] == "0x1"
    events = [deployed.contracts.decode_log(log) for log in receipt["logs"]]
    if kind in actions.ONE_OFFICER:
        world.run()
        with world.session() as session:
            assert session.get_one(QuorumAction, action.id).state == "done"
        return
    (consumed,) = [e.json_args() for e in events if e and e.name == "ActionConsumed"]
    assert consumed["actionId"] == action.id
    assert consumed["digest"] == action.digest
    assert consumed["consumer"] == deployed.contracts.address(action.contract)


@pytest.mark.parametrize("name", TYPES)
def test_each_type_stands_in_its_contract_word_for_word(name: str) -> None:
    contract, members = TYPES[name]
    sources = {
        "vault": ("AllowanceVault", "VaultAdministration", "VaultCorrections"),
        "registry": ("OfficerRegistry",),
        "token": ("BenefitToken",),
        "lane": ("EmergencyLane",),
    }
    text = "".join(
        (PROJECT_ROOT / "contracts" / f"{source}.sol").read_text() for source in sources[contract]
    )

    assert f'keccak256("{name}({",".join(members)})")' in " ".join(text.split()).replace(
        'keccak256( "', 'keccak256("'
    ).replace('" )', '")')


@pytest.mark.parametrize("name", TYPES)
def test_docs_signing_names_each_type_as_it_is(name: str) -> None:
    text = (PROJECT_ROOT / "docs" / "signing.md").read_text()
    assert f"`{name}({','.join(TYPES[name][1])})`" in text


# ---- against a library that is not ours ----------------------------------------------------------


def values_of(kind: str) -> st.SearchStrategy[Any]:
    if kind.startswith("uint"):
        return st.integers(0, 2 ** int(kind[4:]) - 1)
    if kind == "address":
        return st.integers(0, 10**6).map(wallet)
    size = kind.removeprefix("bytes")
    return st.binary(min_size=int(size or 0), max_size=int(size or 64))


@given(data=st.data(), name=st.sampled_from(sorted(TYPES)))
def test_any_message_has_the_digest_that_eth_account_gives_it(
    data: st.DataObject, name: str
) -> None:
    message = {
        member.split()[1]: data.draw(values_of(member.split()[0])) for member in TYPES[name][1]
    }

    document = make_typed_data(DOMAIN, name, message)

    signable = encode_typed_data(full_message=document)
    assert digest_of(document) == keccak(b"\x19\x01" + signable.header + signable.body)


# ---- the JSON ------------------------------------------------------------------------------------


def test_integers_that_json_numbers_may_lose_are_strings() -> None:
    message = {"minter": wallet(1), "cap": 2**79, "actionId": bytes(32), "deadline": 2**40 - 1}

    shown = make_typed_data(DOMAIN, "MinterAddition", message)["message"]

    assert shown == {
        "minter": wallet(1),
        "cap": str(2**79),
        "actionId": "0x" + "00" * 32,
        "deadline": 2**40 - 1,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"cap": 2**80},
        {"cap": -1},
        {"cap": 1.0},
        {"cap": True},
        {"minter": "0x12"},
        {"actionId": bytes(31)},
        {"more": 1},
    ],
)
def test_a_message_that_does_not_fit_its_type_is_refused(change: dict[str, Any]) -> None:
    message = {"minter": wallet(1), "cap": 1, "actionId": bytes(32), "deadline": 1}

    with pytest.raises(ValueError, match=r"is no|has the members"):
        make_typed_data(DOMAIN, "MinterAddition", {**message, **change})
