"""Housekeeping roles: who may do what, and that none of them can pay, mint or approve."""

import pytest
from deployment import LIMITS
from outcomes import refused, unauthorized

ROLES = {1: "guardian", 2: "freezer", 3: "attestor", 4: "treasurer", 5: "planner"}

FUNCTIONS = [
    ("vault", "pause", [1], 1),
    ("token", "pauseTransfers", [], 1),
    ("lane", "pause", [], 1),
    ("token", "freeze", ["anyone"], 2),
    ("token", "unfreeze", ["anyone"], 2),
    ("token", "attestReserve", [1, 0, 1, bytes(32)], 3),
    ("token", "lowerCap", [1], 4),
    ("lane", "lowerLimits", [tuple(LIMITS.values())], 4),
    ("lane", "lowerRegionCap", [51, 2, 1], 4),
    ("vault", "createProgramme", [9, 0, 0, 1, 1, [(1, 1, 0)], bytes(32)], 5),
    ("vault", "scheduleBudgetIncrease", [1, 2**79], 5),
    ("vault", "decreaseBudget", [1, 1], 5),
]
each_function = pytest.mark.parametrize(
    "row", FUNCTIONS, ids=[f"{row[0]}.{row[1]}" for row in FUNCTIONS]
)


@each_function
def test_a_function_belongs_to_its_role(relief, row):
    target, name, _, role = row
    contract = getattr(relief, target)
    selector = getattr(contract, name).signature
    assert relief.manager.getTargetFunctionRole(contract, selector) == role


@each_function
def test_no_other_role_may_call_it(relief, row):
    target, name, arguments, role = row
    function = getattr(getattr(relief, target), name)
    given = [relief.anyone if value == "anyone" else value for value in arguments]
    for holder in (holder for number, holder in ROLES.items() if number != role):
        sender = getattr(relief, holder)
        with unauthorized(sender):
            function.call(*given, {"from": sender})


def test_the_registry_is_the_only_administrator(relief, registry):
    assert relief.manager.hasRole(0, registry)[0]
    assert not relief.manager.hasRole(0, relief.deployer)[0]
    with refused("AccessManagerUnauthorizedAccount", relief.deployer, 0):
        relief.manager.grantRole(1, relief.deployer, 0, {"from": relief.deployer})


@pytest.mark.parametrize("holder", ROLES.values())
def test_a_role_grants_nothing_to_others(relief, holder):
    sender = getattr(relief, holder)
    with refused("AccessManagerUnauthorizedAccount", sender, 0):
        relief.manager.grantRole(1, sender, 0, {"from": sender})


@pytest.mark.parametrize("holder", ["deployer", *ROLES.values()])
def test_no_role_approves_or_pays(relief, token, holder):
    sender = getattr(relief, holder)
    batch = relief.batch([(sender.address, 1)])
    approval = tuple(batch.approval.values())
    with refused("MakerSignatureMissing", 1):
        relief.vault.approveBatch(approval, b"", {"from": sender})
    with refused("UnknownBatch", batch.id):
        relief.vault.executeChunk(batch.id, 0, batch.chunks[0], batch.proof(0), {"from": sender})
    with refused("NotMinter", sender):
        token.commit(1, {"from": sender})


def test_the_administrator_cannot_change_what_needs_signatures(relief, vault):
    # Even re-mapped to a role, approveBatch still checks the officers' signatures.
    signature = vault.approveBatch.signature
    relief.call_manager(relief.manager.setTargetFunctionRole.encode_input(vault, [signature], 1))
    batch = relief.batch([(relief.guardian.address, 1)])
    with refused("MakerSignatureMissing", 1):
        relief.vault.approveBatch(tuple(batch.approval.values()), b"", {"from": relief.guardian})
