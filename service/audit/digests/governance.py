"""In words: what governors sign about officers, roles, limits, pauses and minters."""

from __future__ import annotations

from service.audit.arithmetic import DAY_S, region_valid
from service.audit.decode import hex_text
from service.audit.digests.document import TypedData
from service.audit.digests.manager_calls import meaning_of
from service.audit.digests.words import (
    ALL_OPERATIONS,
    ALL_ROLES,
    OFFICER_ROLES,
    OPERATIONS,
    Words,
    address,
    amount,
    duration,
    named_bits,
    region,
    signer,
)
from service.audit.signers import well_formed

IN_TWO_DAYS = "In force two days after it is sent."
APPLIED_LATER = "Applied two days after it is sent, by anybody."
WINDOW_S = (DAY_S, 14 * DAY_S)
"""Shortest and longest time for countersigning (EmergencyLane.sol)."""

LIMIT_NAMES = {
    "perGrant": "one grant at most",
    "perOfficer": "one officer at most",
    "outstanding": "uncountersigned at most",
    "countersignWindow": "time to countersign",
    "perCounty": "one county at most",
    "perCity": "one city at most",
    "perProvince": "one province at most",
    "country": "the whole country at most",
    "countyOverdue": "a county closes above, overdue",
    "cityOverdue": "a city closes above, overdue",
    "provinceOverdue": "a province closes above, overdue",
}


# ---- officers ------------------------------------------------------------------------------------


def officer_addition(data: TypedData, _now: int) -> Words:
    """Explain a new officer."""
    roles, code, digits = (data.number(name) for name in ("roles", "regionCode", "regionDigits"))
    words = Words(
        "Make somebody an officer",
        {
            "officer": str(data.number("officerId")),
            "roles": named_bits(roles, OFFICER_ROLES),
            "region": region(code, digits),
            "signs with": signer(data.number("signerType"), data.bytes_of("signer")),
        },
        [
            (
                "Whoever holds that key or account signs as this officer: makers and reviewers "
                "have money paid, governors change everything below."
            ),
            IN_TWO_DAYS,
        ],
    )
    if not data.number("officerId"):
        words.refusals.append("no officer has the number 0")
    if not 0 < roles <= ALL_ROLES:
        words.refusals.append("its roles are impossible")
    if not region_valid(code, digits):
        words.refusals.append("its region is impossible")
    return _checked_signer(words, data)


def officer_removal(data: TypedData, _now: int) -> Words:
    """Explain an officer's removal."""
    return Words(
        "Remove an officer",
        {"officer": str(data.number("officerId"))},
        [
            (
                "At once and for ever: none of this officer's signatures counts any more, and "
                "the number is never used again."
            ),
            "What the officer approved before stands.",
        ],
    )


def signer_addition(data: TypedData, _now: int) -> Words:
    """Explain a further signer."""
    words = Words(
        "Give an officer another key or account to sign with",
        {
            "officer": str(data.number("officerId")),
            "signs with": signer(data.number("signerType"), data.bytes_of("signer")),
        },
        ["Whoever holds it signs as this officer, in every role the officer has.", IN_TWO_DAYS],
    )
    return _checked_signer(words, data)


def signer_removal(data: TypedData, _now: int) -> Words:
    """Explain a signer's removal."""
    words = Words(
        "Take a key or account away from its officer",
        {"signs with": signer(data.number("signerType"), data.bytes_of("signer"))},
        ["At once and for ever: it never signs again, for nobody."],
    )
    return _checked_signer(words, data)


def _checked_signer(words: Words, data: TypedData) -> Words:
    if not well_formed(data.number("signerType"), data.bytes_of("signer")):
        words.refusals.append("its signer is impossible")
    return words


def verifier_addition(data: TypedData, _now: int) -> Words:
    """Explain a new verifier."""
    return Words(
        "Let a contract check officers' keys",
        {"contract": address(data.bytes_of("verifier"))},
        [
            (
                "Officers' keys may name it; what it calls a good signature is one. A false "
                "contract signs for every officer whose key names it: have its code read first."
            ),
            IN_TWO_DAYS,
        ],
    )


def verifier_removal(data: TypedData, _now: int) -> Words:
    """Explain a verifier's removal."""
    return Words(
        "Let a contract check officers' keys no longer",
        {"contract": address(data.bytes_of("verifier"))},
        ["At once and for ever: every key that names it signs no more."],
    )


def manager_call(data: TypedData, _now: int) -> Words:
    """Explain a change of the housekeeping roles."""
    call = data.bytes_of("data")
    meaning = meaning_of(call)
    words = Words(
        "Change who may do the housekeeping",
        {"call": hex_text(call), "does": meaning or "unknown"},
        ["The role manager does it at once, as the registry's administrator."],
    )
    if meaning is None:
        words.refusals.append("nobody can tell from the call what it does: have it read first")
    return words


# ---- pauses and the end --------------------------------------------------------------------------


def unpause(data: TypedData, _now: int) -> Words:
    """Explain the lifting of the vault's pauses."""
    operations = data.number("operations")
    words = Words(
        "Lift pauses of the vault",
        {"operations": named_bits(operations, OPERATIONS)},
        ["They go on at once."],
    )
    if not 0 < operations <= ALL_OPERATIONS:
        words.refusals.append("its operations are impossible")
    return words


def sunset(_data: TypedData, _now: int) -> Words:
    """Explain the vault's sunset."""
    return Words(
        "End all approvals for good",
        {},
        [
            "No batch is approved any more, no programme created, no budget raised: for ever.",
            "What is approved is still paid, streams and withdrawals go on.",
        ],
    )


def unpause_transfers(_data: TypedData, _now: int) -> Words:
    """Explain the lifting of the token's pause."""
    return Words("Let holders move tokens again", {}, ["Transfers go on at once."])


def unpause_grants(_data: TypedData, _now: int) -> Words:
    """Explain the lifting of the lane's pause."""
    return Words("Let emergency grants go on", {}, ["Emergency officers may grant again at once."])


# ---- limits --------------------------------------------------------------------------------------


def cap_increase(data: TypedData, _now: int) -> Words:
    """Explain a higher cap of the token."""
    words = Words(
        "Raise the cap on all tokens",
        {"new cap": amount(data.number("cap"))},
        [
            (
                "So much may be in circulation and committed in all, though never more than the"
                " attested reserve."
            ),
            APPLIED_LATER,
        ],
    )
    return _positive_cap(words, data)


def minter_addition(data: TypedData, _now: int) -> Words:
    """Explain a new minter, or a minter's higher cap."""
    words = Words(
        "Let a contract make tokens",
        {"minter": address(data.bytes_of("minter")), "cap": amount(data.number("cap"))},
        [
            (
                "The contract makes tokens by its own rules, up to this cap in all, and to whom"
                " it will: have its code read first. One that is a minter already gets the "
                "higher cap."
            ),
            "In force once anybody activates it, 14 days after it is sent at the earliest.",
        ],
    )
    return _positive_cap(words, data)


def minter_removal(data: TypedData, _now: int) -> Words:
    """Explain a minter's removal."""
    return Words(
        "Let a contract commit no more tokens",
        {"minter": address(data.bytes_of("minter"))},
        [
            "At once: it commits nothing more, and a cap planned for it is dropped.",
            "What it has committed it may still pay.",
        ],
    )


def limits_raise(data: TypedData, _now: int) -> Words:
    """Explain higher limits of the emergency lane."""
    values = {name: data.number(name) for name in LIMIT_NAMES}
    words = Words(
        "Set the emergency lane's limits",
        {
            LIMIT_NAMES[name]: duration(value) if name == "countersignWindow" else amount(value)
            for name, value in values.items()
        },
        ["All eleven are set as they stand here.", APPLIED_LATER],
    )
    if not all(values.values()):
        words.refusals.append("a limit is zero")
    if not WINDOW_S[0] <= values["countersignWindow"] <= WINDOW_S[1]:
        words.refusals.append("the time to countersign is not between 1 and 14 days")
    return words


def region_cap_raise(data: TypedData, _now: int) -> Words:
    """Explain a region's own cap in the emergency lane."""
    code, digits = data.number("regionCode"), data.number("regionDigits")
    words = Words(
        "Set one region's cap on emergency grants",
        {"region": region(code, digits), "at most": amount(data.number("cap"))},
        ["It stands in the place of its level's limit until it is changed.", APPLIED_LATER],
    )
    if not digits or not region_valid(code, digits):
        words.refusals.append("its region is impossible")
    return _positive_cap(words, data)


def _positive_cap(words: Words, data: TypedData) -> Words:
    if not data.number("cap"):
        words.refusals.append("the cap is zero")
    return words
