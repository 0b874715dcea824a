"""The faulty node for those who speak to it: over HTTP on loopback, or in process."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from service.chain.rpc import Rpc
from tests.faults.node import FaultyNode, Unanswered

Watch = Callable[[str, bytes], None]
"""Called with ``before`` and ``after`` and the body of a request."""


def unwatched(_when: str, _body: bytes) -> None:
    """Do nothing."""


class InProcess(httpx.BaseTransport):
    """Hands requests to the node without a socket: one thread, no clock, the same each time."""

    def __init__(self, node: FaultyNode, watch: Watch = unwatched) -> None:
        self._node = node
        self._watch = watch

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        body = request.read()
        self._watch("before", body)
        try:
            reply = self._node.answer(body)
        except Unanswered as error:
            self._watch("after", body)
            raise httpx.ReadError(str(error), request=request) from error
        self._watch("after", body)
        return httpx.Response(reply.status, content=reply.content)


class Clean(httpx.BaseTransport):
    """The same node for those who prepare and check: geth's rules, no faults, mined at once."""

    def __init__(self, node: FaultyNode) -> None:
        self._node = node

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        node = self._node
        kept = node.plan, node.lag_requests, node.mine_on_send, node.mine_on_request
        node.plan, node.lag_requests, node.mine_on_send, node.mine_on_request = None, 0, 1.0, 1.0
        try:
            reply = node.answer(request.read())
        finally:
            node.plan, node.lag_requests, node.mine_on_send, node.mine_on_request = kept
        return httpx.Response(reply.status, content=reply.content)


class OneThread(Rpc):
    """A client that does nothing beside: what is asked is answered first, the same each time."""

    @contextmanager
    def beside(
        self, calls: Iterable[tuple[str, Sequence[Any]]]
    ) -> Iterator[Callable[[], list[Any]]]:
        """Ask, then let the block run; what went wrong is said where the answers are awaited."""
        asked: Future[list[Any]] = Future()
        try:
            asked.set_result(self.batch(calls))
        except Exception as error:
            asked.set_exception(error)
        yield asked.result


def rpc_in_process(node: FaultyNode, watch: Watch = unwatched) -> Rpc:
    """A client of the service that reaches the node without a socket."""
    return OneThread("http://faulty-node", transport=InProcess(node, watch))


def clean_rpc(node: FaultyNode) -> Rpc:
    """A client that meets no fault."""
    return Rpc("http://node", transport=Clean(node))


@contextmanager
def serve(node: FaultyNode, watch: Watch = unwatched) -> Iterator[tuple[str, threading.Lock]]:
    """Serve the node on loopback; requests are answered one at a time.

    Yields
    ------
    tuple
        The URL, and the lock that whoever touches the node meanwhile must hold.
    """
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in one segment: no delayed acknowledgement between the two.
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            try:
                with lock:
                    watch("before", body)
                    try:
                        reply = node.answer(body)
                    finally:
                        watch("after", body)
            except Unanswered:
                self.close_connection = True
                return
            if reply.delay_s:
                time.sleep(reply.delay_s)
            try:
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply.content)))
                self.end_headers()
                self.wfile.write(reply.content)
                self.wfile.flush()
            except OSError:
                self.close_connection = True  # whoever asked was killed

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            del request, client_address
            error = sys.exc_info()[1]
            if error is not None and not isinstance(error, ConnectionError):
                raise error  # a client that was killed breaks its connection, and no more

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", lock
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
