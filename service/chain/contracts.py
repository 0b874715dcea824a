"""Our contracts as the service speaks to them: calls in, events and refusals out, table-driven.

The tables come from the compiled artifacts' ABIs. Decoded integers are ``int``, bytes ``bytes``,
addresses EIP-55, structs ``dict``; :func:`as_json` turns them into what is stored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_hash.auto import keccak

from service.chain.deployment import CONTRACT_KEYS, Deployment
from service.chain.refusals import explain
from service.chain.rpc import Rpc, RpcError
from service.errors import ChainRefused, ConfigurationError, Problem
from service.units import eip55

ARTIFACTS = {
    "vault": "AllowanceVault",
    "token": "BenefitToken",
    "registry": "OfficerRegistry",
    "manager": "RoleManager",
    "lane": "EmergencyLane",
    "p256_verifier": "P256Verifier",
    "passkey_verifier": "PasskeyVerifier",
    "administration": "VaultAdministration",
    "corrections": "VaultCorrections",
}

LIBRARY_ARTIFACTS = (
    "Entries",
    "OfficerSignatures",
    "OverdueDays",
    "Regions",
    "RollingSum",
    "Signers",
    "ECDSA",
)
"""Libraries whose errors a contract's own ABI may leave out."""

ERROR_STRING = bytes.fromhex("08c379a0")
"""Selector of Solidity's ``Error(string)``, a plain ``require`` with words."""

PANIC = bytes.fromhex("4e487b71")
"""Selector of Solidity's ``Panic(uint256)``."""

MAX_JSON_NUMBER_BITS = 48
"""Integers of wider types are written as decimal strings: JSON readers lose digits past 2**53."""


class ContractRefusal(ChainRefused):
    """A contract's custom error; ``detail`` says in a sentence what it means.

    Attributes
    ----------
    name
        Name of the error, such as ``BudgetExceeded``; ``Revert`` for a plain message, ``Panic``
        for a failed assertion, ``Unknown`` for data that no ABI explains.
    args_by_name
        Its arguments.
    words
        Both as the contract says them, ``Unpayable(payee=0x…, reason=4)``: what rows keep.
    """

    def __init__(self, name: str, args_by_name: dict[str, Any]) -> None:
        shown = ", ".join(f"{key}={as_json(value)}" for key, value in args_by_name.items())
        words = f"{name}({shown})"
        own = Problem("contract_error", "the contract's own words", value=words)
        super().__init__(explain(words) or words, problems=[own])
        self.words = words
        self.name = name
        self.args_by_name = args_by_name


@dataclass(frozen=True, slots=True)
class _Entry:
    """One function, event or error of an ABI, prepared for encoding and decoding."""

    name: str
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    input_types: tuple[str, ...]
    output_types: tuple[str, ...]
    indexed: tuple[dict[str, Any], ...]
    data: tuple[dict[str, Any], ...]
    data_types: tuple[str, ...]
    signature_hash: bytes
    changes: bool


@dataclass(frozen=True, slots=True)
class DecodedEvent:
    """One event of our contracts.

    Attributes
    ----------
    contract
        Key of the contract: ``vault``, ``token``, ``registry``, ``manager``, ``lane``.
    args
        Arguments by name.
    inputs
        ABI of the arguments, for :func:`json_args`.
    """

    contract: str
    name: str
    args: dict[str, Any]
    inputs: tuple[dict[str, Any], ...]
    block_number: int
    block_hash: str
    tx_hash: str
    log_index: int

    def json_args(self) -> dict[str, Any]:
        """Return the arguments as they are stored."""
        return {i["name"]: _json_value(i, self.args[i["name"]]) for i in self.inputs}


class Contracts:
    """The contracts of a deployment.

    Parameters
    ----------
    deployment
        Where they stand.
    artifacts_dir
        Folder of the compiled artifacts.

    Raises
    ------
    ConfigurationError
        If an artifact is missing.
    """

    def __init__(self, deployment: Deployment, artifacts_dir: Path) -> None:
        self.deployment = deployment
        self._functions: dict[str, dict[str, _Entry]] = {}
        self._events: dict[tuple[str, str], tuple[str, _Entry]] = {}
        self._errors: dict[bytes, _Entry] = {}
        for key in CONTRACT_KEYS:
            address = deployment.contracts[key].address.lower()
            functions: dict[str, _Entry] = {}
            for entry in load_abi(artifacts_dir, ARTIFACTS[key]):
                prepared = _prepare(entry)
                if entry["type"] == "function":
                    functions[prepared.name] = prepared
                elif entry["type"] == "event":
                    topic = "0x" + prepared.signature_hash.hex()
                    self._events[address, topic] = (key, prepared)
                elif entry["type"] == "error":
                    self._errors[prepared.signature_hash[:4]] = prepared
            self._functions[key] = functions
        for name in LIBRARY_ARTIFACTS:
            for entry in load_abi(artifacts_dir, name):
                if entry["type"] == "error":
                    prepared = _prepare(entry)
                    self._errors.setdefault(prepared.signature_hash[:4], prepared)

    @property
    def addresses(self) -> list[str]:
        """Addresses of all."""
        return [self.deployment.contracts[key].address for key in CONTRACT_KEYS]

    def address(self, key: str) -> str:
        """EIP-55 address of one contract."""
        return self.deployment.contracts[key].address

    def encode_call(self, key: str, function: str, *args: Any) -> bytes:
        """Return calldata: selector and encoded arguments; a struct is given as a tuple."""
        entry = self._functions[key][function]
        return entry.signature_hash[:4] + encode(entry.input_types, args)

    def inputs(self, key: str, function: str) -> tuple[dict[str, Any], ...]:
        """ABI of a function's arguments."""
        return self._functions[key][function].inputs

    def read(
        self,
        rpc: Rpc,
        key: str,
        function: str,
        *args: Any,
        block: int | str = "latest",
    ) -> Any:
        """Call a view; a single output is returned bare, several as a tuple, structs as dicts.

        Raises
        ------
        ContractRefusal
            If it reverts.
        """
        entry = self._functions[key][function]
        try:
            output = rpc.eth_call(
                self.address(key), self.encode_call(key, function, *args), block=block
            )
        except RpcError as error:
            refusal = self.refusal(error)
            if refusal is None:
                raise
            raise refusal from error
        return _answer(entry, output)

    def read_all(
        self, rpc: Rpc, calls: Sequence[tuple[str, str, tuple[Any, ...]]], block: int | str
    ) -> list[Any]:
        """Call many views, given as contract, function and arguments, in few requests.

        Raises
        ------
        ContractRefusal
            If one reverts.
        """
        entries = [self._functions[key][function] for key, function, _ in calls]
        at = hex(block) if isinstance(block, int) else block
        outputs = rpc.batch(
            (
                "eth_call",
                (
                    {
                        "to": self.address(key),
                        "data": "0x" + self.encode_call(key, function, *args).hex(),
                    },
                    at,
                ),
            )
            for key, function, args in calls
        )
        answers = []
        for entry, output in zip(entries, outputs, strict=True):
            if isinstance(output, RpcError):
                raise self.refusal(output) or output
            answers.append(_answer(entry, bytes.fromhex(output[2:])))
        return answers

    def decode_call(self, key: str, data: bytes) -> tuple[str, dict[str, Any]] | None:
        """Read calldata as a function and its arguments; None if the contract has no such one."""
        for entry in self._functions[key].values():
            if entry.signature_hash[:4] == data[:4]:
                try:
                    values = decode(entry.input_types, data[4:])
                except DecodingError:
                    return None
                named = zip(entry.inputs, values, strict=True)
                return entry.name, {i["name"]: _named(i, v) for i, v in named}
        return None

    def changing(self, key: str) -> dict[bytes, str]:
        """Names of the functions that change something, by selector."""
        entries = self._functions[key].values()
        return {entry.signature_hash[:4]: entry.name for entry in entries if entry.changes}

    def topic(self, key: str, event: str) -> str:
        """First topic of an event, 0x-hex."""
        address = self.address(key).lower()
        (found,) = (
            topic
            for (emitter, topic), (_, entry) in self._events.items()
            if emitter == address and entry.name == event
        )
        return found

    def decode_log(self, log: dict[str, Any]) -> DecodedEvent | None:
        """Decode a log as the node gives it; None if it is not an event of our contracts."""
        topics = log["topics"]
        if not topics:
            return None
        found = self._events.get((log["address"].lower(), topics[0]))
        if found is None:
            return None
        key, entry = found
        data = decode(entry.data_types, bytes.fromhex(log["data"][2:]))
        args = {i["name"]: _named(i, v) for i, v in zip(entry.data, data, strict=True)}
        for parameter, topic in zip(entry.indexed, topics[1:], strict=True):
            (value,) = decode([parameter["type"]], bytes.fromhex(topic[2:]))
            args[parameter["name"]] = _named(parameter, value)
        return DecodedEvent(
            contract=key,
            name=entry.name,
            args=args,
            inputs=entry.inputs,
            block_number=int(log["blockNumber"], 16),
            block_hash=log["blockHash"],
            tx_hash=log["transactionHash"],
            log_index=int(log["logIndex"], 16),
        )

    def refusal(self, error: RpcError) -> ContractRefusal | None:
        """Read a node's error as a contract's refusal; None if it is something else."""
        data = error.data
        if isinstance(data, dict):  # some nodes wrap it
            data = data.get("data") or data.get("result")
        if isinstance(data, str) and data.startswith("0x"):
            return self.decode_refusal(bytes.fromhex(data[2:]))
        if "revert" in error.message.lower():
            return ContractRefusal("Revert", {"message": error.message})
        return None

    def decode_refusal(self, data: bytes) -> ContractRefusal:
        """Decode revert data into the error's name and arguments."""
        selector, body = data[:4], data[4:]
        try:
            if selector == ERROR_STRING:
                return ContractRefusal("Revert", {"message": decode(["string"], body)[0]})
            if selector == PANIC:
                return ContractRefusal("Panic", {"code": decode(["uint256"], body)[0]})
            entry = self._errors.get(selector)
            if entry is not None:
                values = decode(entry.input_types, body)
                named = zip(entry.inputs, values, strict=True)
                return ContractRefusal(entry.name, {i["name"]: _named(i, v) for i, v in named})
        except DecodingError:
            pass
        return ContractRefusal("Unknown", {"data": data})


def _answer(entry: _Entry, output: bytes) -> Any:
    """Decode what a view returned: a single value bare, several as a tuple."""
    values = decode(entry.output_types, output)
    named = tuple(
        _named(output, value) for output, value in zip(entry.outputs, values, strict=True)
    )
    return named[0] if len(named) == 1 else named


@lru_cache(maxsize=64)
def _artifact(artifacts_dir: Path, name: str) -> dict[str, Any]:
    path = artifacts_dir / f"{name}.json"
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ConfigurationError(f"{path} is missing: run `make compile`") from error
    return content


def load_abi(artifacts_dir: Path, name: str) -> list[dict[str, Any]]:
    """Return the ABI of a compiled artifact.

    Raises
    ------
    ConfigurationError
        If it is missing.
    """
    abi: list[dict[str, Any]] = _artifact(artifacts_dir, name)["abi"]
    return abi


def load_bytecode(artifacts_dir: Path, name: str) -> bytes:
    """Return the creation bytecode of a compiled artifact.

    Raises
    ------
    ConfigurationError
        If it is missing.
    """
    return bytes.fromhex(_artifact(artifacts_dir, name)["bytecode"].removeprefix("0x"))


def as_json(value: Any) -> Any:
    """Write one argument for people: bytes as 0x-hex, everything else as it is."""
    return "0x" + value.hex() if isinstance(value, bytes) else value


def _json_value(parameter: dict[str, Any], value: Any) -> Any:
    kind = parameter["type"]
    if kind.endswith("]"):
        element = {**parameter, "type": kind[: kind.rindex("[")]}
        return [_json_value(element, item) for item in value]
    if kind == "tuple":
        return {c["name"]: _json_value(c, value[c["name"]]) for c in parameter["components"]}
    if kind.startswith(("uint", "int")):
        bits = int(kind.lstrip("uint") or 256)
        return value if bits <= MAX_JSON_NUMBER_BITS else str(value)
    return as_json(value)


_spelled = lru_cache(maxsize=8192)(eip55)
"""Most addresses of events come again."""


def _prepare(entry: dict[str, Any]) -> _Entry:
    inputs = tuple(
        {**parameter, "name": parameter.get("name") or f"arg{position}"}
        for position, parameter in enumerate(entry.get("inputs", ()))
    )
    outputs = tuple(entry.get("outputs", ()))
    indexed = tuple(i for i in inputs if i.get("indexed"))
    data = tuple(i for i in inputs if not i.get("indexed"))
    name = entry.get("name", "")
    input_types = tuple(_type(i) for i in inputs)
    return _Entry(
        name=name,
        inputs=inputs,
        outputs=outputs,
        input_types=input_types,
        output_types=tuple(_type(o) for o in outputs),
        indexed=indexed,
        data=data,
        data_types=tuple(_type(i) for i in data),
        signature_hash=keccak(f"{name}({','.join(input_types)})".encode()),
        changes=entry.get("stateMutability") in ("nonpayable", "payable"),
    )


def _type(parameter: dict[str, Any]) -> str:
    kind: str = parameter["type"]
    if kind.startswith("tuple"):
        inner = ",".join(_type(component) for component in parameter["components"])
        return f"({inner}){kind.removeprefix('tuple')}"
    return kind


def _named(parameter: dict[str, Any], value: Any) -> Any:
    """Turn tuples into dicts by the ABI's names, and addresses into EIP-55."""
    kind: str = parameter["type"]
    if kind.endswith("]"):
        element = {**parameter, "type": kind[: kind.rindex("[")]}
        return [_named(element, item) for item in value]
    if kind == "tuple":
        components = parameter["components"]
        return {c["name"]: _named(c, item) for c, item in zip(components, value, strict=True)}
    if kind == "address":
        return _spelled(value)
    return value
