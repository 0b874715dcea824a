"""What is recorded while the chain is replayed, of chains too that no contract of ours can make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from service.audit.abi import Contract
from service.audit.decode import Event
from service.audit.exports.export import export
from service.audit.exports.formats import Format
from service.audit.exports.recorder import Recorder
from service.audit.exports.tables import TABLES
from service.audit.findings import Code, Findings
from service.audit.replay import no_progress
from service.audit.replayer import Replayer
from service.audit.report import ReplayReport, totals
from service.audit.signers import Signatures, asking
from service.errors import InvalidInput
from tests.audit.checking import Replayed
from tests.audit.exports.reading import READERS, as_dicts
from tests.audit.scenario import payee

Write = Callable[[Sequence[Event]], Path]
BY_NAME = {table.name: table for table in TABLES}


@pytest.fixture
def written(replayed: Replayed, audit: Callable[..., ReplayReport], tmp_path: Path) -> Write:
    """Replays other events than the chain's, and writes what they make."""

    def write(events: Sequence[Event]) -> Path:
        findings, out = Findings(), tmp_path / "out"
        out.mkdir()
        with Recorder(out) as recorder:
            replayer = Replayer(
                replayed.deployment,
                findings,
                replayed.call_of,
                Signatures(asking(replayed.node)),
                listeners=(recorder,),
            )
            for event in events:
                replayer.apply(event)
            replayer.check_end()
            state = replayer.state
            made = {"findings": findings.items, "totals": totals(state, replayed.time)}
            report = replace(audit(), state=state, state_digest=state.digest(), **made)
            export(report, recorder, out, list(Format), no_progress)
        return out

    return write


def first(events: Sequence[Event], name: str) -> int:
    return next(at for at, event in enumerate(events) if event.name == name)


def edited(event: Event, **args: Any) -> Event:
    return replace(event, args=event.args | args)


def test_listening_changes_nothing_and_leaves_no_file(replayed: Replayed, written: Write) -> None:
    out = written(replayed.events)
    (report,) = as_dicts(out, BY_NAME["report"])
    assert report["state_digest"] == replayed.state.digest()
    assert sorted(path.name for path in out.iterdir()) == [
        *("csv", "jsonl", "parquet", "relief.sqlite")
    ]


@pytest.mark.parametrize("name", ["BatchApproved", "OfficerAdded", "Redeemed", "StreamsWithdrawn"])
def test_what_a_chain_says_twice_is_written_twice(
    replayed: Replayed, written: Write, name: str
) -> None:
    at = first(replayed.events, name)
    out = written([*replayed.events[: at + 1], *replayed.events[at:]])
    rows = as_dicts(out, BY_NAME["events"])
    assert len(rows) == len(replayed.events) + 1
    assert [rows[at + i]["name"] for i in (0, 1)] == [name, name]
    assert as_dicts(out, BY_NAME["findings"])
    for table in TABLES:
        assert len({tuple(map(repr, reader(out, table))) for reader in READERS.values()}) == 1


def test_an_amount_that_no_token_can_have_is_written_exactly(
    replayed: Replayed, written: Write
) -> None:
    most, rich = 2**256 - 1, payee(88)
    at = first(replayed.events, "Transfer")
    address = bytes.fromhex(rich.address[2:])
    forged = edited(replayed.events[at], **{"from": bytes(20), "to": address, "value": most})
    out = written([*replayed.events, forged])
    for reader in READERS.values():
        assert [row for row in reader(out, BY_NAME["transfers"]) if {rich.address, most} <= {*row}]
        (report,) = reader(out, BY_NAME["report"])
        assert replayed.state.token.supply in report
    (path,) = (out / "parquet" / "transfers").rglob("*.parquet")
    assert str(pq.ParquetFile(path).schema_arrow.field("amount_base_units").type) == "string"


def test_of_malformed_signatures_those_that_can_be_read_are_written(
    replayed: Replayed, written: Write
) -> None:
    events = list(replayed.events)
    at = first(events, "BatchApproved")
    events[at] = edited(events[at], signatures=events[at].args["signatures"][:-1])
    out = written(events)
    rows = [
        row for row in as_dicts(out, BY_NAME["batch_approvers"]) if row["event_number"] == at + 1
    ]
    assert [row["officer_id"] for row in rows] == [1, 2]
    batch = next(
        row for row in as_dicts(out, BY_NAME["batches"]) if row["batch_id"] == rows[0]["batch_id"]
    )
    assert batch["approved_by"] == "1 2"


def test_a_strangers_words_in_a_finding_are_made_printable(
    replayed: Replayed, audit: Callable[..., ReplayReport], tmp_path: Path
) -> None:
    findings = Findings()
    findings.error(Code.MANIFEST_MISMATCH, "a\nb", expected="=1+1", found="\ud800\x00\t王")
    with Recorder(tmp_path) as recorder:
        report = replace(audit(), findings=findings.items)
        export(report, recorder, tmp_path, list(Format), no_progress)
    for reader in READERS.values():
        (row,) = reader(tmp_path, BY_NAME["findings"])
        assert row[9:] == ("=1+1", "\\ud800\\x00\\t王", "a\\nb")


def test_a_time_that_no_clock_shows_is_refused(replayed: Replayed, tmp_path: Path) -> None:
    with Recorder(tmp_path) as recorder:
        recorder.saw(replace(replayed.events[0], timestamp=2**63 - 1), replayed.state)
        with pytest.raises(InvalidInput, match="has the time"):
            recorder.saw(replace(replayed.events[-1], timestamp=2**63), replayed.state)


def test_the_time_of_a_block_is_known_where_it_has_an_event(
    replayed: Replayed, tmp_path: Path
) -> None:
    blocks = {event.block: event.timestamp for event in replayed.events}
    with Recorder(tmp_path) as recorder:
        for event in replayed.events:
            recorder.saw(event, replayed.state)
        assert {block: recorder.time_of(block) for block in blocks} == blocks
        quiet = next(block for block in range(max(blocks)) if block not in blocks)
        assert [recorder.time_of(b) for b in (None, quiet, max(blocks) + 1)] == [None] * 3


def test_a_role_given_by_the_manager_has_its_number_exactly(
    replayed: Replayed, written: Write
) -> None:
    """The manager's public role has the largest number of 64 bits."""
    at = first(replayed.events, "RoleGranted")
    public = edited(replayed.events[at], roleId=2**64 - 1)
    assert public.contract is Contract.MANAGER
    out = written([*replayed.events, public])
    roles = as_dicts(out, BY_NAME["roles"])
    assert [row["role_id"] for row in roles].count(str(2**64 - 1)) == 1
    assert {row["role_id"] for row in roles} > {"0", "1"}
