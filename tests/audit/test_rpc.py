"""A node that answers with what is no answer, without end, or with a bomb."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest

from service.audit import rpc
from service.audit.rpc import Node, NodeRefused
from service.errors import ChainUnavailable

HASH = "0x" + "ab" * 32
BLOCK = {
    "number": "0x1",
    "timestamp": "0x2",
    "gasUsed": "0x0",
    "hash": HASH,
    "parentHash": HASH,
    "receiptsRoot": HASH,
    "logsBloom": "0x" + "00" * 256,
}
LOG = {
    "blockNumber": "0x1",
    "transactionIndex": "0x0",
    "logIndex": "0x0",
    "blockHash": HASH,
    "transactionHash": HASH,
    "address": "0x" + "ab" * 20,
    "topics": [HASH],
    "data": "0x",
}


def node(answer: Callable[[], httpx.Response]) -> Node:
    return Node("http://node", transport=httpx.MockTransport(lambda _: answer()))


def saying(**members: Any) -> Node:
    content = orjson.dumps({"jsonrpc": "2.0", "id": 0, **members})
    return node(lambda: httpx.Response(200, content=content))


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("eth_chainId", None),
        ("eth_chainId", "31337"),
        ("eth_blockNumber", 7),
        ("eth_blockNumber", "-0x1"),
        ("eth_blockNumber", "0x" + "1" * 5000),
        ("eth_call", "0x1"),
        ("eth_getCode", []),
        ("eth_getBlockByNumber", []),
        ("eth_getBlockByNumber", BLOCK | {"logsBloom": None}),
        ("eth_getBlockByNumber", BLOCK | {"number": "1x1"}),
        ("eth_getBlockByNumber", BLOCK | {"transactions": {}}),
        ("eth_getLogs", None),
        ("eth_getLogs", [LOG | {"address": "1x" + "ab" * 20}]),
        ("eth_getLogs", [LOG | {"blockNumber": None}]),
        ("eth_getTransactionByHash", {"to": None}),
        ("eth_getTransactionByHash", {"to": 7, "input": "0x"}),
    ],
)
def test_a_result_that_cannot_be_the_methods_makes_the_node_unusable(
    method: str, result: Any
) -> None:
    with saying(result=result) as asked, pytest.raises(ChainUnavailable, match="with what is none"):
        asked.call(method)


@pytest.mark.parametrize(
    ("method", "result"),
    [
        ("eth_getBlockByNumber", None),
        ("eth_getBlockByNumber", BLOCK | {"transactions": [], "more": 1}),
        ("eth_getLogs", [LOG, LOG]),
        ("eth_getTransactionByHash", {"input": "0xAB"}),
    ],
)
def test_a_result_of_the_methods_shape_is_given(method: str, result: Any) -> None:
    with saying(result=result) as asked:
        assert asked.call(method) == result


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        ({"code": 3, "message": "execution reverted"}, 3, "eth_call: execution reverted"),
        ({"code": [], "message": {}}, 0, "eth_call: an error"),
        (["x"], 0, "eth_call: an error"),
        ("no", 0, "eth_call: no"),
        ({"message": "x" * 10_000}, 0, "eth_call: " + "x" * 500),
    ],
)
def test_an_error_of_any_shape_is_a_refusal(error: Any, code: int, words: str) -> None:
    with saying(error=error) as asked, pytest.raises(NodeRefused) as refused:
        asked.call("eth_call")
    assert (refused.value.rpc_code, str(refused.value)) == (code, words)


@pytest.mark.parametrize("content", [b"7", b"[]", b"[[]]", b'{"id": [], "result": "0x1"}', b"{"])
def test_what_answers_no_call_makes_the_node_unusable(content: bytes) -> None:
    unusable = pytest.raises(ChainUnavailable)
    with node(lambda: httpx.Response(200, content=content)) as asked, unusable:
        asked.call("eth_chainId")


def test_an_answer_that_unpacks_without_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "MAX_ANSWER_BYTES", 2**20)
    bomb = gzip.compress(bytes(2**24))
    answer = httpx.Response(200, content=bomb, headers={"Content-Encoding": "gzip"})
    with node(lambda: answer) as asked, pytest.raises(ChainUnavailable, match="more than any"):
        asked.call("eth_chainId")


class Dripping(httpx.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        return itertools.repeat(b" ")


def test_an_answer_that_drips_for_ever_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "LONGEST_ANSWER_S", 0.05)
    left = pytest.raises(ChainUnavailable, match="does not come to the end")
    with node(lambda: httpx.Response(200, stream=Dripping())) as asked, left:
        asked.call("eth_chainId")
