"""``relief audit digest``: what an officer is about to sign."""

from __future__ import annotations

import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.audit.command_line import DIFFERENCES, fail, node_url
from service.errors import InvalidInput, ReliefError
from service.terminal import console, write_json

if TYPE_CHECKING:
    from service.audit.digests.check import Checked
    from service.audit.digests.document import Difference

STDIN = "-"
LARGEST_BYTES = 2**22
"""Of typed data; a transaction that carries its message is far smaller."""


def digest_command(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The typed data (EIP-712 JSON); - reads stdin.")
    ],
    *,
    manifest: Annotated[
        list[Path] | None,
        typer.Option(
            help="The list of payouts of a batch, or several copies of it: whether it is the one "
            "that is signed, and beside that one the first line in which another differs."
        ),
    ] = None,
    rpc: Annotated[
        str | None, typer.Option(help="Address of a node of your own: asks the contract too.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the whole result as one JSON document.")
    ] = False,
) -> None:
    """Show what an officer is about to sign, and make its digest anew, without the service.

    Refuses typed data whose types, domain or members are not exactly the contracts'. Exit codes: 0
    understood and consistent; 1 differs, or the contracts would not take it; 2 malformed; 3 node
    unavailable.
    """
    try:
        checked = _check(_content(file), manifest or [], rpc)
        document = checked.as_json() if as_json else None
        shown = None if as_json else checked.render()
    except ReliefError as error:
        fail(error, as_json=as_json)
    if document is not None:
        write_json(document)
    else:
        console(sys.stdout).print(shown)
    if not checked.clean:
        raise typer.Exit(DIFFERENCES)


def _content(file: str) -> bytes:
    try:
        with nullcontext(sys.stdin.buffer) if file == STDIN else Path(file).open("rb") as given:
            content = given.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"cannot read {file}: {error.strerror}") from error
    if len(content) > LARGEST_BYTES:
        raise InvalidInput(f"{file} is larger than anything that officers sign")
    return content


def _check(content: bytes, manifests: list[Path], rpc: str | None) -> Checked:
    from service.audit.digests.check import Checked
    from service.audit.digests.contract import ask_contract
    from service.audit.digests.document import read_typed_data
    from service.audit.digests.explain import explain
    from service.audit.digests.payouts import check_list
    from service.audit.rpc import Node

    reading = read_typed_data(content)
    data, now = reading.data, int(time.time())
    if data is None:
        return Checked(None, None, reading.differences)
    if manifests and data.primary_type != "BatchApproval":
        raise InvalidInput(f"--manifest: there is no list behind a {data.primary_type}")
    lists = [check_list(data, path) for path in manifests]
    differences: list[Difference] = []
    compared = None
    if rpc is not None:
        with Node(node_url(rpc)) as node:
            differences, compared, now = ask_contract(data, node)
    return Checked(data, explain(data, now), differences, lists, compared)
