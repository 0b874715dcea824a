"""``relief redeem``: burn a wallet's tokens against fiat, signed by the holder, relayed by us."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.holders import (
    Holder,
    HolderKeystore,
    Nonce,
    Signature,
    TypedData,
    open_holder,
    show_or_relay,
)
from service.cli.keys import PassphraseFile
from service.cli.run import Json, start
from service.cli.values import read_address, read_hash, read_total
from service.cli.waiting import Wait
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
    keystore: HolderKeystore = None,
    passphrase_file: PassphraseFile = None,
    holder: Holder = None,
    typed_data: TypedData = False,
    signature: Signature = None,
    nonce: Nonce = None,
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

    run = start(ctx, as_json)
    if signature and not (nonce and valid_before):
        raise InvalidInput("--signature needs the --nonce and --valid-before that were signed")
    signer = open_holder(
        run, keystore, passphrase_file, holder, elsewhere=typed_data or bool(signature)
    )
    redemption = new_redemption(
        run.app,
        signer.address if signer else read_address(holder or ""),
        read_total(amount),
        reference,
        nonce=read_hash(nonce) if nonce else None,
        valid_before_unix_s=valid_before,
    )
    document = redemption_typed_data(run.app, redemption)
    show_or_relay(
        run,
        document,
        lambda session, signed: submit_redemption(
            run.app, session, redemption, signed, actor=run.actor
        ),
        only_show=typed_data,
        signer=signer,
        signature=signature,
        wait_s=wait,
    )
