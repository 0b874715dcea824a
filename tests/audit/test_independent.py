"""The audit runs without the server's packages, and the service's commands without the audit's."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

from service.config import PROJECT_ROOT

REFUSE = """
import importlib, pkgutil, sys

refused = set(sys.argv[1:])


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in refused:
            raise ModuleNotFoundError(f"{name} is not installed for an auditor")


sys.meta_path.insert(0, Refuse())
"""
IMPORT_ALL = """
import service.audit

for module in pkgutil.walk_packages(service.audit.__path__, "service.audit."):
    importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if name.startswith("service.")))
"""


def modules_of_the_server() -> set[str]:
    """Modules of the distributions that only the extra `server` names."""
    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]
    server = {
        re.split(r"[\[>=<]", line)[0].replace("_", "-").lower()
        for line in project["optional-dependencies"]["server"]
    }
    return {
        module
        for module, distributions in packages_distributions().items()
        if server & {name.replace("_", "-").lower() for name in distributions}
    }


def run(program: str, refused: set[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", REFUSE + program, *refused],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_module_of_it_is_imported_without_the_servers_packages() -> None:
    refused = modules_of_the_server()
    assert {"fastapi", "web3", "pydantic", "alembic", "eth_account"} <= refused

    ran = run(IMPORT_ALL, refused)
    assert ran.returncode == 0, ran.stderr
    own = {name for name in ran.stdout.split() if not name.startswith("service.audit")}
    assert own == {f"service.{name}" for name in ("errors", "terminal", "units", "usage")}


def test_the_services_command_says_what_it_lacks_there() -> None:
    ran = run("from service.cli.entry import main; main()", modules_of_the_server())
    assert ran.returncode == 1
    assert "pip install '.[server]'" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_what_a_command_loads_before_it_runs_is_none_of_the_audits_libraries() -> None:
    """A worker would hold their sixty mebibytes for good."""
    ran = run(
        "import service.cli.main, service.application.worker, service.ledger.worker\n"
        "print(*sys.modules)",
        set(),
    )
    assert ran.returncode == 0, ran.stderr
    assert not {"numpy", "pyarrow", "duckdb", "fpdf", "openpyxl"} & set(ran.stdout.split())


def test_what_the_contracts_are_held_against_needs_keccak_alone() -> None:
    """Their tests run in Brownie's environment, which has nothing of ours."""
    ran = run(
        "from service.audit import arithmetic; from service.payouts import vesting\n"
        "print(*sys.modules)",
        {"numpy", "pyarrow", "duckdb", "httpx", "sqlalchemy"},
    )
    assert ran.returncode == 0, ran.stderr
    assert "service.audit.arithmetic" in ran.stdout
