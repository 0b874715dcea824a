"""What stands beside a worker's loop: its metrics, its probes, its survey."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from service.application.context import Application
from service.application.reading import read_sessions
from service.application.survey.probes import WorkerProbes
from service.application.survey.surveyor import EVERY_S, Surveyor
from service.config import Settings
from service.telemetry.server import TelemetryServer


@contextmanager
def exporting(
    settings: Settings, port: int | None, senders: Sequence[str], *, every_s: float = EVERY_S
) -> Iterator[TelemetryServer | None]:
    """Serve ``/metrics``, ``/healthz`` and ``/readyz`` while the block runs.

    Parameters
    ----------
    port
        On the loopback interface; None serves nothing.
    senders
        Accounts that the worker sends with.

    Raises
    ------
    ConfigurationError
        When the port is taken.
    """
    if port is None:
        yield None
        return
    with ExitStack() as stack:
        app = stack.enter_context(Application(settings))
        sessions = read_sessions(app)
        stack.callback(sessions.kw["bind"].dispose)
        probes = WorkerProbes(app, sessions, list(senders))
        stack.callback(probes.close)
        server = TelemetryServer(port, alive=probes.alive, ready=probes.ready)
        stack.enter_context(server)
        stack.enter_context(Surveyor(Application(settings), every_s=every_s))
        yield server
