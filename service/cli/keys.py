"""``relief keys``: encrypted keystores and the keyring's passphrase."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from service.cli.run import Json, Run, start
from service.errors import InvalidInput, NotFound

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="Private file (mode 0600) with the keystore's passphrase; default: the service's.",
    ),
]
"""The option of every command that opens a keystore."""

app = typer.Typer(no_args_is_help=True, help="Signing keys, kept as encrypted keystores.")


@app.command("create")
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the keystore, such as officer-7.")],
    *,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Make a new signing key and store it encrypted (Web3 Secret Storage v3)."""
    from service.chain.signers import create_keystore, new_keystore_path

    run = start(ctx, as_json)
    new_keystore_path(run.app.settings.resolved_keys_dir, name)  # before anything is typed
    passphrase = _passphrase(run, passphrase_file)
    made = create_keystore(run.app.settings.resolved_keys_dir, name, passphrase)
    run.note("keep a copy of the file and, elsewhere, of the passphrase: there is no way around it")
    run.record({"name": made.name, "address": made.address, "path": str(made.path)})


@app.command("import")
def import_(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the keystore to write.")],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A keystore file of another wallet; without it, a private key in hexadecimal "
            "is read from stdin or typed unseen."
        ),
    ] = None,
    *,
    file_passphrase_file: Annotated[
        Path | None,
        typer.Option(help="Private file with the given keystore's passphrase; default: asked for."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Bring a key made elsewhere under an encrypted keystore of ours.

    A private key is never taken from the command line, where other users could read it.
    """
    from service.chain.signers import import_keystore, new_keystore_path

    run = start(ctx, as_json)
    new_keystore_path(run.app.settings.resolved_keys_dir, name)  # before anything is typed
    key = _key_of_keystore(file, file_passphrase_file) if file else _typed_key()
    made = import_keystore(
        run.app.settings.resolved_keys_dir, name, key, _passphrase(run, passphrase_file)
    )
    run.record({"name": made.name, "address": made.address, "path": str(made.path)})


@app.command("list")
def list_(ctx: typer.Context, *, as_json: Json = False) -> None:
    """List the keystores, without opening any."""
    from service.chain.signers import list_keystores

    run = start(ctx, as_json)
    found = list_keystores(run.app.settings.resolved_keys_dir)
    items = [_described(keystore.name, keystore.address, keystore.path) for keystore in found]
    run.rows(items, {"name": "name", "address": "address", "mode": "mode", "path": "file"})


@app.command("show")
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the keystore.")],
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Open it, to see that the passphrase fits.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Show one keystore: its address and file, never its key."""
    from service.chain.signers import list_keystores

    run = start(ctx, as_json)
    folder = run.app.settings.resolved_keys_dir
    for keystore in list_keystores(folder):
        if keystore.name == name:
            shown = _described(keystore.name, keystore.address, keystore.path)
            if check:
                signer = run.app.signer(name, passphrase_file=passphrase_file)
                shown["opens"] = signer.address == keystore.address
            run.record(shown)
            return
    raise NotFound(f"there is no keystore {name} in {folder}")


def _described(name: str, address: str, path: Path) -> dict[str, Any]:
    mode = stat.S_IMODE(path.stat().st_mode)
    return {"name": name, "address": address, "mode": f"{mode:04o}", "path": str(path)}


def _passphrase(run: Run, passphrase_file: Path | None) -> str:
    from service.chain.signers import read_passphrase

    return read_passphrase(passphrase_file) if passphrase_file else run.app.passphrase


def _key_of_keystore(file: Path, passphrase_file: Path | None) -> bytes:
    from service.chain.keystore_v3 import decrypt_key
    from service.chain.signers import read_keystore, read_passphrase

    keystore = read_keystore(file)
    if passphrase_file is not None:
        passphrase = read_passphrase(passphrase_file)
    else:
        passphrase = typer.prompt("Passphrase of the given keystore", hide_input=True, err=True)
    try:
        return decrypt_key(keystore, passphrase)
    except ValueError as error:
        raise InvalidInput(f"{file}: {error}") from None


def _typed_key() -> bytes:
    if sys.stdin.isatty():
        text = typer.prompt("Private key (hexadecimal)", hide_input=True, err=True)
    else:
        text = sys.stdin.readline()
    try:
        key = bytes.fromhex(text.strip().removeprefix("0x"))
    except ValueError:
        raise InvalidInput("a private key is 64 hexadecimal digits") from None
    if len(key) != 32:  # noqa: PLR2004  # secp256k1
        raise InvalidInput("a private key is 64 hexadecimal digits")
    return key
