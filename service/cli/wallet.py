"""``relief wallet``: what a wallet has, and freezing it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.keys import PassphraseFile
from service.cli.run import Json, Run, start
from service.cli.values import read_address
from service.cli.waiting import end_open

app = typer.Typer(no_args_is_help=True, help="Wallets: balance, streams, history; freezing.")

Address = Annotated[str, typer.Argument(help="EIP-55 address of the wallet.")]
Keystore = Annotated[
    str | None,
    typer.Option("--keystore", "-k", help="Keystore of a freezer; default: the one that is here."),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        min=0,
        help="Seconds to wait for the block, else exit code 4; 0 waits for nothing.",
    ),
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
    from service.application.wallet import wallet_view

    run = start(ctx, as_json)
    with run.app.transaction() as session:
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
    wait: Wait = 0,
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
    wait: Wait = 0,
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
    if sent.block_number is None:
        still = [f"transaction {sent.tx_hash} is in no block"]
        end_open(run, still, wait_s, hint="the node has it and offers it to the next blocks")
