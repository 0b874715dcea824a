"""The contracts' code: as deployed, as compiled, and joined to each other for good."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from service.application.doctor.checks import Status
from service.application.doctor.comparisons import Comparison, Look, judged
from service.chain.contracts import ARTIFACTS
from service.errors import ConfigurationError

IMMUTABLE_ADDRESSES = {
    "vault": ("administration", "corrections", "registry", "token", "vault"),
    "administration": ("administration", "registry"),
    "corrections": ("corrections", "registry", "token"),
    "token": ("lane", "registry", "token"),
    "lane": ("lane", "registry", "token"),
    "registry": ("manager", "registry"),
    "manager": (),
    "p256_verifier": (),
    "passkey_verifier": (),
}
"""Contracts whose address each contract's constructor wrote into its code; its own for EIP-712."""

_ADDRESSES_FROM, _ADDRESSES_BELOW = 2**96, 2**160
"""An immutable in this range is an address; others are hashes, short texts, small numbers."""

_PUSH1, _PUSH32 = 0x60, 0x7F
_WORD = 32


def compare_code(look: Look) -> Iterator[Comparison]:
    """Compare every contract's code with the deployment file and with the build."""
    for _, compared in compare_each_code(look):
        yield from compared


def compare_each_code(look: Look) -> Iterator[tuple[str, list[Comparison]]]:
    """Yield each contract's key with the comparisons of its code."""
    deployed = look.app.deployment.contracts
    codes = look.app.rpc.batch(
        ("eth_getCode", (contract.address, hex(look.block))) for contract in deployed.values()
    )
    names = {contract.address: key for key, contract in deployed.items()}
    for (key, contract), answer in zip(deployed.items(), codes, strict=True):
        if isinstance(answer, Exception):
            raise answer
        code = bytes.fromhex(answer[2:])
        compiled = compiled_code(look.app.settings.artifacts_dir, ARTIFACTS[key])
        masked, immutables = without_immutables(code, compiled)
        as_compiled = _same(f"code of {key}, as compiled", _hash(compiled), _hash(masked))
        if as_compiled.status is not Status.OK:
            note = "other sources, or `make compile` is needed"
            as_compiled = replace(as_compiled, note=note)
        found = sorted(
            to_checksum_address(word[12:])
            for word in set(immutables)
            if _ADDRESSES_FROM <= int.from_bytes(word, "big") < _ADDRESSES_BELOW
        )
        yield (
            key,
            [
                _same(f"code of {key}, as deployed", contract.runtime_code_hash, _hash(code)),
                as_compiled,
                _same(
                    f"contracts named in the code of {key}",
                    ", ".join(IMMUTABLE_ADDRESSES[key]) or "none",
                    ", ".join(sorted(names.get(address, address) for address in found)) or "none",
                ),
            ],
        )


def compare_wiring(look: Look) -> Iterator[Comparison]:
    """Ask the contracts for each other, and the guarded ones for who guards them."""
    deployment = look.app.deployment
    expected = {
        ("vault", "token"): deployment.token,
        ("vault", "registry"): deployment.registry,
        ("vault", "administration"): deployment.contracts["administration"].address,
        ("vault", "corrections"): deployment.contracts["corrections"].address,
        ("registry", "manager"): deployment.manager,
        ("token", "emergencyLane"): deployment.lane,
        ("lane", "token"): deployment.token,
        ("lane", "registry"): deployment.registry,
        **{(key, "authority"): deployment.manager for key in ("vault", "token", "lane")},
    }
    answers = look.read_all([(key, function, ()) for key, function in expected])
    for ((key, function), address), found in zip(expected.items(), answers, strict=True):
        yield _same(f"{key}.{function}()", address, found, area="joined")


def compiled_code(artifacts_dir: Path, name: str) -> bytes:
    """Return the code that a contract has once it is deployed, immutables zero.

    Raises
    ------
    ConfigurationError
        If the artifact is missing or damaged.
    """
    path = artifacts_dir / f"{name}.json"
    try:
        return bytes.fromhex(json.loads(path.read_text())["deployedBytecode"].removeprefix("0x"))
    except (OSError, ValueError, KeyError):
        raise ConfigurationError(f"{path} is missing or damaged: run `make compile`") from None


def without_immutables(on_chain: bytes, compiled: bytes) -> tuple[bytes, list[bytes]]:
    """Put zeros where the compiled code has immutables; return that, and what stood there.

    An immutable stands in the compiled code as 32 zero bytes after a PUSH32; nothing else may
    differ, so code of another length has none.
    """
    if len(on_chain) != len(compiled):
        return on_chain, []
    masked = bytearray(on_chain)
    immutables = []
    at = 0
    while at < len(compiled):
        operation = compiled[at]
        size = operation - _PUSH1 + 1 if _PUSH1 <= operation <= _PUSH32 else 0
        operand = slice(at + 1, at + 1 + size)
        if operation == _PUSH32 and compiled[operand] == bytes(_WORD):
            immutables.append(bytes(masked[operand]))
            masked[operand] = bytes(_WORD)
        at += 1 + size
    return bytes(masked), immutables


def _hash(code: bytes) -> str:
    return "0x" + keccak(code).hex() if code else "no code"


def _same(subject: str, expected: str, found: str, *, area: str = "code") -> Comparison:
    return judged(area, subject, str, deployed=expected, expected=expected, found=found)
