"""Peers for minting: tokens of OpenZeppelin and Solady, and the least that the gas schedule allows.

``peers/Tokens.sol`` is compiled here with the settings of our own contracts (foundry.toml).
"""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Sequence
from functools import cache
from typing import Any

from service.config import PROJECT_ROOT
from service.payouts.entries import pack_entries
from tests.gas.chain import SINGLE_GAS, UNIT, Call, Contract, GasChain, named_address, wallets
from tests.gas.relief import SIZES, Gas

TOKENS = PROJECT_ROOT / "tests" / "gas" / "peers" / "Tokens.sol"
PAYER = named_address("payer")


@cache
def compiled_tokens() -> dict[str, dict[str, Any]]:
    """Compile ``Tokens.sol``: contract → artifact."""
    forge = tomllib.loads((PROJECT_ROOT / "foundry.toml").read_text())["profile"]["default"]
    question = {
        "language": "Solidity",
        "sources": {TOKENS.name: {"content": TOKENS.read_text()}},
        "settings": {
            "evmVersion": forge["evm_version"],
            "viaIR": forge["via_ir"],
            "optimizer": {"enabled": forge["optimizer"], "runs": forge["optimizer_runs"]},
            "remappings": forge["remappings"],
            "outputSelection": {"*": {"*": ["abi", "evm.bytecode.object"]}},
        },
    }
    answer = json.loads(
        subprocess.run(
            [PROJECT_ROOT / forge["solc"], "--standard-json"],
            input=json.dumps(question),
            capture_output=True,
            check=True,
            text=True,
        ).stdout
    )
    assert TOKENS.name in answer.get("contracts", {}), answer["errors"]
    return {
        name: {"abi": made["abi"], "bytecode": made["evm"]["bytecode"]["object"]}
        for name, made in answer["contracts"][TOKENS.name].items()
    }


def create_token(chain: GasChain, name: str) -> Contract:
    """Deploy one of the tokens, with a holder and a supply, so that neither slot is new."""
    token = chain.create(PAYER, compiled_tokens()[name])
    _mint(chain, token, [(PAYER, 10**12 * UNIT)])
    return token


def _mint(chain: GasChain, token: Contract, entries: Sequence[tuple[str, int]]) -> int:
    payees, amounts = zip(*entries, strict=True)
    return chain.send(PAYER, token, token.data("mintBatch", payees, amounts))


def _transfer(chain: GasChain, token: Contract, entries: Sequence[tuple[str, int]]) -> int:
    return chain.send_all(
        [
            Call(PAYER, token.address, token.data("transfer", payee, amount), SINGLE_GAS)
            for payee, amount in entries
        ]
    )


def measure_tokens(chain: GasChain) -> dict[str, Gas]:
    """Measure ``mint_fresh`` and ``mint_existing`` of each library, two ways.

    ``…_transfer``: a transaction each from a holder; ``…_mint_batch``: all in one transaction.
    """
    measured: dict[str, Gas] = {}
    for library in ("OpenZeppelin", "Solady"):
        for way, pay in (("transfer", _transfer), ("mint_batch", _mint)):
            gas = measured.setdefault(f"{library.lower()}_{way}", {})
            for payees in SIZES:
                with chain.undone():
                    token = create_token(chain, f"{library}Token")
                    for operation in ("mint_fresh", "mint_existing"):
                        charged = pay(chain, token, wallets(payees))
                        gas.setdefault(operation, {})[payees] = round(charged / payees)
    return measured


# ---- The least that the schedule allows ----------------------------------------------------------

TRANSACTION_GAS = 21_000
"""Base of a transaction (EIP-2028's calldata apart)."""
NEW_SLOT_GAS = 22_100
"""SSTORE of something to a slot that held zero: 20,000 and 2,100 for the cold access (EIP-2929)."""
SLOT_UPDATE_GAS = 5_000
"""SSTORE to a slot that held something: 2,900 and 2,100 for the cold access (EIP-2929)."""
TRANSFER_LOG_GAS = 375 + 3 * 375 + 32 * 8
"""LOG3 with a word of data: ERC-20's ``Transfer`` (yellow paper, appendix G)."""


def schedule_floor() -> dict[str, Gas]:
    """Compute the least that paying tokens can cost under the gas schedule (Osaka).

    ``(21,000 + calldata + 5,000 for the supply) / payees + 22,100 for a new balance (5,000 for one
    that is there) + 1,756 for the Transfer log``. Calldata is the payees' 28-byte entries when
    minting (16 gas a byte, 4 a zero byte, EIP-2028; the floor of EIP-7623 lies below), and is left
    out when withdrawing. Nothing is checked, nothing is computed, no code is loaded and that
    something was paid is recorded nowhere: no contract reaches it.
    """
    gas: Gas = {}
    for payees in SIZES:
        packed = pack_entries(wallets(payees))
        calldata = sum(16 if byte else 4 for byte in packed)
        base = TRANSACTION_GAS + SLOT_UPDATE_GAS
        fresh = NEW_SLOT_GAS + TRANSFER_LOG_GAS
        existing = SLOT_UPDATE_GAS + TRANSFER_LOG_GAS
        floors = {
            "mint_fresh": (base + calldata) / payees + fresh,
            "mint_existing": (base + calldata) / payees + existing,
            "withdraw_self_fresh": base + fresh,
            "withdraw_self_existing": base + existing,
            "withdraw_relayed_fresh": base / payees + fresh,
            "withdraw_relayed_existing_first": base / payees + existing,
            "withdraw_relayed_existing": base / payees + existing,
        }
        for operation, floor in floors.items():
            gas.setdefault(operation, {})[payees] = round(floor)
    return {"schedule_floor": gas}
