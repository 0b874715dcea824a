"""Answers asked for ahead come in order, and no thread outlives who asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from eth_utils.address import to_canonical_address

from service.audit.ahead import ahead
from service.audit.blocks import BlockReader
from service.audit.deployment import discover
from service.audit.findings import Findings
from service.audit.replay import no_progress
from service.audit.rpc import Node
from service.errors import ChainUnavailable
from tests.audit.lying_node import Refuse, lying_node
from tests.audit.scenario import Scenario


def asking() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("ask")}


def test_answers_are_in_the_order_of_the_questions() -> None:
    assert list(ahead(range(20), lambda number: number**2, 3)) == [(n, n**2) for n in range(20)]


def test_what_a_question_raises_is_raised_and_the_thread_is_gone() -> None:
    def questions() -> Iterator[int]:
        yield from (2, 1, 0)

    with pytest.raises(ZeroDivisionError):
        list(ahead(questions(), lambda number: 1 // number, 2))
    assert asking() == set()


def test_a_reader_whose_node_fails_leaves_no_thread(scenario: Scenario) -> None:
    """Not even while somebody keeps the error, and with it all that it went through."""

    def lie(method: str, _params: object, true: object) -> object:
        if method == "eth_getBlockReceipts":
            raise Refuse(-32601, "the method does not exist")
        return None if method == "eth_getLogs" else true

    failing = pytest.raises(ChainUnavailable)
    with lying_node(scenario.deployed.node.rpc_url, lie) as url, Node(url) as node:
        last = int(node.call("eth_blockNumber"), 16)
        vault = to_canonical_address(scenario.deployed.vault)
        addresses = discover(node, vault, last).addresses
        contracts = {address: contract for contract, address in addresses.items()}
        reader = BlockReader(node, contracts, Findings(), no_progress, watched=set(range(last)))
        with failing as failed:
            list(reader.events(0, last, skip_empty=False))
        assert asking() == set()
    assert failed.value.__traceback__ is not None
