"""Every small change that the contracts' tests should notice, read off the compiler's syntax tree.

The operators are a selection that leaves out what another one implies: a test that notices that one
clause of ``a && b`` is missing also notices ``a || b``, and one that notices a moved boundary also
notices the reversed comparison.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Node = Mapping[str, Any]
Change = tuple[str, int, int, str]
"""Operator, start and end in bytes of the source, and the text that stands there instead."""

BINARY = {
    "+": ("arithmetic", "-"),
    "-": ("arithmetic", "+"),
    "*": ("arithmetic", "/"),
    "/": ("arithmetic", "*"),
    "%": ("arithmetic", "/"),
    "**": ("arithmetic", "*"),
    "<<": ("bits", ">>"),
    ">>": ("bits", "<<"),
    "&": ("bits", "|"),
    "|": ("bits", "&"),
    "<": ("boundary", "<="),
    "<=": ("boundary", "<"),
    ">": ("boundary", ">="),
    ">=": ("boundary", ">"),
    "==": ("equality", "!="),
    "!=": ("equality", "=="),
}
ASSIGNMENT = {"+=": "-=", "-=": "+=", "|=": "=", "&=": "="}
YUL_CALLS = {
    "add": "sub",
    "sub": "add",
    "mul": "div",
    "div": "mul",
    "shl": "shr",
    "shr": "shl",
    "and": "or",
    "or": "and",
    "lt": "gt",
    "gt": "lt",
    "slt": "sgt",
    "eq": "lt",
}
# Types, names and documentation say nothing that runs.
NOT_WALKED = ("typeName", "typeDescriptions", "documentation", "overrides", "modifiers")


@dataclass(frozen=True)
class Mutant:
    """One change to one source.

    Attributes
    ----------
    path
        The source, relative to the project.
    place
        Contract and function, such as ``AllowanceVault.withdraw``; for a constant its name.
    operator
        The kind of change.
    start, end
        Offsets in the source, in bytes.
    replacement
        What stands there instead.
    line
        Where it starts, from 1.
    before, after
        The lines that it touches, without and with it, white space collapsed.
    nth
        From 0, where one function has the same change more than once.
    """

    path: str
    place: str
    operator: str
    start: int
    end: int
    replacement: str
    line: int
    before: str
    after: str
    nth: int

    @property
    def key(self) -> str:
        """What names this change as long as its lines stand, wherever they stand."""
        nth = f" #{self.nth + 1}" if self.nth else ""
        return f"{self.place} {self.operator}{nth}: {self.before} => {self.after}"

    def apply(self, source: bytes) -> bytes:
        """Return the source with the change made."""
        return source[: self.start] + self.replacement.encode() + source[self.end :]


def mutants_of(path: str, source: bytes, tree: Node) -> list[Mutant]:
    """Return every mutant of one source, in its order.

    Parameters
    ----------
    path
        The source's name for the report.
    source
        Its bytes, as they were compiled.
    tree
        The compiler's syntax tree of it (``SourceUnit``).
    """
    found: list[Mutant] = []
    seen: Counter[tuple[str, ...]] = Counter()
    for contract in tree["nodes"]:
        if contract["nodeType"] != "ContractDefinition" or contract["contractKind"] == "interface":
            continue
        for member in contract["nodes"]:
            place = f"{contract['name']}.{member.get('name') or member.get('kind', '')}"
            for operator, start, end, replacement in _changes(_walked(member), source):
                first = source.rfind(b"\n", 0, start) + 1
                last = source.find(b"\n", end)
                changed = source[first:start] + replacement.encode() + source[end:last]
                before, after = (
                    " ".join(text.decode().split()) for text in (source[first:last], changed)
                )
                same = (place, operator, before, after)
                line = source.count(b"\n", 0, start) + 1
                found.append(
                    Mutant(
                        *(path, place, operator, start, end, replacement, line, before, after),
                        seen[same],
                    )
                )
                seen[same] += 1
    return found


def _walked(member: Node) -> Any:
    """Return what of a contract's member runs: a function's body, a constant's value."""
    if member["nodeType"] in ("FunctionDefinition", "ModifierDefinition"):
        return member.get("body")
    return member.get("value") if member["nodeType"] == "VariableDeclaration" else None


def _changes(node: Any, source: bytes) -> Iterator[Change]:
    if isinstance(node, list):
        for one in node:
            yield from _changes(one, source)
    if not isinstance(node, Mapping):
        return
    if "nodeType" in node:
        yield from _changes_of(node, source)
    for name, child in node.items():
        if name == "loopExpression":  # a statement without its semicolon, whose loss never ends
            yield from _changes(child["expression"], source)
        elif name not in NOT_WALKED:
            yield from _changes(child, source)


def _changes_of(node: Node, source: bytes) -> Iterator[Change]:
    of_kind = OF_KIND.get(node["nodeType"])
    if of_kind is not None:
        yield from of_kind(node, source)


def _of_statement(node: Node, source: bytes) -> Iterator[Change]:
    start, end = _span(node)
    yield ("deletion", start, source.index(b";", end) + 1, "{}")


def _of_yul_statement(node: Node, _source: bytes) -> Iterator[Change]:
    yield ("deletion", *_span(node), "{}")


def _of_if(node: Node, _source: bytes) -> Iterator[Change]:
    for value in ("true", "false"):
        yield ("condition", *_span(node["condition"]), value)


def _of_yul_if(node: Node, _source: bytes) -> Iterator[Change]:
    for value in ("1", "0"):
        yield ("condition", *_span(node["condition"]), value)


def _of_loop(node: Node, _source: bytes) -> Iterator[Change]:
    """Leave a loop out; one that never ended would tell no more."""
    if node.get("condition"):
        yield ("condition", *_span(node["condition"]), "false")


def _of_conditional(node: Node, source: bytes) -> Iterator[Change]:
    for branch in ("trueExpression", "falseExpression"):
        yield ("condition", *_span(node), _text(node[branch], source))


def _of_binary(node: Node, source: bytes) -> Iterator[Change]:
    left, right, operator = node["leftExpression"], node["rightExpression"], node["operator"]
    if operator in ("&&", "||"):
        for kept in (left, right):
            yield ("clause", *_span(node), _text(kept, source))
    elif operator in BINARY:
        name, instead = BINARY[operator]
        yield (name, *_written(operator, left, right, source), instead)


def _of_assignment(node: Node, source: bytes) -> Iterator[Change]:
    operator = node["operator"]
    if operator in ASSIGNMENT:
        span = _written(operator, node["leftHandSide"], node["rightHandSide"], source)
        yield ("assignment", *span, ASSIGNMENT[operator])


def _of_unary(node: Node, source: bytes) -> Iterator[Change]:
    start, end = _span(node)
    inside = _text(node["subExpression"], source)
    if node["operator"] in ("!", "~", "-"):
        yield ("negation", start, end, inside)
    elif node["operator"] in ("++", "--"):
        other = "--" if node["operator"] == "++" else "++"
        yield ("arithmetic", start, end, other + inside if node["prefix"] else inside + other)


def _of_call(node: Node, source: bytes) -> Iterator[Change]:
    """Exchange neighbouring arguments of one type."""
    for one, other in zip(node["arguments"], node["arguments"][1:], strict=False):
        types = {argument["typeDescriptions"].get("typeString") for argument in (one, other)}
        texts = [_text(argument, source) for argument in (one, other)]
        if len(types) == 1 and texts[0] != texts[1]:
            (start, first_end), (second_start, end) = _span(one), _span(other)
            middle = source[first_end:second_start].decode()
            yield ("arguments", start, end, texts[1] + middle + texts[0])


def _of_yul_call(node: Node, source: bytes) -> Iterator[Change]:
    name = node["functionName"]
    if name["name"] in YUL_CALLS:
        yield ("assembly", *_span(name), YUL_CALLS[name["name"]])
    if name["name"] == "iszero":
        yield ("negation", *_span(node), _text(node["arguments"][0], source))
    if name["name"] in ("and", "or"):
        for kept in node["arguments"]:
            yield ("clause", *_span(node), _text(kept, source))


def _of_literal(node: Node, source: bytes) -> Iterator[Change]:
    start, end = _span(node)
    text = source[start:end].decode()
    if node["kind"] == "bool":
        yield ("constant", start, end, "false" if text == "true" else "true")
    elif node["kind"] == "string":
        yield ("constant", start, end, f"{text[:-1]}X{text[-1]}")
    elif node["kind"] == "number":
        number = re.match(r"0x[0-9a-fA-F]+|[0-9_]+(e[0-9]+)?", text)
        assert number is not None, text
        digits, unit = number.group().replace("_", ""), text[number.end() :]
        if digits.startswith("0x"):
            value, width = int(digits, 16), len(digits) - 2
        else:
            value, width = int(Decimal(digits)), 0
        for other in (value + 1, value - 1):
            if other >= 0:
                shown = f"0x{other:0{width}x}" if width else str(other)
                yield ("constant", start, end, shown + unit)


def _written(operator: str, left: Node, right: Node, source: bytes) -> tuple[int, int]:
    """Return where the operator between two operands is written."""
    at = source.index(operator.encode(), _span(left)[1], _span(right)[0])
    return at, at + len(operator)


def _span(node: Node) -> tuple[int, int]:
    start, length, _ = map(int, node["src"].split(":"))
    return start, start + length


def _text(node: Node, source: bytes) -> str:
    start, end = _span(node)
    return source[start:end].decode()


OF_KIND: dict[str, Callable[[Node, bytes], Iterator[Change]]] = {
    "Assignment": _of_assignment,
    "BinaryOperation": _of_binary,
    "Break": _of_statement,
    "Conditional": _of_conditional,
    "Continue": _of_statement,
    "EmitStatement": _of_statement,
    "ExpressionStatement": _of_statement,
    "ForStatement": _of_loop,
    "FunctionCall": _of_call,
    "IfStatement": _of_if,
    "Literal": _of_literal,
    "Return": _of_statement,
    "RevertStatement": _of_statement,
    "UnaryOperation": _of_unary,
    "WhileStatement": _of_loop,
    "YulAssignment": _of_yul_statement,
    "YulBreak": _of_yul_statement,
    "YulContinue": _of_yul_statement,
    "YulExpressionStatement": _of_yul_statement,
    "YulFunctionCall": _of_yul_call,
    "YulIf": _of_yul_if,
    "YulLiteral": _of_literal,
}
