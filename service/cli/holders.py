"""What a holder signs without gas: with a keystore here, or elsewhere and handed in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli.run import Run
from service.cli.waiting import show_request
from service.errors import InvalidInput

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from service.chain.signers import Signer
    from service.payouts.models import ChainRequest

Holder = Annotated[
    str | None, typer.Option("--from", help="The holder's address, when the key is elsewhere.")
]
HolderKeystore = Annotated[
    str | None, typer.Option("--keystore", "-k", help="Sign with this keystore of the holder.")
]
TypedData = Annotated[
    bool,
    typer.Option("--typed-data", help="Only print what the holder's wallet is to sign (EIP-712)."),
]
Signature = Annotated[
    str | None, typer.Option(help="The holder's signature over that, 65 bytes hex.")
]
Nonce = Annotated[str | None, typer.Option(help="Nonce of the typed data signed.")]


def open_holder(
    run: Run,
    keystore: str | None,
    passphrase_file: Path | None,
    holder: str | None,
    *,
    elsewhere: bool,
) -> Signer | None:
    """Open the holder's keystore; None where the key is elsewhere.

    Parameters
    ----------
    elsewhere
        Whether a document is asked for, or its signature given.

    Raises
    ------
    InvalidInput
        When both or neither of keystore and address are given, or an address alone.
    """
    if (keystore is None) == (holder is None):
        raise InvalidInput("give either --keystore or --from")
    if holder and not elsewhere:
        raise InvalidInput("--from needs --typed-data, or then --signature")
    return run.app.signer(keystore, passphrase_file=passphrase_file) if keystore else None


def show_or_relay(
    run: Run,
    document: Mapping[str, Any],
    submit: Callable[[Session, str], ChainRequest],
    *,
    only_show: bool,
    signer: Signer | None,
    signature: str | None,
    wait_s: float,
) -> None:
    """Print a document to sign elsewhere, or ask for what it says with the holder's signature.

    Parameters
    ----------
    submit
        Takes a session and the signature, 0x-hex.
    signer
        Signs here; None takes `signature`.
    """
    from service.approvals.typed_data import digest_of

    if only_show:
        run.json({"typed_data": document} if run.as_json else document)
        return
    if signer is not None:
        signature = "0x" + signer.sign_digest(digest_of(document)).hex()
    with run.app.transaction() as session:
        request_id = submit(session, signature or "").id
    show_request(run, request_id, wait_s)
