"""Foundry tests what Brownie compiles and deploys: the compiler's settings are the same."""

import re
import tomllib
from pathlib import Path

PROJECT_ROOT = Path(__file__).parents[2]


def test_foundry_compiles_as_brownie_does() -> None:
    forge = tomllib.loads((PROJECT_ROOT / "foundry.toml").read_text())["profile"]["default"]
    brownie = (PROJECT_ROOT / "brownie-config.yaml").read_text()
    compiler = brownie.partition("\ncompiler:\n")[2].partition("\nnetworks:\n")[0]
    settings = dict(re.findall(r"^ +(\w+): (\S+)$", compiler, re.MULTILINE))
    assert {
        "compiler": Path(forge["solc"]).name,
        "evm_version": forge["evm_version"],
        "via_ir": forge["via_ir"],
        "optimizer": forge["optimizer"],
        "runs": forge["optimizer_runs"],
        "remappings": forge["remappings"],
    } == {
        "compiler": f"solc-v{settings['version']}",
        "evm_version": settings["evm_version"],
        "via_ir": settings["viaIR"] == "true",
        "optimizer": settings["enabled"] == "true",
        "runs": int(settings["runs"]),
        "remappings": re.findall(r'^ +- "(.+)"$', compiler, re.MULTILINE),
    }


def test_only_the_tests_are_compiled_another_way() -> None:
    forge = tomllib.loads((PROJECT_ROOT / "foundry.toml").read_text())["profile"]["default"]
    assert [rule["paths"] for rule in forge["compilation_restrictions"]] == ["tests/forge/**"]
