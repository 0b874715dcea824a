"""What bounds the money: constants, caps, limits, minters, officers, programmes with their tiers.

What is expected is the configuration in the deployment file, changed by each event since; what is
found is what the contracts' views answer. A contract that answers otherwise than its events say was
changed behind its own rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from service.application.doctor.checks import Status
from service.application.doctor.comparisons import Comparison, Look, judged
from service.approvals.models import Role
from service.chain.deployment import Deployment
from service.errors import ConfigurationError
from service.units import format_amount, format_duration

DAY_S = 86_400

CONSTANTS_S = {
    ("registry", "ADDITION_DELAY"): 2 * DAY_S,
    ("vault", "RAISE_DELAY"): 2 * DAY_S,
    ("vault", "MIN_CLAIM_TIME"): 90 * DAY_S,
    ("vault", "MAX_WITHDRAWAL_PAUSE"): 3 * DAY_S,
    ("token", "RAISE_DELAY"): 2 * DAY_S,
    ("token", "MINTER_DELAY"): 14 * DAY_S,
    ("token", "RESERVE_MAX_AGE"): 35 * DAY_S,
    ("lane", "RAISE_DELAY"): 2 * DAY_S,
    ("lane", "MIN_COUNTERSIGN_WINDOW"): DAY_S,
    ("lane", "MAX_COUNTERSIGN_WINDOW"): 14 * DAY_S,
    ("manager", "expiration"): 7 * DAY_S,
    ("manager", "minSetback"): 5 * DAY_S,
}
"""Delays in the bytecode, seconds (docs/contracts.md; the manager's are OpenZeppelin's)."""

LIMITS = {
    "per_grant_base_units": "perGrant",
    "per_officer_base_units": "perOfficer",
    "outstanding_base_units": "outstanding",
    "countersign_window_s": "countersignWindow",
    "per_county_base_units": "perCounty",
    "per_city_base_units": "perCity",
    "per_province_base_units": "perProvince",
    "country_base_units": "country",
    "county_overdue_base_units": "countyOverdue",
    "city_overdue_base_units": "cityOverdue",
    "province_overdue_base_units": "provinceOverdue",
}
"""Limits of the lane: their name in the deployment's configuration, and the contract's."""

_EOA = 1
_LEVELS = {6: "perCounty", 4: "perCity", 2: "perProvince", 0: "country"}

Person = tuple[int, int, int]
"""An officer's roles as bits, region's code, its digits."""

SignerKey = tuple[int, bytes]
"""A signer's type and bytes."""


@dataclass
class Bounds:
    """What bounds the money, or should.

    Attributes
    ----------
    quorum
        Officers that a quorum action needs.
    cap, planned_cap
        The token's, base units; 0 where none is planned.
    minter_caps
        By minter's address, base units.
    minters
        Who may commit.
    planned_minters
        Cap of each one that is planned, base units.
    limits, planned_limits
        Of the lane, by the contract's names; planned ones empty where there are none.
    region_caps
        By region's code and digits, where it has its own.
    signers
        Whose each signer is; None once it was removed.
    verifiers
        Whether each verifier of keys is allowed.
    programmes
        By number: region, budget, planned budget, payout cap, tiers.
    """

    quorum: int = 0
    cap: int = 0
    planned_cap: int = 0
    minter_caps: dict[str, int] = field(default_factory=dict)
    minters: dict[str, bool] = field(default_factory=dict)
    planned_minters: dict[str, int] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    planned_limits: dict[str, int] = field(default_factory=dict)
    region_caps: dict[tuple[int, int], int] = field(default_factory=dict)
    officers: dict[int, Person | None] = field(default_factory=dict)
    signers: dict[SignerKey, int | None] = field(default_factory=dict)
    verifiers: dict[str, bool] = field(default_factory=dict)
    programmes: dict[int, dict[str, Any]] = field(default_factory=dict)


def compare_constants(look: Look) -> Iterator[Comparison]:
    """Compare the delays that are in the bytecode."""
    answers = look.read_all([(key, name, ()) for key, name in CONSTANTS_S])
    for ((key, name), seconds), found in zip(CONSTANTS_S.items(), answers, strict=True):
        yield judged(
            "constants",
            f"{key}.{name}()",
            format_duration,
            deployed=seconds,
            expected=seconds,
            found=found,
        )


def compare_limits(look: Look) -> Iterator[Comparison]:
    """Compare quorum, caps, minters, the lane's limits, officers, verifiers and programmes."""
    configuration = look.app.deployment.configuration
    begun, expected = _replayed(look)
    deployed = _configured(look) if configuration else begun
    if configuration:
        yield from _as_configured(deployed, begun)
        found = look.read("registry", "quorum")
        yield _same("limits", "registry.quorum()", str, deployed.quorum, found)
    else:
        yield Comparison(
            "limits",
            "configuration",
            "in the deployment file",
            "missing",
            Status.WARNING,
            "taken from the contracts' first events instead",
        )
    yield from _token(look, deployed, expected)
    yield from _lane(look, deployed, expected)
    yield from _officers(look, deployed, expected)
    yield from _programmes(look, expected)


def _configured(look: Look) -> Bounds:
    """What the deployment file says that the contracts began with.

    Raises
    ------
    ConfigurationError
        When a member is missing or malformed.
    """
    try:
        return _read_configuration(look.app.deployment)
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"configuration in the deployment file: {error!r}") from error


def _read_configuration(deployment: Deployment) -> Bounds:
    configuration = deployment.configuration
    cap, emergency = int(configuration["token_cap_base_units"]), configuration["emergency"]
    bounds = Bounds(quorum=configuration["quorum"], cap=cap)
    bounds.minter_caps = {deployment.vault: cap, deployment.lane: int(emergency["cap_base_units"])}
    bounds.minters = dict.fromkeys(bounds.minter_caps, True)
    bounds.limits = {LIMITS[name]: int(value) for name, value in emergency["limits"].items()}
    bounds.verifiers = dict.fromkeys((deployment.p256_verifier, deployment.passkey_verifier), True)
    for officer in configuration["officers"]:
        roles = sum(Role[name.upper()] for name in officer["roles"])
        person = (roles, officer["region_code"], officer["region_digits"])
        bounds.officers[officer["officer_id"]] = person
        signer = bytes.fromhex(officer["signer"][2:])
        bounds.signers[_EOA, signer] = officer["officer_id"]
    return bounds


def _replayed(look: Look) -> tuple[Bounds, Bounds]:
    """What the contracts' events say: at the end of the deployment, and now."""
    bounds = Bounds()
    begun: Bounds | None = None
    events = [
        *look.events("token", *(name for name, key in _CHANGES if key == "token")),
        *look.events("lane", *(name for name, key in _CHANGES if key == "lane")),
        *look.events("registry", *(name for name, key in _CHANGES if key == "registry")),
        *look.events("vault", *(name for name, key in _CHANGES if key == "vault")),
    ]
    first_limits = next((event for event in events if event.name == "LimitsChanged"), None)
    for event in sorted(events, key=lambda event: (event.block_number, event.log_index)):
        _CHANGES[event.name, event.contract](bounds, event.args)
        if event is first_limits:
            # The lane is the last contract to be deployed; its constructor emits this alone.
            bounds.cap = bounds.cap or bounds.minter_caps.get(look.app.deployment.vault, 0)
            begun = deepcopy(bounds)
    return begun or bounds, bounds


def _officer_added(bounds: Bounds, args: Mapping[str, Any]) -> None:
    person = (args["roles"], args["regionCode"], args["regionDigits"])
    bounds.officers[args["officerId"]] = person


def _minter_removed(bounds: Bounds, args: Mapping[str, Any]) -> None:
    bounds.minters[args["minter"]] = False
    bounds.planned_minters.pop(args["minter"], None)


def _minter_activated(bounds: Bounds, args: Mapping[str, Any]) -> None:
    bounds.minters[args["minter"]] = True
    bounds.minter_caps[args["minter"]] = args["cap"]
    bounds.planned_minters.pop(args["minter"], None)


def _cap_set(bounds: Bounds, args: Mapping[str, Any]) -> None:
    bounds.cap, bounds.planned_cap = args["cap"], 0


def _limits_set(bounds: Bounds, args: Mapping[str, Any]) -> None:
    bounds.limits, bounds.planned_limits = dict(args["limits"]), {}


def _region_cap_set(bounds: Bounds, args: Mapping[str, Any]) -> None:
    bounds.region_caps[args["regionCode"], args["regionDigits"]] = args["cap"]


def _programme_created(bounds: Bounds, args: Mapping[str, Any]) -> None:
    names = ("regionCode", "regionDigits", "budget", "payoutCap", "tiers")
    bounds.programmes[args["programme"]] = {name: args[name] for name in names} | {"planned": 0}


def _budget_set(bounds: Bounds, args: Mapping[str, Any]) -> None:
    bounds.programmes[args["programme"]].update(budget=args["budget"], planned=0)


_CHANGES: dict[tuple[str, str], Callable[[Bounds, Mapping[str, Any]], Any]] = {
    ("MinterScheduled", "token"): lambda b, a: b.planned_minters.update({a["minter"]: a["cap"]}),
    ("MinterActivated", "token"): _minter_activated,
    ("MinterRemoved", "token"): _minter_removed,
    ("CapIncreaseScheduled", "token"): lambda b, a: setattr(b, "planned_cap", a["cap"]),
    ("CapRaised", "token"): _cap_set,
    ("CapLowered", "token"): _cap_set,
    ("LimitsRaiseScheduled", "lane"): lambda b, a: setattr(b, "planned_limits", dict(a["limits"])),
    ("LimitsChanged", "lane"): _limits_set,
    ("RegionCapChanged", "lane"): _region_cap_set,
    ("OfficerAdded", "registry"): _officer_added,
    ("OfficerRemoved", "registry"): lambda b, a: b.officers.update({a["officerId"]: None}),
    ("SignerAdded", "registry"): lambda b, a: b.signers.update(
        {(a["signerType"], a["signer"]): a["officerId"]}
    ),
    ("SignerRemoved", "registry"): lambda b, a: b.signers.update(
        {(a["signerType"], a["signer"]): None}
    ),
    ("VerifierAdded", "registry"): lambda b, a: b.verifiers.update({a["verifier"]: True}),
    ("VerifierRemoved", "registry"): lambda b, a: b.verifiers.update({a["verifier"]: False}),
    ("ProgrammeCreated", "vault"): _programme_created,
    ("BudgetIncreaseScheduled", "vault"): lambda b, a: b.programmes[a["programme"]].update(
        planned=a["budget"]
    ),
    ("BudgetChanged", "vault"): _budget_set,
}
"""What each event changes."""


def _as_configured(configured: Bounds, begun: Bounds) -> Iterator[Comparison]:
    """Compare the contracts' first events with the configuration they were deployed with."""
    for what, one, other in (
        ("caps", configured.minter_caps, begun.minter_caps),
        ("limits of the lane", configured.limits, begun.limits),
        ("officers", configured.officers, begun.officers),
        ("signers", configured.signers, begun.signers),
        ("verifiers", configured.verifiers, begun.verifiers),
    ):
        same = one == other
        yield Comparison(
            "limits",
            f"{what} at the deployment",
            f"{len(one)}, as configured",
            f"{len(other)}, as configured" if same else f"{len(other)}, otherwise",
            Status.OK if same else Status.FAILED,
        )


def _token(look: Look, deployed: Bounds, expected: Bounds) -> Iterator[Comparison]:
    yield judged(
        "limits",
        "token.cap()",
        _tokens,
        deployed=deployed.cap,
        expected=expected.cap,
        found=look.read("token", "cap"),
    )
    yield judged(
        "limits",
        "a higher cap of the token, planned",
        _planned,
        deployed=0,
        expected=expected.planned_cap,
        found=look.read("token", "pendingCap")[0],
        weighty=True,
    )
    for address in sorted(expected.minters | expected.planned_minters):
        found = look.read("token", "minter", address)
        name = _name(look, address)

        def write(of: tuple[bool, int]) -> str:
            return f"{'commits' if of[0] else 'no minter'}, cap {format_amount(of[1])}"

        yield judged(
            "limits",
            f"minter {name}",
            write,
            deployed=(
                deployed.minters.get(address, False),
                deployed.minter_caps.get(address, 0),
            ),
            expected=(
                expected.minters.get(address, False),
                expected.minter_caps.get(address, 0),
            ),
            found=(found["active"], found["cap"]),
            weighty=True,
        )
        yield judged(
            "limits",
            f"minter {name}, or a higher cap of it, planned",
            _planned,
            deployed=0,
            expected=expected.planned_minters.get(address, 0),
            found=look.read("token", "pendingMinter", address)[0],
            weighty=True,
        )


def _lane(look: Look, deployed: Bounds, expected: Bounds) -> Iterator[Comparison]:
    found = look.read("lane", "limits")
    pending, applies_from = look.read("lane", "pendingLimits")
    for name, member in LIMITS.items():
        write = format_duration if name.endswith("_s") else _tokens
        yield judged(
            "limits",
            f"lane.{member}",
            write,
            deployed=deployed.limits.get(member, 0),
            expected=expected.limits.get(member, 0),
            found=found[member],
        )
    yield judged(
        "limits",
        "other limits of the lane, planned",
        lambda limits: ", ".join(f"{name} {value}" for name, value in limits.items()) or "none",
        deployed={},
        expected=expected.planned_limits,
        found=pending if applies_from else {},
        weighty=True,
    )
    for (code, digits), cap in sorted(expected.region_caps.items()):
        yield judged(
            "limits",
            f"the lane's cap of region {code or 'everywhere'}",
            _tokens,
            deployed=deployed.limits.get(_LEVELS[digits], 0),
            expected=cap,
            found=look.read("lane", "regionCap", code, digits),
        )


def _officers(look: Look, deployed: Bounds, expected: Bounds) -> Iterator[Comparison]:
    officers = sorted(expected.officers)
    people = look.read_all([("registry", "officer", (number,)) for number in officers])
    for number, person in zip(officers, people, strict=True):
        known = None if person["removed"] or not person["roles"] else person
        found = known and (known["roles"], known["regionCode"], known["regionDigits"])
        yield judged(
            "officers",
            f"officer {number}",
            _person,
            deployed=deployed.officers.get(number),
            expected=expected.officers[number],
            found=found,
        )
    governors = [
        sum(1 for person in bounds.officers.values() if person and person[0] & Role.GOVERNOR)
        for bounds in (deployed, expected)
    ]
    yield judged(
        "officers",
        "governors",
        str,
        deployed=governors[0],
        expected=governors[1],
        found=look.read("registry", "governorCount"),
    )
    signers = sorted(expected.signers)
    whose = look.read_all([("registry", "signerOf", signer) for signer in signers])
    for signer, answer in zip(signers, whose, strict=True):
        yield judged(
            "officers",
            f"signer 0x{signer[1].hex()}",
            lambda owner: f"officer {owner}'s" if owner else "nobody's",
            deployed=deployed.signers.get(signer),
            expected=expected.signers[signer],
            found=None if answer["removed"] else answer["officerId"] or None,
        )
    for verifier, allowed in sorted(expected.verifiers.items()):
        answer = look.read("registry", "verifierOf", verifier)
        yield judged(
            "officers",
            f"verifier {_name(look, verifier)}",
            lambda allowed: "allowed" if allowed else "not allowed",
            deployed=deployed.verifiers.get(verifier, False),
            expected=allowed,
            found=answer["activeFrom"] != 0 and not answer["removed"],
            weighty=True,
        )


def _programmes(look: Look, expected: Bounds) -> Iterator[Comparison]:
    for number, should in sorted(expected.programmes.items()):
        programme = look.read("vault", "programme", number)
        found = {
            "regionCode": programme["regionCode"],
            "regionDigits": programme["regionDigits"],
            "budget": programme["budget"],
            "payoutCap": programme["payoutCap"],
            "tiers": look.read("vault", "tiers", number),
            "planned": programme["pendingBudget"],
        }
        yield _same("programmes", f"programme {number}", _programme, should, found)


def _same(
    area: str, subject: str, write: Callable[[Any], str], expected: Any, found: Any
) -> Comparison:
    return judged(area, subject, write, deployed=expected, expected=expected, found=found)


def _tokens(amount: int) -> str:
    return f"{format_amount(amount)} tokens"


def _planned(amount: int) -> str:
    return _tokens(amount) if amount else "none"


def _person(person: Person | None) -> str:
    if person is None:
        return "no officer"
    roles, code, digits = person
    names = [(role.name or "").lower() for role in Role if roles & role]
    return f"{', '.join(names)}; {f'region {code}' if digits else 'everywhere'}"


def _programme(programme: Mapping[str, Any]) -> str:
    tiers = "; ".join(
        f"up to {format_amount(tier['upTo'])}: {tier['reviewers']} reviewers"
        + (f" and {format_duration(tier['challengeDelay'])}" if tier["challengeDelay"] else "")
        for tier in programme["tiers"]
    )
    region = f"region {programme['regionCode']}" if programme["regionDigits"] else "everywhere"
    planned = programme["planned"]
    return (
        f"{region}; budget {format_amount(programme['budget'])}"
        + (f", {format_amount(planned)} planned" if planned else "")
        + f"; a payout at most {format_amount(programme['payoutCap'])}; {tiers}"
    )


def _name(look: Look, address: str) -> str:
    for key, contract in look.app.deployment.contracts.items():
        if contract.address == address:
            return key
    return address
