"""Checkpoints of a real chain: a chain rewritten, and every changed member, is found."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from service.audit.auditor_key import AuditorKey, canonical_json, verify
from service.audit.checkpoints.document import (
    Checkpoint,
    MalformedCheckpoint,
    read_checkpoint,
)
from service.audit.command import audit_app
from service.audit.replay import Options, replay
from service.audit.report import ReplayReport
from service.audit.rpc import Node
from service.chain.devnode import DevNode, start_anvil
from tests.audit.lying_node import lying_node
from tests.support.deployed import Deployed, deploy

MISMATCH = "checkpoint_mismatch"
SIGNATURE = "checkpoint_signature_invalid"
BROKEN = "checkpoint_chain_broken"


@dataclass
class Chain:
    """A chain with three checkpoints of it, each after the one before, all signed."""

    deployed: Deployed
    folder: Path
    key: Path
    public: str

    @property
    def url(self) -> str:
        return self.deployed.node.rpc_url

    def run(self, *words: object) -> Result:
        return CliRunner().invoke(audit_app, [str(word) for word in words])

    def checkpoint(self, out: Path, *words: object) -> Result:
        target = ("--rpc", self.url, "--vault", self.deployed.vault)
        return self.run("checkpoint", out, *target, *words)

    def audit(self, *paths: Path, trusted: tuple[str, ...] = (), **options: int) -> ReplayReport:
        vault = bytes.fromhex(self.deployed.vault[2:])
        with Node(self.url) as node:
            return replay(node, Options(vault, checkpoints=paths, trusted_keys=trusted, **options))

    def head(self) -> int:
        return int(self.deployed.node.rpc("eth_blockNumber"), 16)


@pytest.fixture(scope="module")
def chain(anvil: DevNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    home = tmp_path_factory.mktemp("checkpoints")
    folder = home / "published"
    folder.mkdir()
    with start_anvil() as node:
        deployed = deploy(node)
        made = CliRunner().invoke(audit_app, ["new-key", str(home / "key.pem")])
        assert made.exit_code == 0, made.output
        lived = Chain(deployed, folder, home / "key.pem", made.stdout.strip())
        after: tuple[object, ...] = ()
        for number in range(1, 4):
            deployed.advance(3600)
            deployed.attest(number * 10**12)
            deployed.mine(2)
            out = folder / f"{number}.json"
            done = lived.checkpoint(out, "--at", lived.head(), "--key", lived.key, *after)
            assert done.exit_code == 0, done.output
            after = ("--after", out)
        deployed.create_programme(1, budget=10**12, payout_cap=10**9)
        deployed.mine(3)
        yield lived
        deployed.rpc.close()


def codes(report: ReplayReport) -> list[str]:
    return [finding.code.value for finding in report.findings]


def test_a_checkpoint_says_what_a_replay_to_its_block_says(chain: Chain) -> None:
    content = (chain.folder / "2.json").read_bytes()
    given = json.loads(content)
    report = chain.audit(to_block=given["block"])
    header = chain.deployed.rpc.header(given["block"])
    assert header is not None
    events = {
        contract: chain.deployed.read(contract, "seq", block=given["block"])
        for contract in ("vault", "registry", "lane")
    }
    assert given == {
        "format": "relief-audit-checkpoint",
        "version": 1,
        "chain_id": 31337,
        "contracts": {
            name: chain.deployed.contracts.address(name)
            for name in ("vault", "token", "registry", "manager", "lane")
        },
        "block": given["block"],
        "block_hash": header["hash"],
        "timestamp": int(header["timestamp"], 16),
        "events": events,
        "state_format": "relief-audit-state-4",
        "state_digest": report.state_digest,
        "findings": {"errors": 0, "warnings": 0},
        "previous": hashlib.sha256((chain.folder / "1.json").read_bytes()).hexdigest(),
        "auditor": chain.public,
        "signature": given["signature"],
    }
    signed = {name: value for name, value in given.items() if name != "signature"}
    assert content == canonical_json(given) + b"\n"
    assert verify(chain.public, canonical_json(signed), given["signature"])


def test_the_chain_as_it_was_agrees_with_all_of_them(chain: Chain) -> None:
    report = chain.audit(chain.folder, trusted=(chain.public,))
    assert report.findings == []
    assert report.checkpoints_compared == 3
    assert not any("checkpoint" in note for note in report.notes)


def test_without_trusted_keys_or_the_one_before_a_note_says_so(chain: Chain) -> None:
    report = chain.audit(chain.folder / "2.json")
    assert (report.findings, report.checkpoints_compared) == ([], 1)
    before, trust = report.notes[-2:]
    assert before.endswith("2.json: the checkpoint before it was not given, and not compared")
    assert trust.endswith(f"is signed by {chain.public}; no trusted key was given")


def test_what_is_after_the_last_block_replayed_is_a_note(chain: Chain) -> None:
    last = json.loads((chain.folder / "2.json").read_bytes())["block"]
    report = chain.audit(chain.folder, trusted=(chain.public,), to_block=last)
    assert (report.findings, report.checkpoints_compared) == ([], 2)
    assert any("3.json" in note and "was not replayed" in note for note in report.notes)


# ---- a chain rewritten ---------------------------------------------------------------------------


@pytest.fixture
def other_history(chain: Chain) -> Iterator[Chain]:
    """Another chain with the same contracts at the same addresses, where less was attested."""
    with start_anvil() as node:
        deployed = deploy(node)
        assert deployed.vault == chain.deployed.vault
        deployed.attest(10**11)
        deployed.mine(chain.head() - int(node.rpc("eth_blockNumber"), 16))
        yield Chain(deployed, chain.folder, chain.key, chain.public)
        deployed.rpc.close()


def test_another_history_is_found_at_each_checkpoint(other_history: Chain) -> None:
    report = other_history.audit(other_history.folder, trusted=(other_history.public,))
    assert codes(report) == [MISMATCH] * 3
    first = report.findings[0]
    given = json.loads((other_history.folder / "1.json").read_bytes())
    header = other_history.deployed.rpc.header(given["block"])
    assert header is not None
    assert first.place.block == given["block"]
    assert (first.expected, first.found) == (given["block_hash"], header["hash"])
    assert "the chain was rewritten" in first.message
    assert other_history.audit().findings == []  # and nothing else tells


def test_another_history_that_begins_after_the_checkpoints_is_found_at_each(
    chain: Chain,
) -> None:
    """Blocks before the contracts' first event are passed over, but not a checkpoint's."""
    with start_anvil() as node:
        node.rpc("anvil_mine", hex(chain.head() + 10))
        deployed = deploy(node)
        assert deployed.vault == chain.deployed.vault
        other = Chain(deployed, chain.folder, chain.key, chain.public)
        report = other.audit(chain.folder, trusted=(chain.public,))
        deployed.rpc.close()
    assert codes(report) == [MISMATCH] * 3
    assert report.checkpoints_compared == 3
    assert all("the chain was rewritten" in finding.message for finding in report.findings)


def test_no_checkpoint_follows_from_one_of_another_history(
    other_history: Chain, tmp_path: Path
) -> None:
    out = tmp_path / "next.json"
    at = ("--at", other_history.head(), "--after", other_history.folder / "3.json")
    done = other_history.checkpoint(out, *at)
    assert done.exit_code == 1
    assert "nothing written: the chain is not that of the checkpoint before" in done.stdout
    assert not out.exists()


def test_blocks_replaced_by_a_deep_re_organisation_are_found(
    anvil: DevNode, chain: Chain, tmp_path: Path
) -> None:
    with start_anvil() as node:
        deployed = deploy(node)
        own = Chain(deployed, tmp_path, chain.key, chain.public)
        deployed.attest(10**12)
        deployed.mine(2)
        kept, lost = own.head(), own.head() + 4
        assert own.checkpoint(tmp_path / "kept.json", "--at", kept).exit_code == 0
        deployed.advance(3600)
        deployed.attest(2 * 10**12)
        deployed.mine(4)
        after = ("--after", tmp_path / "kept.json")
        assert own.checkpoint(tmp_path / "lost.json", "--at", lost, *after).exit_code == 0
        node.rpc("anvil_reorg", own.head() - kept - 1, [])
        report = own.audit(tmp_path)
        deployed.rpc.close()
    (finding,) = report.findings
    assert (finding.code, finding.place.block) == (MISMATCH, lost)
    assert report.checkpoints_compared == 2


def test_a_chain_that_ends_before_a_final_block_is_found(anvil: DevNode, chain: Chain) -> None:
    with start_anvil() as node:
        deployed = deploy(node)
        own = Chain(deployed, chain.folder, chain.key, chain.public)
        report = own.audit(chain.folder, trusted=(chain.public,))
        deployed.rpc.close()
    assert codes(report) == [MISMATCH] * 3
    assert all("the node's newest is" in finding.message for finding in report.findings)


def test_a_node_that_shows_the_checkpoints_blocks_but_other_events_is_found(
    chain: Chain, other_history: Chain
) -> None:
    given = [json.loads((chain.folder / f"{n}.json").read_bytes()) for n in (1, 2, 3)]
    hashes = {hex(each["block"]): each["block_hash"] for each in given}

    def lie(method: str, params: list[Any], result: Any) -> Any:
        if method == "eth_getBlockByNumber" and params[0] in hashes:
            return {**result, "hash": hashes[params[0]]}
        return result

    vault = bytes.fromhex(chain.deployed.vault[2:])
    options = Options(vault, checkpoints=(chain.folder,), trusted_keys=(chain.public,))
    with lying_node(other_history.url, lie) as url, Node(url) as node:
        report = replay(node, options)
    found = [finding for finding in report.findings if finding.code.value == MISMATCH]
    assert any("gives another state" in finding.message for finding in found)
    assert {"header_hash_mismatch", "block_linkage_broken"} <= set(codes(report))


# ---- a checkpoint changed ------------------------------------------------------------------------


def other(name: str, value: Any) -> Any:
    """Another value of a member that a checkpoint may have."""
    if name == "contracts":
        return value | {"lane": value["vault"]}
    if name == "events":
        return value | {"lane": value["lane"] + 1}
    if name == "findings":
        return {"errors": 0, "warnings": 1}
    if name == "state_format":
        return "relief-audit-state-1"
    if isinstance(value, int):
        return value + 1
    return value[:-1] + ("0" if value[-1] != "0" else "1")


CHANGED = [
    *("chain_id", "contracts", "block", "block_hash", "timestamp", "events", "state_format"),
    *("state_digest", "findings", "previous", "auditor", "signature"),
]
ON_CHAIN = {
    *("chain_id", "contracts", "block", "block_hash", "timestamp", "events", "state_digest")
}
"""Members that the chain itself tells; the others are told by signature and chain of hashes."""


def with_changed(chain: Chain, folder: Path, name: str, number: int = 2) -> Path:
    """The checkpoints, with one member of one changed."""
    copy = Path(shutil.copytree(chain.folder, folder / "copy"))
    path = copy / f"{number}.json"
    given = json.loads(path.read_bytes())
    path.write_bytes(canonical_json(given | {name: other(name, given[name])}) + b"\n")
    return copy


@pytest.mark.parametrize("name", CHANGED)
def test_a_changed_member_is_found_by_signature_chain_and_replay(
    chain: Chain, tmp_path: Path, name: str
) -> None:
    report = chain.audit(with_changed(chain, tmp_path, name), trusted=(chain.public,))
    expected = {SIGNATURE, BROKEN} | ({MISMATCH} if name in ON_CHAIN else set())
    assert set(codes(report)) == expected
    # What the changed one says, and that the next does not follow from it; nothing else.
    second, third = (
        json.loads((chain.folder / f"{number}.json").read_bytes())["block"] for number in (2, 3)
    )
    assert {finding.place.block for finding in report.findings} <= {second, second + 1, third}


@pytest.mark.parametrize("name", sorted(ON_CHAIN))
def test_a_changed_fact_of_an_unsigned_one_alone_is_found_by_the_replay(
    chain: Chain, tmp_path: Path, name: str
) -> None:
    given = json.loads((chain.folder / "2.json").read_bytes())
    given |= {name: other(name, given[name]), "auditor": None, "signature": None}
    path = tmp_path / "alone.json"
    path.write_bytes(canonical_json(given) + b"\n")
    assert set(codes(chain.audit(path))) == {MISMATCH}


def test_one_left_out_is_found(chain: Chain, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(chain.folder, tmp_path / "copy"))
    (copy / "2.json").unlink()
    report = chain.audit(copy, trusted=(chain.public,))
    (finding,) = report.findings
    assert finding.code.value == BROKEN
    assert finding.expected == hashlib.sha256((copy / "1.json").read_bytes()).hexdigest()


def test_one_signed_by_somebody_else_is_found(chain: Chain, tmp_path: Path) -> None:
    forger = AuditorKey.create(tmp_path / "forger.pem")
    forged = read_checkpoint(chain.folder / "3.json").signed_by(forger)
    path = tmp_path / "forged.json"
    path.write_bytes(forged.content)
    report = chain.audit(path, trusted=(chain.public,))
    assert codes(report) == [SIGNATURE]
    assert report.findings[0].found == forger.public_hex
    both = chain.audit(path, trusted=(chain.public, forger.public_hex))
    assert both.findings == []


def test_an_unsigned_one_is_not_a_trusted_auditors(chain: Chain, tmp_path: Path) -> None:
    path = tmp_path / "unsigned.json"
    assert chain.checkpoint(path, "--at", chain.head()).exit_code == 0
    assert codes(chain.audit(path, trusted=(chain.public,))) == [SIGNATURE]
    report = chain.audit(path)
    assert report.findings == []
    assert report.notes[-1] == f"{path} is not signed; no trusted key was given"


def spelled(change: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def write(content: bytes) -> bytes:
        given = json.loads(content)
        change(given)
        return canonical_json(given) + b"\n"

    return write


MALFORMED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "text": (lambda _: b"a checkpoint", "not JSON"),
    "a list": (lambda _: b"[]\n", "not a JSON object"),
    "a member too deep to be shown": (
        lambda _: b'{"format":' + b"[" * 1000 + b"]" * 1000 + b"}",
        "too deep",
    ),
    "a file without end": (lambda content: content + b" " * 2**20, "larger than any checkpoint"),
    "spaces": (lambda content: content.replace(b":", b": "), "not spelled as checkpoints are"),
    "no line end": (lambda content: content[:-1], "not spelled as checkpoints are"),
    "a member twice": (
        lambda content: content.replace(b'{"auditor"', b'{"auditor":null,"auditor"'),
        "not spelled as checkpoints are",
    ),
    "another format": (spelled(lambda d: d.update(format="x")), "format is not what it should be"),
    "another version": (spelled(lambda d: d.update(version=2)), "version is not what it should be"),
    "a member more": (spelled(lambda d: d.update(more=1)), "no checkpoint has 'more'"),
    "a member less": (spelled(lambda d: d.pop("block")), "block is missing"),
    "a block of text": (spelled(lambda d: d.update(block="5")), "block is not what it should be"),
    "a negative block": (spelled(lambda d: d.update(block=-5)), "block is not what it should be"),
    "a block of truth": (spelled(lambda d: d.update(block=True)), "block is not what it should be"),
    "a short hash": (
        spelled(lambda d: d.update(block_hash="0x11")),
        "block_hash is not what it should be",
    ),
    "no counts": (spelled(lambda d: d.update(events={})), "events is not what it should be"),
    "a short signature": (
        spelled(lambda d: d.update(signature="11")),
        "signature is not what it should be",
    ),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_no_checkpoint_is_refused_and_says_why(
    chain: Chain, tmp_path: Path, what: str
) -> None:
    change, words = MALFORMED[what]
    path = tmp_path / "bad.json"
    path.write_bytes(change((chain.folder / "1.json").read_bytes()))
    with pytest.raises(MalformedCheckpoint, match=words):
        read_checkpoint(path)


def test_a_checkpoint_whose_name_is_no_text_is_told_of_as_json(
    chain: Chain, tmp_path: Path
) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[2J.json")
    Path(name).write_bytes((chain.folder / "1.json").read_bytes())
    target = ("--rpc", chain.url, "--vault", chain.deployed.vault)
    done = chain.run("replay", *target, "--checkpoints", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    assert any("udcff" in note for note in json.loads(done.stdout)["notes"])


# ---- the commands --------------------------------------------------------------------------------


def test_the_final_block_of_the_node_is_taken_by_itself(
    chain: Chain, other_history: Chain, tmp_path: Path
) -> None:
    other_history.deployed.mine(200)
    final = other_history.deployed.rpc.header("finalized")
    assert final is not None
    out = tmp_path / "final.json"
    done = other_history.checkpoint(out, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["checkpoint"]["block"] == int(final["number"], 16)
    assert told["checkpoint"]["hash"] == hashlib.sha256(out.read_bytes()).hexdigest()


def test_without_a_final_block_64_behind_the_newest_is_taken(
    other_history: Chain, tmp_path: Path
) -> None:
    other_history.deployed.mine(200)

    def lie(method: str, params: list[Any], result: Any) -> Any:
        return None if method == "eth_getBlockByNumber" and params[0] == "finalized" else result

    with lying_node(other_history.url, lie) as url:
        words = ["checkpoint", tmp_path / "c.json", "--rpc", url]
        done = other_history.run(*words, "--vault", other_history.deployed.vault)
    assert done.exit_code == 0, done.output
    assert read_checkpoint(tmp_path / "c.json").block == other_history.head() - 64


def test_the_replay_command_names_what_was_rewritten(chain: Chain, other_history: Chain) -> None:
    target = ("--rpc", other_history.url, "--vault", chain.deployed.vault)
    given = ("--checkpoints", chain.folder, "--trusted-key", chain.public)
    done = chain.run("replay", *target, *given, "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert [finding["code"] for finding in told["findings"]] == [MISMATCH] * 3
    assert told["checkpoints_compared"] == 3
    assert chain.run("replay", "--rpc", chain.url, *target[2:], *given).exit_code == 0


def bad(chain: Chain, folder: Path) -> dict[str, tuple[tuple[object, ...], str]]:
    (folder / "empty").mkdir()
    shutil.copy(chain.key, folder / "open.pem")
    (folder / "open.pem").chmod(0o644)
    target = ("--rpc", chain.url, "--vault", chain.deployed.vault)
    first = chain.folder / "1.json"
    out = folder / "out.json"
    return {
        "a key for a key": (
            ("replay", *target, "--checkpoints", first, "--trusted-key", "abcd"),
            "--trusted-key is no",
        ),
        "an empty folder": (
            ("replay", *target, "--checkpoints", folder / "empty"),
            "has no checkpoints",
        ),
        "no checkpoint": (("replay", *target, "--checkpoints", chain.key), "not JSON"),
        "written over": (("checkpoint", first, *target, "--at", chain.head()), "is there already"),
        "backwards": (
            ("checkpoint", out, *target, "--at", 5, "--after", chain.folder / "3.json"),
            "--after: that checkpoint is of block",
        ),
        "a key for all": (
            ("checkpoint", out, *target, "--at", 5, "--key", folder / "open.pem"),
            "others may read the key",
        ),
        "blocks to come": (("checkpoint", out, *target, "--at", 10**6), "is not there"),
        "a key twice": (("new-key", chain.key), "is there already"),
    }


BAD = [
    *("a key for a key", "an empty folder", "no checkpoint", "written over", "backwards"),
    *("a key for all", "blocks to come", "a key twice"),
]


def test_a_block_that_may_still_leave_the_chain_is_warned_of(chain: Chain, tmp_path: Path) -> None:
    final = int(chain.deployed.node.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16)
    assert final < chain.head()
    for block, warned in ((final, False), (final + 1, True)):
        done = chain.checkpoint(tmp_path / f"{block}.json", "--at", block, "--json")
        notes = json.loads(done.stdout)["notes"]
        assert (done.exit_code, bool(notes)) == (0, warned)
    assert notes[0].startswith(f"block {final + 1} is after {final}, the newest that is sure to be")
    shown = chain.checkpoint(tmp_path / "shown.json", "--at", final + 1).stdout
    assert shown.splitlines()[0] == f"note: {notes[0]}"


@pytest.mark.parametrize("what", BAD)
def test_wrong_input_exits_2_and_writes_nothing(chain: Chain, tmp_path: Path, what: str) -> None:
    words, said = bad(chain, tmp_path)[what]
    before = {path: path.read_bytes() for path in chain.folder.iterdir()}
    done = chain.run(*words)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
    assert not (tmp_path / "out.json").exists()
    assert {path: path.read_bytes() for path in chain.folder.iterdir()} == before


def test_a_checkpoint_is_the_same_whoever_reads_it(chain: Chain) -> None:
    read = read_checkpoint(chain.folder / "1.json")
    assert isinstance(read, Checkpoint)
    assert read.content == (chain.folder / "1.json").read_bytes()
    assert read.signature_holds
