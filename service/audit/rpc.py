"""A node, as an auditor uses it: JSON-RPC with batches, and log windows that fit its limits.

Nothing a node says is believed here; :mod:`service.audit.blocks` checks it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import httpx
import orjson

from service.errors import ChainUnavailable, InvalidInput

MAX_BATCH = 100
"""Calls in one HTTP request; many public nodes refuse more."""

TIMEOUT_S = 60.0
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
        by_id = {member.get("id"): member for member in members if isinstance(member, dict)}
        results = []
        for number in range(len(calls)):
            member = by_id.get(number)
            if member is None and members and isinstance(members[0], dict):
                member = members[0] if "error" in members[0] else None
            if member is None:
                raise ChainUnavailable(f"{self.url} left {method} unanswered")
            if member.get("error"):
                error = member["error"]
                text = error.get("message", error) if isinstance(error, dict) else error
                code = error.get("code", 0) if isinstance(error, dict) else 0
                raise NodeRefused(code, f"{method}: {text}")
            results.append(member.get("result"))
        return results

    def _post(self, body: Any) -> Any:
        try:
            response = self._http.post(self.url, content=orjson.dumps(body))
            if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise ChainUnavailable(f"{self.url} answers with {response.status_code}")
            return orjson.loads(response.content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ChainUnavailable(f"{self.url} does not answer: {error}") from error
        except orjson.JSONDecodeError as error:
            raise ChainUnavailable(f"{self.url} does not speak JSON-RPC") from error

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
