"""Who may do the housekeeping: the manager's roles, their delays, and the function each one needs.

What is expected is the deployment's, changed by each call that the registry made the manager for
a quorum of governors (``ManagerCalled``). What the manager has without such a call, somebody else
gave.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from eth_utils.crypto import keccak

from service.application.doctor.checks import Status
from service.application.doctor.comparisons import Comparison, Look, judged
from service.confirmations.roles import ROLE_NUMBERS
from service.units import format_duration

ADMINISTRATOR = 0
"""Role that grants and revokes the others (OpenZeppelin's ``ADMIN_ROLE``)."""

HOUSEKEEPING = {
    "guardian": (("vault", "pause(uint8)"), ("token", "pauseTransfers()"), ("lane", "pause()")),
    "freezer": (("token", "freeze(address)"), ("token", "unfreeze(address)")),
    "attestor": (("token", "attestReserve(uint80,uint80,uint40,bytes32)"),),
    "treasurer": (
        ("token", "lowerCap(uint80)"),
        (
            "lane",
            "lowerLimits((uint64,uint80,uint80,uint32" + ",uint80" * 7 + "))",
        ),
        ("lane", "lowerRegionCap(uint24,uint8,uint80)"),
    ),
    "programme_manager": (
        (
            "vault",
            "createProgramme(uint32,uint24,uint8,uint80,uint64,(uint80,uint8,uint32)[],bytes32)",
        ),
        ("vault", "scheduleBudgetIncrease(uint32,uint80)"),
        ("vault", "decreaseBudget(uint32,uint80)"),
    ),
}
"""What each housekeeping role may call (docs/contracts.md)."""

ROLE_NAMES = {
    ADMINISTRATOR: "administrator",
    2**64 - 1: "everybody",
    **{number: name for name, number in ROLE_NUMBERS.items()},
}

GUARDED = ("vault", "token", "lane")
"""Contracts that ask the manager."""

UNCHANGED = (ADMINISTRATOR, ADMINISTRATOR, 0)
"""Rules of a role that nobody changed: who grants it, who cancels its plans, seconds of delay."""

OPEN = (False, 0)
"""A contract that nobody closed, whose administration has no delay."""


@dataclass
class Powers:
    """What the manager has, or should have.

    Attributes
    ----------
    members
        By role, each holder with the seconds between planning a call and making it.
    rules
        By role: the role that grants it, the role that cancels what its members planned, seconds
        before a grant holds.
    functions
        Role that a function needs, by contract's address and selector.
    targets
        By contract's address: whether it is closed, seconds before the administrator's changes of
        it hold.
    """

    members: dict[int, dict[str, int]] = field(default_factory=dict)
    rules: dict[int, tuple[int, int, int]] = field(default_factory=dict)
    functions: dict[tuple[str, bytes], int] = field(default_factory=dict)
    targets: dict[str, tuple[bool, int]] = field(default_factory=dict)


def compare_authority(look: Look) -> Iterator[Comparison]:
    """Compare every member of every role, every delay, and the role of every function."""
    deployed, deployer = _at_deployment(look), ""
    expected = deepcopy(deployed)
    of_manager = list(look.events("manager"))
    # A shorter or longer delay holds only days after it was decided.
    later = {
        (event.tx_hash, event.args.get("roleId", event.args.get("target")))
        for event in of_manager
        if event.name in ("RoleGrantDelayChanged", "TargetAdminDelayUpdated")
        and event.args["since"] > look.now_unix_s
    }
    for event in look.events("registry", "ManagerCalled"):
        not_yet = {whom for tx_hash, whom in later if tx_hash == event.tx_hash}
        _decide(look, expected, event.args["data"], not_yet)
    known = deepcopy(expected)
    for event in of_manager:
        if event.name == "RoleGranted" and not deployer:
            deployer = event.args["account"]  # the manager's constructor made it the first one
        _learn(known, event.name, event.args)
    found = _found(look, known)
    yield from _roles(look, deployed, expected, found)
    held = [
        ROLE_NAMES.get(role, str(role)) for role in found.members if deployer in found.members[role]
    ]
    yield judged(
        "roles",
        f"roles of the deployer, {deployer}",
        lambda names: ", ".join(names) or "none",
        deployed=[],
        expected=[],
        found=held,
    )
    yield from _targets(look, deployed, expected, found)
    yield from _functions(look, deployed, expected, found)


def _at_deployment(look: Look) -> Powers:
    deployment = look.app.deployment
    powers = Powers()
    powers.members[ADMINISTRATOR] = {deployment.registry: 0}
    powers.rules[ADMINISTRATOR] = UNCHANGED
    for name, number in ROLE_NUMBERS.items():
        powers.members[number] = dict.fromkeys(deployment.roles.get(name, ()), 0)
        powers.rules[number] = UNCHANGED
    for key in GUARDED:
        address = look.app.contracts.address(key)
        powers.targets[address] = OPEN
        for selector in look.app.contracts.changing(key):
            powers.functions[address, selector] = ADMINISTRATOR
    for name, functions in HOUSEKEEPING.items():
        for key, signature in functions:
            selector = keccak(text=signature)[:4]
            powers.functions[look.app.contracts.address(key), selector] = ROLE_NUMBERS[name]
    return powers


def _decide(look: Look, powers: Powers, data: bytes, not_yet: Collection[Any]) -> None:
    """Apply a call that governors had the registry make; a delay not yet in force is left out."""
    call = look.app.contracts.decode_call("manager", data)
    if call is None:
        return
    name, args = call
    if name == "multicall":
        for one in args["data"]:
            _decide(look, powers, one, not_yet)
    elif "target" in args:
        _decide_target(powers, name, args, not_yet)
    elif "roleId" in args:
        _decide_role(powers, name, args, not_yet)


def _decide_role(
    powers: Powers, name: str, args: Mapping[str, Any], not_yet: Collection[Any]
) -> None:
    role = args["roleId"]
    members = powers.members.setdefault(role, {})
    admin, guardian, grant_delay = powers.rules.get(role, UNCHANGED)
    if name == "grantRole":
        members[args["account"]] = args["executionDelay"]
    elif name == "revokeRole":
        members.pop(args["account"], None)
    elif name == "setRoleAdmin":
        admin = args["admin"]
    elif name == "setRoleGuardian":
        guardian = args["guardian"]
    elif name == "setGrantDelay" and role not in not_yet:
        grant_delay = args["newDelay"]
    powers.rules[role] = (admin, guardian, grant_delay)


def _decide_target(
    powers: Powers, name: str, args: Mapping[str, Any], not_yet: Collection[Any]
) -> None:
    target = args["target"]
    closed, admin_delay = powers.targets.get(target, OPEN)
    if name == "setTargetFunctionRole":
        for selector in args["selectors"]:
            powers.functions[target, selector] = args["roleId"]
    elif name == "setTargetClosed":
        closed = args["closed"]
    elif name == "setTargetAdminDelay" and target not in not_yet:
        admin_delay = args["newDelay"]
    powers.targets[target] = (closed, admin_delay)


def _learn(known: Powers, name: str, args: Mapping[str, Any]) -> None:
    """Add what an event of the manager speaks of to what has to be asked for."""
    if "roleId" in args:
        known.members.setdefault(args["roleId"], {})
        known.rules.setdefault(args["roleId"], UNCHANGED)
    if name == "RoleGranted":
        known.members[args["roleId"]].setdefault(args["account"], 0)
    if name == "TargetFunctionRoleUpdated":
        known.functions.setdefault((args["target"], args["selector"]), 0)
    elif "target" in args:
        known.targets.setdefault(args["target"], OPEN)


def _found(look: Look, known: Powers) -> Powers:
    """Ask the manager for everything that is known of."""
    holders = [(role, account) for role, members in known.members.items() for account in members]
    roles, functions, targets = list(known.rules), list(known.functions), list(known.targets)
    asked: list[tuple[str, tuple[Any, ...]]] = [("hasRole", holder) for holder in holders]
    for view in ("getRoleAdmin", "getRoleGuardian", "getRoleGrantDelay"):
        asked += [(view, (role,)) for role in roles]
    asked += [("getTargetFunctionRole", function) for function in functions]
    for view in ("isTargetClosed", "getTargetAdminDelay"):
        asked += [(view, (target,)) for target in targets]
    answers = iter(look.read_all([("manager", view, args) for view, args in asked]))
    found = Powers(members={role: {} for role in known.members})
    for role, account in holders:
        is_member, delay = next(answers)
        if is_member:
            found.members[role][account] = delay
    rules = [[next(answers) for _ in roles] for _ in range(3)]
    found.rules = dict(zip(roles, zip(*rules, strict=True), strict=True))
    found.functions = {function: next(answers) for function in functions}
    closed = [next(answers) for _ in targets]
    found.targets = {
        target: (closed[number], next(answers)) for number, target in enumerate(targets)
    }
    return found


def _roles(look: Look, deployed: Powers, expected: Powers, found: Powers) -> Iterator[Comparison]:
    registry = look.app.deployment.registry

    def members(holders: Mapping[str, int]) -> str:
        return (
            ", ".join(
                ("the registry" if account == registry else account)
                + (f" (waits {format_duration(delay)})" if delay else "")
                for account, delay in sorted(holders.items())
            )
            or "nobody"
        )

    def rules(of: tuple[int, int, int]) -> str:
        admin, guardian, delay = of
        return (
            f"granted by {_role_name(admin)}, its plans cancelled by {_role_name(guardian)}, "
            f"a grant holds after {format_duration(delay)}"
        )

    for role in sorted(found.members):
        name = _role_name(role)
        subject = name if role in ROLE_NAMES else f"role {role}"
        should = expected.members.get(role, {})
        compared = judged(
            "roles",
            subject,
            members,
            deployed=deployed.members.get(role, {}),
            expected=should,
            found=found.members[role],
            weighty=role not in ROLE_NAMES,
        )
        if role != ADMINISTRATOR and found.members[role].items() < should.items():
            gone = "who is missing gave the role up, or does not hold it yet"
            compared = replace(compared, status=Status.WARNING, note=gone)
        yield compared
        yield judged(
            "roles",
            f"rules of {subject}",
            rules,
            deployed=deployed.rules.get(role, UNCHANGED),
            expected=expected.rules.get(role, UNCHANGED),
            found=found.rules[role],
            weighty=True,
        )


def _targets(look: Look, deployed: Powers, expected: Powers, found: Powers) -> Iterator[Comparison]:
    def write(of: tuple[bool, int]) -> str:
        closed, delay = of
        state = "closed" if closed else "open"
        return f"{state}, the administrator's changes hold after {format_duration(delay)}"

    for target, value in found.targets.items():
        yield judged(
            "functions",
            f"guarded functions of {_contract_name(look, target)}",
            write,
            deployed=deployed.targets.get(target, OPEN),
            expected=expected.targets.get(target, OPEN),
            found=value,
            weighty=True,
        )


def _functions(
    look: Look, deployed: Powers, expected: Powers, found: Powers
) -> Iterator[Comparison]:
    """One line for each function that a role needs, or has; one a contract for all the others."""
    others: dict[str, int] = {}
    for (target, selector), role in found.functions.items():
        was, should = (
            powers.functions.get((target, selector), ADMINISTRATOR)
            for powers in (deployed, expected)
        )
        key = _contract_name(look, target)
        if was == should == role == ADMINISTRATOR:
            others[key] = others.get(key, 0) + 1
            continue
        yield judged(
            "functions",
            f"{key}.{_function_name(look, key, selector)}",
            _role_name,
            deployed=was,
            expected=should,
            found=role,
            weighty=True,
        )
    for key, count in others.items():
        yield Comparison(
            "functions", f"the other {count} functions of {key}", "no role", "no role", Status.OK
        )


def _role_name(role: int) -> str:
    return ROLE_NAMES.get(role, f"role {role}")


def _contract_name(look: Look, address: str) -> str:
    for key, contract in look.app.deployment.contracts.items():
        if contract.address == address:
            return key
    return address


def _function_name(look: Look, key: str, selector: bytes) -> str:
    known = look.app.contracts.changing(key) if key in GUARDED else {}
    return known.get(selector, "0x" + selector.hex())
