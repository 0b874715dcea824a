"""A chain replayed once, with which many edited databases and manifests are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.audit.blocks import BlockReader
from service.audit.calls import CallOf
from service.audit.database import Snapshot
from service.audit.decode import Event, hex_text
from service.audit.deployment import Deployment, discover
from service.audit.findings import Finding, Findings
from service.audit.manifests import ManifestCheck
from service.audit.replay import calls_of, no_progress
from service.audit.replayer import Replayer
from service.audit.rows import DatabaseCheck
from service.audit.rpc import Node
from service.audit.signers import Ask, Signatures, asking
from service.audit.state import State
from service.audit.transfers import events_of
from service.audit.views import ViewCheck
from tests.support.deployed import Deployed


@dataclass
class Replayed:
    """What is left of reading the chain."""

    node: Node
    deployment: Deployment
    events: list[Event]
    state: State
    last: int
    time: int
    call_of: CallOf

    def against_rules(
        self, events: Sequence[Event], *, call_of: CallOf | None = None, ask: Ask | None = None
    ) -> tuple[list[Finding], State]:
        """Replay other events than the chain's."""
        findings = Findings()
        replayer = Replayer(
            self.deployment,
            findings,
            call_of or self.call_of,
            Signatures(ask or asking(self.node)),
        )
        for event in events:
            replayer.apply(event)
        replayer.check_end()
        return findings.items, replayer.state

    def against_views(self, state: State) -> list[Finding]:
        """Compare a state with the contracts' own views."""
        findings = Findings()
        addresses = {name: hex_text(address) for name, address in self.deployment.addresses.items()}
        ViewCheck(self.node, addresses, state, findings, self.last, self.time).run(no_progress)
        return findings.items

    def against_database(self, url: str, manifests: Path | None = None) -> list[Finding]:
        """Compare a database, and where given its payouts with the signed manifests."""
        findings = Findings()
        snapshot = Snapshot(url)
        try:
            check = DatabaseCheck(snapshot, self.node, self.deployment, findings)
            check.attach(self.last)
            for event in self.events:
                check.see(event)
            check.compare(self.state, self.time, no_progress)
            if manifests is not None:
                lines = ManifestCheck(manifests, self.state, Findings())
                lines.run(self.time, no_progress)
                check.compare_lines(self.state, lines.signed)
        finally:
            snapshot.close()
        return findings.items

    def against_manifests(self, folder: Path) -> list[Finding]:
        """Compare a folder of manifests."""
        findings = Findings()
        ManifestCheck(folder, self.state, findings).run(self.time, no_progress)
        return findings.items


def replayed_once(node: Node, deployed: Deployed) -> Replayed:
    """Read and replay the whole chain."""
    last = int(node.call("eth_blockNumber"), 16)
    findings = Findings()
    deployment = discover(node, bytes.fromhex(deployed.vault[2:]), last)
    contracts = {address: contract for contract, address in deployment.addresses.items()}
    reader = BlockReader(node, contracts, findings, no_progress)
    events = [
        event
        for block in reader.events(0, last, skip_empty=True)
        for happened in block
        for event in events_of(happened)
    ]
    replayed = Replayed(node, deployment, events, State(), last, deployed.now(), calls_of(node))
    found, replayed.state = replayed.against_rules(events)
    assert findings.items == found == []
    return replayed
