"""What governs a deployment: what is expected, what the chain has, and whether that is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, TypeVar

from service.application.context import Application
from service.application.doctor.checks import Check, Status
from service.chain.contracts import DecodedEvent

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Something that governs the contracts, as it should be and as it is.

    Attributes
    ----------
    area
        ``code``, ``joined``, ``roles``, ``functions``, ``constants``, ``limits``, ``officers``,
        ``programmes``.
    expected
        What follows from the build, the deployment file, and what officers and role holders have
        changed since by the contracts' own rules.
    found
        What the contracts answer now.
    status
        A failure is a difference that no rule explains; a warning is a change by the rules that an
        auditor should know of.
    note
        Why it is a warning, or what it was at the deployment; empty mostly.
    """

    area: str
    subject: str
    expected: str
    found: str
    status: Status
    note: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison for JSON."""
        return asdict(self)


def judged(
    area: str,
    subject: str,
    write: Callable[[Value], str],
    *,
    deployed: Value,
    expected: Value,
    found: Value,
    weighty: bool = False,
) -> Comparison:
    """Compare what is found with what is expected.

    Parameters
    ----------
    write
        Writes a value for people.
    deployed
        What it was at the deployment.
    expected
        That, with what was changed since by the rules.
    weighty
        Whether such a change is a warning.
    """
    changed = expected != deployed
    if found != expected:
        status = Status.FAILED
    else:
        status = Status.WARNING if weighty and changed else Status.OK
    note = f"changed by the rules since the deployment: {write(deployed)}" if changed else ""
    return Comparison(area, subject, write(expected), write(found), status, note)


def said(comparison: Comparison) -> str:
    """Say in words what was found, what was expected where it is something else, and why."""
    words = comparison.found
    if comparison.found != comparison.expected:
        words = f"is {comparison.found}, not {comparison.expected}"
    return f"{words} ({comparison.note})" if comparison.note else words


def checks_of(area: str, name: str, compared: Sequence[Comparison], fine: str) -> Iterator[Check]:
    """Yield a check for each comparison that is not right, or one that says that all are.

    Parameters
    ----------
    area, name
        Of the check that finds everything right.
    fine
        What it says.
    """
    differing = [one for one in compared if one.status is not Status.OK]
    yield from (Check(area, one.subject, one.status, said(one)) for one in differing)
    if not differing:
        yield Check(area, name, Status.OK, fine)


class Look:
    """The chain at one block, so that all that is compared belongs together.

    Parameters
    ----------
    app
        Whose node is asked.
    """

    def __init__(self, app: Application) -> None:
        self.app = app
        self.block = app.rpc.block_number()

    @cached_property
    def now_unix_s(self) -> int:
        """Time of the block."""
        header = self.app.rpc.header(self.block) or {}
        return int(header["timestamp"], 16)

    def read(self, key: str, function: str, *args: Any) -> Any:
        """Call a view of one of the contracts."""
        return self.app.contracts.read(self.app.rpc, key, function, *args, block=self.block)

    def read_all(self, calls: Sequence[tuple[str, str, tuple[Any, ...]]]) -> list[Any]:
        """Call many views."""
        return self.app.contracts.read_all(self.app.rpc, calls, self.block)

    def events(self, key: str, *names: str) -> Iterator[DecodedEvent]:
        """Yield a contract's events of these names, in their order; without names, all."""
        contracts = self.app.contracts
        topics = [[contracts.topic(key, name) for name in names]] if names else []
        logs = self.app.rpc.call(
            "eth_getLogs",
            {
                "address": contracts.address(key),
                "fromBlock": hex(self.app.deployment.deployment_block),
                "toBlock": hex(self.block),
                "topics": topics,
            },
        )
        for log in logs:
            event = contracts.decode_log(log)
            if event is not None:
                yield event
