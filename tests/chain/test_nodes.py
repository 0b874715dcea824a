"""Several nodes as one: fail-over, one node a round, sends to all, strangers refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from service.chain import nodes
from service.chain.nodes import Nodes
from service.chain.rpc import Rpc, RpcError
from service.errors import ChainUnavailable, ConfigurationError


class Fake:
    """A node behind a transport: it answers with its name, fails, or refuses."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 200
        self.error: dict[str, Any] | None = None
        self.asked: list[str] = []
        self.chain = 1

    def handle(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        calls = body if isinstance(body, list) else [body]
        self.asked += [call["method"] for call in calls]
        answers = [
            {"id": call["id"], "error": self.error}
            if self.error
            else {"id": call["id"], "result": self.name}
            for call in calls
        ]
        return httpx.Response(self.status, json=answers if isinstance(body, list) else answers[0])


@pytest.fixture
def fakes() -> list[Fake]:
    return [Fake("a"), Fake("b")]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time as the nodes see it, to be moved."""
    now = [1000.0]
    # Not the module itself: an event loop of another test would sleep by it.
    monkeypatch.setattr(nodes, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


Join = Callable[[], Nodes]


@pytest.fixture
def join(fakes: list[Fake], clock: list[float]) -> Join:
    del clock

    def check(rpc: Rpc) -> None:
        fake = next(fake for fake in fakes if fake.name == rpc.name)
        if fake.status != 200:
            raise ChainUnavailable("away")
        if fake.chain != 1:
            raise ConfigurationError("the node is on another chain")

    def make() -> Nodes:
        return Nodes(
            [
                Rpc(f"http://{fake.name}", transport=httpx.MockTransport(fake.handle))
                for fake in fakes
            ],
            check,
        )

    return make


@pytest.mark.parametrize("status", [429, 500, 503])
def test_another_node_answers_and_the_preferred_one_is_used_again_when_it_is_well(
    fakes: list[Fake], join: Join, clock: list[float], status: int
) -> None:
    with join() as rpc:
        assert rpc.call("who") == "a"
        fakes[0].status = status
        assert rpc.call("who") == "b"
        fakes[0].status = 200
        assert rpc.call("who") == "b"  # left alone for a second
        clock[0] += 1.1
        assert rpc.call("who") == "a"


def test_a_node_that_fails_again_and_again_is_left_alone_for_longer(
    fakes: list[Fake], join: Join, clock: list[float]
) -> None:
    fakes[0].status = 500
    tried = []
    with join() as rpc:
        for _ in range(240):
            before = rpc._nodes[0].failures
            rpc.call("who")
            if rpc._nodes[0].failures > before:
                tried.append(clock[0])
            clock[0] += 1.0
    waits = [later - earlier for earlier, later in pairwise(tried)]
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert max(waits) == 60


@pytest.mark.parametrize("code", [429, -32005])
def test_a_provider_that_says_too_much_in_its_own_words_is_left_alone(
    fakes: list[Fake], join: Join, code: int
) -> None:
    fakes[0].error = {"code": code, "message": "daily request count exceeded"}
    with join() as rpc:
        assert rpc.call("who") == "b"
    fakes[0].asked.clear()
    with join() as rpc:
        assert rpc.batch([("who", ()), ("who", ())]) == ["b", "b"]


def test_what_is_pinned_is_asked_of_one_node_and_fails_with_it(
    fakes: list[Fake], join: Join
) -> None:
    with join() as rpc:
        with rpc.pinned():
            assert rpc.call("who") == "a"
            fakes[0].status = 500
            with pytest.raises(ChainUnavailable):
                rpc.call("who")
            with pytest.raises(ChainUnavailable):
                rpc.batch([("who", ())])
        assert fakes[1].asked == []
        with rpc.pinned():
            assert rpc.call("who") == "b"


def test_a_node_set_aside_gives_its_place_to_the_next(join: Join) -> None:
    with join() as rpc:
        with rpc.pinned():
            rpc.set_aside()
        with rpc.pinned():
            assert rpc.call("who") == "b"


def test_signed_bytes_go_to_every_node_and_one_that_takes_them_is_enough(
    fakes: list[Fake], join: Join
) -> None:
    with join() as rpc, rpc.pinned():
        sends = [("eth_sendRawTransaction", ("0x01",))]
        assert rpc.batch(sends) == ["a"]
        assert [fake.asked for fake in fakes] == [["eth_sendRawTransaction"]] * 2
        fakes[0].error = {"code": -32000, "message": "txpool is full"}
        assert rpc.batch(sends) == ["b"]
        assert rpc.call(*sends[0][:1], *sends[0][1]) == "b"
        fakes[1].error = {"code": -32000, "message": "other words"}
        (answer,) = rpc.batch(sends)
        assert isinstance(answer, RpcError)
        assert answer.message == "txpool is full"
        fakes[0].status = fakes[1].status = 500
        with pytest.raises(ChainUnavailable):
            rpc.batch(sends)


def test_a_node_of_another_chain_is_not_used_and_is_told(
    fakes: list[Fake], join: Join, clock: list[float]
) -> None:
    fakes[0].chain = 2
    with join() as rpc:
        assert rpc.call("who") == "b"
        assert rpc.refusals() == ["a: the node is on another chain"]
        assert rpc.refusals() == []
        assert fakes[0].asked == []
        fakes[0].chain = 1
        clock[0] += 61
        assert rpc.call("who") == "a"


def test_a_node_that_comes_back_as_another_chain_is_refused(
    fakes: list[Fake], join: Join, clock: list[float]
) -> None:
    with join() as rpc:
        assert rpc.call("who") == "a"
        fakes[0].status = 500
        assert rpc.call("who") == "b"
        fakes[0].status, fakes[0].chain = 200, 2
        clock[0] += 2
        assert rpc.call("who") == "b"


def test_where_every_node_is_refused_the_settings_are_wrong(fakes: list[Fake], join: Join) -> None:
    fakes[0].chain = fakes[1].chain = 2
    with join() as rpc, pytest.raises(ConfigurationError, match="another chain"):
        rpc.call("who")


def test_where_every_node_is_away_the_chain_is(fakes: list[Fake], join: Join) -> None:
    fakes[0].status = fakes[1].status = 502
    with join() as rpc:
        for _ in range(2):
            with pytest.raises(ChainUnavailable):
                rpc.call("who")
        fakes[1].status = 200
        assert rpc.call("who") == "b"  # all rest: all are tried
