"""``relief redeem``: burn a wallet's tokens against fiat, signed by the holder, relayed by us."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.keys import PassphraseFile
from service.cli.run import Json, start
from service.cli.values import read_address, read_hash, read_total
from service.cli.waiting import Wait, show_request
from service.errors import InvalidInput


def redeem(
    ctx: typer.Context,
    amount: Annotated[str, typer.Argument(help="How much, such as 600 or 1234.50.")],
    *,
    reference: Annotated[
        str,
        typer.Option(
            "--reference", "-r", help="What the bank payment is matched to; words, or 32 bytes hex."
        ),
    ],
    keystore: Annotated[
        str | None, typer.Option("--keystore", "-k", help="Sign with this keystore of the holder.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    holder: Annotated[
        str | None, typer.Option("--from", help="The holder's address, when the key is elsewhere.")
    ] = None,
    typed_data: Annotated[
        bool,
        typer.Option(
            "--typed-data", help="Only print what the holder's wallet is to sign (EIP-712)."
        ),
    ] = False,
    signature: Annotated[
        str | None, typer.Option(help="The holder's signature over that, 65 bytes hex.")
    ] = None,
    nonce: Annotated[str | None, typer.Option(help="Nonce of the typed data signed.")] = None,
    valid_before: Annotated[
        int | None, typer.Option(help="validBefore of the typed data signed, Unix seconds.")
    ] = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Redeem tokens: the holder signs, with a keystore here or elsewhere, and we pay the gas.

    Elsewhere: first --from ADDRESS --typed-data, then the same with --signature, --nonce and
    --valid-before.
    """
    from service.application.redemption import (
        new_redemption,
        redemption_typed_data,
        submit_redemption,
    )
    from service.approvals.typed_data import digest_of

    run = start(ctx, as_json)
    if (keystore is None) == (holder is None):
        raise InvalidInput("give either --keystore or --from")
    if signature and not (nonce and valid_before):
        raise InvalidInput("--signature needs the --nonce and --valid-before that were signed")
    if holder and not (typed_data or signature):
        raise InvalidInput("--from needs --typed-data, or then --signature")
    signer = run.app.signer(keystore, passphrase_file=passphrase_file) if keystore else None
    redemption = new_redemption(
        run.app,
        signer.address if signer else read_address(holder or ""),
        read_total(amount),
        reference,
        nonce=read_hash(nonce) if nonce else None,
        valid_before_unix_s=valid_before,
    )
    document = redemption_typed_data(run.app, redemption)
    if typed_data:
        run.json({"typed_data": document} if run.as_json else document)
        return
    if signer is not None:
        signed = "0x" + signer.sign_digest(digest_of(document)).hex()
    else:
        signed = signature or ""
    with run.app.transaction() as session:
        request = submit_redemption(run.app, session, redemption, signed, actor=run.actor)
        request_id = request.id
    show_request(run, request_id, wait)
