"""Every view of every contract is compared with the replay, or it is said why it is not."""

from __future__ import annotations

import pytest

from service.audit.abi import Contract
from tests.audit.test_declarations import abi

A_CONSTANT = "a constant of the code, whose hash is reported"
DOMAIN = "fixed at deployment; what was signed for another domain is no good signature"
OF_ITS_ARGUMENTS = "computed of its arguments alone, and computed again in service.audit.signatures"
UNTOLD = "no event tells: whoever spends an allowance, or permits one, leaves none of it"
WITHIN_A_CALL = "true only while the manager calls"

NOT_COMPARED = {
    Contract.VAULT: {
        "RAISE_DELAY": A_CONSTANT,
        "MIN_CLAIM_TIME": A_CONSTANT,
        "MAX_WITHDRAWAL_PAUSE": A_CONSTANT,
        "administration": "an address whose code hash is reported",
        "corrections": "an address whose code hash is reported",
        "approvalDigest": OF_ITS_ARGUMENTS,
        "eip712Domain": DOMAIN,
        "isConsumingScheduledOp": WITHIN_A_CALL,
    },
    Contract.TOKEN: {
        "RESERVE_MAX_AGE": A_CONSTANT,
        "RAISE_DELAY": A_CONSTANT,
        "MINTER_DELAY": A_CONSTANT,
        "name": A_CONSTANT,
        "symbol": A_CONSTANT,
        "decimals": A_CONSTANT,
        "DOMAIN_SEPARATOR": DOMAIN,
        "eip712Domain": DOMAIN,
        "allowance": UNTOLD,
        "nonces": UNTOLD,
        "unpayableReason": "follows from its arguments and isFrozen, which is compared",
        "isConsumingScheduledOp": WITHIN_A_CALL,
    },
    Contract.REGISTRY: {
        "ADDITION_DELAY": A_CONSTANT,
        "quorum": "set at deployment, read, and taken for what each action needs",
        "requireApproval": OF_ITS_ARGUMENTS,
        "requireOne": OF_ITS_ARGUMENTS,
        "eip712Domain": DOMAIN,
    },
    Contract.LANE: {
        "RAISE_DELAY": A_CONSTANT,
        "MIN_COUNTERSIGN_WINDOW": A_CONSTANT,
        "MAX_COUNTERSIGN_WINDOW": A_CONSTANT,
        "grantDigest": OF_ITS_ARGUMENTS,
        "eip712Domain": DOMAIN,
        "isConsumingScheduledOp": WITHIN_A_CALL,
    },
    Contract.MANAGER: {
        "ADMIN_ROLE": A_CONSTANT,
        "PUBLIC_ROLE": A_CONSTANT,
        "expiration": A_CONSTANT,
        "minSetback": A_CONSTANT,
        "hashOperation": OF_ITS_ARGUMENTS,
        "canCall": "follows from access, functions' roles and closed targets, which are compared",
    },
}

COMPARED = {
    Contract.VAULT: {
        *("token", "registry", "authority", "seq", "pausedOperations", "inSunset", "programme"),
        *("tiers", "rollingSum", "batch", "executedChunks", "skippedPayout", "streamChunk"),
        *("heldUntil", "stream"),
    },
    Contract.TOKEN: {
        *("totalSupply", "balanceOf", "authorizationState", "committed", "cap", "pendingCap"),
        *("transfersPaused", "emergencyLane", "minter", "pendingMinter", "attestation"),
        *("redeemedTotal", "reserve", "isFrozen", "authority"),
    },
    Contract.REGISTRY: {
        *("manager", "governorCount", "seq", "officer", "signerOf", "verifierOf", "actionUsed"),
    },
    Contract.LANE: {
        *("token", "registry", "authority", "seq", "paused", "limits", "pendingLimits"),
        *("regionCap", "pendingRegionCap", "grantOf", "caseGranted", "outstanding", "grantedBy"),
        *("grantedIn", "overdueBy", "overdueIn"),
    },
    Contract.MANAGER: {
        *("hasRole", "getAccess", "getRoleAdmin", "getRoleGuardian", "getRoleGrantDelay"),
        *("getTargetFunctionRole", "isTargetClosed", "getTargetAdminDelay", "getSchedule"),
        "getNonce",
    },
}
"""That the audit's driver really sees each compared: ``test_audit_fuzz.py``."""


@pytest.mark.parametrize("contract", Contract)
def test_no_view_is_forgotten(contract: Contract) -> None:
    views = {
        entry["name"]
        for entry in abi(contract)
        if entry["type"] == "function" and entry["stateMutability"] in ("view", "pure")
    }
    assert views == COMPARED[contract] | NOT_COMPARED[contract].keys()
    assert not COMPARED[contract] & NOT_COMPARED[contract].keys()
