"""A payment proof of each kind, made once from the chains that other tests of the audit live."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from eth_utils.crypto import keccak

from service.audit.proofs.document import read, write
from service.audit.proofs.making import Wanted, make
from service.audit.proofs.verify import Verification, verify
from service.audit.replay import no_progress
from service.audit.rpc import Node
from tests.audit.keyed import Keyed
from tests.audit.scenario import Scenario
from tests.support.deployed import Deployed

Document = dict[str, Any]


def made(deployed: Deployed, wanted: Wanted) -> bytes:
    """Make a proof, which must hold."""
    with Node(deployed.node.rpc_url) as node:
        proof, verification = make(node, bytes.fromhex(deployed.vault[2:]), wanted, no_progress)
    assert verification.findings == [] or verification.holds
    return write(proof)


KINDS = (
    *("paid", "retried", "number", "stream", "cut stream", "passed-by stream", "grant"),
    *("changed wallet", "changed stream", "keys"),
)


@pytest.fixture(scope="session")
def proofs(scenario: Scenario, corrected: Scenario, keyed: Keyed) -> dict[str, bytes]:
    """The files, by what they prove."""
    batches = {name: batch.id for name, batch in scenario.batches.items()}
    wrong = {name: batch.id for name, batch in corrected.batches.items()}
    first = {
        "paid": Wanted(batch=batches["plain"], index=1),
        "retried": Wanted(batch=batches["plain"], index=3),
        "number": Wanted(programme=1, number=6),
        "stream": Wanted(batch=batches["streams"], index=2),
        "cut stream": Wanted(batch=batches["streams"], index=3),
        "passed-by stream": Wanted(batch=batches["streams"], index=5),
        "grant": Wanted(grant=keccak(text="grant spoilt")),
    }
    found = {name: made(scenario.deployed, wanted) for name, wanted in first.items()}
    second = {
        "changed wallet": Wanted(batch=wrong["one-off"], index=1),
        "changed stream": Wanted(batch=wrong["streams"], index=0),
    }
    found |= {name: made(corrected.deployed, wanted) for name, wanted in second.items()}
    found["keys"] = made(keyed.deployed, Wanted(batch=keyed.batch, index=0))
    assert tuple(found) == KINDS
    return found


@pytest.fixture(scope="session")
def document(proofs: dict[str, bytes]) -> Callable[[str], Document]:
    """A fresh copy of a proof's document."""
    return lambda kind: json.loads(proofs[kind])


def rewritten(document: Any) -> bytes:
    """The one way to write a document."""
    text = json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return text.encode()


def checked(document: Any) -> Verification:
    """Check a document, however it came about."""
    return verify(read(rewritten(document)), {})
