"""ERC-3009 and signed redemptions: the holder signs, somebody else pays the gas."""

import pytest
from approvals import account_named
from authorizations import sign_as_holder
from clock import HOUR, next_transaction_at, now
from outcomes import emitted, refused, refused_as

NONCE = bytes(31) + b"\x05"
REFERENCE = bytes(31) + b"\x09"

FUNCTIONS = {
    "TransferWithAuthorization": "transferWithAuthorization",
    "ReceiveWithAuthorization": "receiveWithAuthorization",
    "RedeemWithAuthorization": "redeemWithAuthorization",
}
each_function = pytest.mark.parametrize("primary_type", list(FUNCTIONS))


@pytest.fixture
def message(holder, bob):
    """What the holder signs for a type: 300, good for an hour from now on."""

    def build(primary_type, **changed):
        if primary_type == "RedeemWithAuthorization":
            what = {"value": 300, "paymentReference": REFERENCE}
        else:
            what = {"to": bob.address, "value": 300}
        window = {"validAfter": now() - 1, "validBefore": now() + HOUR, "nonce": NONCE}
        return {"from": holder.address, **what, **window, **changed}

    return build


@pytest.fixture
def send(token, holder, bob, message):
    """Sign a message of a type and have Bob send it; `sent` changes it after signing."""

    def sign_and_send(primary_type, *, signer=holder, sender=bob, sent=None, **changed):
        signed = message(primary_type, **changed)
        signature = sign_as_holder(signer, token, primary_type, signed)
        arguments = {**signed, **(sent or {})}.values()
        function = getattr(token, FUNCTIONS[primary_type])
        return function(*arguments, *signature, {"from": sender})

    return sign_and_send


@pytest.fixture
def cancel(token, holder, relief):
    """Cancel the holder's nonce."""

    def send(signer=holder, nonce=NONCE):
        message = {"authorizer": holder.address, "nonce": nonce}
        signature = sign_as_holder(signer, token, "CancelAuthorization", message)
        return token.cancelAuthorization(*message.values(), *signature, {"from": relief.anyone})

    return send


@pytest.mark.parametrize("primary_type", ["TransferWithAuthorization", "ReceiveWithAuthorization"])
def test_a_signed_transfer_is_relayed(token, holder, bob, send, primary_type):
    transaction = send(primary_type)
    assert emitted(transaction, "AuthorizationUsed") == [
        {"authorizer": holder.address, "nonce": NONCE}
    ]
    assert emitted(transaction, "Transfer") == [
        {"from": holder.address, "to": bob.address, "value": 300}
    ]
    assert (token.balanceOf(holder.address), token.balanceOf(bob)) == (700, 300)
    assert token.authorizationState(holder.address, NONCE)


def test_a_signed_redemption_is_relayed(token, holder, send):
    transaction = send("RedeemWithAuthorization")
    assert emitted(transaction, "Redeemed") == [
        {
            "from": holder.address,
            "amount": 300,
            "paymentReference": REFERENCE,
            "redeemedTotal": 300,
        }
    ]
    assert emitted(transaction, "AuthorizationUsed") == [
        {"authorizer": holder.address, "nonce": NONCE}
    ]
    assert (token.balanceOf(holder.address), token.totalSupply()) == (700, 700)


@each_function
def test_a_nonce_is_used_once(holder, send, primary_type):
    send(primary_type)
    with refused("AuthorizationUsedOrCanceled", holder, NONCE):
        send(primary_type, value=1)


def test_nonces_are_shared_by_all_kinds_of_authorization(holder, send):
    send("TransferWithAuthorization")
    with refused("AuthorizationUsedOrCanceled", holder, NONCE):
        send("RedeemWithAuthorization")


@each_function
def test_another_signer_is_refused(holder, send, primary_type):
    thief = account_named("thief")
    with refused("WrongSigner", thief, holder):
        send(primary_type, signer=thief)


@each_function
def test_an_amount_that_was_not_signed_is_refused(send, primary_type):
    with refused_as("WrongSigner"):
        send(primary_type, sent={"value": 301})


def test_a_receiver_that_was_not_signed_is_refused(relief, send):
    with refused_as("WrongSigner"):
        send("TransferWithAuthorization", sent={"to": relief.anyone.address})


def test_a_payment_reference_that_was_not_signed_is_refused(send):
    with refused_as("WrongSigner"):
        send("RedeemWithAuthorization", sent={"paymentReference": bytes(32)})


def test_an_authorization_to_transfer_is_none_to_receive(token, holder, bob, message):
    signed = message("TransferWithAuthorization")
    signature = sign_as_holder(holder, token, "TransferWithAuthorization", signed)
    with refused_as("WrongSigner"):
        token.receiveWithAuthorization(*signed.values(), *signature, {"from": bob})


@each_function
def test_an_authorization_is_good_within_its_window_only(send, primary_type):
    after, before = now() + HOUR, now() + 2 * HOUR
    window = {"validAfter": after, "validBefore": before}
    next_transaction_at(after)
    with refused("AuthorizationNotYetValid", after):
        send(primary_type, **window)
    next_transaction_at(after + 1)
    send(primary_type, **window, nonce=bytes(31) + b"\x01")
    next_transaction_at(before - 1)
    send(primary_type, **window, nonce=bytes(31) + b"\x02")
    next_transaction_at(before)
    with refused("SignatureExpired", before):
        send(primary_type, **window)


def test_only_the_payee_relays_a_receipt(relief, bob, send):
    with refused("CallerNotPayee", relief.anyone, bob):
        send("ReceiveWithAuthorization", sender=relief.anyone)


@each_function
def test_a_frozen_holder_is_refused(relief, holder, send, primary_type):
    relief.freeze(holder.address)
    with refused("AccountFrozen", holder):
        send(primary_type)


@pytest.mark.parametrize("primary_type", ["TransferWithAuthorization", "ReceiveWithAuthorization"])
def test_a_frozen_receiver_is_refused(relief, bob, send, primary_type):
    relief.freeze(bob)
    with refused("AccountFrozen", bob):
        send(primary_type)


@each_function
def test_a_pause_stops_authorized_movements(send, pause_transfers, primary_type):
    pause_transfers()
    with refused("TransfersArePaused"):
        send(primary_type)


@each_function
def test_a_refused_authorization_is_not_used_up(relief, token, holder, send, primary_type):
    relief.freeze(holder.address)
    with refused("AccountFrozen", holder):
        send(primary_type)
    assert not token.authorizationState(holder.address, NONCE)
    relief.unfreeze(holder.address)
    send(primary_type)


# ---- cancelling ----------------------------------------------------------------------------------


def test_a_cancelled_authorization_is_refused(token, holder, send, cancel):
    transaction = cancel()
    assert emitted(transaction, "AuthorizationCanceled") == [
        {"authorizer": holder.address, "nonce": NONCE}
    ]
    assert token.authorizationState(holder.address, NONCE)
    with refused("AuthorizationUsedOrCanceled", holder, NONCE):
        send("TransferWithAuthorization")


def test_cancelling_works_while_transfers_are_paused(token, holder, cancel, pause_transfers):
    pause_transfers()
    cancel()
    assert token.authorizationState(holder.address, NONCE)


def test_a_used_authorization_cannot_be_cancelled(holder, send, cancel):
    send("TransferWithAuthorization")
    with refused("AuthorizationUsedOrCanceled", holder, NONCE):
        cancel()


def test_only_the_holder_cancels(holder, cancel):
    thief = account_named("thief")
    with refused("WrongSigner", thief, holder):
        cancel(signer=thief)
