"""Checks of the chain: the node, the contracts' code, how they are joined, who holds which role."""

from __future__ import annotations

from collections.abc import Iterator

from service.application.context import Application
from service.application.doctor.authority import ROLE_NAMES, compare_authority
from service.application.doctor.checks import Check, Status, failed, passed, warned
from service.application.doctor.code import compare_each_code, compare_wiring
from service.application.doctor.comparisons import Look, checks_of, said
from service.application.doctor.limits import compare_constants, compare_limits
from service.chain.contracts import ARTIFACTS
from service.units import format_amount, format_duration, format_unix_s

RESERVE_WARNING_S = 28 * 86_400
"""A week before an attestation is too old for new commitments (``RESERVE_MAX_AGE``: 35 days)."""

LANE_WARNING_SHARE = 0.2
"""Part of the lane's cap in the token below which governors should plan a higher one."""

_OPERATIONS = {1: "approvals", 2: "execution", 4: "withdrawals"}


def examine_node(app: Application) -> Iterator[Check]:
    """Look at the node and the chain it is on."""
    chain_id = int(app.rpc.call("eth_chainId"), 16)
    yield passed("chain", "node", f"{app.rpc.shown_url} answers, block {app.rpc.block_number()}")
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
    for key, compared in compare_each_code(Look(app)):
        name, address = f"code of {key}", app.deployment.contracts[key].address
        wrong = [f"{one.subject} {said(one)}" for one in compared if one.status is not Status.OK]
        if wrong:
            yield failed("contracts", name, f"{address}: {'; '.join(wrong)}")
        else:
            yield passed("contracts", name, f"{address} runs the compiled {ARTIFACTS[key]}")


def examine_wiring(app: Application) -> Iterator[Check]:
    """Ask the contracts for each other, and for what is paused or stale."""
    contracts, rpc, deployment = app.contracts, app.rpc, app.deployment
    wrong = [
        f"{one.subject} {said(one)}"
        for one in compare_wiring(Look(app))
        if one.status is not Status.OK
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
    """Compare who holds which role, what each role may call, and each delay, with the deployment.

    The administrator must be the registry alone: had the deployer kept that role, or another one,
    it would show here.
    """
    rest = []
    for one in compare_authority(Look(app)):
        if one.area == "roles" and one.subject in ROLE_NAMES.values():
            yield Check("roles", one.subject, one.status, said(one))
        else:
            rest.append(one)
    fine = "rules, delays and the role of each function are as deployed; the deployer has no role"
    yield from checks_of("roles", "functions and delays", rest, fine)


def examine_limits(app: Application) -> Iterator[Check]:
    """Compare delays, caps, limits, minters, officers, programmes with what they should be."""
    look = Look(app)
    compared = [*compare_constants(look), *compare_limits(look)]
    fine = f"{len(compared)} delays, caps, limits, officers and programmes are as they should be"
    yield from checks_of("limits", "caps and limits", compared, fine)
