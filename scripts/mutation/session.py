"""A plugin of Brownie's tests: one test session that judges one mutant after another.

Starting Brownie and collecting the tests costs more than finding out that a mutant fails, so the
session stays and waits for mutants on a pipe: a line of JSON each, answered by a line. What is
deployed is the mutant's bytecode; sources, tests and the node are those of any test run.

Run by `scripts.mutation.judges.BrownieJudge`, in Brownie's environment.
"""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import Any

import brownie
import pytest
import requests

PIPES = "RELIEF_MUTANTS"
"""Name of the environment variable with the two pipes' numbers, mutants in and answers out."""

MARK = "c0de" * 10
"""What a template is deployed with where a mutant's number will stand: as none."""


class _Failures:
    """The first test that failed since it was last cleared."""

    first: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self.first is None:
            self.first = report.nodeid


def _deploys(body: Any) -> bool:
    """Whether a JSON-RPC request, not a batch, creates a contract or estimates what that costs."""
    if not isinstance(body, dict) or not body.get("params"):
        return False
    call = body["params"][0]
    return isinstance(call, dict) and bool(call.get("data")) and not call.get("to")


class _Calls:
    """Which functions each test asks for: their selectors, wherever in what the node is asked.

    Attributes
    ----------
    found
        The selectors by the test's name; of fixtures that tests share under the empty name.
    """

    def __init__(self, selectors: list[str]) -> None:
        self.looked_for = frozenset(selectors)
        self.found: dict[str, set[str]] = {}
        self._test = ""
        self._sharing = 0

    def sent(self, body: str) -> None:
        """Take down what of a request's body is looked for.

        The deployment of the contracts, which all tests share, holds every selector and calls
        none; constructors are no function that is looked for.
        """
        if not (self._sharing and _deploys(json.loads(body))):
            parts = {body[at : at + 8] for at in range(len(body) - 7)}
            name = "" if self._sharing else self._test
            self.found.setdefault(name, set()).update(parts & self.looked_for)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._test = nodeid
        self.found.setdefault(nodeid, set())

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        shared = fixturedef.scope != "function"
        self._sharing += shared
        yield
        self._sharing -= shared


class _Deployment:
    """The contracts as they are deployed now: for one mutant, or for those of a template.

    A template is deployed once, with `MARK` in the place of a mutant's number. Before a mutant's
    tests its number is written there, into the code that the chain has.
    """

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._kept = ExitStack()
        self._bytecode: dict[str, list[str]] | None = None
        self._number: str | None = None
        self._codes: dict[str, str] = {}

    def begin(self, bytecode: dict[str, list[str]], number: str | None) -> None:
        """Let tests find this bytecode deployed, and in it this number, 40 hexadecimal digits."""
        self._number = number
        if bytecode != self._bytecode:
            self.end()
            self._bytecode = bytecode
            self._kept.enter_context(_deployed_as(bytecode))
            self._kept.enter_context(_chain_put_back())
            self._session.config.pluginmanager.register(self)
            self._kept.callback(self._session.config.pluginmanager.unregister, self)
        self._write_number()

    def end(self) -> None:
        """End what the session's fixtures began, and put everything back."""
        self._session._setupstate.teardown_exact(None)
        self._kept.close()
        self._bytecode = None
        self._codes = {}

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Write the number as soon as the contracts are there."""
        yield
        if fixturedef.argname == "deployed" and self._number is not None:
            (project,) = brownie.project.get_loaded_projects()
            for contract in (one for name in self._bytecode or () for one in project[name]):
                code = brownie.web3.eth.get_code(contract.address).hex()
                self._codes[contract.address] = code.removeprefix("0x")
            self._write_number()

    def _write_number(self) -> None:
        for address, code in self._codes.items():
            written = "0x" + code.replace(MARK, self._number or MARK)
            brownie.web3.provider.make_request("anvil_setCode", [address, written])


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Judge mutants until there are no more, in place of running the tests once."""
    failures = _Failures()
    session.config.pluginmanager.register(failures)
    mutants, answers = (
        os.fdopen(int(number), mode)
        for number, mode in zip(os.environ[PIPES].split(","), "rw", strict=True)
    )
    deployment = _Deployment(session)
    for line in mutants:
        asked = json.loads(line)
        failures.first = None
        items = _in_order(session.items, asked["tests"], asked["first"], asked["without"])
        calls = _Calls(asked["selectors"])
        deployment.begin(asked["bytecode"], asked["number"])
        with _listening(session, calls):
            _run(session, items, failures)
        if asked["number"] is None:
            deployment.end()
        answer = {"killed_by": failures.first, "calls": calls.found}
        answers.write(json.dumps(answer, default=sorted) + "\n")
        answers.flush()
    deployment.end()
    return True


def _in_order(
    items: list[pytest.Item], under: list[str], first: list[str], without: list[str]
) -> list[pytest.Item]:
    """Those under one of the paths, by path; before them those most likely to fail.

    Tests that draw their input stay out: what they notice once they may miss the next time.
    """
    rank = {nodeid: place for place, nodeid in enumerate(first)}
    there = [item for item in items if item.nodeid.startswith(tuple(under))]
    assert there, f"no tests under {under}"
    chosen = [
        item
        for item in there
        if "state_machine" not in item.fixturenames
        and not getattr(item.obj, "is_hypothesis_test", False)
    ]
    left_out = set(without)
    return sorted(
        (item for item in chosen if item.nodeid not in left_out),
        key=lambda item: (
            rank.get(item.nodeid, len(rank)),
            next(place for place, path in enumerate(under) if item.nodeid.startswith(path)),
        ),
    )


def _run(session: pytest.Session, items: list[pytest.Item], failures: _Failures) -> None:
    """Run tests until one fails, then end what their fixtures began, except the session's."""
    for item, following in pairwise([*items, session]):
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if failures.first is not None:
            break
    session._setupstate.teardown_exact(session)


@contextmanager
def _listening(session: pytest.Session, calls: _Calls) -> Iterator[None]:
    """Let the calls be told of all that the node is sent, where they look for any.

    Brownie and tests that ask the node past it send by the same library.
    """
    if not calls.looked_for:
        yield
        return
    send = requests.Session.send

    def told_and_sent(
        self: requests.Session, request: requests.PreparedRequest, **how: Any
    ) -> requests.Response:
        body = request.body or b""
        calls.sent((body if isinstance(body, str) else body.decode()).lower())
        return send(self, request, **how)

    requests.Session.send = told_and_sent  # type: ignore[method-assign]
    session.config.pluginmanager.register(calls)
    yield
    session.config.pluginmanager.unregister(calls)
    requests.Session.send = send  # type: ignore[method-assign]


@contextmanager
def _deployed_as(bytecode: dict[str, list[str]]) -> Iterator[None]:
    """Deploy these contracts with other bytecode, creation and runtime."""
    (project,) = brownie.project.get_loaded_projects()
    containers: list[Any] = [project[name] for name in bytecode]
    former = [dict(container._build) for container in containers]
    for container, (creation, runtime) in zip(containers, bytecode.values(), strict=True):
        container._build |= {"bytecode": creation, "deployedBytecode": runtime}
        container.bytecode = creation
    yield
    for container, build in zip(containers, former, strict=True):
        container._build |= build
        container.bytecode = build["bytecode"]


@contextmanager
def _chain_put_back() -> Iterator[None]:
    """Put the node back as it was, and how it is asked, which the tests' deployment wraps."""
    provider = brownie.web3.provider
    former = dict(vars(provider))
    snapshot = provider.make_request("evm_snapshot", [])["result"]
    yield
    vars(provider).clear()
    vars(provider).update(former)
    provider.make_request("evm_revert", [snapshot])
    brownie.history.clear()
