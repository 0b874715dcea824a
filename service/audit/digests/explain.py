"""Each type that officers sign, and who puts it in words."""

from __future__ import annotations

from collections.abc import Callable

from service.audit.decode import hex_text
from service.audit.digests import governance, payments
from service.audit.digests.document import TypedData
from service.audit.digests.words import Words, moment

EXPLAINED: dict[str, Callable[[TypedData, int], Words]] = {
    "BatchApproval": payments.batch_approval,
    "BatchCancellation": payments.batch_cancellation,
    "StreamCancellation": payments.stream_cancellation,
    "BatchHold": payments.batch_hold,
    "EntryHold": payments.entry_hold,
    "WalletChange": payments.wallet_change,
    "EmergencyGrant": payments.emergency_grant,
    "GrantCountersignature": payments.grant_countersignature,
    "GrantWriteOff": payments.grant_write_off,
    "OfficerAddition": governance.officer_addition,
    "OfficerRemoval": governance.officer_removal,
    "SignerAddition": governance.signer_addition,
    "SignerRemoval": governance.signer_removal,
    "VerifierAddition": governance.verifier_addition,
    "VerifierRemoval": governance.verifier_removal,
    "ManagerCall": governance.manager_call,
    "Unpause": governance.unpause,
    "Sunset": governance.sunset,
    "UnpauseTransfers": governance.unpause_transfers,
    "UnpauseGrants": governance.unpause_grants,
    "CapIncrease": governance.cap_increase,
    "MinterAddition": governance.minter_addition,
    "MinterRemoval": governance.minter_removal,
    "LimitsRaise": governance.limits_raise,
    "RegionCapRaise": governance.region_cap_raise,
}


def explain(data: TypedData, now: int) -> Words:
    """Say in words what a document does.

    Parameters
    ----------
    now
        Unix seconds: what is over by then is refused.
    """
    words = EXPLAINED[data.primary_type](data, now)
    if "deadline" in data.values:
        words.facts["may be sent until"] = moment(data.number("deadline"))
        if now > data.number("deadline"):
            words.refusals.append("its deadline was over")
    if "actionId" in data.values:
        words.facts["action"] = hex_text(data.bytes_of("actionId"))
    return words
