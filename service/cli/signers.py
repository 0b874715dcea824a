"""Options that say what an officer signs with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.errors import InvalidInput

if TYPE_CHECKING:
    from service.application.context import Application
    from service.application.signer_types import SignerKind
    from service.approvals.officers import SignedWith

ACCOUNT = "account"

SignerTypeOption = Annotated[
    str,
    typer.Option(
        help="account (externally owned), contract (ERC-1271), p256 (a key) or passkey.",
    ),
]
SignerOption = Annotated[
    str | None,
    typer.Option(
        "--signer",
        help="Whose --signature it is: an address (EIP-55), or a key: 0x, x and y. Not needed for "
        "an account.",
    ),
]
Signatures = Annotated[
    list[str] | None,
    typer.Option(help="A signature from an officer's wallet or device, hex; repeatable."),
]
AssertionFile = Annotated[
    Path | None,
    typer.Option(
        "--assertion",
        exists=True,
        dir_okay=False,
        help="A passkey's assertion, as the browser's toJSON() gives it; with --signer.",
    ),
]


def read_signer_kind(text: str) -> SignerKind:
    """Read what an officer signs with.

    Raises
    ------
    InvalidInput
        When it is no kind of signer.
    """
    from service.application.signer_types import SignerKind

    if text not in set(SignerKind):
        raise InvalidInput(f"{text!r} is none of {', '.join(SignerKind)}")
    return SignerKind(text)


def read_signatures(
    app: Application,
    signatures: Sequence[str] | None,
    assertion: Path | None,
    *,
    signer_type: str,
    signer: str | None,
) -> tuple[list[str], SignedWith | None]:
    """Read the signatures given, and what they were made with.

    Raises
    ------
    InvalidInput
        When they do not fit together, or the assertion is none.
    """
    from service.application.signer_types import SignerKind, signed_with
    from service.approvals.keys import passkey_assertion

    given = list(signatures or ())
    kind = SignerKind.PASSKEY if assertion else read_signer_kind(signer_type)
    if assertion is not None:
        try:
            response = json.loads(assertion.read_text(encoding="utf-8"))["response"]
        except (OSError, ValueError, KeyError, TypeError):
            raise InvalidInput(
                f"{assertion} is no assertion: the JSON that a browser's toJSON() gives"
            ) from None
        given.append("0x" + passkey_assertion(response).hex())
    if signer is None:
        if given and kind is not SignerKind.ACCOUNT:
            raise InvalidInput(f"a {kind}'s signature does not tell whose it is: give its --signer")
        return given, None
    return given, signed_with(app, kind, signer)
