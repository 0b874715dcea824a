"""What all documents share: strict input, amounts as strings, times in UTC, pages, examples."""

from __future__ import annotations

import re
from typing import Annotated, Any, Generic, Literal, TypeVar

from eth_utils.address import is_checksum_address, to_checksum_address
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from service.units import MAX_TOTAL_BASE_UNITS

BATCH_ID = "0x8f3e1c5ab0d94f27c61e0a9d3b7f45128f3e1c5ab0d94f27c61e0a9d3b7f4512"
ACTION_ID = "0x51c0ffee51c0ffee51c0ffee51c0ffee51c0ffee51c0ffee51c0ffee51c0ffee"
HASH = "0x2b0c6ad6f3f5f7a0f5a1f6f1f7b2a4c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e"
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
SIGNATURE = "0x" + "1b" * 64 + "1c"
UUID = "019fa1b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"
TIME = "2026-11-01T00:00:00Z"

CONTRACT_ERROR = "The contract's own words, where it was a contract that refused."

_BASE_UNITS = re.compile(r"0|[1-9][0-9]{0,24}")


def _address(text: str) -> str:
    if is_checksum_address(text):
        return text
    hint = ""
    if re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        hint = f"; if every digit is right, write {to_checksum_address(text)}"
    raise ValueError(f"no address with an EIP-55 checksum{hint}")


def _base_units(text: str) -> str:
    if _BASE_UNITS.fullmatch(text) is None or int(text) > MAX_TOTAL_BASE_UNITS:
        raise ValueError('base units are a string of digits, "600000000" for 600 tokens')
    return text


Address = Annotated[str, AfterValidator(_address), Field(examples=[ADDRESS])]
"""An EIP-55 address."""

BaseUnitsText = Annotated[
    str,
    AfterValidator(_base_units),
    Field(
        json_schema_extra={"pattern": "^(0|[1-9][0-9]{0,24})$"},
        description="Base units of the token (1 token = 1,000,000), as a string.",
    ),
]
"""An amount as it is sent: base units up to uint80, digits only."""

Hash32 = Annotated[str, Field(pattern=r"^0x[0-9a-f]{64}$")]
"""32 bytes, 0x and 64 lower-case hexadecimal digits."""

SignatureText = Annotated[
    str,
    Field(
        pattern=r"^0x[0-9a-fA-F]{130}$",
        description="r (32) | s (32) | v (1) as a wallet returns them.",
    ),
]

OfficerSignatureText = Annotated[
    str,
    Field(
        pattern=r"^0x(?:[0-9a-fA-F]{2})+$",
        max_length=2 + 2 * 65535,
        description="An account's r (32) | s (32) | v (1); what a contract account takes; a P-256 "
        "key's r | s; a passkey's encoded assertion (docs/signing.md).",
    ),
]

SignerType = Annotated[
    Literal["account", "contract", "p256", "passkey"],
    Field(
        description="`account`: an externally owned account; `contract`: a contract account "
        "(ERC-1271); `p256`: a P-256 key; `passkey`: a passkey."
    ),
]

SignerText = Annotated[
    str,
    Field(
        pattern=r"^0x(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{128})$",
        description="An account's address (EIP-55), or a key's x (32) | y (32).",
    ),
]

Reason = Annotated[
    str, Field(min_length=1, max_length=2000, description="Why; it goes into the journal.")
]

Time = Annotated[AwareDatetime, Field(description="ISO 8601 with its offset; given in UTC.")]

T = TypeVar("T")


class Given(BaseModel):
    """A document that a caller sends: unknown members are refused, nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Shown(BaseModel):
    """A document that the API gives."""

    model_config = ConfigDict(extra="forbid")


class Page(Shown, Generic[T]):
    """One page of a list."""

    items: list[T] = Field(description="At most `limit` of them.")
    next_cursor: str | None = Field(
        description="Send it as `cursor` for the next page; null at the end."
    )


def example(document: dict[str, Any], base: type[BaseModel] = Shown) -> ConfigDict:
    """Return the configuration of a document with an example."""
    return ConfigDict({**base.model_config, "json_schema_extra": {"examples": [document]}})


def given_example(document: dict[str, Any]) -> ConfigDict:
    """Return the configuration of a document that is sent, with an example."""
    return example(document, Given)


def page_example(item: type[BaseModel]) -> ConfigDict:
    """Return the configuration of a page, whose example holds the item's."""
    extra = item.model_config["json_schema_extra"]
    assert isinstance(extra, dict)
    return example({"items": extra["examples"], "next_cursor": None})
