"""The JSON-RPC client: batches in order, errors with their data, nothing missing believed."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.chain.nodes import Nodes
from service.chain.rpc import Rpc, RpcError
from service.errors import ChainUnavailable


def client(answer: Callable[[Any], Any]) -> Rpc:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=answer(json.loads(request.content)))

    return Rpc("http://node", transport=httpx.MockTransport(handle))


def test_results_of_a_batch_come_in_the_order_of_the_calls() -> None:
    sizes: list[int] = []

    def answer(body: Any) -> Any:
        sizes.append(len(body))
        return [{"id": call["id"], "result": call["params"][0]} for call in reversed(body)]

    with client(answer) as rpc:
        assert rpc.batch([("echo", (n,)) for n in range(250)]) == list(range(250))
    assert sizes == [100, 100, 50]


def test_a_refused_call_of_a_batch_leaves_the_others() -> None:
    def answer(body: Any) -> Any:
        return [
            {"id": body[0]["id"], "error": {"code": 3, "message": "reverted", "data": "0xab"}},
            {"id": body[1]["id"], "result": "0x1"},
        ]

    with client(answer) as rpc:
        refused, good = rpc.batch([("a", ()), ("b", ())])
    assert isinstance(refused, RpcError)
    assert (refused.rpc_code, refused.message, refused.data) == (3, "reverted", "0xab")
    assert good == "0x1"


@pytest.mark.parametrize(
    "body", [[], [{"id": 99, "result": 1}], {"id": 0, "error": {"message": "no batches"}}, "hello"]
)
def test_an_unanswered_call_of_a_batch_is_an_outage(body: Any) -> None:
    with client(lambda _: body) as rpc, pytest.raises(ChainUnavailable):
        rpc.batch([("a", ())])


@pytest.mark.parametrize("status", [429, 500, 502])
def test_an_http_error_is_an_outage(status: int) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text="busy"))
    with Rpc("http://node", transport=transport) as rpc, pytest.raises(ChainUnavailable):
        rpc.call("eth_chainId")


@pytest.mark.parametrize("answer", [429, [], "hello", b"<html>", [{"id": 99}]])
def test_no_failure_tells_the_key_in_the_nodes_address(answer: Any) -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, int):
            return httpx.Response(answer)
        if isinstance(answer, bytes):
            return httpx.Response(200, content=answer)
        return httpx.Response(200, json=answer)

    url = "https://me:s3cret@node.example:8545/v3/s3cret?key=s3cret"
    with Rpc(url, transport=httpx.MockTransport(handle)) as rpc:
        for ask in (lambda: rpc.call("a"), lambda: rpc.batch([("a", ())])):
            with pytest.raises(ChainUnavailable) as failed:
                ask()
            assert "s3cret" not in failed.value.detail
            assert "https://node.example:8545 " in failed.value.detail


def test_nobody_listening_is_an_outage() -> None:
    with Rpc("http://127.0.0.1:1") as rpc, pytest.raises(ChainUnavailable):
        rpc.call("eth_chainId")


# ---- beside something else -----------------------------------------------------------------------


def test_what_is_done_beside_is_done_before_the_node_has_answered() -> None:
    done = threading.Event()

    def answer(body: Any) -> Any:
        assert done.wait(10)
        return [{"id": call["id"], "result": call["params"][0]} for call in body]

    with client(answer) as rpc, rpc.beside([("echo", (7,))]) as answers:
        done.set()
        assert answers() == [7]


def test_an_outage_beside_is_raised_where_the_answers_are_awaited() -> None:
    with (
        client(lambda _: "hello") as rpc,
        rpc.beside([("a", ())]) as answers,
        pytest.raises(ChainUnavailable),
    ):
        answers()


def test_whatever_ends_the_block_the_node_is_asked_nothing_any_more() -> None:
    asked = []

    def answer(body: Any) -> Any:
        time.sleep(0.1)
        asked.append(body)
        return [{"id": call["id"], "result": None} for call in body]

    with client(answer) as rpc:
        with pytest.raises(ZeroDivisionError), rpc.beside([("a", ())]):
            raise ZeroDivisionError
        assert len(asked) == 1


@pytest.mark.parametrize("nodes", [1, 2])
def test_a_process_that_is_asked_to_end_waits_no_longer_for_answers(nodes: int) -> None:
    never = threading.Event()

    def answer(body: Any) -> Any:
        assert never.wait(30)
        return [{"id": call["id"], "result": None} for call in body]

    rpc: Rpc = client(answer)
    if nodes > 1:
        rpc = Nodes([rpc, client(answer)], lambda _: None)
    handler = signal.signal(signal.SIGALRM, lambda *_: rpc.hurry())
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    began = time.monotonic()
    try:
        with pytest.raises(ChainUnavailable, match="before the end"), rpc.beside([("a", ())]) as it:
            it()
    finally:
        signal.signal(signal.SIGALRM, handler)
        never.set()
    assert time.monotonic() - began < 20
