"""One document checked in all ways that were asked for, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from service.audit.decode import address_text, hex_text
from service.audit.digests.document import Difference, TypedData
from service.audit.digests.payouts import PayoutList, first_differing_line, shown_line
from service.audit.digests.words import Words, amount
from service.audit.manifest_file import FIRST_PAYOUT_LINE
from service.units import amounts


@dataclass
class Checked:
    """What was found about one document.

    Attributes
    ----------
    data, words
        What is signed, and in words; None where the types are not a contract's.
    differences
        Of the document from what the contracts take, and from what the contract on chain says.
    lists
        Each copy of the list that was given.
    compared
        What was compared with the contract on chain; None where no node was given.
    """

    data: TypedData | None
    words: Words | None
    differences: list[Difference]
    lists: list[PayoutList] = field(default_factory=list)
    compared: list[str] | None = None

    @property
    def refused(self) -> list[str]:
        """Why it must not be signed, though its types are right."""
        return self.words.refusals if self.words else []

    @property
    def clean(self) -> bool:
        """Whether it is understood, and consistent with all that was given."""
        return not (
            self.differences or self.refused or any(not each.is_signed for each in self.lists)
        )

    @property
    def notes(self) -> list[str]:
        """What was not checked, and why."""
        notes: list[str] = []
        if self.data is None:
            return notes
        if self.data.primary_type == "BatchApproval" and not self.lists:
            notes.append("no list given: who is paid, and how much each, is not checked")
        if self.compared is None:
            notes.append("no node given: the contract was not asked")
        notes.append(
            f"compare chain {self.data.chain_id} and {address_text(self.data.verifying_contract)} "
            "with what your office published, and the digest with what your device shows"
        )
        return notes

    def against_signed(self) -> Iterator[tuple[PayoutList, Difference]]:
        """Yield each copy that is not signed, and the first line in which it differs from one."""
        signed = next((each for each in self.lists if each.is_signed), None)
        for other in self.lists:
            if signed is not None and not other.is_signed:
                difference = first_differing_line(signed.path, other.path)
                if difference is not None:
                    yield other, difference

    def as_json(self) -> dict[str, Any]:
        """Return all of it, amounts as strings."""
        first = {each.path: line.as_dict() for each, line in self.against_signed()}
        return {
            "clean": self.clean,
            **(_signed_json(self.data) if self.data else {}),
            "title": self.words.title if self.words else None,
            "facts": [
                {"name": name, "says": says}
                for name, says in (self.words.facts if self.words else {}).items()
            ],
            "consequences": self.words.consequences if self.words else [],
            "refused_because": self.refused,
            "differences": [each.as_dict() for each in self.differences],
            "compared_with_contract": self.compared,
            "lists": [
                _list_json(each) | {"first_differing_line": first.get(each.path)}
                for each in self.lists
            ],
            "notes": self.notes,
        }

    def render(self) -> RenderableType:
        """Return it for a terminal."""
        parts: list[RenderableType] = []
        if self.data is not None and self.words is not None:
            parts += [Text(self.words.title, style="bold"), _facts(self.words.facts)]
            parts += [Text(f"· {line}") for line in self.words.consequences]
            domain = {
                "contract": f"{self.data.contract}, {address_text(self.data.verifying_contract)}",
                "chain": str(self.data.chain_id),
                "digest": hex_text(self.data.digest),
            }
            if self.compared:
                domain["asked on chain"] = ", ".join(self.compared)
            parts += [_facts(domain)]
        for each in self.lists:
            parts += _list_parts(each)
        for each, line in self.against_signed():
            parts.append(_red(f"{each.path} differs from the signed list first in {_said(line)}"))
        parts += [_red(f"not as the contracts have it: {_said(each)}") for each in self.differences]
        parts += [_red(f"the contracts would not take it: {each}") for each in self.refused]
        parts += [Text(f"note: {note}", style="dim") for note in self.notes]
        verdict = "understood, and consistent with what was given"
        parts.append(Text(verdict, style="bold green") if self.clean else _red("do not sign this"))
        return Group(*parts)


def _signed_json(data: TypedData) -> dict[str, Any]:
    return {
        "contract": data.contract.value,
        "verifying_contract": address_text(data.verifying_contract),
        "chain_id": str(data.chain_id),
        "signed": {
            "primaryType": data.primary_type,
            "message": {
                name: str(value) if isinstance(value, int) else hex_text(value)
                for name, value in data.values.items()
            },
        },
        "domain_separator": hex_text(data.domain.separator),
        "digest": hex_text(data.digest),
    }


def _list_json(each: PayoutList) -> dict[str, Any]:
    return {
        "path": str(each.path),
        "is_signed": each.is_signed,
        "manifest_hash": hex_text(each.hash),
        "chunks_root": None if each.root is None else hex_text(each.root),
        "count": each.count,
        **amounts(total=each.total),
        "wallets": each.wallets,
        **({} if each.largest is None else amounts(largest=each.largest.amount)),
        "first": [
            {
                "index": line.index,
                "payee": address_text(line.payee),
                **amounts(amount=line.amount),
                "commitment": line.commitment,
            }
            for line in each.first
        ],
        "differences": [difference.as_dict() for difference in each.differences],
    }


def _list_parts(each: PayoutList) -> list[RenderableType]:
    facts = {
        "list": str(each.path),
        "payouts": f"{each.count:,}, to {each.wallets:,} wallets",
        "total": amount(each.total),
    }
    if each.largest is not None:
        facts["largest"] = shown_line(each.largest)
    for number, line in enumerate(each.first, FIRST_PAYOUT_LINE):
        facts[f"line {number}"] = shown_line(line)
    parts: list[RenderableType] = [_facts(facts)]
    if each.is_signed:
        parts.append(Text("the digest commits to exactly this list", style="green"))
    parts += [_red(f"not the list that is signed: {_said(d)}") for d in each.differences]
    return parts


def _facts(facts: dict[str, str]) -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(Text(name), Text(value))
    return table


def _said(difference: Difference) -> str:
    return f"{difference.where}: expected {difference.expected}; found {difference.found}"


def _red(text: str) -> Text:
    return Text(text, style="bold red")
