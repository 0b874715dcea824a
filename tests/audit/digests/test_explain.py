"""What is signed is put in words that an officer can hold against what they mean to sign."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from service.audit.digests.document import read_typed_data
from service.audit.digests.explain import EXPLAINED, explain
from service.audit.digests.manager_calls import ROLES, meaning_of
from service.audit.digests.words import Words
from service.audit.signatures import TYPES
from service.confirmations.roles import ROLE_NUMBERS
from tests.audit.digests.documents import DAY_S, MESSAGES, NOW, OTHER, PAYEE, document


def words(primary_type: str, *, now: int = NOW, **members: Any) -> Words:
    data = read_typed_data(json.dumps(document(primary_type, **members)).encode()).data
    assert data is not None
    return explain(data, now)


def test_every_type_has_its_words() -> None:
    assert EXPLAINED.keys() == TYPES.keys()


@pytest.mark.parametrize("primary_type", MESSAGES)
def test_what_is_right_is_not_refused_and_its_consequences_are_said(primary_type: str) -> None:
    said = words(primary_type)
    assert said.refusals == []
    assert said.title
    assert said.consequences


def test_a_batch_is_told_in_tokens_dates_and_places() -> None:
    said = words("BatchApproval")
    assert said.title == "Approve a batch of payouts"
    assert said.facts == {
        "programme": "3, version 2",
        "region": "county 510722",
        "payouts": "1,200, in chunks of 500",
        "total": "720000.000001 tokens (720000000001 base units)",
        "kind": "one-off: each payout is paid once, in full",
        "to be run before": "2030-04-16T17:46:40Z",
        "expires": "2030-07-15T17:46:40Z",
        "maker": "officer 1",
        "batch": "0x" + "ba" * 32,
        "chunks root": "0x" + "cc" * 32,
        "manifest hash": "0x" + "dd" * 32,
    }


STREAM = {
    "kind": 1,
    "start": NOW,
    "cliff": 7 * DAY_S,
    "duration": 60 * DAY_S,
    "cadence": DAY_S,
    "expiresAt": NOW + 150 * DAY_S,
}


def test_a_stream_is_told_with_its_terms() -> None:
    facts = words("BatchApproval", **STREAM).facts
    assert facts["kind"] == "streams: each payout accrues by the second"
    assert facts["accrues from"] == "2030-03-17T17:46:40Z"
    assert facts["cliff"] == "7 days (604800 s): nothing before 2030-03-24T17:46:40Z"
    assert facts["lasts"] == "60 days (5184000 s): until 2030-05-16T17:46:40Z"
    assert facts["cadence"] == "withdrawn in whole steps of 1 day (86400 s)"


def test_a_grant_says_that_one_signature_pays() -> None:
    said = words("EmergencyGrant")
    assert said.facts["amount"] == "600.00 tokens (600000000 base units)"
    assert said.facts["to the wallet"] == PAYEE
    assert said.facts["region"] == "city 5107"
    assert said.facts["granted by"] == "officer 5, alone"
    assert said.consequences[0].startswith("Your signature alone has it paid")


def test_other_actions_name_whom_they_concern() -> None:
    assert (
        words("WalletChange").facts
        | {
            "paid now to": PAYEE,
            "from then on to": OTHER,
            "payout": "index 77 of the batch, counted from 0",
            "may be sent until": "2030-03-18T17:46:40Z",
            "action": "0x" + "ac" * 32,
        }
        == words("WalletChange").facts
    )
    streams = words("StreamCancellation").facts["streams"]
    assert streams == "4 streams, at positions 0 to 2, 256 of the chunk, counted from 0"
    added = words("OfficerAddition").facts
    assert (added["roles"], added["region"]) == ("maker, reviewer", "province 51")
    assert added["signs with"] == f"the account {PAYEE}"
    assert words("SignerAddition").facts["signs with"] == f"the contract account {OTHER} (ERC-1271)"
    assert words("Unpause").facts["operations"] == "approvals, withdrawals"
    limits = words("LimitsRaise").facts
    assert limits["one grant at most"] == "1000.00 tokens (1000000000 base units)"
    assert limits["time to countersign"] == "3 days (259200 s)"
    assert words("ManagerCall").facts["does"] == f"makes {PAYEE} guardian, who pauses"


def test_a_time_after_the_last_date_is_told_as_a_number() -> None:
    facts = words("BatchApproval", expiresAt=2**40 - 1).facts
    assert facts["expires"] == "Unix second 1099511627775, after the year 9999"


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "an unknown kind": ("BatchApproval", {"kind": 2}, "its kind or terms are impossible"),
    "a region of no level": ("BatchApproval", {"regionDigits": 3}, "its region is impossible"),
    "the whole country": (
        "BatchApproval",
        {"regionCode": 0, "regionDigits": 0},
        "its region is impossible",
    ),
    "no chunk size": ("BatchApproval", {"chunkSize": 0}, "its count or chunk size is impossible"),
    "nothing to pay": ("BatchApproval", {"total": 0}, "it pays nothing"),
    "over": ("BatchApproval", {"executeBefore": NOW}, "its deadline had passed"),
    "too short": (
        "BatchApproval",
        {"expiresAt": NOW + 31 * DAY_S},
        "it expires before the time to claim is over",
    ),
    "cadence of none": (
        "BatchApproval",
        STREAM | {"cadence": 0},
        "its terms of a stream are impossible",
    ),
    "an action over": ("Sunset", {"deadline": NOW - 1}, "its deadline was over"),
    "no stream": ("StreamCancellation", {"maskLow": 0, "maskHigh": 0}, "it names no stream"),
    "a far stream": (
        "StreamCancellation",
        {"maskHigh": 1 << 250},
        "a chunk has 500 payouts at most",
    ),
    "the same wallet": ("WalletChange", {"to": PAYEE}, "the new wallet is the old one"),
    "nobody's wallet": (
        "WalletChange",
        {"to": "0x" + "00" * 20},
        "nobody has the new wallet: it is the zero address",
    ),
    "no operation": ("Unpause", {"operations": 0}, "its operations are impossible"),
    "more operations": ("Unpause", {"operations": 8}, "its operations are impossible"),
    "no role": ("OfficerAddition", {"roles": 0}, "its roles are impossible"),
    "officer 0": ("OfficerAddition", {"officerId": 0}, "no officer has the number 0"),
    "no such region": ("OfficerAddition", {"regionCode": 5}, "its region is impossible"),
    "a short signer": ("OfficerAddition", {"signer": b"\1"}, "its signer is impossible"),
    "a type of signer": ("SignerAddition", {"signerType": 4}, "its signer is impossible"),
    "a key off the curve": (
        "SignerRemoval",
        {"signerType": 3, "signer": b"\1" * 84},
        "its signer is impossible",
    ),
    "an unknown call": (
        "ManagerCall",
        {"data": b"\1\2\3\4"},
        "nobody can tell from the call what it does: have it read first",
    ),
    "a cap of 0": ("CapIncrease", {"cap": 0}, "the cap is zero"),
    "a minter of 0": ("MinterAddition", {"cap": 0}, "the cap is zero"),
    "a limit of 0": ("LimitsRaise", {"perCity": 0}, "a limit is zero"),
    "a window of weeks": (
        "LimitsRaise",
        {"countersignWindow": 15 * DAY_S},
        "the time to countersign is not between 1 and 14 days",
    ),
    "a country's cap": (
        "RegionCapRaise",
        {"regionCode": 0, "regionDigits": 0},
        "its region is impossible",
    ),
    "a grant over": ("EmergencyGrant", {"validUntil": NOW - 1}, "its time is over"),
    "a grant of 0": ("EmergencyGrant", {"amount": 0}, "it pays nothing"),
    "a grant of no case": ("EmergencyGrant", {"caseCommitment": bytes(32)}, "it names no case"),
    "a grant nowhere": ("EmergencyGrant", {"regionDigits": 6}, "its region is impossible"),
    "a grant to nobody": (
        "EmergencyGrant",
        {"payee": "0x" + "00" * 20},
        "nobody has the wallet: it is the zero address",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_the_contracts_would_not_take_is_said(what: str) -> None:
    primary_type, members, reason = REFUSED[what]
    assert words(primary_type, **members).refusals == [reason]


def call(signature: str, *values: Any) -> bytes:
    kinds = signature[signature.index("(") + 1 : -1].split(",")
    return bytes(keccak(text=signature)[:4] + encode(kinds, values))


CALLS = {
    "grantRole(uint64,address,uint32)": ((2, PAYEE, 86_400), f"makes {PAYEE} freezer"),
    "revokeRole(uint64,address)": ((0, PAYEE), f"{PAYEE} is no longer administrator"),
    "setRoleAdmin(uint64,uint64)": ((1, 3), "who is attestor, who says what the reserve holds"),
    "setRoleGuardian(uint64,uint64)": ((1, 4), "who is treasurer"),
    "setGrantDelay(uint64,uint32)": ((5, 86_400), "whoever is made programme manager"),
    "setTargetAdminDelay(address,uint32)": ((OTHER, 60), f"changes of who may call {OTHER}"),
    "setTargetFunctionRole(address,bytes4[],uint64)": (
        (OTHER, [b"\1\2\3\4", b"\5\6\7\x08"], 2**64 - 1),
        f"lets everybody call the functions 0x01020304, 0x05060708 of {OTHER}",
    ),
    "setTargetClosed(address,bool)": ((OTHER, True), f"stops every housekeeping call of {OTHER}"),
    "updateAuthority(address,address)": ((OTHER, PAYEE), f"hands {OTHER} over to {PAYEE}"),
}


@pytest.mark.parametrize("signature", CALLS)
def test_calls_of_the_role_manager_are_put_in_words(signature: str) -> None:
    values, said = CALLS[signature]
    meaning = meaning_of(call(signature, *values))
    assert meaning is not None
    assert meaning.startswith(said)


@pytest.mark.parametrize("signature", CALLS)
def test_a_call_that_is_not_encoded_to_the_last_bit_has_no_words(signature: str) -> None:
    whole = call(signature, *CALLS[signature][0])
    for spoilt in (whole[:-1], whole[:-32], whole + b"\0", whole + bytes(32), whole[:4]):
        assert meaning_of(spoilt) is None
    # A dirty upper byte of the first argument.
    assert meaning_of(whole[:4] + b"\1" + whole[5:]) is None


def test_a_list_of_selectors_that_lies_about_itself_has_no_words() -> None:
    signature = "setTargetFunctionRole(address,bytes4[],uint64)"
    whole = call(signature, OTHER, [b"\1\2\3\4"], 1)
    longer = whole[: 4 + 96] + (2).to_bytes(32, "big") + whole[4 + 128 :]
    elsewhere = whole[: 4 + 32] + (64).to_bytes(32, "big") + whole[4 + 64 :]
    dirty = whole[:-1] + b"\1"
    assert [meaning_of(each) for each in (longer, elsewhere, dirty)] == [None] * 3


def test_the_roles_have_the_services_numbers() -> None:
    named = {number: words.split(",")[0].replace(" ", "_") for number, words in ROLES.items()}
    assert {named[number]: number for number in ROLE_NUMBERS.values()} == ROLE_NUMBERS
