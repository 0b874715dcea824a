"""``relief wallet``: what a wallet has, freezing it, and spending from it without gas."""

from __future__ import annotations

from pathlib import Path
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
from service.cli.run import Json, Run, start
from service.cli.values import read_address, read_hash, read_total
from service.cli.waiting import BlockWait, Wait, end_unmined
from service.errors import InvalidInput

app = typer.Typer(
    no_args_is_help=True, help="Wallets: balance, streams, history; freezing; payments without gas."
)

Address = Annotated[str, typer.Argument(help="EIP-55 address of the wallet.")]
Keystore = Annotated[
    str | None,
    typer.Option("--keystore", "-k", help="Keystore of a freezer; default: the one that is here."),
]


@app.command("show")
def show(
    ctx: typer.Context,
    address: Address,
    *,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most transfers to show.")] = 20,
    as_json: Json = False,
) -> None:
    """Show a wallet: balance and streams by the chain, payouts and transfers by the database."""
    from service.application.reading import reading
    from service.application.wallet import wallet_view

    run = start(ctx, as_json)
    with reading(run.app) as session:
        data = wallet_view(run.app, session, read_address(address), limit=limit)
    if run.as_json:
        run.json(data)
        return
    run.record({key: data[key] for key in ("address", "balance", "frozen", "block_number")})
    if data["payouts"]:
        columns = {"state": "state", "amount": "amount", "batch_id": "batch", "index": "no."}
        run.rows(data["payouts"], columns, title="payouts")
    if data["streams"]:
        run.rows(
            data["streams"],
            {
                "total": "total",
                "accrued": "accrued",
                "withdrawn": "withdrawn",
                "withdrawable": "withdrawable",
                "cancelled": "cancelled",
                "batch_id": "batch",
                "index": "no.",
            },
            title="streams",
        )
    if data["history"]:
        columns = {
            "kind": "what",
            "amount": "amount",
            "counterparty": "from or to",
            "at": "at",
            "tx_hash": "transaction",
        }
        run.rows(data["history"], columns, title="transfers, newest first")


@app.command("freeze")
def freeze(
    ctx: typer.Context,
    address: Address,
    *,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
    wait: BlockWait = 0,
    as_json: Json = False,
) -> None:
    """Freeze a wallet: it neither sends nor receives; its balance stays its own."""
    _send(
        start(ctx, as_json),
        "freeze",
        address,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
        then="what is approved for it stays committed and can be paid when it is unfrozen",
    )


@app.command("unfreeze")
def unfreeze(
    ctx: typer.Context,
    address: Address,
    *,
    keystore: Keystore = None,
    passphrase_file: PassphraseFile = None,
    wait: BlockWait = 0,
    as_json: Json = False,
) -> None:
    """Lift a wallet's freeze; skipped payouts can then be retried."""
    _send(
        start(ctx, as_json),
        "unfreeze",
        address,
        keystore=keystore,
        passphrase_file=passphrase_file,
        wait_s=wait,
        then="what was skipped meanwhile is paid by `relief payout retry`",
    )


_LAST_SECOND = 253_402_300_799
"""Of the year 9999, the last that is shown as a time."""


@app.command("pay")
def pay(
    ctx: typer.Context,
    payee: Annotated[str, typer.Argument(help="EIP-55 address of who is paid.")],
    amount: Annotated[str, typer.Argument(help="How much, such as 600 or 1234.50.")],
    *,
    keystore: HolderKeystore = None,
    passphrase_file: PassphraseFile = None,
    holder: Holder = None,
    typed_data: TypedData = False,
    receive: Annotated[
        bool,
        typer.Option(
            "--receive",
            help="With --typed-data: a document that only the payee may hand in to the token, by "
            "receiveWithAuthorization; it is not relayed.",
        ),
    ] = False,
    signature: Signature = None,
    nonce: Nonce = None,
    valid_before: Annotated[
        int | None,
        typer.Option(
            min=1, max=_LAST_SECOND, help="validBefore of the typed data signed, Unix seconds."
        ),
    ] = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Pay from a wallet without gas: the holder signs, here or elsewhere, and we relay it.

    Elsewhere: first --from ADDRESS --typed-data, then the same with --signature, --nonce and
    --valid-before.
    """
    from service.application.payments import new_payment, payment_typed_data, submit_payment

    run = start(ctx, as_json)
    if signature and not (nonce and valid_before):
        raise InvalidInput("--signature needs the --nonce and --valid-before that were signed")
    if receive and not typed_data:
        raise InvalidInput("--receive goes with --typed-data: only the payee can hand that in")
    signer = open_holder(
        run, keystore, passphrase_file, holder, elsewhere=typed_data or bool(signature)
    )
    payment = new_payment(
        run.app,
        signer.address if signer else read_address(holder or ""),
        read_address(payee),
        read_total(amount),
        nonce=read_hash(nonce) if nonce else None,
        valid_before_unix_s=valid_before,
    )
    document = payment_typed_data(run.app, payment, receive=receive)
    show_or_relay(
        run,
        document,
        lambda session, signed: submit_payment(run.app, session, payment, signed, actor=run.actor),
        only_show=typed_data,
        signer=signer,
        signature=signature,
        wait_s=wait,
    )


@app.command("cancel-payment")
def cancel_payment(
    ctx: typer.Context,
    nonce: Annotated[str, typer.Argument(help="Nonce of what was signed, 0x and 64 digits.")],
    *,
    keystore: HolderKeystore = None,
    passphrase_file: PassphraseFile = None,
    holder: Holder = None,
    typed_data: TypedData = False,
    signature: Signature = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Make a payment or redemption that was signed and not sent void; works under a pause."""
    from service.application.payments import cancellation_typed_data, submit_cancellation

    run = start(ctx, as_json)
    signer = open_holder(
        run, keystore, passphrase_file, holder, elsewhere=typed_data or bool(signature)
    )
    address = signer.address if signer else read_address(holder or "")
    document = cancellation_typed_data(run.app, address, read_hash(nonce))
    show_or_relay(
        run,
        document,
        lambda session, signed: submit_cancellation(
            run.app, session, address, read_hash(nonce), signed, actor=run.actor
        ),
        only_show=typed_data,
        signer=signer,
        signature=signature,
        wait_s=wait,
    )


@app.command("permit")
def permit(
    ctx: typer.Context,
    spender: Annotated[str, typer.Argument(help="EIP-55 address of who may take the tokens.")],
    amount: Annotated[str, typer.Argument(help="Up to how much; 0 takes the allowance back.")],
    *,
    keystore: HolderKeystore = None,
    passphrase_file: PassphraseFile = None,
    holder: Holder = None,
    typed_data: TypedData = False,
    signature: Signature = None,
    deadline: Annotated[
        int | None,
        typer.Option(
            min=1, max=_LAST_SECOND, help="deadline of the typed data signed, Unix seconds."
        ),
    ] = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Let somebody take up to an amount (ERC-2612), without gas: the holder signs, we relay it.

    Elsewhere: first --from ADDRESS --typed-data, then the same with --signature and --deadline.
    """
    from service.application.payments import new_permit, permit_typed_data, submit_permit

    run = start(ctx, as_json)
    if signature and not deadline:
        raise InvalidInput("--signature needs the --deadline that was signed")
    signer = open_holder(
        run, keystore, passphrase_file, holder, elsewhere=typed_data or bool(signature)
    )
    asked = new_permit(
        run.app,
        signer.address if signer else read_address(holder or ""),
        read_address(spender),
        0 if amount == "0" else read_total(amount),
        deadline_unix_s=deadline,
    )
    document = permit_typed_data(run.app, asked)
    show_or_relay(
        run,
        document,
        lambda session, signed: submit_permit(run.app, session, asked, signed, actor=run.actor),
        only_show=typed_data,
        signer=signer,
        signature=signature,
        wait_s=wait,
    )


def _send(
    run: Run,
    function: str,
    address: str,
    *,
    keystore: str | None,
    passphrase_file: Path | None,
    wait_s: float,
    then: str,
) -> None:
    from service.application.role_calls import role_holder_keystore, send_role_call

    wallet = read_address(address)
    name = keystore or role_holder_keystore(run.app, "freezer")
    signer = run.app.signer(name, passphrase_file=passphrase_file)
    sent = send_role_call(run.app, signer, "token", function, wallet, wait_s=wait_s)
    run.record(
        {
            "action": function,
            "address": wallet,
            "tx_hash": sent.tx_hash,
            "sender": sent.sender,
            "block_number": sent.block_number,
        }
    )
    run.note(then)
    end_unmined(run, [sent], wait_s)
