"""docs/contracts-reference.md, written by the compiler: storage, functions, events, errors.

``python -m scripts.contracts_reference > docs/contracts-reference.md`` after changing a contract; a
test compares the two. Slots, types and selectors are the compiler's (its storage layout and ABI),
the words are the contracts' own comments (NatSpec).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from eth_utils.crypto import keccak

from service.chain.refusals import SENTENCES

PROJECT_ROOT = Path(__file__).resolve().parents[1]
COMPILER = PROJECT_ROOT / "scripts" / "toolchain" / "solc-v0.8.37"
REMAPPINGS = ("@openzeppelin/=node_modules/@openzeppelin/", "solady/=node_modules/solady/src/")

CONTRACTS: Final = (
    *("AllowanceVault", "BenefitToken", "EmergencyLane", "OfficerRegistry", "RoleManager"),
    *("P256Verifier", "PasskeyVerifier"),
)
"""What a deployment consists of; the vault's parts have its storage, events and errors."""

ARGUMENTS: Final = {
    "seq": "the contract's own count of its events, without gaps: a log left out shows",
    "actionId": "id of the quorum action, chosen by who proposes it, used once for ever;"
    " zero at deployment",
    "signatures": "as they were given, so that events alone prove again who signed;"
    " empty at deployment",
    "deadline": "the last second at which what was signed could be sent, Unix time; as signed",
    "batchId": "the batch, as its officers signed it",
    "grantId": "the emergency grant, as its officer signed it",
    "programme": "number of the programme",
    "programmeId": "number of the programme",
    "officerId": "number of the officer, a person; never used again",
    "index": "position of the payout or stream in its batch, from 0",
    "chunkIndex": "position of the chunk in its batch, from 0",
    "payee": "who is paid",
    "amount": "base units",
    "cap": "base units",
    "budget": "base units",
    "value": "base units",
    "paid": "base units",
    "total": "base units",
    "returned": "base units that are no longer committed and may be approved again",
    "entries": "packed words of 28 bytes, payee (20) | amount (8, base units)",
    "skippedLow": "bit i: entry i of the chunk (0 to 255) was skipped",
    "skippedHigh": "bit i: entry 256 + i was skipped",
    "maskLow": "bit i: stream i of the chunk (0 to 255)",
    "maskHigh": "bit i: stream 256 + i of the chunk",
    "regionCode": "GB/T 2260 code without trailing zeros",
    "regionDigits": "how many digits the region's code has: 2, 4 or 6; 0 for the whole country",
    "activeFrom": "Unix seconds from which it is in force",
    "appliesFrom": "Unix seconds from which it may be applied",
    "executeFrom": "Unix seconds from which the batch's chunks may run",
    "executeBefore": "Unix seconds before which its chunks may run",
    "expiresAt": "Unix seconds from which what can never be paid may be given back",
    "signerType": "1 account, 2 contract account, 3 P-256 key",
    "signer": "bytes of the signer, as its type has them",
    "roles": "bits: 1 maker, 2 reviewer, 4 emergency officer, 8 governor",
    "from": "who gives",
    "to": "who gets",
    "owner": "whose tokens they are",
    "spender": "who may move them",
    "authorizer": "who signed",
    "nonce": "ERC-3009: chosen by the signer, used once",
    "minter": "vault, lane, or another contract that governors added",
    "account": "whom it is about",
    "verifier": "contract that checks signatures of P-256 keys (ERC-7913)",
    "requested": "what was asked for",
    "given": "what was given",
    "required": "what is needed",
    "balance": "base units",
    "needed": "base units",
    "operations": "bits: 1 approvals, 2 execution, 4 withdrawals",
    "operation": "1 approvals, 2 execution, 4 withdrawals",
    "authority": "the RoleManager that is asked from now on",
    "roleId": "number of the role in the RoleManager",
    "admin": "role that grants and revokes it from now on",
    "guardian": "role that cancels what its members have scheduled",
    "delay": "seconds between scheduling a call and making it; 0 for at once",
    "newMember": "true: the account did not hold the role before",
    "since": "Unix seconds from which it holds",
    "label": "name of the role, for people",
    "target": "the guarded contract",
    "selector": "first four bytes of the calls that it is about",
    "closed": "true: nobody may call the contract's guarded functions",
    "operationId": "hash of caller, target and call",
    "schedule": "Unix seconds from which it may be made",
    "caller": "who makes the call",
    "data": "the call, selector and arguments",
}
"""Arguments that mean the same in every event and error, unless one says otherwise."""

LIBRARY_VARIABLES: Final = {
    "_authority": "the RoleManager, asked who may do the housekeeping; only it can name another",
    "_consumingSchedule": "true while the RoleManager runs an operation that was scheduled",
    "_nameFallback": "empty: the EIP-712 name is short and an immutable",
    "_versionFallback": "empty: the EIP-712 version is short and an immutable",
    "_targets": "for each contract that it guards",
    "_targets.allowedRoles": "role that a function needs; 0, the administrator, unless one is set",
    "_targets.adminDelay": "seconds before administrators' changes to this contract hold",
    "_targets.closed": "true: nobody may call the contract's guarded functions",
    "_roles": "each role",
    "_roles.members": "who has it",
    "_roles.members.since": "Unix seconds from which the account has the role; 0: it has not",
    "_roles.members.delay": "seconds between scheduling a call and making it",
    "_roles.admin": "role that grants and revokes this one",
    "_roles.guardian": "role that cancels what members have scheduled",
    "_roles.grantDelay": "seconds before a grant of this role holds",
    "_schedules": "each operation that was scheduled",
    "_schedules.timepoint": "Unix seconds from which it may be made",
    "_schedules.nonce": "how often it was scheduled",
    "_executionId": "the operation that is being made, within its transaction",
}
"""What OpenZeppelin's variables hold, which it documents in no form that the compiler passes on."""

INTRODUCTION = """\
# The contracts, slot by slot and event by event

<!-- Written by `python -m scripts.contracts_reference`; change the contracts' comments, then run it
again. -->

What the compiler says of the contracts that make up a deployment, for an auditor who reads storage
and logs with tools of their own. What they are for, who may do what, and which test holds what:
[contracts.md](contracts.md).

**Storage.** A value lies in `slot`, `byte` bytes from the low end, `bytes` long. A mapping's value
for key *k* begins in slot `keccak256(k . slot)`, both padded to 32 bytes, for mappings in mappings
key by key; `+n` counts on from there, `+i` is one slot an item. What a contract's constructor set
for good (its immutables) lies in its code instead. No contract can be upgraded, so no layout ever
changes under an address.

**Amounts** are base units of the token (6 decimals), **times** Unix seconds unless it says
otherwise.

**Functions** and **errors** are followed by their selector, the first four bytes of the call or of
what a refused call returns; an error's words are those that the service tells officers. **Events**
are followed by their topic 0.

**Arguments** that mean the same everywhere:
"""


@dataclass(frozen=True, slots=True)
class Words:
    """A comment of the contracts: its text, and what it says of each parameter."""

    text: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


class Compiled:
    """What the compiler tells of the sources."""

    def __init__(self, output: dict[str, Any]) -> None:
        self._layouts = {
            name: contract["storageLayout"]
            for file in output["contracts"].values()
            for name, contract in file.items()
        }
        self.abis = {
            name: contract["abi"]
            for file in output["contracts"].values()
            for name, contract in file.items()
        }
        self.nodes: dict[int, dict[str, Any]] = {}
        self.contracts: dict[str, dict[str, Any]] = {}
        self.files: dict[int, str] = {}
        for file, source in output["sources"].items():
            for node in _nodes(source["ast"]):
                self.nodes[node["id"]] = node
                if node["nodeType"] == "ContractDefinition":
                    self.contracts[node["name"]] = node
                    self.files[node["id"]] = file

    def layout(self, contract: str) -> dict[str, Any]:
        """Return the storage layout of a contract."""
        layout: dict[str, Any] = self._layouts[contract]
        return layout

    def inherited(self, contract: str) -> Iterator[dict[str, Any]]:
        """Yield what a contract declares or inherits, the nearest first."""
        for base in self.contracts[contract]["linearizedBaseContracts"]:
            yield from self.nodes[base]["nodes"]


def compile_sources() -> Compiled:
    """Ask the compiler for layouts, ABIs and syntax trees; it makes no bytecode, so in seconds.

    Raises
    ------
    SystemExit
        When it refuses the sources.
    """
    sources = {
        str(path.relative_to(PROJECT_ROOT)): {"content": path.read_text(encoding="utf-8")}
        for path in sorted((PROJECT_ROOT / "contracts").rglob("*.sol"))
    }
    asked = {
        "language": "Solidity",
        "sources": sources,
        "settings": {
            "remappings": REMAPPINGS,
            "outputSelection": {"*": {"*": ["abi", "storageLayout"], "": ["ast"]}},
        },
    }
    ran = subprocess.run(
        [COMPILER, "--standard-json"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
    )
    output = json.loads(ran.stdout)
    errors = [e["formattedMessage"] for e in output.get("errors", ()) if e["severity"] == "error"]
    if errors:
        raise SystemExit("\n".join(errors))
    return Compiled(output)


def reference() -> str:
    """Return the whole page, in Markdown."""
    compiled = compile_sources()
    parts = [INTRODUCTION, _table(("argument", "meaning"), _glossary())]
    for name in CONTRACTS:
        parts.append(f"## {name}\n")
        for title, head, rows in (
            ("storage", ("slot", "byte", "bytes", "what", "meaning"), storage(compiled, name)),
            ("in the code", ("constant or immutable", "meaning"), fixed(compiled, name)),
            ("functions that change something", ("function", "meaning"), calls(compiled, name)),
            ("views", ("function", "meaning"), views(compiled, name)),
            ("events", ("event", "meaning"), events(compiled, name)),
            ("errors", ("error", "when"), errors(compiled, name)),
        ):
            if found := list(rows):
                parts += [f"### {name}: {title}\n", _table(head, found)]
    return "\n".join(parts).rstrip() + "\n"


def storage(compiled: Compiled, contract: str) -> Iterator[tuple[str, ...]]:
    """Yield slot, byte, size, name and meaning of each value in a contract's storage."""
    layout = compiled.layout(contract)
    declared = {
        node["name"]: node
        for node in compiled.inherited(contract)
        if node["nodeType"] == "VariableDeclaration" and node["mutability"] == "mutable"
    }
    for variable in layout["storage"]:
        name = variable["label"]
        node = declared[name]
        place = _Place(variable["slot"], variable["offset"], name, (name,))
        kind = _Kind(variable["type"], node["typeName"])
        yield from _value(compiled, layout, place, kind, _words_of(compiled, contract, node).text)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a value lies, how it is written, and the path of names that leads to it."""

    slot: str
    offset: int
    label: str
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """A value's type, in the storage layout and in the syntax tree."""

    id: str
    node: dict[str, Any]


def _value(
    compiled: Compiled, layout: dict[str, Any], place: _Place, kind: _Kind, said: str
) -> Iterator[tuple[str, ...]]:
    """Yield the rows of one value: of a struct one a member, of a mapping those of its values."""
    laid = layout["types"][kind.id]
    meaning = _plain(said) or LIBRARY_VARIABLES.get(".".join(place.path), "")
    mapped = laid["encoding"] == "mapping"
    label = place.label
    while laid["encoding"] == "mapping":
        key = kind.node.get("keyName") or _short(layout["types"][laid["key"]]["label"])
        label += f"[{key}]"
        kind = _Kind(laid["value"], kind.node["valueType"])
        laid = layout["types"][kind.id]
    if "members" not in layout["types"][laid.get("base", kind.id)]:
        offset = "" if mapped else str(place.offset)
        value = f"`{label}` {_short(laid['label'])}"
        yield (place.slot, offset, laid["numberOfBytes"], value, meaning)
        return
    yield (place.slot, "", "" if mapped else laid["numberOfBytes"], f"`{label}`", meaning)
    slot = "+0" if mapped else place.slot
    if "base" in laid:
        slot, label = "+i", f"{label}[i]"
        kind = _Kind(laid["base"], kind.node["baseType"])
        laid = layout["types"][kind.id]
    struct = compiled.nodes[kind.node["referencedDeclaration"]]
    nodes = {node["name"]: node["typeName"] for node in struct["members"]}
    told = _parsed(struct).parameters
    for member in laid["members"]:
        name = member["label"]
        below = _Place(
            _further(slot, int(member["slot"])),
            member["offset"],
            f"{label}.{name}",
            (*place.path, name),
        )
        below_kind = _Kind(member["type"], nodes[name])
        yield from _value(compiled, layout, below, below_kind, told.get(name, ""))


def _further(slot: str, count: int) -> str:
    if slot == "+i":
        return slot
    sign = "+" if slot.startswith("+") else ""
    return f"{sign}{int(slot) + count}"


def fixed(compiled: Compiled, contract: str) -> Iterator[tuple[str, str]]:
    """Yield each public constant and each immutable, OpenZeppelin's own apart."""
    for node in compiled.inherited(contract):
        if node["nodeType"] != "VariableDeclaration" or node["mutability"] == "mutable":
            continue
        words = _words_of(compiled, contract, node)
        seen = node["mutability"] == "immutable" or node["visibility"] == "public"
        if seen and _is_ours(compiled, node):
            yield f"`{node['name']}` {node['mutability']}", _plain(words.text)


def calls(compiled: Compiled, contract: str) -> Iterator[tuple[str, str]]:
    """Yield each function that changes something."""
    yield from _functions(compiled, contract, changing=True)


def views(compiled: Compiled, contract: str) -> Iterator[tuple[str, str]]:
    """Yield each function that only answers."""
    yield from _functions(compiled, contract, changing=False)


def _functions(compiled: Compiled, contract: str, *, changing: bool) -> Iterator[tuple[str, str]]:
    said: dict[str, Words] = {}
    for node in compiled.inherited(contract):
        selector = node.get("functionSelector")
        words = _parsed(node)
        if selector and (words.text or words.parameters):
            said.setdefault(selector, words)
    for entry in compiled.abis[contract]:
        if entry["type"] != "function":
            continue
        if (entry["stateMutability"] in ("nonpayable", "payable")) != changing:
            continue
        selector = _hash(entry)[:8]
        outputs = ", ".join(_argument(output) for output in entry["outputs"])
        answer = f" → `{outputs}`" if outputs else ""
        words = said.get(selector, Words())
        yield f"{_signature(entry)} `0x{selector}`{answer}", _told(words)


def events(compiled: Compiled, contract: str) -> Iterator[tuple[str, str]]:
    """Yield each event that the contract can emit, with its first topic."""
    said = {
        node["eventSelector"]: _parsed(node)
        for node in _used(compiled, contract, "usedEvents", "EventDefinition")
    }
    for entry in compiled.abis[contract]:
        if entry["type"] == "event":
            topic = _hash(entry)
            yield f"{_signature(entry)} `0x{topic}`", _told(said[topic])


def errors(compiled: Compiled, contract: str) -> Iterator[tuple[str, str]]:
    """Yield each error that the contract can refuse with."""
    said = {
        node["errorSelector"]: _parsed(node)
        for node in _used(compiled, contract, "usedErrors", "ErrorDefinition")
    }
    for entry in compiled.abis[contract]:
        if entry["type"] == "error":
            selector = _hash(entry)[:8]
            sentence = re.sub(r"\{(\w+)(?::\w+)?\}", r"`\1`", SENTENCES[entry["name"]])
            yield (
                f"{_signature(entry)} `0x{selector}`",
                ". ".join(filter(None, (_told(said[selector]).rstrip("."), sentence))),
            )


def _used(compiled: Compiled, contract: str, used: str, kind: str) -> Iterator[dict[str, Any]]:
    """Yield the events or errors that a contract's code names, and those of its interfaces."""
    yield from (compiled.nodes[each] for each in compiled.contracts[contract][used])
    yield from (node for node in compiled.inherited(contract) if node["nodeType"] == kind)


def _words_of(compiled: Compiled, contract: str, node: dict[str, Any]) -> Words:
    """What is said of a variable: by itself, or by the interface of its getter."""
    own = _parsed(node)
    if own.text:
        return own
    for other in compiled.inherited(contract):
        selector = node.get("functionSelector")
        if selector and other.get("functionSelector") == selector and _parsed(other).text:
            return _parsed(other)
    return own


def _is_ours(compiled: Compiled, node: dict[str, Any]) -> bool:
    return compiled.files[node["scope"]].startswith("contracts/")


def _parsed(node: dict[str, Any]) -> Words:
    """Read a NatSpec comment: notice and dev are the text, params their own."""
    comment = node.get("documentation") or {}
    raw = comment.get("text", "") if isinstance(comment, dict) else comment
    said: dict[str, list[str]] = {"": []}
    at = ""
    for line in raw.splitlines():
        word, _, rest = line.strip().partition(" ")
        if word in ("@param", "@return"):
            at, _, rest = rest.strip().partition(" ")
            said[at] = [rest]
        elif word == "@inheritdoc":
            at = "@inheritdoc"
            said[at] = []
        elif word.startswith("@"):
            at = ""
            said[at].append(rest)
        else:
            said[at].append(line.strip())
    joined = {name: " ".join(filter(None, map(str.strip, said[name]))) for name in said}
    return Words(joined.pop(""), {k: v for k, v in joined.items() if not k.startswith("@")})


def _told(words: Words) -> str:
    told = [words.text, *(f"`{name}`: {text}" for name, text in words.parameters.items())]
    return _plain(" ".join(filter(None, told)))


def _plain(text: str) -> str:
    """Write what a comment refers to, ``{IBenefitToken-token}``, as code."""
    return re.sub(
        r"\{([\w.]+)(?:-(\w+))?\}", lambda m: f"`{'.'.join(filter(None, m.groups()))}`", text
    )


def _signature(entry: dict[str, Any]) -> str:
    arguments = ", ".join(map(_argument, entry["inputs"]))
    return f"`{entry['name']}({arguments})`"


def _argument(argument: dict[str, Any]) -> str:
    kind = _short(argument.get("internalType") or argument["type"])
    indexed = " indexed" if argument.get("indexed") else ""
    return f"{kind}{indexed} {argument['name']}".rstrip()


def _short(kind: str) -> str:
    """A type without the word struct, enum or contract, and without where it is declared."""
    return re.sub(r"\b(?:struct|enum|contract) ", "", re.sub(r"\b\w+\.(\w)", r"\1", kind))


def _hash(entry: dict[str, Any]) -> str:
    types = ",".join(map(_canonical, entry["inputs"]))
    return keccak(text=f"{entry['name']}({types})").hex()


def _canonical(argument: dict[str, Any]) -> str:
    kind: str = argument["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(map(_canonical, argument['components']))}){kind[len('tuple') :]}"


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if "nodeType" in node and "id" in node:
            yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(node, list):
        for item in node:
            yield from _nodes(item)


def _glossary() -> Iterator[tuple[str, str]]:
    yield from ((f"`{name}`", meaning) for name, meaning in ARGUMENTS.items())


def _table(head: tuple[str, ...], rows: Any) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
