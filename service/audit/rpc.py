"""A node, as an auditor uses it: JSON-RPC with batches, and log windows that fit its limits.

Nothing a node says is believed here; :mod:`service.audit.blocks` checks it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from service.audit.answers import fits
from service.errors import ChainUnavailable, InvalidInput

MAX_BATCH = 100
"""Calls in one HTTP request; many public nodes refuse more."""

TIMEOUT_S = 60.0
LONGEST_ANSWER_S = 600.0
"""How long one answer may take, however steadily it drips."""

MAX_ANSWER_BYTES = 2**30
"""Of one answer, unpacked: more than the receipts of ``GAS_A_TIME`` can be, of logs of 375 gas."""

LONGEST_SHOWN = 500
"""Characters of a node's own words that are repeated."""

FIRST_WINDOW = 2_000
LARGEST_WINDOW = 50_000
FINAL_DEPTH = 64
"""Two epochs of Ethereum's consensus: what lies so deep was final there."""

COMFORTABLE_LOGS = 5_000
"""Answers with fewer logs let the next window grow."""


class NodeRefused(ChainUnavailable):
    """The node answered with an error: a method it lacks, a range it refuses, a state it dropped.

    Attributes
    ----------
    rpc_code
        JSON-RPC error code.
    """

    title = "The chain node refused the request"

    def __init__(self, rpc_code: int, message: str) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code


def _refusal(method: str, error: Any) -> NodeRefused:
    """Return what a node's error says, as far as it says something."""
    members = error if isinstance(error, dict) else {"message": error}
    code, text = members.get("code"), members.get("message")
    return NodeRefused(
        code if isinstance(code, int) else 0,
        f"{method}: {text[:LONGEST_SHOWN] if isinstance(text, str) else 'an error'}",
    )


class Node:
    """JSON-RPC over one kept HTTP connection.

    Parameters
    ----------
    url
        Address of the node.
    transport
        Takes the place of the network in tests.
    """

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url
        # trust_env: no proxy of the environment between an auditor and the node asked for.
        self._http = httpx.Client(
            timeout=TIMEOUT_S,
            transport=transport,
            trust_env=False,
            headers={"Content-Type": "application/json"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def call(self, method: str, *params: Any) -> Any:
        """Call one method.

        Raises
        ------
        ChainUnavailable
            When the node does not answer.
        NodeRefused
            When it answers with an error.
        """
        (answer,) = self.batch(method, [params])
        return answer

    def batch(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        """Call one method with each of many parameter lists; answers in the same order.

        Raises
        ------
        ChainUnavailable, NodeRefused
            As :meth:`call`; one refused call refuses the batch.
        """
        answers: list[Any] = []
        for start in range(0, len(params), MAX_BATCH):
            answers += self._exchange(method, params[start : start + MAX_BATCH])
        return answers

    def _exchange(self, method: str, params: Sequence[Sequence[Any]]) -> list[Any]:
        calls = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": list(each)}
            for number, each in enumerate(params)
        ]
        answer = self._post(calls if len(calls) > 1 else calls[0])
        members = answer if isinstance(answer, list) else [answer]
        by_id = {
            member["id"]: member
            for member in members
            if isinstance(member, dict) and isinstance(member.get("id"), int)
        }
        results = []
        for number in range(len(calls)):
            member = by_id.get(number)
            if member is None and members and isinstance(members[0], dict):
                member = members[0] if "error" in members[0] else None
            if member is None:
                raise ChainUnavailable(f"{self.url} left {method} unanswered")
            if member.get("error"):
                raise _refusal(method, member["error"])
            result = member.get("result")
            if not fits(method, result):
                raise ChainUnavailable(f"{self.url} answers {method} with what is none")
            results.append(result)
        return results

    def _post(self, body: Any) -> Any:
        try:
            with self._http.stream("POST", self.url, content=orjson.dumps(body)) as response:
                if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                    raise ChainUnavailable(f"{self.url} answers with {response.status_code}")
                return orjson.loads(self._content(response))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ChainUnavailable(f"{self.url} does not answer: {error}") from error
        except orjson.JSONDecodeError as error:
            raise ChainUnavailable(f"{self.url} does not speak JSON-RPC") from error

    def _content(self, response: httpx.Response) -> bytes:
        """Read an answer: no more than any can be, for no longer than any takes."""
        content, until = bytearray(), time.monotonic() + LONGEST_ANSWER_S
        for part in response.iter_bytes():
            content += part
            if len(content) > MAX_ANSWER_BYTES:
                raise ChainUnavailable(f"{self.url} answers with more than any answer can be")
            if time.monotonic() > until:
                raise ChainUnavailable(f"{self.url} does not come to the end of its answer")
        return bytes(content)

    def view(self, to: str, data: bytes, block: int) -> bytes:
        """Call a contract's view at a block.

        Raises
        ------
        ChainUnavailable, NodeRefused
            As :meth:`call`.
        """
        return self.views([(to, data)], block)[0]

    def views(self, calls: Sequence[tuple[str, bytes]], block: int) -> list[bytes]:
        """Call many views at one block.

        Raises
        ------
        ChainUnavailable, NodeRefused
            As :meth:`call`.
        """
        params = [[{"to": to, "data": "0x" + data.hex()}, hex(block)] for to, data in calls]
        return [bytes.fromhex(answer[2:]) for answer in self.batch("eth_call", params)]

    def blocks_asked(self, first: int, last: int | None) -> tuple[int, int, int]:
        """Return the first and last block to read, and the newest there is.

        Parameters
        ----------
        last
            None is the newest.

        Raises
        ------
        InvalidInput
            When one is not there, or the first is after the last.
        ChainUnavailable
            When the node does not answer.
        """
        newest = int(self.call("eth_blockNumber"), 16)
        last = newest if last is None else last
        if last > newest:
            raise InvalidInput(f"block {last} is not there: the newest is {newest}")
        if first > last:
            raise InvalidInput(f"block {first} is after block {last}, the last to be read")
        return first, last, newest

    def final_block(self) -> int:
        """Return the newest block that the node calls final; without one, 64 behind the newest.

        Raises
        ------
        ChainUnavailable, NodeRefused
            As :meth:`call`.
        """
        try:
            header = self.call("eth_getBlockByNumber", "finalized", False)
        except NodeRefused:
            header = None
        if header is not None:
            return int(header["number"], 16)
        return max(0, int(self.call("eth_blockNumber"), 16) - FINAL_DEPTH)

    def headers(self, first: int, last: int) -> list[dict[str, Any] | None]:
        """Return the headers of blocks `first` to `last`.

        Raises
        ------
        ChainUnavailable, NodeRefused
            As :meth:`call`.
        """
        return self.batch(
            "eth_getBlockByNumber", [(hex(number), False) for number in range(first, last + 1)]
        )

    def log_windows(
        self,
        addresses: Sequence[str],
        first: int,
        last: int,
        topics: Sequence[Sequence[str]] = (),
    ) -> Iterator[tuple[int, int, list[dict[str, Any]]]]:
        """Yield consecutive windows of blocks with the logs of some addresses.

        A window the node refuses is halved; answers with few logs let the next one grow.

        Parameters
        ----------
        topics
            As ``eth_getLogs`` takes them: for each place the topics that may stand there.

        Yields
        ------
        tuple
            First block, last block, logs.

        Raises
        ------
        ChainUnavailable
            When the node does not answer.
        NodeRefused
            When it refuses even a single block.
        """
        size = FIRST_WINDOW
        while first <= last:
            end = min(last, first + size - 1)
            query: dict[str, Any] = {
                "address": list(addresses),
                "fromBlock": hex(first),
                "toBlock": hex(end),
            }
            if topics:
                query["topics"] = [list(choice) for choice in topics]
            try:
                logs = self.call("eth_getLogs", query)
            except NodeRefused:
                if end == first:
                    raise
                size = max(1, (end - first + 1) // 2)
                continue
            yield first, end, logs
            first = end + 1
            if len(logs) < COMFORTABLE_LOGS:
                size = min(LARGEST_WINDOW, size * 2)
            else:
                size = max(1, size // 2)
