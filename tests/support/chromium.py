"""A Chromium with a virtual authenticator, driven over the DevTools protocol: it makes passkeys.

``python -m tests.support.chromium > FILE`` has it sign the batch approval below. One such record,
with s in the upper half, is kept as ``chromium_assertion.json``: tests hold the service, the audit
and the contracts to it where there is no browser.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from service.approvals.domain import SigningDomain
from service.approvals.typed_data import digest_of, make_typed_data

PROGRAMS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 60.0

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
}

REGISTER = """
(async () => {
  const made = await navigator.credentials.create({publicKey: {
    rp: {name: "Relief"},
    user: {id: crypto.getRandomValues(new Uint8Array(16)), name: "officer", displayName: "Officer"},
    challenge: crypto.getRandomValues(new Uint8Array(32)),
    pubKeyCredParams: [{type: "public-key", alg: -7}],
    authenticatorSelection: {userVerification: "required", residentKey: "preferred"}}})
  window.passkey = made.rawId
  const spki = new Uint8Array(made.response.getPublicKey())
  return Array.from(spki.slice(-64), byte => byte.toString(16).padStart(2, "0")).join("")
})()
"""
SIGN = """
(async () => {
  const digest = Uint8Array.from("%s".match(/../g), pair => parseInt(pair, 16))
  const signed = await navigator.credentials.get({publicKey: {
    challenge: digest, userVerification: "%s",
    allowCredentials: [{type: "public-key", id: window.passkey}]}})
  return JSON.stringify(signed.toJSON())
})()
"""
"""As docs/signing.md has them."""


def program() -> str | None:
    """The Chromium of this machine, or None."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


@dataclass
class Chromium:
    """A page with a virtual authenticator.

    Attributes
    ----------
    version
        Such as ``Chrome/140.0.7339.80``.
    """

    connection: ClientConnection
    version: str = ""
    session: str = ""
    authenticator: str = ""
    numbers: Any = field(default_factory=lambda: count(1))

    def call(self, method: str, **params: Any) -> Any:
        """Call a method of the DevTools protocol."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.connection.send(json.dumps(message))
        while True:
            answer = json.loads(self.connection.recv(timeout=ANSWER_TIMEOUT_S))
            if answer.get("id") == number:
                assert "error" not in answer, answer["error"]
                return answer["result"]

    def run(self, script: str) -> Any:
        """Run a script in the page and return what its promise gave."""
        answer = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"]["value"]

    def register(self) -> bytes:
        """Make a passkey; returns its key, x | y."""
        return bytes.fromhex(self.run(REGISTER))

    def sign(self, digest: bytes, *, verification: str = "required") -> Any:
        """Have the passkey sign a digest; returns what ``toJSON()`` gives."""
        return json.loads(self.run(SIGN % (digest.hex(), verification)))

    def verify_user(self, *, verified: bool) -> None:
        """Let the authenticator verify its user from now on, or not."""
        self.call(
            "WebAuthn.setUserVerified",
            authenticatorId=self.authenticator,
            isUserVerified=verified,
        )


class _Page(BaseHTTPRequestHandler):
    """An empty page: WebAuthn needs a site of its own."""

    def do_GET(self) -> None:  # the name that the server calls
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Relief</title>")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def _site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        # A name that browsers take for a secure context, and for a relying party.
        yield f"http://localhost:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def start_chromium(path: str) -> Iterator[Chromium]:
    """Run Chromium without a window, with a page and an authenticator that verifies its user."""
    with tempfile.TemporaryDirectory() as profile, _site() as url:
        arguments = (
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-dev-shm-usage"),
            *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
        )
        process = subprocess.Popen(
            [path, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            with connect(_address(Path(profile), process), max_size=None) as connection:
                browser = Chromium(connection)
                browser.version = browser.call("Browser.getVersion")["product"]
                target = browser.call("Target.createTarget", url=url)["targetId"]
                browser.session = browser.call(
                    "Target.attachToTarget", targetId=target, flatten=True
                )["sessionId"]
                _wait_until_loaded(browser, url)
                browser.call("WebAuthn.enable")
                browser.authenticator = browser.call(
                    "WebAuthn.addVirtualAuthenticator", options=AUTHENTICATOR
                )["authenticatorId"]
                yield browser
        finally:
            process.terminate()
            process.wait()


def _address(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """The DevTools address that Chromium writes once it listens."""
    port_file = profile / "DevToolsActivePort"
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        lines = port_file.read_text().splitlines() if port_file.exists() else []
        if len(lines) == 2:
            return f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        assert process.poll() is None, "Chromium ended at once"
        assert time.monotonic() < deadline, "Chromium did not start in time"
        time.sleep(0.05)


def _wait_until_loaded(browser: Chromium, url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    ready = "document.readyState + ' ' + location.href"
    while browser.run(ready) != f"complete {url}":
        assert time.monotonic() < deadline, "the page did not load in time"
        time.sleep(0.05)


# ---- The record ----------------------------------------------------------------------------------

RECORD: dict[str, Any] = json.loads(
    Path(__file__).with_name("chromium_assertion.json").read_text(encoding="utf-8")
)
"""What a Chromium made: with what, the typed data, its digest, the key's point, the assertion."""


def batch_approval() -> dict[str, Any]:
    """Typed data of a batch approval, always the same."""
    domain = SigningDomain(31337, *(f"0x{number:040x}" for number in (0xA1, 0xA2, 0xA3, 0xA4)))
    approval = {
        "programme": 1,
        "programmeVersion": 1,
        "batchId": bytes(31) + b"\x07",
        "maker": 1,
        "kind": 0,
        "regionCode": 51,
        "regionDigits": 2,
        "chunkSize": 500,
        "chunksRoot": bytes(31) + b"\x08",
        "manifestHash": bytes(31) + b"\x09",
        "count": 3,
        "total": 1_800_000_000,
        "start": 0,
        "cliff": 0,
        "duration": 0,
        "cadence": 0,
        "executeBefore": 1_790_000_000,
        "expiresAt": 1_800_000_000,
    }
    return make_typed_data(domain, "BatchApproval", approval)


def record(path: str) -> dict[str, Any]:
    """Have Chromium sign the batch approval."""
    typed_data = batch_approval()
    digest = digest_of(typed_data)
    with start_chromium(path) as browser:
        point = browser.register()
        return {
            "made_with": f"{browser.version}, virtual authenticator over CDP, user verified",
            "typed_data": typed_data,
            "digest": "0x" + digest.hex(),
            "point": "0x" + point.hex(),
            "assertion": browser.sign(digest),
        }


if __name__ == "__main__":
    found = program()
    if found is None:
        sys.exit(f"no Chromium on the PATH: {', '.join(PROGRAMS)}")
    json.dump(record(found), sys.stdout, indent=2)
    sys.stdout.write("\n")
