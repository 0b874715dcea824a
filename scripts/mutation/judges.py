"""What decides whether a mutant is noticed: the libraries' property tests, and Brownie's tests."""

from __future__ import annotations

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scripts.mutation.compiler import PROJECT_ROOT, Bytecode, Compiler, NotCompiled

SOLC = Path(__file__).with_name("solc.py")

CHAIN = "anvil-any-size:osaka"
"""The node, which deploys templates though they pass EIP-170's 24,576 bytes."""

LONGEST_S = 1800
TIME = f"not done after {LONGEST_S} s"
"""What noticed a mutant that keeps the tests busy longer than any does that changes nothing."""


class BrownieJudge:
    """Brownie's tests, in a session that stays (`scripts.mutation.session`).

    Parameters
    ----------
    log
        Where the session's own output goes.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._start()

    def _start(self) -> None:
        mutants_out, mutants_in = os.pipe()
        answers_out, answers_in = os.pipe()
        for pipe in (mutants_out, answers_in):
            os.set_inheritable(pipe, True)
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "scripts/brownie.py", "test", "tests/contracts"),
                    *("-q", "--tb=line", "--disable-warnings", "-p", "scripts.mutation.session"),
                ],
                cwd=PROJECT_ROOT,
                env=os.environ
                | {
                    "RELIEF_MUTANTS": f"{mutants_out},{answers_in}",
                    "RELIEF_TEST_CHAIN": CHAIN,
                },
                pass_fds=(mutants_out, answers_in),
                start_new_session=True,  # a group of its own, so that its node ends with it
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        os.close(mutants_out)
        os.close(answers_in)
        self._mutants = os.fdopen(mutants_in, "w")
        self._answers = os.fdopen(answers_out)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        """End the session, whatever it is at, and with it its node."""
        self._mutants.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()
        self._answers.close()

    def killer(
        self,
        code: Bytecode,
        tests: Sequence[str],
        first: Sequence[str],
        without: Collection[str] = (),
        number: str | None = None,
    ) -> str | None:
        """Return the test that fails with this bytecode, None when none does.

        Parameters
        ----------
        code
            What to deploy in place of the contracts as they stand.
        tests
            Paths of the tests that run, in this order, relative to the project.
        first
            The tests most likely to fail, which run before the others.
        without
            Names of tests that do not run.
        number
            What is written into the code once it is deployed, 40 hexadecimal digits, in place
            of `scripts.mutation.templates.MARK`; the contracts then stay for the next number.

        Raises
        ------
        RuntimeError
            When the session broke off.
        """
        asked = {"bytecode": code, "tests": tests, "first": first, "without": without}
        answer = self._answer(asked | {"selectors": [], "number": number})
        return TIME if answer is None else answer["killed_by"]

    def calls(
        self, code: Bytecode, tests: Sequence[str], selectors: Collection[str]
    ) -> tuple[str | None, dict[str, list[str]]]:
        """Return the test that fails, and what each test asked of the contracts.

        Parameters
        ----------
        code, tests
            As for `killer`.
        selectors
            The functions that are looked for, 8 hexadecimal digits each.

        Returns
        -------
        str or None
            The test that fails, with which it ends.
        dict of str to list of str
            The selectors that each test sent to the node, wherever in what it sent; of what the
            tests share, such as the deployment, under the empty name.
        """
        asked = {"bytecode": code, "tests": tests, "first": [], "without": []}
        answer = self._answer(asked | {"selectors": selectors, "number": None})
        return (TIME, {}) if answer is None else (answer["killed_by"], answer["calls"])

    def _answer(self, asked: Mapping[str, Any]) -> dict[str, Any] | None:
        """Ask the session, None when it takes too long: another one is started."""
        self._mutants.write(json.dumps(asked, default=sorted) + "\n")
        self._mutants.flush()
        ready, _, _ = select.select([self._answers], [], [], LONGEST_S)
        if not ready:
            self._end()
            self._start()
            return None
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"Brownie's tests broke off, see {self._log}")
        answer: dict[str, Any] = json.loads(line)
        return answer


class ForgeJudge:
    """The property tests of the libraries, on a copy of them, so that no source is touched.

    Parameters
    ----------
    folder
        Where the copy goes.
    compiler
        The running compiler, which forge uses too.
    """

    LIBRARIES = "contracts/libraries"

    def __init__(self, folder: Path, compiler: Compiler) -> None:
        self._folder = folder
        self._environment = os.environ | {
            "HOME": str(PROJECT_ROOT / ".home"),
            "FOUNDRY_SOLC": str(folder / "solc"),
            "FOUNDRY_GAS_LIMIT": str(2**32),  # a loop without end fails in seconds
            "RELIEF_COMPILER": compiler.socket,
            "RELIEF_SOLC_VERSION": compiler.version,
        }
        shutil.rmtree(folder, ignore_errors=True)
        for part in (self.LIBRARIES, "tests/forge/libraries"):
            shutil.copytree(PROJECT_ROOT / part, folder / part)
        for part in ("tests/forge/Vm.sol", "foundry.toml"):
            shutil.copy(PROJECT_ROOT / part, folder / part)
        modules = "node_modules"
        (folder / modules).symlink_to(PROJECT_ROOT / modules, target_is_directory=True)
        (folder / "solc").write_text(f"#!{sys.executable}\n{SOLC.read_text()}")
        (folder / "solc").chmod(0o755)

    def tests(self, path: str) -> list[str]:
        """Return the property tests of a library, none for other sources and a library without."""
        name = Path(path).stem
        tests = f"tests/forge/libraries/{name}.t.sol"
        return (
            [tests] if path.startswith(self.LIBRARIES) and (self._folder / tests).exists() else []
        )

    def killer(self, path: str, mutated: bytes) -> str | None:
        """Return the first property test that fails with a library changed, None when none does.

        Raises
        ------
        NotCompiled
            When it does not compile.
        RuntimeError
            When forge failed otherwise.
        """
        source = self._folder / path
        original = source.read_bytes()
        source.write_bytes(mutated)
        try:
            ran = subprocess.run(
                [
                    *(str(PROJECT_ROOT / "node_modules/.bin/forge"), "test", "--root", "."),
                    *("--fail-fast", "--match-path", *self.tests(path)),
                ],
                cwd=self._folder,
                env=self._environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=LONGEST_S,
            )
        except subprocess.TimeoutExpired:
            return TIME
        finally:
            source.write_bytes(original)
        failed = re.search(r"^\[FAIL.*?\] (\w+)\(", ran.stdout, re.MULTILINE)
        if failed:
            return f"{self.tests(path)[0]}::{failed[1]}"
        if "Compiler run failed" in ran.stderr + ran.stdout:
            raise NotCompiled(ran.stderr)
        if ran.returncode:
            raise RuntimeError(f"forge failed:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
        return None
