"""A replay kept at a final block, in a file that is whole or not there, for the next one.

Only blocks that are final are kept: what a re-org may take back is read again. Where even such a
block is gone, the one kept before it is gone on from, or everything is read anew. The file is the
auditor's own and is believed; a replay without it owes it nothing and must give the same digest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from service.audit.abi import Contract
from service.audit.blocks import Evidence
from service.audit.findings import Finding
from service.audit.new_file import OWNERS, write_new
from service.audit.resuming.encoding import NotOurs, decoded, encoded
from service.audit.rpc import Node
from service.audit.state import DIGEST_FORMAT, State
from service.errors import InvalidInput

FORMAT = f"relief-audit-kept-2 {DIGEST_FORMAT.decode().strip()}"
KEPT_FILES = 2
SUFFIX = ".kept"


@dataclass(frozen=True, slots=True)
class Kept:
    """What a replay had rebuilt when a block was over.

    Attributes
    ----------
    contracts
        Addresses (bytes) by contract.
    began
        Block of the first event.
    block, block_hash
        The block; hash as 0x-hex.
    mismatched
        Blocks whose hash is not that of their header, and the hash recomputed.
    """

    chain_id: int
    contracts: dict[Contract, bytes]
    began: int
    block: int
    block_hash: str
    counts: dict[Contract, dict[str, int]]
    begun_late: bool
    handed_over: bool
    findings: list[Finding]
    evidence: Evidence
    mismatched: list[tuple[int, str]]
    state: State

    def content(self) -> bytes:
        """Return the file: SHA-256 of the second line, then the members as JSON."""
        members = [encoded(getattr(self, name)) for name in self.__slots__]
        body = json.dumps([FORMAT, *members], separators=(",", ":")).encode()
        return hashlib.sha256(body).hexdigest().encode() + b"\n" + body + b"\n"

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file.

        Raises
        ------
        InvalidInput
            When it is damaged, of another version, or none of ours.
        """
        try:
            digest, _, rest = path.read_bytes().partition(b"\n")
            body = rest.removesuffix(b"\n")
            if rest == body or hashlib.sha256(body).hexdigest().encode() != digest:
                raise NotOurs("its hash is another")
            written, *members = json.loads(body)
            if written != FORMAT:
                raise NotOurs(f"it is of another version: {written}")
            values = [decoded(member) for member in members]
            return cls(**dict(zip(cls.__slots__, values, strict=True)))
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInput(
                f"{path} is damaged or not from this version ({error}): remove it, and the chain "
                "is read from the beginning"
            ) from None


@dataclass
class Keeper:
    """Keeps replays in a folder.

    Attributes
    ----------
    folder
        Of the auditor's; made where it is missing.
    block
        What is kept next: the newest final block, None where it is kept already.
    """

    folder: Path
    node: Node
    block: int | None = None

    def newest(self, chain_id: int, contracts: dict[Contract, bytes], last: int) -> Kept | None:
        """Return what was kept last, not after a block, and is still on the node's chain.

        Raises
        ------
        InvalidInput
            When a file is damaged, or of another deployment.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(f"--resume {self.folder}: {error.strerror}") from error
        for path in sorted(self.folder.glob(f"*{SUFFIX}"), reverse=True):
            kept = Kept.read(path)
            if (kept.chain_id, kept.contracts) != (chain_id, contracts):
                raise InvalidInput(f"{path} is of another deployment: give a folder of its own")
            if kept.block <= last and self._hash_of(kept.block) == kept.block_hash:
                return kept
        return None

    def plan(self, after: int | None, last: int) -> None:
        """Set out to keep the newest final block, up to a last one and after what is kept."""
        final = min(self.node.final_block(), last)
        if final > (-1 if after is None else after):
            self.block = final

    def due(self, next_block: int | None) -> bool:
        """Whether to keep now: the next block with events, None at the end, comes behind."""
        return self.block is not None and (next_block is None or next_block > self.block)

    def keep(self, kept: Kept) -> None:
        """Write what was rebuilt up to the planned block, and let go what is older than the last.

        Raises
        ------
        InvalidInput
            When it cannot be written.
        """
        self.block = None
        path = self.folder / f"{kept.block:012d}-{kept.block_hash[2:10]}{SUFFIX}"
        if not path.exists():
            write_new(path, kept.content(), mode=OWNERS)
        for old in sorted(self.folder.glob(f"*{SUFFIX}"), reverse=True)[KEPT_FILES:]:
            old.unlink(missing_ok=True)

    def _hash_of(self, block: int) -> str | None:
        header: dict[str, Any] | None = self.node.call("eth_getBlockByNumber", hex(block), False)
        return None if header is None else str(header["hash"])
