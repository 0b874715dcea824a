"""``relief audit prove`` and ``relief audit verify-proof``."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from service.audit.command_line import (
    DIFFERENCES,
    address_of,
    fail,
    node_url,
    read_hex,
    shown_progress,
)
from service.audit.new_file import require_new, write_new
from service.errors import InvalidInput, ReliefError
from service.terminal import console, write_json

if TYPE_CHECKING:
    from service.audit.proofs.document import PaymentProof
    from service.audit.proofs.making import Wanted
    from service.audit.proofs.verify import Verification

ID_BYTES = 32
BLOCK_HASH = re.compile(r"(0|[1-9][0-9]{0,77})=(0x[0-9a-fA-F]{64})")


def prove_command(
    ctx: typer.Context,
    *,
    rpc: Annotated[str, typer.Option(help="Address of a node, http or https.")],
    vault: Annotated[str, typer.Option(help="Address of the AllowanceVault.")],
    batch: Annotated[str | None, typer.Option(help="Id of the payout's batch.")] = None,
    index: Annotated[int | None, typer.Option(min=0, help="Its index in the batch.")] = None,
    programme: Annotated[int | None, typer.Option(min=1, help="Its programme.")] = None,
    number: Annotated[int | None, typer.Option(min=1, help="Its number in the programme.")] = None,
    grant: Annotated[str | None, typer.Option(help="Id of an emergency grant.")] = None,
    from_block: Annotated[
        int, typer.Option(min=0, help="First block to read, not after the deployment.")
    ] = 0,
    to_block: Annotated[
        int | None, typer.Option("--to-block", "--at", min=0, help="Last block; default: newest.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, nothing may be there yet; default: stdout."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print errors, and what a file proves, as JSON.")
    ] = False,
) -> None:
    """Write one file that proves one payout to anybody: who, how much, when, approved by whom.

    Name the payout by --batch and --index, by --programme and --number, or by --grant. Exit codes:
    0 written; 1 the node contradicts itself, nothing written; 2 wrong input, no such payout, or
    not paid; 3 node unavailable.
    """
    from service.audit.proofs.making import make
    from service.audit.rpc import Node

    try:
        wanted = _wanted(batch, index, programme, number, grant)
        address = address_of(vault, "--vault")
        if out is not None:
            require_new(out)
        with Node(node_url(rpc)) as node, shown_progress(ctx) as progress:
            proof, verification = make(
                node, address, wanted, progress, from_block=from_block, to_block=to_block
            )
        if verification.holds:
            _write(proof, out)
    except ReliefError as error:
        fail(error, as_json=as_json)
    if not verification.holds:
        _print(verification, sys.stderr, as_json=as_json)
        raise typer.Exit(DIFFERENCES)
    if out is not None:
        _print(verification, sys.stdout, as_json=as_json)


def verify_proof_command(
    file: Annotated[Path, typer.Argument(help="The payment proof.")],
    *,
    block_hash: Annotated[
        list[str] | None,
        typer.Option(help="NUMBER=HASH of a block, from elsewhere; may be given again."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as one JSON document.")
    ] = False,
) -> None:
    """Check a payment proof offline, and say what it proves and what it does not.

    What it proves is of the chain only if its blocks are: compare the hash of each (--block-hash).
    Exit codes: 0 every statement holds; 1 one is false, and which; 2 the file is no payment proof.
    """
    from service.audit.proofs.document import MAX_BYTES, read
    from service.audit.proofs.verify import verify

    try:
        known = _known(block_hash or [])
        try:
            with file.open("rb") as proof:
                data = proof.read(MAX_BYTES + 1)
        except OSError as error:
            raise InvalidInput(f"{file} cannot be read: {error.strerror}") from error
        verification = verify(read(data), known)
    except ReliefError as error:
        fail(error, as_json=as_json)
    _print(verification, sys.stdout, as_json=as_json)
    if not verification.holds:
        raise typer.Exit(DIFFERENCES)


def _print(verification: Verification, stream: TextIO, *, as_json: bool) -> None:
    if as_json:
        write_json(verification.as_json())
    else:
        console(stream).print(verification.render())


def _wanted(
    batch: str | None,
    index: int | None,
    programme: int | None,
    number: int | None,
    grant: str | None,
) -> Wanted:
    from service.audit.proofs.making import Wanted

    given = tuple(value is not None for value in (batch, index, programme, number, grant))
    if given == (True, True, False, False, False):
        return Wanted(batch=read_hex(str(batch), ID_BYTES, "--batch is no batch id"), index=index)
    if given == (False, False, True, True, False):
        return Wanted(programme=programme, number=number)
    if given == (False, False, False, False, True):
        return Wanted(grant=read_hex(str(grant), ID_BYTES, "--grant is no grant id"))
    raise InvalidInput(
        "name one payout: --batch and --index, or --programme and --number, or --grant"
    )


def _known(texts: Sequence[str]) -> dict[int, bytes]:
    known: dict[int, bytes] = {}
    for text in texts:
        match = BLOCK_HASH.fullmatch(text)
        if match is None:
            raise InvalidInput(f"--block-hash is not NUMBER=HASH: {text}")
        number, digest = int(match[1]), bytes.fromhex(match[2][2:])
        if known.setdefault(number, digest) != digest:
            raise InvalidInput(f"--block-hash gives two hashes of block {number}")
    return known


def _write(proof: PaymentProof, out: Path | None) -> None:
    from service.audit.proofs.document import write

    data = write(proof)
    if out is None:
        sys.stdout.write(data.decode())
        return
    write_new(out, data)
