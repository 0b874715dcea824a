"""A plugin of Brownie's tests: one test session that judges one mutant after another.

Starting Brownie and collecting the tests costs more than finding out that a mutant fails, so the
session stays and waits for mutants on a pipe: a line of JSON each, answered by a line. What is
deployed is the mutant's bytecode; sources, tests and the node are those of any test run.

Run by `scripts.mutation.judges.BrownieJudge`, in Brownie's environment.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import brownie
import pytest

PIPES = "RELIEF_MUTANTS"
"""Name of the environment variable with the two pipes' numbers, mutants in and answers out."""


class _Failures:
    """The first test that failed since it was last cleared."""

    first: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self.first is None:
            self.first = report.nodeid


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Judge mutants until there are no more, in place of running the tests once."""
    failures = _Failures()
    session.config.pluginmanager.register(failures)
    mutants, answers = (
        os.fdopen(int(number), mode)
        for number, mode in zip(os.environ[PIPES].split(","), "rw", strict=True)
    )
    for line in mutants:
        asked = json.loads(line)
        failures.first = None
        with _deployed_as(asked["bytecode"]), _chain_put_back():
            _run(session, _in_order(session.items, asked["tests"], asked["first"]), failures)
        answers.write(json.dumps({"killed_by": failures.first}) + "\n")
        answers.flush()
    return True


def _in_order(items: list[pytest.Item], under: list[str], first: list[str]) -> list[pytest.Item]:
    """Those under one of the paths, by path; before them those most likely to fail.

    Tests that draw their input stay out: what they notice once they may miss the next time.
    """
    rank = {nodeid: place for place, nodeid in enumerate(first)}
    chosen = [
        item
        for item in items
        if item.nodeid.startswith(tuple(under))
        and "state_machine" not in item.fixturenames
        and not getattr(item.obj, "is_hypothesis_test", False)
    ]
    assert chosen, f"no tests under {under}"
    return sorted(
        chosen,
        key=lambda item: (
            rank.get(item.nodeid, len(rank)),
            next(place for place, path in enumerate(under) if item.nodeid.startswith(path)),
        ),
    )


def _run(session: pytest.Session, items: list[pytest.Item], failures: _Failures) -> None:
    """Run tests until one fails, then end what the session's fixtures began."""
    for place, item in enumerate(items):
        following = items[place + 1] if place + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if failures.first is not None:
            break
    session._setupstate.teardown_exact(None)


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
