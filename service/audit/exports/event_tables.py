"""Tables with a row, or some rows, for each event of certain names: recorded during the replay."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from service.audit.abi import EVENTS, Contract, Field
from service.audit.decode import Event, address_text, hex_text
from service.audit.exports.table import (
    BY_BLOCK,
    Column,
    Partition,
    Row,
    Source,
    Table,
    amount,
    integer,
    text,
)
from service.audit.signatures import MalformedSignatures, Record, records

EventKey = tuple[Contract, str]
"""Contract and name of an event."""

WHERE = (
    integer("event_number", "Which of the events replayed, counted from 1 (see `events`)."),
    integer("block", "Its block."),
    integer("time_unix_s", "Time of the block."),
    text("tx", "Hash of the transaction."),
    integer("log_index", "Its position among the block's logs."),
)
"""The first columns of every table of events."""

LARGEST_NUMBER_BITS = 48
"""Wider integers are strings in JSON (decision 0033)."""


@dataclass(frozen=True, slots=True)
class EventTable:
    """A table of events.

    Attributes
    ----------
    events
        The events it has rows of; None for all.
    rows
        Yields an event's rows; takes its number and the event.
    """

    table: Table
    events: frozenset[EventKey] | None
    rows: Callable[[int, Event], Iterator[Row]]


def where(number: int, event: Event) -> Row:
    """Return the cells of :data:`WHERE`."""
    return number, event.block, event.timestamp, hex_text(event.tx), event.log_index


def recorded_table(
    name: str,
    meaning: str,
    columns: tuple[Column, ...],
    *,
    key: int = 1,
    partition: Partition | None = None,
    indexes: tuple[tuple[str, ...], ...] = (),
) -> Table:
    """Return a table whose rows were recorded as they stand."""

    def rows(source: Source) -> Iterator[Row]:
        return source.recorded.rows(name)

    return Table(name, meaning, columns, rows, key, partition, indexes)


def _table(
    name: str,
    meaning: str,
    events: frozenset[EventKey] | None,
    cells: Callable[[Event], Row],
    columns: tuple[Column, ...],
    *,
    partition: Partition | None = None,
    indexes: tuple[tuple[str, ...], ...] = (),
) -> EventTable:
    """Return a table with one row an event: :data:`WHERE`, then `cells`."""

    def rows(number: int, event: Event) -> Iterator[Row]:
        yield where(number, event) + cells(event)

    table = recorded_table(name, meaning, WHERE + columns, partition=partition, indexes=indexes)
    return EventTable(table, events, rows)


def _of(contract: Contract, *names: str) -> frozenset[EventKey]:
    return frozenset((contract, name) for name in names)


# ---- every event ---------------------------------------------------------------------------------

_FIELDS: dict[EventKey, dict[str, Field]] = {
    (contract, event.name): {field.name: field for field in event.fields}
    for contract, events in EVENTS.items()
    for event in events.values()
}


def _plain(field: Field, value: Any) -> Any:
    if field.type == "tuple[]":
        return [_members(field, member) for member in value]
    if field.type == "tuple":
        return _members(field, value)
    if field.type == "address":
        return address_text(value)
    if isinstance(value, bytes):
        return hex_text(value)
    wide = field.type.startswith("uint") and int(field.type[4:]) > LARGEST_NUMBER_BITS
    return str(value) if wide else value


def _members(field: Field, value: dict[str, Any]) -> dict[str, Any]:
    return {member.name: _plain(member, value[member.name]) for member in field.members}


def args_json(event: Event) -> str:
    """Write an event's arguments as JSON: members in alphabetical order, no spaces, ASCII."""
    fields = _FIELDS[event.contract, event.name]
    plain = {name: _plain(fields[name], value) for name, value in event.args.items()}
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def _event(event: Event) -> Row:
    said = event.contract.value, event.name, args_json(event)
    return hex_text(event.block_hash), event.tx_index, *said


# ---- signatures ----------------------------------------------------------------------------------


def signed_by(event: Event) -> Iterator[Record]:
    """Yield an event's signatures, of malformed ones those that can be read."""
    try:
        yield from records(event.args["signatures"])
    except MalformedSignatures:
        return  # a finding names it


SIGNED = (
    integer("officer_id", "The officer."),
    integer("signer_type", "1 account, 2 contract account (ERC-1271), 3 P-256 key or passkey."),
    text("signer", "What the officer signed with, bytes as the registry has them, 0x-hex."),
)


def _signatures(
    name: str,
    meaning: str,
    events: frozenset[EventKey],
    cells: Callable[[Event], Row],
    columns: tuple[Column, ...],
    *,
    index: str,
) -> EventTable:
    """Return a table with one row a signature of an event."""

    def rows(number: int, event: Event) -> Iterator[Row]:
        _, *place = where(number, event)
        for position, record in enumerate(signed_by(event), 1):
            signer = hex_text(record.signer)
            signed = record.officer_id, record.signer_type, signer
            yield number, position, *place, *cells(event), *signed

    position = integer("position", "Which of the signatures, from 1.")
    table = recorded_table(
        name,
        meaning,
        (WHERE[0], position, *WHERE[1:], *columns, *SIGNED),
        key=2,
        indexes=((index,), ("officer_id",)),
    )
    return EventTable(table, events, rows)


_ACTIONS = frozenset(
    key for key, fields in _FIELDS.items() if {"actionId", "signatures"} <= fields.keys()
)

# ---- the token -----------------------------------------------------------------------------------

_ZERO = bytes(20)


def _transfer(event: Event) -> Row:
    source, target = event.args["from"], event.args["to"]
    kind = "mint" if source == _ZERO else "burn" if target == _ZERO else "transfer"
    return kind, address_text(source), address_text(target), event.args["value"]


def _redemption(event: Event) -> Row:
    args = event.args
    reference = hex_text(args["paymentReference"])
    return address_text(args["from"]), args["amount"], reference, args["redeemedTotal"]


def _attestation(event: Event) -> Row:
    args = event.args
    return args["amount"], args["redemptionsIncluded"], args["asOf"], hex_text(args["documentHash"])


def _freeze(event: Event) -> Row:
    return address_text(event.args["account"]), int(event.name == "Frozen")


def _pause(event: Event) -> Row:
    args = event.args
    return event.contract.value, event.name, args.get("operations"), args.get("until") or None


_PAUSES = (
    _of(Contract.VAULT, "Paused", "Unpaused", "SunsetBegan")
    | _of(Contract.TOKEN, "TransfersPaused", "TransfersUnpaused")
    | _of(Contract.LANE, "GrantsPaused", "GrantsUnpaused")
)

EVENT_TABLES = (
    _signatures(
        "batch_approvers",
        "A signature under a batch's approval.",
        _of(Contract.VAULT, "BatchApproved"),
        lambda event: (hex_text(event.args["batchId"]),),
        (text("batch_id", "The batch, 0x-hex."),),
        index="batch_id",
    ),
    _signatures(
        "action_signers",
        "A signature under an action: what governors or reviewers decided beside batches and "
        "grants.",
        _ACTIONS,
        lambda event: (event.name, hex_text(event.args["actionId"])),
        (
            text("event", "What was done."),
            text("action_id", "Id of the action, 0x-hex: used once."),
        ),
        index="action_id",
    ),
    _table(
        "redemptions",
        "Tokens that a holder gave back for money, to be matched with a bank payment.",
        _of(Contract.TOKEN, "Redeemed"),
        _redemption,
        (
            text("holder", "Whose tokens were burned, address."),
            amount("amount", "How much."),
            text("payment_reference", "Reference of the bank payment, 32 bytes, 0x-hex."),
            amount("redeemed_total", "Sum of all redemptions with this one, as the token says it."),
        ),
        partition=BY_BLOCK,
        indexes=(("payment_reference",), ("holder",)),
    ),
    _table(
        "attestations",
        "A statement of the reserve.",
        _of(Contract.TOKEN, "ReserveAttested"),
        _attestation,
        (
            amount("amount", "The reserve."),
            amount("redemptions_included", "Redemptions that the amount takes into account."),
            integer("as_of_unix_s", "Time of the statement."),
            text("document_hash", "Hash of the document, 0x-hex."),
        ),
    ),
    _table(
        "freezes",
        "A wallet was frozen, or let go.",
        _of(Contract.TOKEN, "Frozen", "Unfrozen"),
        _freeze,
        (text("account", "The wallet."), integer("frozen", "1 frozen, 0 let go.")),
        indexes=(("account",),),
    ),
    _table(
        "pauses",
        "Something was paused or went on, or the vault's sunset began.",
        _PAUSES,
        _pause,
        (
            text("contract", "vault, token or lane."),
            text("event", "What happened."),
            integer("operations", "Of the vault: sum of 1 approvals, 2 execution, 4 withdrawals."),
            integer("until_unix_s", "When a pause of withdrawals ends by itself."),
        ),
    ),
    _table(
        "transfers",
        "Tokens moved. Anybody can have a transfer of nothing from the zero address logged: it "
        "mints nothing.",
        _of(Contract.TOKEN, "Transfer"),
        _transfer,
        (
            text("kind", "mint, burn or transfer."),
            text("source", "From whom, address; the zero address for a mint."),
            text("target", "To whom, address; the zero address for a burn."),
            amount("amount", "How much."),
        ),
        partition=BY_BLOCK,
        indexes=(("source",), ("target",)),
    ),
    _table(
        "events",
        "Every event that was replayed, decoded.",
        None,
        _event,
        (
            text("block_hash", "Hash of the block."),
            integer("tx_index", "Position of the transaction in the block."),
            text("contract", "vault, token, registry, manager or lane."),
            text("name", "Name of the event."),
            text(
                "args",
                "Its arguments as one JSON object, members in alphabetical order. Integers of "
                "more than 48 bits are strings, addresses EIP-55, bytes 0x-hex.",
            ),
        ),
        partition=BY_BLOCK,
        indexes=(("name",), ("tx",)),
    ),
)
