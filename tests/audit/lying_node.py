"""A real HTTP server in front of the chain that passes everything on, but for one lie."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Lie = Callable[[str, list[Any], Any], Any]
"""Given method, parameters and the true result, returns what is said; may raise :class:`Refuse`."""


class Refuse(Exception):
    """The node answers with an error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def lying_node(honest: str, lie: Lie) -> Iterator[str]:
    """Serve at an address of its own; yields the URL."""
    with httpx.Client(trust_env=False, timeout=30) as upstream:

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                calls = json.loads(body)
                answers = upstream.post(honest, content=body, headers=JSON).json()
                if isinstance(calls, list):
                    by_id = {answer["id"]: answer for answer in answers}
                    said = [answered(call, by_id[call["id"]]) for call in calls]
                    self._reply(said)
                else:
                    self._reply(answered(calls, answers))

            def _reply(self, said: Any) -> None:
                content = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        def answered(call: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
            if "error" in answer:
                return answer
            try:
                result = lie(call["method"], call["params"], answer["result"])
            except Refuse as refusal:
                error = {"code": refusal.code, "message": str(refusal)}
                return {"jsonrpc": "2.0", "id": call["id"], "error": error}
            return {**answer, "result": result}

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}"
            finally:
                server.shutdown()
                thread.join()


JSON = {"Content-Type": "application/json"}
