"""A replay that goes on from where the last one was gives what one from the beginning gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.audit.command import audit_app
from service.audit.findings import Code
from service.audit.replay import Options, replay
from service.audit.report import ReplayReport
from service.audit.resuming.encoding import NotOurs, decoded, encoded
from service.audit.resuming.kept import Kept
from service.audit.rpc import Node
from service.errors import InvalidInput
from tests.audit.checking import Replayed
from tests.audit.lying_node import lying_node
from tests.audit.scenario import Scenario

HEADERS, RECEIPTS = "eth_getBlockByNumber", "eth_getBlockReceipts"
Resume = Callable[..., ReplayReport]


@pytest.fixture
def resume(scenario: Scenario, tmp_path: Path) -> Resume:
    """Replays with what is kept in one folder."""

    def run(*, rpc: str | None = None, **options: Any) -> ReplayReport:
        vault = bytes.fromhex(scenario.deployed.vault[2:])
        with Node(rpc or scenario.deployed.node.rpc_url) as node:
            return replay(node, Options(vault, resume=tmp_path / "kept", **options))

    return run


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "kept").iterdir())


def as_if_final(block: int) -> Any:
    """A node that calls a block final, and says which blocks it was asked for the receipts of."""
    asked: list[int] = []

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == RECEIPTS:
            asked.append(int(params[0], 16))
        if method == HEADERS and params[0] == "finalized":
            return result | {"number": hex(block)}
        return result

    return lie, asked


@pytest.mark.parametrize("name", ["ProgrammeCreated", "ChunkPaid", "StreamsWithdrawn", "GrantMade"])
def test_it_reads_only_what_came_later_and_gives_the_same(
    scenario: Scenario, replayed: Replayed, audit: Resume, resume: Resume, name: str
) -> None:
    block = next(event.block for event in replayed.events if event.name == name)
    lie, asked = as_if_final(block)
    whole = audit().as_json()
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        assert resume(rpc=url, to_block=block + 1).to_block == block + 1
        asked.clear()
        assert resume(rpc=url).as_json() == whole
    assert min(asked) > block


def test_each_of_many_replays_goes_on_from_the_last(
    replayed: Replayed, audit: Resume, resume: Resume, tmp_path: Path
) -> None:
    first = next(event.block for event in replayed.events if event.name == "ProgrammeCreated")
    blocks = range(first, replayed.last + 1, 7)
    for block in blocks:
        assert resume(to_block=block).as_json() == audit(to_block=block).as_json()
    assert len(files(tmp_path)) == 2
    assert resume().as_json() == audit().as_json()


def test_with_nothing_new_it_is_said_again(audit: Resume, resume: Resume, tmp_path: Path) -> None:
    first = resume().as_json()
    before = files(tmp_path)
    assert resume().as_json() == first == audit().as_json()
    assert files(tmp_path) == before


def test_what_is_not_final_is_not_kept(
    scenario: Scenario, replayed: Replayed, resume: Resume, tmp_path: Path
) -> None:
    lie, _ = as_if_final(replayed.last - 9)
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        resume(rpc=url)
    (path,) = files(tmp_path)
    assert Kept.read(path).block == replayed.last - 9


def test_findings_are_kept_too(scenario: Scenario, replayed: Replayed, resume: Resume) -> None:
    block = next(event.block for event in replayed.events if event.name == "ChunkPaid")

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == RECEIPTS and int(params[0], 16) == block:
            return [receipt | {"cumulativeGasUsed": "0x1"} for receipt in result]
        return result

    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        resume(rpc=url, to_block=replayed.last - 5)
    (finding,) = resume().findings
    assert (finding.code, finding.place.block) == (Code.RECEIPTS_ROOT_MISMATCH, block)


def test_after_a_reorg_below_what_is_kept_the_one_before_is_gone_on_from(
    scenario: Scenario, replayed: Replayed, audit: Resume, resume: Resume, tmp_path: Path
) -> None:
    """A block that had been final is another: nothing of it is believed any more."""
    node = scenario.deployed.node
    resume(to_block=replayed.last - 4)
    snapshot = node.rpc("evm_snapshot")
    try:
        scenario.execute(scenario.batches["waiting"], 1)
        node.rpc("anvil_mine", "0x3")
        resume()
        assert [Kept.read(path).block for path in files(tmp_path)][-1] > replayed.last - 4
    finally:
        node.rpc("evm_revert", snapshot)
    snapshot = node.rpc("evm_snapshot")  # one is good for one return
    try:
        node.rpc("anvil_mine", "0x4")
        assert resume().as_json() == audit().as_json()
    finally:
        assert node.rpc("evm_revert", snapshot)


def test_where_no_kept_block_is_there_any_more_all_is_read_anew(
    scenario: Scenario, audit: Resume, resume: Resume
) -> None:
    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == HEADERS and params[0] not in ("finalized", "latest"):
            return result | {"hash": "0x" + "ab" * 32}
        return result

    resume()
    with lying_node(scenario.deployed.node.rpc_url, lie) as url:
        report = resume(rpc=url)
    assert report.from_block == audit().from_block
    assert Code.BLOCK_LINKAGE_BROKEN in {finding.code for finding in report.findings}


@pytest.mark.parametrize("change", [lambda b: b[:-2], lambda b: b.replace(b"1", b"2", 1), bytes])
def test_a_damaged_file_is_named(
    resume: Resume, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    resume()
    path = files(tmp_path)[-1]
    content = path.read_bytes()
    path.write_bytes(b"" if change is bytes else change(content))
    with pytest.raises(InvalidInput, match="is damaged"):
        resume()


def test_a_file_of_another_deployment_is_named(resume: Resume, tmp_path: Path) -> None:
    resume()
    path = files(tmp_path)[-1]
    kept = Kept.read(path)
    kept.contracts.update({name: bytes(20) for name in kept.contracts})
    path.write_bytes(kept.content())
    with pytest.raises(InvalidInput, match="another deployment"):
        resume()


def test_what_was_left_by_one_that_was_killed_is_no_harm(resume: Resume, tmp_path: Path) -> None:
    first = resume().as_json()
    (tmp_path / "kept" / ".000.kept.draft").write_bytes(b"half")
    assert resume().as_json() == first


@pytest.mark.parametrize(
    "option", [("--from-block", "0"), ("--database", "sqlite:///x"), ("--out", "folder")]
)
def test_what_needs_every_event_is_refused(
    scenario: Scenario, tmp_path: Path, option: tuple[str, str]
) -> None:
    rpc, vault = scenario.deployed.node.rpc_url, scenario.deployed.vault
    words = ["--rpc", rpc, "--vault", vault, "--resume", str(tmp_path / "kept"), *option]
    done = CliRunner().invoke(audit_app, ["replay", *words])
    assert done.exit_code == 2
    assert "need every event" in " ".join(done.stderr.split())
    assert not (tmp_path / "kept").exists()


def test_a_state_comes_back_whole_and_what_was_one_is_one(replayed: Replayed) -> None:
    again = decoded(encoded(replayed.state))
    for name, value in vars(replayed.state).items():
        if name != "token":
            assert getattr(again, name) == value
    before = vars(replayed.state.token)
    token = {**vars(again.token)}
    assert list(token.pop("balances").items()) == list(before["balances"].items())
    assert token == {name: value for name, value in before.items() if name != "balances"}
    assert again.digest() == replayed.state.digest()
    assert again.lane.uncountersigned
    for grant_id, grant in again.lane.uncountersigned.items():
        assert again.lane.grants[grant_id] is grant


@pytest.mark.parametrize(
    "value", [["c", "Path", "/"], ["x"], ["r", 0], ["b", 5], ["d", 1], ["e", "Code", "none"], 1.5]
)
def test_nothing_is_made_of_what_is_not_ours(value: Any) -> None:
    with pytest.raises(NotOurs):
        decoded(value)


def test_what_cannot_be_kept_is_refused() -> None:
    for value in (object(), 1.5, Path()):
        with pytest.raises(TypeError, match="is not kept"):
            encoded(value)
