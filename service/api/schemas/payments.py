"""What holders sign and we relay: payments, cancelled signatures, permits."""

from __future__ import annotations

from pydantic import Field

from service.api.schemas.base import (
    ADDRESS,
    HASH,
    SIGNATURE,
    TIME,
    Address,
    BaseUnitsText,
    Given,
    Hash32,
    SignatureText,
    Time,
    given_example,
)


class PaymentGiven(Given):
    """A `TransferWithAuthorization` that the holder signed, to be relayed."""

    model_config = given_example(
        {
            "holder": ADDRESS,
            "payee": ADDRESS,
            "amount_base_units": "600000000",
            "valid_after": "1970-01-01T00:00:00Z",
            "valid_before": TIME,
            "nonce": HASH,
            "signature": SIGNATURE,
        }
    )

    holder: Address
    payee: Address
    amount_base_units: BaseUnitsText
    valid_after: Time = Field(strict=False)
    valid_before: Time = Field(strict=False)
    nonce: Hash32 = Field(description="32 random bytes, used once.")
    signature: SignatureText


class PaymentCancellationGiven(Given):
    """A `CancelAuthorization` that the holder signed, to be relayed."""

    model_config = given_example({"holder": ADDRESS, "nonce": HASH, "signature": SIGNATURE})

    holder: Address
    nonce: Hash32 = Field(description="Of the payment or redemption that is to be void.")
    signature: SignatureText


class PermitGiven(Given):
    """A `Permit` (ERC-2612) that the holder signed, to be relayed."""

    model_config = given_example(
        {
            "holder": ADDRESS,
            "spender": ADDRESS,
            "amount_base_units": "600000000",
            "nonce": 0,
            "deadline": TIME,
            "signature": SIGNATURE,
        }
    )

    holder: Address
    spender: Address
    amount_base_units: BaseUnitsText
    nonce: int = Field(ge=0, le=2**53 - 1, description="The holder's permits before this one.")
    deadline: Time = Field(strict=False)
    signature: SignatureText
