"""Answers asked for ahead come in order, and no thread outlives who asks."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from eth_utils.address import to_canonical_address

from service.audit.ahead import ahead
from service.audit.decode import Event
from service.audit.replay import Options, replay
from service.audit.rpc import Node
from service.audit.state import State
from service.errors import ConfigurationError
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


class Full:
    """Cannot take what a replay sees, as when the disk is full."""

    def saw(self, _event: Event, _state: State) -> None:
        raise ConfigurationError("the disk is full")

    def withdrew(self, *_: object) -> None:
        raise AssertionError


def test_a_replay_that_ends_early_leaves_no_thread(scenario: Scenario) -> None:
    """Not even while somebody keeps the error, and with it all that it went through."""
    vault = to_canonical_address(scenario.deployed.vault)
    full = pytest.raises(ConfigurationError)
    with Node(scenario.deployed.node.rpc_url) as node, full as stopped:
        replay(node, Options(vault), listeners=[Full()])
    assert asking() == set()
    assert stopped.value.__traceback__ is not None
