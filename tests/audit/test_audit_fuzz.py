"""A share of the long run: lives of the contracts that the audit finds nothing in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.audit.abi import EVENTS
from service.chain.devnode import DevNode
from tests.audit.driving.chain import Driven, driven_chain
from tests.audit.driving.drive import Drive
from tests.audit.driving.proof import Broken, Outcome, prove
from tests.audit.test_declarations import abi
from tests.audit.test_views import COMPARED

SEEDS = (16, 10, 12, 41, 0, 43, 20)
"""Those few of which together nothing is missing; other deeds or weights ask for others."""

NEVER_SEEN = {"EIP712DomainChanged": "declared by OpenZeppelin's EIP712, which never emits it"}
NEVER_DONE = {
    "setAuthority": "only the manager calls it, for updateAuthority, which is done",
    "consumeScheduledOp": "only the contracts call it, when a delayed caller comes, which is done",
    **dict.fromkeys(
        ("labelRole", "grantRole", "revokeRole", "setGrantDelay", "setRoleAdmin"),
        "only the registry administers, by callManager, which is done",
    ),
    **dict.fromkeys(
        ("setRoleGuardian", "setTargetAdminDelay", "setTargetClosed", "setTargetFunctionRole"),
        "the same",
    ),
    **dict.fromkeys(("updateAuthority", "multicall"), "the same"),
}


@pytest.fixture(scope="module")
def chain(anvil: DevNode) -> Iterator[Driven]:
    """A chain of the module's own; asking for `anvil` marks the tests."""
    with driven_chain() as driven:
        yield driven


@pytest.fixture(scope="module")
def outcome(chain: Driven, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What the seeds came to; each was proven."""
    total = Outcome()
    for seed in SEEDS:
        total += prove(chain, tmp_path_factory.mktemp("driven"), seed)
    return total


def test_the_audit_finds_nothing_and_gives_the_same_digest_again(outcome: Outcome) -> None:
    assert outcome.went_back >= len(SEEDS)
    assert outcome.again >= len(SEEDS)


def test_every_event_that_can_happen_was_seen(outcome: Outcome) -> None:
    possible = {
        f"{contract}.{event.name}"
        for contract, events in EVENTS.items()
        for event in events.values()
        if event.name not in NEVER_SEEN
    }
    assert outcome.events.keys() == possible


def test_every_function_that_changes_something_went_through_and_was_refused(
    outcome: Outcome,
) -> None:
    possible = {
        f"{contract}.{entry['name']}"
        for contract in EVENTS
        for entry in abi(contract)
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    done = {name for name in possible if name.split(".")[1] not in NEVER_DONE}
    assert outcome.done.keys() == done
    assert len(outcome.refused.keys() & done) > len(done) // 2


def test_every_view_that_is_said_to_be_compared_was(outcome: Outcome) -> None:
    stated = {f"{contract}.{view}" for contract, views in COMPARED.items() for view in views}
    assert outcome.views.keys() == stated


def test_a_seed_gives_the_same_chain_again(chain: Driven, tmp_path: Path) -> None:
    heads = []
    for name in ("once", "again"):
        (tmp_path / name).mkdir()
        drive = Drive(chain, 1, tmp_path / name)
        with drive.put_back():
            for _ in drive.live(40):
                pass
            heads.append(chain.rpc.header("latest"))
    assert heads[0] == heads[1]


def test_what_fails_says_how_to_live_it_again(
    chain: Driven, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.audit.token.RESERVE_MAX_AGE_S", 0)
    with pytest.raises(Broken, match=r"reserve_stale") as told:
        prove(chain, tmp_path, 16)
    words = str(told.value)
    assert "again: python -m tests.audit.audit_fuzz --seed 16 --runs 1 --steps 140\n" in words
    assert "vault.approveBatch" in words
