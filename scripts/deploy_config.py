"""What a deployment is told (docs/deployment.md), checked whole before anything is sent.

Runs in Brownie's environment and in the service's.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from eth_utils.address import is_checksum_address

from service.regions import Region, validity_of

OFFICER_ROLES = {"maker": 1, "reviewer": 2, "emergency": 4, "governor": 8}
"""Roles of officers, as the registry's bits."""

HOUSEKEEPING_ROLES = {
    "guardian": 1,
    "freezer": 2,
    "attestor": 3,
    "treasurer": 4,
    "programme_manager": 5,
}
"""Roles of accounts, by their numbers in the role manager; none of them can pay."""

EMERGENCY_LIMITS = (
    "per_grant_base_units",
    "per_officer_base_units",
    "outstanding_base_units",
    "countersign_window_s",
    "per_county_base_units",
    "per_city_base_units",
    "per_province_base_units",
    "country_base_units",
    "county_overdue_base_units",
    "city_overdue_base_units",
    "province_overdue_base_units",
)
"""Limits of the emergency lane, in the contract's order."""

COUNTERSIGN_WINDOW_S = (86_400, 14 * 86_400)
"""Shortest and longest time for countersigning (``MIN_``, ``MAX_COUNTERSIGN_WINDOW``)."""

MAX_OFFICERS = 100
"""At deployment: their data lies in the registry's creation code, which has room for about 128
(EIP-3860). The governors add more."""

MIN_QUORUM = 2
MAX_OFFICER_ID = 2**32 - 1
MAX_AMOUNT_BASE_UNITS = 2**80 - 1
"""The token keeps its totals in 80 bits."""

MAX_GRANT_BASE_UNITS = 2**64 - 1
"""An entry's amount has 8 bytes."""

_AMOUNT = re.compile("[0-9]{1,25}")
_ZERO = "0x" + "00" * 20
_CONFIG = (
    "quorum",
    "token_cap_base_units",
    "emergency",
    "finality_depth_blocks",
    "officers",
    "roles",
)
_EMERGENCY = ("cap_base_units", "limits")
_OFFICER = ("officer_id", "roles", "region_code", "region_digits", "signer")


class BadConfig(ValueError):
    """The configuration will not do.

    Attributes
    ----------
    problems
        Everything that is wrong with it, each with the path of the member it is about.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def read_config(path: Path, *, deployer: str) -> dict[str, Any]:
    """Read the configuration of a deployment and check all of it.

    Parameters
    ----------
    path
        The JSON file.
    deployer
        Address of the account that deploys, which ends with no role and so may be given none.

    Raises
    ------
    BadConfig
        If it cannot be read, or with everything that is wrong with it.
    """
    repeated: list[str] = []

    def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(name for name, _ in pairs)
        repeated.extend(
            f"{name}: stands twice in one object" for name in counts - Counter(set(counts))
        )
        return dict(pairs)

    try:
        config = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=without_repeats)
    except (OSError, ValueError) as error:
        raise BadConfig([f"cannot be read as JSON: {error}"]) from None
    problems = [*repeated, *problems_of(config, deployer=deployer)]
    if problems:
        raise BadConfig(problems)
    return cast("dict[str, Any]", config)


def problems_of(config: Any, *, deployer: str) -> list[str]:
    """Return everything that is wrong with a configuration, as ``path: what`` each.

    Whatever the contracts' constructors would refuse is found, and also what they would take but
    nobody could work with: no maker, too few reviewers to cancel, a role that nobody holds.
    """
    check = _Check(deployer)
    members = check.members(config, "", _CONFIG)
    if "quorum" in members:
        check.whole_number(members["quorum"], "quorum", MIN_QUORUM, MAX_OFFICER_ID)
    if "token_cap_base_units" in members:
        check.amount(members["token_cap_base_units"], "token_cap_base_units")
    if "emergency" in members:
        _check_emergency(check, members["emergency"])
    if "finality_depth_blocks" in members:
        check.whole_number(members["finality_depth_blocks"], "finality_depth_blocks", 0, None)
    if "officers" in members:
        _check_officers(check, members["officers"], members.get("quorum"))
    if "roles" in members:
        holders = check.members(members["roles"], "roles", HOUSEKEEPING_ROLES)
        for role, accounts in holders.items():
            check.distinct(
                (path, check.address(account, path))
                for path, account in check.items(accounts, f"roles.{role}")
            )
    return check.problems


def _check_emergency(check: _Check, emergency: Any) -> None:
    members = check.members(emergency, "emergency", _EMERGENCY)
    if "cap_base_units" in members:
        check.amount(members["cap_base_units"], "emergency.cap_base_units")
    if "limits" not in members:
        return
    limits = check.members(members["limits"], "emergency.limits", EMERGENCY_LIMITS)
    for name, value in limits.items():
        path = f"emergency.limits.{name}"
        if name == "countersign_window_s":
            check.whole_number(value, path, *COUNTERSIGN_WINDOW_S)
        else:
            check.amount(
                value,
                path,
                MAX_GRANT_BASE_UNITS if name == "per_grant_base_units" else MAX_AMOUNT_BASE_UNITS,
            )


def _check_officers(check: _Check, officers: Any, quorum: Any) -> None:
    numbers: list[tuple[str, int | None]] = []
    signers: list[tuple[str, str | None]] = []
    holding: Counter[str] = Counter()
    listed = list(check.items(officers, "officers"))
    if len(listed) > MAX_OFFICERS:
        check.add("officers", f"{len(listed)}, but {MAX_OFFICERS} fit: add the others afterwards")
    for path, officer in listed:
        members = check.members(officer, path, _OFFICER)
        if "officer_id" in members:
            where = f"{path}.officer_id"
            number = check.whole_number(members["officer_id"], where, 1, MAX_OFFICER_ID)
            numbers.append((where, number))
        if "roles" in members:
            roles = [
                (where, check.one_of(role, where, OFFICER_ROLES))
                for where, role in check.items(members["roles"], f"{path}.roles")
            ]
            check.distinct(roles)
            holding.update({role for _, role in roles if role is not None})
        if "region_code" in members and "region_digits" in members:
            check.region(members["region_code"], members["region_digits"], path)
        if "signer" in members:
            where = f"{path}.signer"
            signers.append((where, check.address(members["signer"], where)))
    check.distinct(numbers)
    check.distinct(signers)
    _check_quorum(check, holding, quorum)


def _check_quorum(check: _Check, holding: Counter[str], quorum: Any) -> None:
    """Find what the officers together could not do; `holding` counts those with each role."""
    if holding and not holding["maker"]:
        check.add("officers", "none is a maker, so no batch could ever be approved")
    if not holding or type(quorum) is not int:
        return
    if holding["governor"] < quorum:
        check.add("quorum", f"{quorum}, but governors are only {holding['governor']}")
    if holding["reviewer"] < quorum:
        check.add(
            "quorum",
            f"{quorum}, but reviewers are only {holding['reviewer']}: none could cancel a batch",
        )


class _Check:
    """Collects what is wrong; what it cannot use it returns as None, so that the rest goes on."""

    def __init__(self, deployer: str) -> None:
        self.problems: list[str] = []
        self._deployer = deployer

    def add(self, path: str, what: str) -> None:
        self.problems.append(f"{path or 'the configuration'}: {what}")

    def members(self, value: Any, path: str, names: Collection[str]) -> dict[str, Any]:
        """Return the known members of an object; others, and missing ones, are problems."""
        if not isinstance(value, dict):
            self.add(path, "is no JSON object")
            return {}
        prefix = f"{path}." if path else ""
        for name in names:
            if name not in value:
                self.add(f"{prefix}{name}", "is missing")
        for name in value:
            if name not in names:
                near = get_close_matches(name, names, n=1)
                self.add(f"{prefix}{name}", "is unknown" + (f"; {near[0]}?" if near else ""))
        return {name: value[name] for name in names if name in value}

    def items(self, value: Any, path: str) -> Iterator[tuple[str, Any]]:
        """Yield the items of a list with their paths; an empty one is a problem."""
        if not isinstance(value, list):
            self.add(path, "is no JSON list")
        elif not value:
            self.add(path, "is empty")
        else:
            yield from ((f"{path}[{index}]", item) for index, item in enumerate(value))

    def whole_number(self, value: Any, path: str, low: int, high: int | None) -> int | None:
        # A bool is an int to Python, and none to whoever wrote the file.
        if type(value) is not int:
            self.add(path, f"{_shown(value)} is no whole number")
        elif value < low or (high is not None and value > high):
            self.add(path, f"{value} is not " + _range(low, high))
        else:
            return value
        return None

    def amount(self, value: Any, path: str, most: int = MAX_AMOUNT_BASE_UNITS) -> None:
        if not (isinstance(value, str) and _AMOUNT.fullmatch(value)):
            self.add(path, f'{_shown(value)} is no amount: base units as digits, "1000000"')
        elif not 1 <= int(value) <= most:
            self.add(path, f"{value} is not " + _range(1, most))

    def one_of(self, value: Any, path: str, known: Collection[str]) -> str | None:
        if isinstance(value, str) and value in known:
            return value
        self.add(path, f"{_shown(value)} is none of {', '.join(known)}")
        return None

    def region(self, code: Any, digits: Any, path: str) -> None:
        if type(code) is not int or type(digits) is not int:
            self.add(f"{path}.region_code", f"{_shown(code)}, {_shown(digits)}: not two numbers")
            return
        try:
            region = Region(code, digits)  # type: ignore[arg-type]  # it refuses other digits
        except ValueError as error:
            self.add(f"{path}.region_code", str(error))
            return
        if digits and not validity_of(region):
            self.add(f"{path}.region_code", f"GB/T 2260 has no region {code}")

    def address(self, value: Any, path: str) -> str | None:
        if not (isinstance(value, str) and is_checksum_address(value)):
            self.add(path, f"{_shown(value)} is no address with the letter case of EIP-55")
            return None
        if value == _ZERO:
            self.add(path, "is the zero address, which nobody holds")
        elif value == self._deployer:
            self.add(path, "is the deployer's, which ends with no role: name another account")
        return value

    def distinct(self, placed: Iterable[tuple[str, str | int | None]]) -> None:
        """Find values that stand at two places."""
        first_place: dict[str | int, str] = {}
        for path, value in placed:
            if value is not None and first_place.setdefault(value, path) != path:
                self.add(path, f"{value} stands in {first_place[value]} too")


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _range(low: int, high: int | None) -> str:
    return f"{low} or more" if high is None else f"between {low} and {high}"
