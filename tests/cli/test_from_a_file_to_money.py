"""docs/cli.md, "From a file to money", typed as it stands: money is paid, the replay agrees."""

from __future__ import annotations

import re
from pathlib import Path

from service.chain.devnode import DevNode
from service.config import PROJECT_ROOT
from tests.support.reader import GAS_MONEY, blocks, type_commands

FOLDER = "/srv/relief"
NODE = "http://127.0.0.1:8545"


def commands_of_the_section() -> str:
    text = (PROJECT_ROOT / "docs" / "cli.md").read_text()
    section = text.split("\n## From a file to money\n", 1)[1].split("\n## ", 1)[0]
    _trial_chain, commands = blocks(section, "sh")
    for needed in (FOLDER, NODE, "\nsleep 2d"):
        assert needed in commands
    assert GAS_MONEY.search(commands)
    return commands


def test_the_section_typed_as_it_stands_pays_and_the_replay_agrees(
    costly_chain: DevNode, tmp_path: Path
) -> None:
    commands = commands_of_the_section().replace(FOLDER, str(tmp_path / "relief"))

    said = type_commands(commands.replace(NODE, costly_chain.rpc_url), tmp_path)

    for line in (
        r"\d+ ok, 0 warning, 0 failed",
        r"ledger and chain agree at block \d+",
        r" payouts paid +2 *",
        r" minted +1834\.50 *",
        "no differences",
    ):
        assert re.search(f"^{line}$", said, re.MULTILINE), f"{line}: {said[-8000:]}"
