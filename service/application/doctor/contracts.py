"""Checks of the chain: the node, the contracts' code, how they are joined, who holds which role."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from eth_utils.crypto import keccak

from service.application.context import Application
from service.application.doctor.checks import Check, failed, passed, warned
from service.application.roles import ROLE_NUMBERS, role_holders
from service.errors import ConfigurationError
from service.units import format_amount, format_duration, format_unix_s

ADMINISTRATOR = 0
"""Role that grants and revokes the others (OpenZeppelin's ``ADMIN_ROLE``)."""

RESERVE_WARNING_S = 28 * 86_400
"""A week before an attestation is too old for new commitments (``RESERVE_MAX_AGE``: 35 days)."""

LANE_WARNING_SHARE = 0.2
"""Part of the lane's cap in the token below which governors should plan a higher one."""

_PUSH1, _PUSH32 = 0x60, 0x7F
_WORD = 32
_OPERATIONS = {1: "approvals", 2: "execution", 4: "withdrawals"}

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


def examine_node(app: Application) -> Iterator[Check]:
    """Look at the node and the chain it is on."""
    chain_id = int(app.rpc.call("eth_chainId"), 16)
    yield passed("chain", "node", f"{app.settings.rpc_url} answers, block {app.rpc.block_number()}")
    expected = app.deployment.chain_id
    if chain_id != expected:
        yield failed("chain", "chain id", f"the node is on {chain_id}, the contracts on {expected}")
    else:
        yield passed("chain", "chain id", str(chain_id))
    if app.rpc.call("eth_syncing"):
        yield failed("chain", "synchronised", "the node is still catching up with its network")
    depth = app.deployment.finality_depth_blocks
    yield passed("chain", "finality", f"a block is final {depth} blocks later")


def examine_code(app: Application) -> Iterator[Check]:
    """Compare the code on chain with the deployment file and with the compiled artifacts."""
    from service.chain.contracts import ARTIFACTS

    deployed = app.deployment.contracts
    for key, contract in deployed.items():
        code = bytes.fromhex(app.rpc.call("eth_getCode", contract.address, "latest")[2:])
        name = f"code of {key}"
        if not code:
            yield failed("contracts", name, f"there is no contract at {contract.address}")
            continue
        found = "0x" + keccak(code).hex()
        if found != contract.runtime_code_hash:
            yield failed(
                "contracts",
                name,
                f"{contract.address}: hash {found}, deployed was {contract.runtime_code_hash}",
            )
            continue
        compiled = _compiled_code(app.settings.artifacts_dir, ARTIFACTS[key])
        if same_code(code, compiled):
            yield passed(
                "contracts", name, f"{contract.address} runs the compiled {ARTIFACTS[key]}"
            )
        else:
            yield failed(
                "contracts",
                name,
                f"{contract.address} runs other code than the compiled {ARTIFACTS[key]}: "
                "wrong sources, or `make compile` is needed",
            )


def _compiled_code(artifacts_dir: Path, name: str) -> bytes:
    path = artifacts_dir / f"{name}.json"
    try:
        return bytes.fromhex(json.loads(path.read_text())["deployedBytecode"].removeprefix("0x"))
    except (OSError, ValueError, KeyError):
        raise ConfigurationError(f"{path} is missing or damaged: run `make compile`") from None


def same_code(on_chain: bytes, compiled: bytes) -> bool:
    """Tell whether code on chain is the compiled code with its immutables filled in.

    An immutable stands in the compiled code as 32 zero bytes after a PUSH32; nothing else may
    differ.
    """
    if len(on_chain) != len(compiled):
        return False
    filled = bytearray(on_chain)
    at = 0
    while at < len(compiled):
        operation = compiled[at]
        size = operation - _PUSH1 + 1 if _PUSH1 <= operation <= _PUSH32 else 0
        operand = slice(at + 1, at + 1 + size)
        if operation == _PUSH32 and compiled[operand] == bytes(_WORD):
            filled[operand] = bytes(_WORD)
        at += 1 + size
    return bytes(filled) == compiled


def examine_wiring(app: Application) -> Iterator[Check]:
    """Ask the contracts for each other, and for what is paused or stale."""
    contracts, rpc, deployment = app.contracts, app.rpc, app.deployment
    expected = {
        ("vault", "token"): deployment.token,
        ("vault", "registry"): deployment.registry,
        ("vault", "administration"): deployment.contracts["administration"].address,
        ("vault", "corrections"): deployment.contracts["corrections"].address,
        ("registry", "manager"): deployment.manager,
        ("token", "emergencyLane"): deployment.lane,
        ("lane", "token"): deployment.token,
        ("lane", "registry"): deployment.registry,
    }
    wrong = [
        f"{key}.{function}() is {found}, not {address}"
        for (key, function), address in expected.items()
        if (found := contracts.read(rpc, key, function)) != address
    ]
    wrong += [
        f"the {key} is no minter of the token"
        for key in ("vault", "lane")
        if not contracts.read(rpc, "token", "minter", deployment.contracts[key].address)["active"]
    ]
    if wrong:
        yield failed("contracts", "joined", "; ".join(wrong))
    else:
        yield passed(
            "contracts",
            "joined",
            "vault, its parts, token, registry, manager and lane know each other",
        )
    bits = contracts.read(rpc, "vault", "pausedOperations")
    paused = [name for bit, name in _OPERATIONS.items() if bits & bit]
    if contracts.read(rpc, "token", "transfersPaused"):
        paused.append("transfers")
    if contracts.read(rpc, "lane", "paused"):
        paused.append("emergency grants")
    if contracts.read(rpc, "vault", "inSunset"):
        yield warned("contracts", "sunset", "nothing more is approved; what was is paid on")
    if paused:
        yield warned("contracts", "running", f"paused: {', '.join(paused)}")
    else:
        yield passed("contracts", "running", "nothing is paused")
    yield _verifiers(app)
    yield _reserve(app)
    yield _lane_room(app)


def _verifiers(app: Application) -> Check:
    """Ask the registry whether P-256 keys and passkeys are still taken."""
    gone = [
        words
        for key, words in {"p256_verifier": "P-256 keys", "passkey_verifier": "passkeys"}.items()
        if app.contracts.read(app.rpc, "registry", "verifierOf", app.contracts.address(key))[
            "removed"
        ]
    ]
    if gone:
        return warned(
            "contracts",
            "verifiers",
            f"governors removed the verifier of {' and '.join(gone)}: officers cannot sign with "
            "these",
        )
    return passed("contracts", "verifiers", "officers can sign with P-256 keys and passkeys")


def _reserve(app: Application) -> Check:
    contracts, rpc = app.contracts, app.rpc
    as_of = contracts.read(rpc, "token", "attestation")["asOf"]
    if as_of == 0:
        return warned("contracts", "reserve", "nothing attested yet: `relief reserve attest`")
    header = rpc.header("latest") or {}
    age_s = int(header["timestamp"], 16) - as_of
    detail = f"attested as of {format_unix_s(as_of)}, {format_duration(age_s)} ago"
    if age_s > RESERVE_WARNING_S:
        return warned("contracts", "reserve", f"{detail}; after 35 days no batch can be approved")
    return passed("contracts", "reserve", detail)


def _lane_room(app: Application) -> Check:
    """What the emergency lane may still mint: its cap counts all it ever minted."""
    contracts, rpc = app.contracts, app.rpc
    minter = contracts.read(rpc, "token", "minter", app.deployment.lane)
    left = minter["cap"] - minter["committed"] - minter["minted"]
    outstanding = contracts.read(rpc, "lane", "outstanding")
    detail = (
        f"{format_amount(left)} of {format_amount(minter['cap'])} left to grant, "
        f"{format_amount(outstanding)} not countersigned"
    )
    if left < LANE_WARNING_SHARE * minter["cap"]:
        return warned("contracts", "emergency lane", f"{detail}; a higher cap takes 14 days")
    return passed("contracts", "emergency lane", detail)


def examine_roles(app: Application) -> Iterator[Check]:
    """Compare who holds which role, by the manager's events, with the deployment file.

    The administrator must be the registry alone: had the deployer kept that role, or another one,
    it would show here.
    """
    holders = role_holders(app)
    registry = app.deployment.registry
    others = holders.get(ADMINISTRATOR, set()) - {registry}
    if others:
        names = ", ".join(sorted(others))
        yield failed("roles", "administrator", f"beside the registry: {names}")
    elif registry not in holders.get(ADMINISTRATOR, set()):
        yield failed("roles", "administrator", "the registry is not: nobody can change roles")
    else:
        yield passed("roles", "administrator", "the registry alone; the deployer has none")
    for name, number in ROLE_NUMBERS.items():
        yield _role(name, holders.get(number, set()), set(app.deployment.roles.get(name, ())))
    unknown = {number for number, held in holders.items() if held} - {
        ADMINISTRATOR,
        *ROLE_NUMBERS.values(),
    }
    if unknown:
        yield failed("roles", "other roles", f"roles that the service does not know: {unknown}")
    yield _functions(app)


def _role(name: str, holding: set[str], planned: set[str]) -> Check:
    if holding == planned:
        return passed("roles", name, ", ".join(sorted(holding)) or "nobody")
    more, less = sorted(holding - planned), sorted(planned - holding)
    parts = [f"holds it, not in the deployment file: {a}" for a in more]
    parts += [f"in the deployment file, does not hold it: {a}" for a in less]
    return warned("roles", name, "; ".join(parts) + " (governors may have changed it since)")


def _functions(app: Application) -> Check:
    wrong = []
    for role, functions in HOUSEKEEPING.items():
        for key, signature in functions:
            selector = keccak(text=signature)[:4]
            needed = app.contracts.read(
                app.rpc,
                "manager",
                "getTargetFunctionRole",
                app.deployment.contracts[key].address,
                selector,
            )
            if needed != ROLE_NUMBERS[role]:
                function = signature.split("(")[0]
                wrong.append(f"{key}.{function} needs role {needed}, not {role}")
    if wrong:
        return failed("roles", "functions", "; ".join(wrong))
    return passed("roles", "functions", "each housekeeping function needs its own role")
