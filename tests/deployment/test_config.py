"""The configuration of a deployment is checked whole: every problem is told, with its path."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from scripts.deploy_config import BadConfig, problems_of, read_config


def address(number: int) -> str:
    return str(Account.from_key(number.to_bytes(32, "big")).address)


DEPLOYER = address(99)


def good() -> dict[str, Any]:
    return {
        "quorum": 2,
        "token_cap_base_units": "1000000000000000",
        "emergency": {
            "cap_base_units": "1000000000000",
            "limits": {
                "per_grant_base_units": "2000000000",
                "per_officer_base_units": "20000000000",
                "outstanding_base_units": "100000000000",
                "countersign_window_s": 432000,
                "per_county_base_units": "50000000000",
                "per_city_base_units": "100000000000",
                "per_province_base_units": "200000000000",
                "country_base_units": "300000000000",
                "county_overdue_base_units": "5000000000",
                "city_overdue_base_units": "10000000000",
                "province_overdue_base_units": "20000000000",
            },
        },
        "finality_depth_blocks": 64,
        "officers": [
            {
                "officer_id": number,
                "roles": ["maker", "reviewer", "governor"],
                "region_code": 51,
                "region_digits": 2,
                "signer": address(number),
            }
            for number in (1, 2)
        ],
        "roles": {
            "guardian": [address(11)],
            "freezer": [address(11)],
            "attestor": [address(12)],
            "treasurer": [address(12), address(13)],
            "programme_manager": [address(14)],
        },
    }


def put(config: dict[str, Any], place: tuple[str | int, ...], value: Any) -> None:
    inner: Any = config
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value


def test_a_good_configuration_has_no_problem(tmp_path: Path) -> None:
    assert problems_of(good(), deployer=DEPLOYER) == []
    file = tmp_path / "config.json"
    file.write_text(json.dumps(good()))
    assert read_config(file, deployer=DEPLOYER) == good()


def test_an_officer_may_be_for_the_whole_country() -> None:
    config = good()
    config["officers"][0] |= {"region_code": 0, "region_digits": 0}
    assert problems_of(config, deployer=DEPLOYER) == []


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        (("quorum",), 1, "quorum: 1 is not between 2 and 4294967295"),
        (("quorum",), "2", 'quorum: "2" is no whole number'),
        (("quorum",), True, "quorum: true is no whole number"),
        (
            ("token_cap_base_units",),
            "0",
            "token_cap_base_units: 0 is not between 1 and 1208925819614629174706175",
        ),
        (
            ("token_cap_base_units",),
            "1208925819614629174706176",
            "token_cap_base_units: 1208925819614629174706176 is not between 1 and",
        ),
        (
            ("token_cap_base_units",),
            1000,
            'token_cap_base_units: 1000 is no amount: base units as digits, "1000000"',
        ),
        (
            ("token_cap_base_units",),
            "1.5",
            'token_cap_base_units: "1.5" is no amount: base units as digits, "1000000"',
        ),
        (("emergency", "cap_base_units"), "0", "emergency.cap_base_units: 0 is not between 1"),
        (
            ("emergency", "limits", "per_grant_base_units"),
            "18446744073709551616",
            "emergency.limits.per_grant_base_units: 18446744073709551616 is not between 1 and 184",
        ),
        (
            ("emergency", "limits", "country_base_units"),
            5,
            "emergency.limits.country_base_units: 5 is no amount",
        ),
        (
            ("emergency", "limits", "countersign_window_s"),
            86_399,
            "emergency.limits.countersign_window_s: 86399 is not between 86400 and 1209600",
        ),
        (
            ("emergency", "limits"),
            {"per_grant_base_units": "1"},
            "emergency.limits.per_officer_base_units: is missing",
        ),
        (("finality_depth_blocks",), -1, "finality_depth_blocks: -1 is not 0 or more"),
        (("finality_depth_blocks",), 2.0, "finality_depth_blocks: 2.0 is no whole number"),
        (("officers", 1), "Wang Fang", "officers[1]: is no JSON object"),
        (("officers", 1, "officer_id"), 1, "officers[1].officer_id: 1 stands in officers[0]."),
        (("officers", 0, "officer_id"), 0, "officers[0].officer_id: 0 is not between 1 and"),
        (
            ("officers", 0, "roles", 1),
            "director",
            'officers[0].roles[1]: "director" is none of maker, reviewer, emergency, governor',
        ),
        (
            ("officers", 0, "roles"),
            ["maker", "reviewer", "governor", "maker"],
            "officers[0].roles[3]: maker stands in officers[0].roles[0] too",
        ),
        (("officers", 0, "roles"), "maker", "officers[0].roles: is no JSON list"),
        (("officers", 0, "roles"), [], "officers[0].roles: is empty"),
        (
            ("officers", 0, "region_code"),
            5107,
            "officers[0].region_code: region code 5107 does not have 2 digits",
        ),
        (
            ("officers", 0, "region_digits"),
            3,
            "officers[0].region_code: a region has 0, 2, 4 or 6 digits, not 3",
        ),
        (("officers", 0, "region_code"), 99, "officers[0].region_code: GB/T 2260 has no region 99"),
        (("officers", 0, "region_code"), "51", 'officers[0].region_code: "51", 2: not two numbers'),
        (
            ("officers", 1, "signer"),
            address(2).lower(),
            f'officers[1].signer: "{address(2).lower()}" is no address with the letter case of',
        ),
        (("officers", 1, "signer"), None, "officers[1].signer: null is no address"),
        (("officers", 1, "signer"), "0x" + "0" * 40, "officers[1].signer: is the zero address"),
        (
            ("officers", 1, "signer"),
            address(1),
            f"officers[1].signer: {address(1)} stands in officers[0].signer too",
        ),
        (("officers", 1, "signer"), DEPLOYER, "officers[1].signer: is the deployer's"),
        (("roles", "freezer"), address(11), "roles.freezer: is no JSON list"),
        (("roles", "freezer"), [], "roles.freezer: is empty"),
        (("roles", "freezer"), ["0x12"], 'roles.freezer[0]: "0x12" is no address'),
        (("roles", "attestor"), [DEPLOYER], "roles.attestor[0]: is the deployer's"),
        (
            ("roles", "treasurer", 1),
            address(12),
            f"roles.treasurer[1]: {address(12)} stands in roles.treasurer[0] too",
        ),
        (("roles", "mayor"), [address(20)], "roles.mayor: is unknown"),
        (("officers", 0, "name"), "王芳", "officers[0].name: is unknown"),
        (("quorums",), 2, "quorums: is unknown; quorum?"),
    ],
)
def test_each_wrong_value_is_named_with_its_path(
    place: tuple[str | int, ...], value: Any, problem: str
) -> None:
    config = good()
    put(config, place, value)
    assert any(found.startswith(problem) for found in problems_of(config, deployer=DEPLOYER)), (
        problems_of(config, deployer=DEPLOYER)
    )


@pytest.mark.parametrize(
    "place",
    [
        *((name,) for name in good()),
        *(("officers", 1, name) for name in good()["officers"][0]),
        *(("roles", name) for name in good()["roles"]),
    ],
)
def test_nothing_may_be_missing(place: tuple[str | int, ...]) -> None:
    config = good()
    inner: Any = config
    for step in place[:-1]:
        inner = inner[step]
    del inner[place[-1]]
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    assert f"{path[1:]}: is missing" in problems_of(config, deployer=DEPLOYER)


def officers_with(*roles: list[str]) -> Callable[[dict[str, Any]], None]:
    def change(config: dict[str, Any]) -> None:
        for officer, held in zip(config["officers"], roles, strict=True):
            officer["roles"] = held

    return change


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            officers_with(["maker", "governor"], ["reviewer", "governor"]),
            "quorum: 2, but reviewers are only 1: none could cancel a batch",
        ),
        (
            officers_with(["maker", "reviewer"], ["reviewer", "governor"]),
            "quorum: 2, but governors are only 1",
        ),
        (
            officers_with(["reviewer", "governor"], ["reviewer", "governor"]),
            "officers: none is a maker, so no batch could ever be approved",
        ),
    ],
)
def test_officers_who_could_not_work_together_are_refused(
    change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    config = good()
    change(config)
    assert problems_of(config, deployer=DEPLOYER) == [problem]


def test_more_officers_than_fit_into_the_creation_code_are_refused() -> None:
    config = good()
    first = config["officers"][0]
    config["officers"] = [
        first | {"officer_id": number, "signer": address(number + 1000)} for number in range(1, 102)
    ]
    assert problems_of(config, deployer=DEPLOYER) == [
        "officers: 101, but 100 fit: add the others afterwards"
    ]


def test_all_problems_are_told_at_once() -> None:
    config = good()
    config["quorum"] = 3
    config["officers"][1]["signer"] = "0x12"
    del config["roles"]["freezer"]
    config["roles"]["freezers"] = [address(11)]
    assert problems_of(config, deployer=DEPLOYER) == [
        'officers[1].signer: "0x12" is no address with the letter case of EIP-55',
        "quorum: 3, but governors are only 2",
        "quorum: 3, but reviewers are only 2: none could cancel a batch",
        "roles.freezer: is missing",
        "roles.freezers: is unknown; freezer?",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "the configuration: is no JSON object"),
        ('{"quorum": 2, "quorum": 3}', "quorum: stands twice in one object"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    tmp_path: Path, text: str, problem: str
) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(BadConfig) as refused:
        read_config(file, deployer=DEPLOYER)
    assert refused.value.problems[0].startswith(problem)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"none\.json"):
        read_config(tmp_path / "none.json", deployer=DEPLOYER)
