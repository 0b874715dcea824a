"""Batch manifests: the list that officers sign the hash of, one JSON line a payout.

docs/manifest.md describes the bytes. A manifest holds no personal data. It can be derived from the
database at any time, and lies as a file in a second place before anybody is asked to sign.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from eth_hash.auto import keccak
from eth_utils.address import is_checksum_address
from sqlalchemy import select
from sqlalchemy.orm import Session

from service.errors import AlreadyExists, IntegrityError, NotFound
from service.payouts.chunk_tree import chunk_leaf, chunks_root
from service.payouts.entries import pack_entries
from service.payouts.models import Batch, Payout

FORMAT = "relief-batch-manifest"
VERSION = 1
SUFFIX = ".jsonl"

_BATCH_ID = re.compile(r"0x[0-9a-f]{64}")
_COMMITMENT = re.compile(r"[0-9a-f]{64}")
_AMOUNT = re.compile(r"0|[1-9][0-9]{0,19}")
_PAYOUTS_A_FETCH = 5_000
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One payout of a manifest.

    Attributes
    ----------
    index
        Position in the batch, from 0.
    commitment
        Case commitment, 64 lower-case hexadecimal digits.
    payee
        EIP-55 address.
    amount_base_units
        Whole amount.
    """

    index: int
    commitment: str
    payee: str
    amount_base_units: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that was read and checked.

    Attributes
    ----------
    header
        The first line.
    lines
        The payouts, by index.
    manifest_hash
        Keccak-256 of the file, 0x-hex.
    """

    header: Mapping[str, Any]
    lines: tuple[ManifestLine, ...]
    manifest_hash: str


def header_of(batch: Batch) -> dict[str, Any]:
    """Return the first line of a batch's manifest: what officers sign, without the hash itself."""
    return {
        "batch_id": batch.id,
        "chunk_size": batch.chunk_size,
        "chunks_root": batch.chunks_root,
        "cadence_s": batch.cadence_s,
        "cliff_s": batch.cliff_s,
        "count": batch.count,
        "duration_s": batch.duration_s,
        "execute_before_unix_s": batch.execute_before_unix_s,
        "expires_at_unix_s": batch.expires_at_unix_s,
        "format": FORMAT,
        "kind": batch.kind,
        "maker_officer_id": batch.maker_officer_id,
        "programme_id": batch.programme_id,
        "programme_version": batch.programme_version,
        "region_code": batch.region_code,
        "region_digits": batch.region_digits,
        "start_unix_s": batch.start_unix_s,
        "total_base_units": str(batch.total_base_units),
        "version": VERSION,
    }


def canonical_line(value: Mapping[str, Any]) -> bytes:
    """Return one line: keys sorted, no blanks, ASCII, a line feed at the end."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode("ascii") + b"\n"


def manifest_bytes(header: Mapping[str, Any], lines: Iterable[ManifestLine]) -> Iterator[bytes]:
    """Yield the manifest line by line."""
    yield canonical_line(header)
    for line in lines:
        # By hand, and byte-equal to canonical_line: nothing in it needs escaping.
        yield (
            f'{{"amount_base_units":"{line.amount_base_units}",'
            f'"commitment":"{line.commitment}","index":{line.index},"payee":"{line.payee}"}}\n'
        ).encode("ascii")


def hash_of(parts: Iterable[bytes]) -> str:
    """Return the keccak-256 of the parts one behind the other, 0x-hex."""
    state = keccak.new(b"")
    for part in parts:
        state.update(part)
    return "0x" + state.digest().hex()


def manifest_path(folder: Path, batch_id: str) -> Path:
    """Return where the manifest of a batch lies: ``<folder>/<batch id>.jsonl``."""
    return folder / f"{batch_id}{SUFFIX}"


def stored_lines(session: Session, batch_id: str) -> Iterator[ManifestLine]:
    """Yield a batch's payouts as the database has them, by index."""
    rows = session.execute(
        select(Payout.index, Payout.commitment, Payout.payee, Payout.amount_base_units)
        .where(Payout.batch_id == batch_id)
        .order_by(Payout.index)
        .execution_options(yield_per=_PAYOUTS_A_FETCH)
    )
    for index, commitment, payee, amount_base_units in rows:
        yield ManifestLine(index, commitment, payee, amount_base_units)


def derive(session: Session, batch: Batch) -> Iterator[bytes]:
    """Yield a batch's manifest, line by line, from the database alone."""
    return manifest_bytes(header_of(batch), stored_lines(session, batch.id))


def ensure_durable(session: Session, batch: Batch, folder: Path) -> Path:
    """See to it that the manifest lies in the folder, equal to the database and to its hash.

    Call it before anybody is asked to sign.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    IntegrityError
        When the payouts in the database no longer give the batch's manifest hash or its chunks'
        root, or when the folder holds another file under the batch's name.
    """
    if hash_of(derive(session, batch)) != batch.manifest_hash:
        raise IntegrityError(f"the payouts of batch {batch.id} are not those it was built from")
    if root_of(batch.id, batch.chunk_size, stored_lines(session, batch.id)) != batch.chunks_root:
        raise IntegrityError(f"the chunks' root of batch {batch.id} does not fit its payouts")
    path = manifest_path(folder, batch.id)
    write(path, derive(session, batch), batch.manifest_hash)
    return path


def write(path: Path, parts: Iterable[bytes], manifest_hash: str) -> None:
    """Write a manifest so that it survives a power cut; an equal file is left as it is.

    Raises
    ------
    IntegrityError
        When there is another file under that name; it is never overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        with _draft_of(path, parts) as draft:
            draft.replace(path)
    elif file_hash(path) != manifest_hash:
        raise IntegrityError(f"{path.name} in the manifests' folder is another manifest")
    # Also for a file that was there: whoever wrote it may have died before this.
    _keep_names(path.parent)


@contextmanager
def _draft_of(path: Path, parts: Iterable[bytes]) -> Iterator[Path]:
    """Write a file beside a path, flushed; it is gone afterwards unless it was moved."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            for part in parts:
                file.write(part)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _keep_names(folder: Path) -> None:
    """Have a folder's names survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_signed(folder: Path, batch: Batch) -> BinaryIO:
    """Open the file of a batch's manifest, at its beginning; its hash is the batch's.

    Hand out what is read from it and not from the path again: that may be another file by then.

    Raises
    ------
    IntegrityError
        When the folder has no file of the batch, or it is not the one whose hash officers sign.
    """
    path = manifest_path(folder, batch.id)
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise IntegrityError(f"{path.name} is missing in the manifests' folder {folder}") from None
    found = hash_of(parts_of(file))
    if found != batch.manifest_hash:
        file.close()
        raise IntegrityError(
            f"{path.name} in the manifests' folder {folder} was changed: its hash is {found}, and "
            f"that of the batch is {batch.manifest_hash}"
        )
    file.seek(0)
    return file


def parts_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of a file, a megabyte at a time."""
    return iter(lambda: file.read(_READ_BYTES), b"")


def hand_out(folder: Path, batch: Batch, into: Path) -> bool:
    """Copy a batch's manifest into another folder, whole, unless the same is there already.

    Returns
    -------
    bool
        Whether it was written.

    Raises
    ------
    IntegrityError
        As :func:`open_signed`.
    AlreadyExists
        When another file has its name there; it is never overwritten.
    """
    path = manifest_path(into, batch.id)
    if is_handed_out(batch, into):
        return False
    with open_signed(folder, batch) as file, _draft_of(path, parts_of(file)) as draft:
        try:
            path.hardlink_to(draft)  # unlike a rename this never overwrites
        except FileExistsError:
            raise _taken(path) from None
    _keep_names(into)
    return True


def is_handed_out(batch: Batch, into: Path) -> bool:
    """Whether a folder holds the batch's manifest already.

    Raises
    ------
    AlreadyExists
        When something else has its name there.
    """
    path = manifest_path(into, batch.id)
    if not os.path.lexists(path):
        return False
    if not path.is_file() or file_hash(path) != batch.manifest_hash:
        raise _taken(path)
    return True


def _taken(path: Path) -> AlreadyExists:
    return AlreadyExists(f"{path} is there already and another file: it is never written over")


def file_hash(path: Path) -> str:
    """Return the keccak-256 of a file, 0x-hex."""
    with path.open("rb") as file:
        return hash_of(parts_of(file))


def root_of(batch_id: str, chunk_size: int, lines: Iterable[ManifestLine]) -> str:
    """Return the chunks' root that lines in index order give, 0x-hex."""
    raw_id, rest = bytes.fromhex(batch_id[2:]), iter(lines)
    leaves: list[bytes] = []
    while chunk := list(islice(rest, chunk_size)):
        entries = pack_entries((line.payee, line.amount_base_units) for line in chunk)
        leaves.append(chunk_leaf(raw_id, len(leaves), entries))
    return "0x" + chunks_root(leaves).hex()


def read(path: Path, manifest_hash: str | None = None) -> Manifest:
    """Read a manifest and check it against itself.

    Checked are the canonical form of every byte, the indices, the count, the total, the chunks'
    root, and the hash when it is given.

    Parameters
    ----------
    manifest_hash
        The hash that officers signed, 0x-hex, or None.

    Raises
    ------
    NotFound
        When there is no such file.
    IntegrityError
        When it is not what it says.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"there is no manifest {path.name}") from None
    found_hash = hash_of([content])
    if manifest_hash is not None and found_hash != manifest_hash.lower():
        raise IntegrityError(f"{path.name}: its hash is {found_hash}, not {manifest_hash}")
    try:
        header, lines = _parse(content)
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(f"{path.name} is no manifest: {error}") from None
    return Manifest(header, lines, found_hash)


def _parse(content: bytes) -> tuple[dict[str, Any], tuple[ManifestLine, ...]]:
    raw = content.split(b"\n")
    if raw.pop() != b"":
        raise ValueError("the last line does not end")
    header, lines = json.loads(raw[0]), []
    if header["format"] != FORMAT or header["version"] != VERSION:
        raise ValueError("unknown format or version")
    if _BATCH_ID.fullmatch(header["batch_id"]) is None:
        raise ValueError("the batch id is none")
    for index, text in enumerate(raw[1:]):
        value = json.loads(text)
        line = ManifestLine(
            value["index"], value["commitment"], value["payee"], int(value["amount_base_units"])
        )
        if line.index != index:
            raise ValueError(f"line {index + 2} has index {line.index}")
        _check_values(line, value["amount_base_units"])
        lines.append(line)
    if b"".join(manifest_bytes(header, lines)) != content:
        raise ValueError("the bytes are not in canonical form")
    _check_sums(header, lines)
    return header, tuple(lines)


def _check_values(line: ManifestLine, amount: str) -> None:
    if _COMMITMENT.fullmatch(line.commitment) is None:
        raise ValueError(f"payout {line.index}: the commitment is none")
    if not is_checksum_address(line.payee):
        raise ValueError(f"payout {line.index}: the payee is no EIP-55 address")
    if _AMOUNT.fullmatch(amount) is None:
        raise ValueError(f"payout {line.index}: the amount is none")


def _check_sums(header: Mapping[str, Any], lines: list[ManifestLine]) -> None:
    if len(lines) != header["count"]:
        raise ValueError(f"{len(lines)} payouts, the header says {header['count']}")
    total = str(sum(line.amount_base_units for line in lines))
    if total != header["total_base_units"]:
        raise ValueError(f"a total of {total}, the header says {header['total_base_units']}")
    root = root_of(header["batch_id"], header["chunk_size"], lines)
    if root != header["chunks_root"]:
        raise ValueError(f"a chunks' root of {root}, the header says {header['chunks_root']}")
