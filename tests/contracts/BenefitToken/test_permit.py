"""permit: ERC-2612."""

import pytest
from approvals import account_named
from authorizations import sign_as_holder
from clock import HOUR, next_transaction_at, now
from eth_account.messages import encode_typed_data
from outcomes import emitted, refused, refused_as


@pytest.fixture
def permit(token, holder, bob):
    """Sign a permit of 300 to Bob and send it; keywords change what is sent or who signs."""

    def send(*, signer=holder, nonce=None, **sent):
        message = {
            "owner": holder.address,
            "spender": bob.address,
            "value": 300,
            "nonce": token.nonces(holder.address) if nonce is None else nonce,
            "deadline": now() + HOUR,
        }
        signature = sign_as_holder(signer, token, "Permit", message)
        del message["nonce"]
        return token.permit(*{**message, **sent}.values(), *signature, {"from": bob})

    return send


def test_a_permit_sets_the_allowance_without_gas_of_the_holder(token, holder, bob, permit):
    transaction = permit()
    assert emitted(transaction, "Approval") == [
        {"owner": holder.address, "spender": bob.address, "value": 300}
    ]
    assert token.allowance(holder.address, bob) == 300
    assert token.nonces(holder.address) == 1
    token.transferFrom(holder.address, bob, 300, {"from": bob})
    assert token.balanceOf(bob) == 300


def test_a_permit_is_used_once(permit):
    permit(nonce=0)
    with refused_as("WrongSigner"):
        permit(nonce=0)


def test_a_permit_holds_to_the_second_of_its_deadline(token, holder, bob):
    deadline = now() + HOUR
    for moment, nonce in ((deadline, 0), (deadline + 1, 1)):
        message = {
            "owner": holder.address,
            "spender": bob.address,
            "value": 300,
            "nonce": nonce,
            "deadline": deadline,
        }
        signature = sign_as_holder(holder, token, "Permit", message)
        arguments = (holder.address, bob, 300, deadline, *signature, {"from": bob})
        next_transaction_at(moment)
        if moment == deadline:
            token.permit(*arguments)
        else:
            with refused("SignatureExpired", deadline):
                token.permit(*arguments)


def test_another_signer_is_refused(holder, permit):
    thief = account_named("thief")
    with refused("WrongSigner", thief, holder):
        permit(signer=thief)


@pytest.mark.parametrize("changed", ["value", "spender"])
def test_what_was_not_signed_is_refused(relief, permit, changed):
    sent = {"value": 301} if changed == "value" else {"spender": relief.anyone.address}
    with refused_as("WrongSigner"):
        permit(**sent)


def test_the_domain_is_that_of_eip_712(token):
    domain = {
        "name": "Relief Benefit Token",
        "version": "1",
        "chainId": 31337,
        "verifyingContract": token.address,
    }
    encoded = encode_typed_data(domain, {"Empty": [{"name": "a", "type": "uint8"}]}, {"a": 0})
    assert bytes(token.DOMAIN_SEPARATOR()) == bytes(encoded.header)
