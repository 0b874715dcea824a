"""What a wallet's holder signs, whatever type and function: each way in which a signature is wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from approvals import EoaSigner, account_named, mirrored, typed_digest
from authorizations import TYPES
from clock import HOUR, move_to, now
from eth_account import Account
from outcomes import refused

TOKEN = Path(__file__).parents[3] / "contracts" / "BenefitToken.sol"
FUNCTIONS = {
    "Permit": "permit",
    "TransferWithAuthorization": "transferWithAuthorization",
    "ReceiveWithAuthorization": "receiveWithAuthorization",
    "CancelAuthorization": "cancelAuthorization",
    "RedeemWithAuthorization": "redeemWithAuthorization",
}
AUTHORIZED = [name for name in FUNCTIONS if name not in {"Permit", "CancelAuthorization"}]
NONCE = bytes(31) + b"\x07"


def each_of(types):
    """Some of the types, each in turn."""
    return pytest.mark.parametrize("primary_type", types)


@pytest.fixture(params=FUNCTIONS)
def primary_type(request):
    """Each type in turn."""
    return request.param


@pytest.fixture
def message(primary_type, holder, bob):
    """What the holder signs: 300 to Bob, good for an hour."""
    values = {
        "owner": holder.address,
        "spender": bob.address,
        "authorizer": holder.address,
        "from": holder.address,
        "to": bob.address,
        "value": 300,
        "paymentReference": bytes(31) + b"\x09",
        "validAfter": now() - 1,
        "validBefore": now() + HOUR,
        "deadline": now() + HOUR,
        "nonce": 0 if primary_type == "Permit" else NONCE,
    }
    return {name: values[name] for name, _ in TYPES[primary_type]}


@pytest.fixture
def digest(token, primary_type, message) -> Callable[..., bytes]:
    """What is signed, in another domain or with other members where told so."""

    def build(*, contract: Any = token, chain_id: int | None = None, **changed: Any) -> bytes:
        return typed_digest(
            contract,
            {**message, **changed},
            domain_name="Relief Benefit Token",
            primary_type=primary_type,
            members=TYPES[primary_type],
            chain_id=chain_id,
        )

    return build


@pytest.fixture
def sent_as(token, primary_type, message):
    """The function, and its arguments with a signature r | s | v; a permit's nonce is not sent."""

    def build(signature):
        values = {
            name: value
            for name, value in message.items()
            if (primary_type, name) != ("Permit", "nonce")
        }
        r, s, v = signature[:32], signature[32:64], signature[64]
        return getattr(token, FUNCTIONS[primary_type]), (*values.values(), v, r, s)

    return build


@pytest.fixture
def ask(sent_as, bob):
    """Try a signature as Bob, and leave nothing behind."""

    def call(signature):
        function, arguments = sent_as(signature)
        return function.call(*arguments, {"from": bob})

    return call


@pytest.fixture
def send(sent_as, bob):
    """Send a signature as Bob."""

    def transact(signature):
        function, arguments = sent_as(signature)
        return function(*arguments, {"from": bob})

    return transact


@pytest.fixture
def sign(digest, holder):
    """The holder's signature over `digest`."""
    return lambda **how: EoaSigner(holder).sign(digest(**how))


@pytest.fixture
def signed(sign):
    """The holder's signature over what is sent."""
    return sign()


@pytest.fixture
def not_the_holders(digest, holder):
    """The refusal of a signature: whoever's it would be, it is not the holder's."""

    def expect(signature):
        recovered = Account._recover_hash(digest(), signature=signature)
        return refused("WrongSigner", recovered, holder)

    return expect


def test_the_types_are_those_that_the_token_takes_from_holders():
    written = dict(re.findall(r'keccak256\(\s*"(\w+)\(([^)"]*)\)"\s*\)', TOKEN.read_text()))
    of_holders = {name: members for name, members in written.items() if "actionId" not in members}
    assert of_holders == {
        name: ",".join(f"{kind} {member}" for member, kind in members)
        for name, members in TYPES.items()
    }
    assert FUNCTIONS.keys() == TYPES.keys()


def test_it_is_taken_once(primary_type, holder, digest, signed, send):
    assert send(signed).status == 1
    if primary_type == "Permit":  # whose nonce counts up, so that what was signed is another digest
        again = refused(
            "WrongSigner", Account._recover_hash(digest(nonce=1), signature=signed), holder
        )
    else:
        again = refused("AuthorizationUsedOrCanceled", holder, NONCE)
    with again:
        send(signed)


def test_for_another_chain_it_is_refused(sign, not_the_holders, ask):
    signature = sign(chain_id=1)
    with not_the_holders(signature):
        ask(signature)


def test_for_another_contract_it_is_refused(relief, sign, not_the_holders, ask):
    signature = sign(contract=relief.vault)
    with not_the_holders(signature):
        ask(signature)


def test_every_member_is_signed(relief, message, sign, not_the_holders, ask):
    for name, value in message.items():
        if isinstance(value, int):
            other = value + 1
        else:
            other = bytes(32) if isinstance(value, bytes) else relief.anyone.address
        signature = sign(**{name: other})
        with not_the_holders(signature):
            ask(signature)


def test_anothers_is_refused(holder, digest, ask):
    thief = account_named("thief")
    with refused("WrongSigner", thief, holder):
        ask(EoaSigner(thief).sign(digest()))


def test_an_officers_is_refused(relief, holder, digest, ask):
    (governor,) = relief.officers(6)
    with refused("WrongSigner", governor.key, holder):
        ask(EoaSigner(governor.key).sign(digest()))


def test_the_mirrored_one_is_refused(signed, ask):
    mirror = mirrored(signed)
    with refused("ECDSAInvalidSignatureS", mirror[32:64]):
        ask(mirror)


def test_one_that_recovers_nobody_is_refused(signed, ask):
    with refused("ECDSAInvalidSignature"):
        ask(signed[:64] + b"\x1d")


@each_of(["Permit", *AUTHORIZED])
def test_it_is_good_to_its_last_second_and_no_longer(primary_type, message, signed, ask):
    until = message["deadline" if primary_type == "Permit" else "validBefore"]
    move_to(until if primary_type == "Permit" else until - 1)
    ask(signed)
    move_to(until + 1 if primary_type == "Permit" else until)
    with refused("SignatureExpired", until):
        ask(signed)


@each_of(AUTHORIZED)
def test_it_is_good_from_the_second_behind_the_one_it_names(message, sign, ask):
    after = message["validAfter"] = now() + 60
    signature = sign()
    move_to(after)
    with refused("AuthorizationNotYetValid", after):
        ask(signature)
    move_to(after + 1)
    ask(signature)


@each_of(AUTHORIZED)
def test_a_cancelled_nonce_is_refused(token, holder, bob, signed, ask):
    message = {"authorizer": holder.address, "nonce": NONCE}
    cancellation = typed_digest(
        token,
        message,
        domain_name="Relief Benefit Token",
        primary_type="CancelAuthorization",
        members=TYPES["CancelAuthorization"],
    )
    signature = EoaSigner(holder).sign(cancellation)
    r, s, v = signature[:32], signature[32:64], signature[64]
    token.cancelAuthorization(*message.values(), v, r, s, {"from": bob})
    with refused("AuthorizationUsedOrCanceled", holder, NONCE):
        ask(signed)
