"""One seed lived and proven: no finding, every view the same, every digest again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Self

from service.audit.abi import Contract
from service.audit.archive.answers import RecordingNode
from service.audit.archive.schemas import FOLDER
from service.audit.archive.writing import ArchiveWriter
from service.audit.blocks import BlockReader
from service.audit.deployment import discover
from service.audit.findings import Code, Findings
from service.audit.replay import Options, calls_of, no_progress, replay
from service.audit.replayer import Replayer
from service.audit.report import ReplayReport
from service.audit.reports.folder import write_result
from service.audit.reports.manifest import seal
from service.audit.rpc import Node
from service.audit.signers import Signatures, asking
from service.audit.views import ViewCheck
from tests.audit.driving.chain import Driven
from tests.audit.driving.drive import STEPS, Drive

LOOKS = 3
"""How often a life is replayed while it goes on, beside its end."""


class Broken(AssertionError):
    """A seed whose replay is not what it must be; says how to live it again."""


class Note(NamedTuple):
    """What a replay gave when a block was the newest."""

    block_hash: str
    digest: str


@dataclass
class Outcome:
    """What a seed, or many, came to.

    Attributes
    ----------
    events
        How many of each contract and name, in the chains as they ended.
    views
        How many of each contract and function were compared.
    chunks
        How many ran of each kind and length.
    done, refused
        Calls of each function, on blocks that were taken back too.
    again
        Digests that a later replay of an earlier block gave again.
    """

    events: Counter[str] = field(default_factory=Counter)
    views: Counter[str] = field(default_factory=Counter)
    chunks: Counter[str] = field(default_factory=Counter)
    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    went_back: int = 0
    again: int = 0

    def __iadd__(self, other: Outcome) -> Self:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


def prove(chain: Driven, folder: Path, seed: int, steps: int = STEPS) -> Outcome:
    """Live one seed and prove it; the chain is put back.

    Raises
    ------
    Broken
        When anything differs; the message says how to live the seed again, and its story.
    """
    manifests = folder / f"manifests-{seed}"
    manifests.mkdir()
    for counted in (chain.done, chain.refused, chain.story):
        counted.clear()
    drive = Drive(chain, seed, manifests)
    with Node(chain.node.rpc_url) as node, drive.put_back(), _told(chain, seed, steps):
        own = folder / f"own-{seed}"
        own.mkdir()
        prover = _Prover(chain, node, manifests, own, random.Random(f"looks {seed}"))
        return prover.prove(drive, steps)


@contextmanager
def _told(chain: Driven, seed: int, steps: int) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        again = f"python -m tests.audit.audit_fuzz --seed {seed} --runs 1 --steps {steps}"
        story = "\n".join(chain.story)
        message = f"seed {seed}: {type(error).__name__}: {error}\nagain: {again}\n{story}"
        raise Broken(message) from error


@dataclass
class _Prover:
    chain: Driven
    node: Node
    manifests: Path
    folder: Path
    draw: random.Random
    notes: dict[int, Note] = field(default_factory=dict)

    def prove(self, drive: Drive, steps: int) -> Outcome:
        looks = set(self.draw.sample(range(steps), min(LOOKS, steps)))
        for step, _ in enumerate(drive.live(steps)):
            if step in looks:
                report = self.replayed()
                assert self.resumed() == report.state_digest, "going on from before differs"
                self.notes[report.to_block] = Note(report.to_block_hash, report.state_digest)
        report = self.replayed()
        assert self.replayed().state_digest == report.state_digest, "a second replay differs"
        assert self.in_pieces(report.to_block) == report.state_digest, "a replay in pieces differs"
        assert self.resumed() == report.state_digest, "going on from before differs"
        assert self.archived() == report.state_digest, "an archive differs"
        return Outcome(
            events=Counter(
                {
                    f"{contract}.{name}": count
                    for contract, names in report.events.items()
                    for name, count in names.items()
                }
            ),
            views=self.compared(report),
            chunks=Counter(
                f"{'streams' if batch.is_stream else 'one-off'} {chunk.count:>3}"
                for batch in report.state.batches.values()
                for chunk in batch.chunks.values()
            ),
            done=Counter(self.chain.done),
            refused=Counter(self.chain.refused),
            went_back=drive.went_back,
            again=self.past_digests(report),
        )

    def replayed(self, to_block: int | None = None) -> ReplayReport:
        """Replay with manifests; nothing may be found, not even a warning."""
        vault = bytes.fromhex(self.chain.vault[2:])
        report = replay(self.node, Options(vault, None, to_block, self.manifests))
        found = [str(finding.as_dict()) for finding in report.findings]
        assert not found, f"at block {report.to_block}:\n" + "\n".join(found)
        return report

    def past_digests(self, report: ReplayReport) -> int:
        """Replay to each block noted that was not taken back; its digest must come again."""
        again = 0
        for block, note in sorted(self.notes.items()):
            if block > report.to_block:
                continue
            past = self.replayed(block)
            if past.to_block_hash == note.block_hash:
                assert past.state_digest == note.digest, f"block {block} has another digest now"
                again += 1
        return again

    def in_pieces(self, last: int) -> str:
        """Digest of a replay whose blocks came in two parts, as when one goes on later."""
        findings = Findings()
        deployment = discover(self.node, bytes.fromhex(self.chain.vault[2:]), last)
        contracts = {address: contract for contract, address in deployment.addresses.items()}
        signatures = Signatures(asking(self.node))
        replayer = Replayer(deployment, findings, calls_of(self.node), signatures)
        middle = self.draw.randint(1, last - 1)
        for first, end in ((0, middle), (middle + 1, last)):
            reader = BlockReader(self.node, contracts, findings, no_progress)
            for events in reader.events(first, end, skip_empty=first == 0):
                for event in events:
                    replayer.apply(event)
        replayer.check_end()
        assert findings.items == []
        return replayer.state.digest()

    def resumed(self) -> str:
        """Digest of a replay that goes on from the one before, where that was kept."""
        vault = bytes.fromhex(self.chain.vault[2:])
        report = replay(self.node, Options(vault, resume=self.folder / "kept", views=False))
        assert report.findings == []
        return report.state_digest

    def archived(self) -> str:
        """Digest of an archive of the chain, in parts, replayed without the node."""
        out = self.folder / "archive"
        out.mkdir()
        writer = ArchiveWriter(out / FOLDER, blocks_a_part=self.draw.randint(1, 200))
        with RecordingNode(self.node.url) as node:
            vault = bytes.fromhex(self.chain.vault[2:])
            report = replay(node, Options(vault, views=False), writer=writer)
            writer.finish(node)
        write_result(out, report)
        seal(out, report, None)
        again = replay(None, Options(None, archive=out, manifests=self.manifests))
        assert [finding.code for finding in again.findings] == [Code.EVIDENCE_WEAK]
        return again.state_digest

    def compared(self, report: ReplayReport) -> Counter[str]:
        """The views that the replay compared."""
        addresses = {Contract(name): address for name, address in report.addresses.items()}
        check = ViewCheck(
            self.node, addresses, report.state, Findings(), report.to_block, report.timestamp
        )
        return Counter(f"{v.contract}.{v.call.split('(')[0]}" for v in check.views())
