"""Checkpoints held against the chain as it is replayed now, and against each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from service.audit.checkpoints.document import COUNTED, HEX_32, Checkpoint, read_checkpoint
from service.audit.decode import address_text
from service.audit.deployment import Deployment
from service.audit.findings import Code, Findings, Place
from service.audit.state import DIGEST_FORMAT, State
from service.errors import InvalidInput

STATE_FORMAT = DIGEST_FORMAT.decode().strip()


@dataclass(frozen=True, slots=True)
class Moment:
    """What the replay had rebuilt after a block: counted events and digest."""

    events: dict[str, int]
    state_digest: str


def moment_of(state: State) -> Moment:
    """Return what a checkpoint says of a state."""
    counts = (state.vault_seq, state.registry.seq, state.lane.seq)
    events = {contract.value: count for contract, count in zip(COUNTED, counts, strict=True)}
    return Moment(events, state.digest())


@dataclass
class CheckpointCheck:
    """Compares checkpoints during one replay.

    Attributes
    ----------
    chains
        Path and checkpoint, ascending by block; each list is one auditor's, linked by hashes.
    trusted
        Public keys of auditors; with any, an unsigned checkpoint proves nothing.
    compared
        Checkpoints whose block was compared.
    notes
        What was not compared, and why.
    """

    chains: list[list[tuple[Path, Checkpoint]]]
    trusted: frozenset[str]
    findings: Findings
    compared: int = 0
    notes: list[str] = field(default_factory=list)
    _moments: dict[int, Moment] = field(default_factory=dict)
    _waiting: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._waiting = sorted(self.blocks)

    @property
    def blocks(self) -> set[int]:
        """Blocks of which a state is needed."""
        return {checkpoint.block for chain in self.chains for _, checkpoint in chain}

    def due(self, block: int | None) -> bool:
        """Whether a state is needed before the events of a block, or before the end (None)."""
        return bool(self._waiting) and (block is None or self._waiting[0] < block)

    def keep(self, block: int | None, state: State) -> None:
        """Keep what the state is now, for all checkpoints before a block; None is the end."""
        moment = moment_of(state)
        while self.due(block):
            self._moments[self._waiting.pop(0)] = moment

    def compare(
        self,
        deployment: Deployment,
        headers: Mapping[int, Mapping[str, Any]],
        last: int,
        newest: int,
    ) -> None:
        """Compare each checkpoint with the chain, its signature, and the one before it.

        Parameters
        ----------
        headers
            Of the blocks that were replayed, by number.
        last, newest
            Last block replayed, and newest the node has.
        """
        for chain in self.chains:
            self._check_links(chain)
            for path, checkpoint in chain:
                self._check_signature(path, checkpoint)
                self._check_chain(path, checkpoint, deployment, headers, (last, newest))

    def _check_links(self, chain: list[tuple[Path, Checkpoint]]) -> None:
        if chain and chain[0][1].previous is not None:
            self.notes.append(
                f"{chain[0][0]}: the checkpoint before it was not given, and not compared"
            )
        for (_, before), (path, checkpoint) in pairwise(chain):
            if checkpoint.previous != before.hash or checkpoint.block == before.block:
                self.findings.error(
                    Code.CHECKPOINT_CHAIN_BROKEN,
                    f"{path} does not follow from the checkpoint of block {before.block}: one of "
                    "them is not as it was written, or one between is missing",
                    Place(block=checkpoint.block),
                    expected=before.hash,
                    found=checkpoint.previous,
                )

    def _check_signature(self, path: Path, checkpoint: Checkpoint) -> None:
        signed = checkpoint.auditor is not None or checkpoint.signature is not None
        if signed and not checkpoint.signature_holds:
            self._unsigned(path, checkpoint, "the signature is not that auditor's over it")
        elif self.trusted and checkpoint.auditor not in self.trusted:
            self._unsigned(path, checkpoint, "no auditor you trust signed it")
        elif not self.trusted:
            by = f"signed by {checkpoint.auditor}" if signed else "not signed"
            self.notes.append(f"{path} is {by}; no trusted key was given")

    def _unsigned(self, path: Path, checkpoint: Checkpoint, why: str) -> None:
        self.findings.error(
            Code.CHECKPOINT_SIGNATURE_INVALID,
            f"{path}: {why}",
            Place(block=checkpoint.block),
            expected=", ".join(sorted(self.trusted)) or checkpoint.auditor,
            found=checkpoint.auditor,
        )

    def _check_chain(
        self,
        path: Path,
        checkpoint: Checkpoint,
        deployment: Deployment,
        headers: Mapping[int, Mapping[str, Any]],
        range_: tuple[int, int],
    ) -> None:
        mismatch = self._mismatch(path, checkpoint)
        contracts = {name.value: address_text(at) for name, at in deployment.addresses.items()}
        if (checkpoint.chain_id, checkpoint.contracts) != (deployment.chain_id, contracts):
            mismatch(
                "is of another chain or other contracts", deployment.chain_id, checkpoint.chain_id
            )
            return
        last, newest = range_
        if checkpoint.block > newest:
            mismatch(
                f"names block {checkpoint.block} as final, and the node's newest is {newest}",
                checkpoint.block_hash,
                "no such block",
            )
            return
        header = headers.get(checkpoint.block)
        if header is None or checkpoint.block > last:
            self.notes.append(
                f"{path}: block {checkpoint.block} was not replayed, and not compared"
            )
            return
        self.compared += 1
        if header["hash"] != checkpoint.block_hash:
            mismatch(
                "names another block: the chain was rewritten",
                checkpoint.block_hash,
                header["hash"],
            )
            return
        timestamp = int(header["timestamp"], 16)
        if timestamp != checkpoint.timestamp:
            mismatch("gives another time to its block", checkpoint.timestamp, timestamp)
        moment = self._moments[checkpoint.block]
        if checkpoint.events != moment.events:
            mismatch("counts other events", _counts(checkpoint.events), _counts(moment.events))
        if checkpoint.state_format != STATE_FORMAT:
            self.notes.append(
                f"{path}: its state is written as {checkpoint.state_format}, this command's as "
                f"{STATE_FORMAT}: digests not compared"
            )
        elif checkpoint.state_digest != moment.state_digest:
            mismatch("gives another state", checkpoint.state_digest, moment.state_digest)

    def _mismatch(
        self, path: Path, checkpoint: Checkpoint
    ) -> Callable[[str, object, object], None]:
        def report(what: str, expected: object, found: object) -> None:
            self.findings.error(
                Code.CHECKPOINT_MISMATCH,
                f"{path} {what}",
                Place(block=checkpoint.block),
                expected=expected,
                found=found,
            )

        return report


def _counts(events: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in events.items())


def read_checkpoints(
    paths: Sequence[Path], trusted: Sequence[str], findings: Findings
) -> CheckpointCheck:
    """Read checkpoints, and folders of them.

    Parameters
    ----------
    paths
        Each a checkpoint, or a folder whose files ``*.json`` are one auditor's chain of them.
        Checkpoints named one by one are one chain together.
    trusted
        Public keys of auditors, 64 hexadecimal digits each.

    Raises
    ------
    InvalidInput
        When a path is not there, a folder is empty, a file is no checkpoint, or a key none.
    """
    keys = frozenset(key.lower() for key in trusted)
    for key in keys:
        if not HEX_32.fullmatch(key):
            raise InvalidInput(f"--trusted-key is no public key of 64 hexadecimal digits: {key}")
    groups: list[list[Path]] = [[path for path in paths if not path.is_dir()]]
    for folder in (path for path in paths if path.is_dir()):
        files = sorted(folder.glob("*.json"))
        if not files:
            raise InvalidInput(f"{folder} has no checkpoints: files *.json")
        groups.append(files)
    chains = [
        sorted(((path, read_checkpoint(path)) for path in group), key=lambda read: read[1].block)
        for group in groups
        if group
    ]
    return CheckpointCheck(chains, keys, findings)
