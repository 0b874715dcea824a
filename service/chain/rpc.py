"""A small JSON-RPC client: one kept connection, batches, typed errors.

It knows no method by name but those every caller would repeat. It never retries by itself: what is
safe to send twice is the caller's knowledge.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import orjson

from service.chain.patience import patience
from service.errors import ChainUnavailable, ReliefError
from service.telemetry.metrics import RPC_CALLS, RPC_ERRORS, RPC_SECONDS, timed

MAX_BATCH = 100
"""Calls in one HTTP request; many public nodes refuse more."""

DEFAULT_TIMEOUT_S = 30.0

HURRIED_TIMEOUT_S = 2.0
"""Seconds to wait for an answer once the process is asked to end."""


class RpcError(ReliefError):
    """The node answered with an error.

    Attributes
    ----------
    rpc_code
        JSON-RPC error code.
    data
        What came with it; for a revert the revert data as 0x-hex.
    """

    code, status, title = "rpc_error", 502, "The chain node refused the request"

    def __init__(self, rpc_code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.rpc_code = rpc_code
        self.message = message
        self.data = data


class Rpc:
    """JSON-RPC over one kept HTTP connection.

    Parameters
    ----------
    url
        Address of the node.
    timeout_s
        Seconds to wait for an answer.
    transport
        Takes the place of the network in tests.

    Attributes
    ----------
    name
        Host and port, for people: an address may hold a key of a provider.
    several
        Whether it stands for more than one node.
    nodes
        How many nodes it is one of.
    waiting
        Whether the main thread waits for an answer at this moment.
    """

    several = False

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url
        self.name = urlsplit(url).netloc.rpartition("@")[2]
        # Providers' addresses hold keys, in the user's part, the path or the query.
        self.shown_url = f"{urlsplit(url).scheme}://{self.name}"
        self.nodes = 1
        self.waiting = False
        self._hurried = False
        # trust_env: no proxy of the environment between us and our node.
        self._http = httpx.Client(
            timeout=timeout_s,
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
        """Call one method and return its result.

        Raises
        ------
        ChainUnavailable
            If no usable answer came.
        RpcError
            If the node answered with an error.
        """
        with self._counted([method]):
            answer = self._post({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
        if not isinstance(answer, dict):
            raise ChainUnavailable(
                f"{self.shown_url} answered {method} with something else than JSON-RPC"
            )
        try:
            return _result(answer)
        except RpcError:
            RPC_ERRORS.labels(self.name, method, "refused").inc()
            raise

    def batch(self, calls: Iterable[tuple[str, Sequence[Any]]]) -> list[Any]:
        """Call several methods, up to 100 in a request; results in the order of the calls.

        A call that the node refused has its :class:`RpcError` in the place of its result.

        Raises
        ------
        ChainUnavailable
            If a request, or one of its calls, got no usable answer.
        """
        requests: list[dict[str, Any]] = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        results: list[Any] = [None] * len(requests)
        for start in range(0, len(requests), MAX_BATCH):
            part = requests[start : start + MAX_BATCH]
            with self._counted([request["method"] for request in part]):
                answers = self._post(part)
            if not isinstance(answers, list):
                raise ChainUnavailable(
                    f"{self.shown_url} refuses JSON-RPC batches: {answers!r:.200}"
                )
            by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
            for request in part:
                number = request["id"]
                if number not in by_id:
                    raise ChainUnavailable(f"{self.shown_url} left {request['method']} unanswered")
                try:
                    results[number] = _result(by_id[number])
                except RpcError as error:
                    RPC_ERRORS.labels(self.name, request["method"], "refused").inc()
                    results[number] = error
        return results

    @contextmanager
    def beside(
        self, calls: Iterable[tuple[str, Sequence[Any]]]
    ) -> Iterator[Callable[[], list[Any]]]:
        """Ask as :meth:`batch` does while the block does something else.

        Nothing else is to be asked of the node in the block. At its end the answers are there, or
        lost, however it ends.

        Yields
        ------
        Callable
            Waits for the answers and returns them, or raises what :meth:`batch` does.
        """
        wanted = list(calls)
        asked: Future[list[Any]] = Future()

        def ask() -> None:
            try:
                asked.set_result(self.batch(wanted))
            except BaseException as error:  # noqa: BLE001 - raised where the answers are awaited
                asked.set_exception(error)

        def answers() -> list[Any]:
            with self._waiting():
                return asked.result()

        threading.Thread(target=ask, name="rpc", daemon=True).start()
        try:
            yield answers
        finally:
            if not self._hurried:  # else the process ends, and the thread with it
                with self._waiting():
                    wait_for([asked])

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Let the wait be broken off: signals are handled in the main thread, so only its own."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self.waiting = True
        try:
            yield
        finally:
            self.waiting = False

    @contextmanager
    def _counted(self, methods: Sequence[str]) -> Iterator[None]:
        """Count the calls of one request, and how long the node took for it."""
        kinds = Counter(methods)
        method = methods[0] if len(kinds) == 1 else "batch"
        try:
            with timed(RPC_SECONDS.labels(self.name, method)):
                yield
        except ChainUnavailable:
            for name, count in kinds.items():
                RPC_ERRORS.labels(self.name, name, "unavailable").inc(count)
            raise
        for name, count in kinds.items():
            RPC_CALLS.labels(self.name, name).inc(count)

    def _post(self, body: Any) -> Any:
        try:
            with self._waiting():
                response = self._response(orjson.dumps(body))
                response.raise_for_status()
                return orjson.loads(response.content)
        except (httpx.HTTPError, ValueError) as error:
            raise ChainUnavailable(f"{self.shown_url} does not answer: {_why(error)}") from error

    def _response(self, content: bytes) -> httpx.Response:
        """Post, with less patience where it is short."""
        short = patience()
        if short is None:
            return self._http.post(self.url, content=content)
        timeout_s = short.timeout_s(self.nodes)
        if not timeout_s:
            raise ChainUnavailable(f"{self.shown_url} is not asked: {short.because}")
        began = time.monotonic()
        try:
            return self._http.post(self.url, content=content, timeout=timeout_s)
        except httpx.TimeoutException:
            waited_s = time.monotonic() - began
            short.waited_in_vain(waited_s)
            raise ChainUnavailable(
                f"{self.shown_url} did not answer in {waited_s:.1f} s: {short.because}"
            ) from None

    # ---- one of several (service.chain.nodes); alone nothing is chosen ---------------------------

    def pinned(self) -> AbstractContextManager[None]:
        """Ask one node alone while the block runs."""
        return nullcontext()

    def set_aside(self) -> None:
        """Leave the node alone for a while, where there is another."""

    def others(self) -> Iterator[Rpc]:
        """Return the other nodes that can be asked now."""
        return iter(())

    def refusals(self) -> list[str]:
        """Return which nodes were refused since the last call, and why."""
        return []

    @property
    def has_another(self) -> bool:
        """Whether there is a node that did not fail a moment ago."""
        return False

    def hurry(self) -> None:
        """Wait for no answer much longer: the process is asked to end.

        For a signal's handler, which runs in the middle of whatever the process does.

        Raises
        ------
        ChainUnavailable
            In the middle of a wait.
        """
        self._hurried = True
        self._http.timeout = httpx.Timeout(HURRIED_TIMEOUT_S)
        if self.waiting:
            raise ChainUnavailable(f"{self.shown_url} did not answer before the end")

    # ---- what every caller would repeat ------------------------------------------------------

    def block_number(self) -> int:
        """Return the number of the newest block."""
        return int(self.call("eth_blockNumber"), 16)

    def header(self, block: int | str) -> dict[str, Any] | None:
        """Return a block without its transactions, or None if there is none of that number."""
        result: dict[str, Any] | None = self.call(
            "eth_getBlockByNumber", hex(block) if isinstance(block, int) else block, False
        )
        return result

    def eth_call(
        self,
        to: str,
        data: bytes,
        *,
        sender: str | None = None,
        gas: int | None = None,
        block: int | str = "latest",
    ) -> bytes:
        """Run a call without sending it and return its output.

        Raises
        ------
        RpcError
            If it reverts; :func:`service.chain.contracts.refusal` reads it.
        """
        transaction = {"to": to, "data": "0x" + data.hex()}
        if sender is not None:
            transaction["from"] = sender
        if gas is not None:
            transaction["gas"] = hex(gas)
        where = hex(block) if isinstance(block, int) else block
        return bytes.fromhex(self.call("eth_call", transaction, where)[2:])


def _why(error: httpx.HTTPError | ValueError) -> str:
    """What went wrong, in words without the node's address."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"HTTP status {error.response.status_code}"
    return str(error)


def _result(answer: dict[str, Any]) -> Any:
    error = answer.get("error")
    if error is not None:
        raise RpcError(int(error.get("code", 0)), str(error.get("message", "")), error.get("data"))
    if "result" not in answer:
        raise ChainUnavailable("the node's answer has neither result nor error")
    return answer["result"]
