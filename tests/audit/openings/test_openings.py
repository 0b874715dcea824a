"""Openings: drawn by a later block on a real chain, and each held against what officers signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from typer.testing import CliRunner, Result

from service.audit.command import audit_app
from service.audit.openings.check import Opening
from service.audit.openings.draw import first_positions, positions
from service.privacy.commitments import case_commitment
from tests.audit.checking import Replayed
from tests.audit.scenario import Scenario

KEY = bytes(range(32))
CASES = {index: (f"5107221980010{index:02d}01X", f"洪灾 {index}", "2026-11") for index in range(30)}
"""Identity number, cause and period of the payouts of the batch `opened`."""


def run(*words: object) -> Result:
    return CliRunner().invoke(audit_app, [str(word) for word in words])


# ---- the drawing ---------------------------------------------------------------------------------


def test_positions_are_drawn_as_the_documentation_says() -> None:
    block_hash = keccak(text="a block")
    expected: list[int] = []
    counter = 0
    while len(expected) < 10:
        value = int.from_bytes(keccak(block_hash + counter.to_bytes(32, "big")), "big")
        if value < 2**256 - 2**256 % 23 and value % 23 not in expected:
            expected.append(value % 23)
        counter += 1
    assert first_positions(block_hash, 23, 10) == expected


def test_each_position_is_drawn_once_and_all_in_the_end() -> None:
    assert sorted(positions(keccak(text="all"), 100)) == list(range(100))
    assert sorted(first_positions(keccak(text="more than there are"), 3, 10)) == [0, 1, 2]


def test_what_would_make_some_likelier_is_passed_over() -> None:
    # Above half of all words: one value in two cannot be shared out evenly and is rejected.
    population = 2**255 + 1
    block_hash = keccak(text="a large population")
    values = [int.from_bytes(keccak(block_hash + n.to_bytes(32, "big")), "big") for n in range(40)]
    kept = [value for value in values if value < population]
    assert 0 < len(kept) < 40
    assert first_positions(block_hash, population, len(kept)) == kept


def test_another_block_draws_others() -> None:
    one, other = (first_positions(keccak(text=name), 10**6, 20) for name in ("one", "other"))
    assert not set(one) & set(other)


# ---- on a chain ----------------------------------------------------------------------------------


def draw(scenario: Scenario, out: Path, *words: object) -> Result:
    target = ("--rpc", scenario.deployed.node.rpc_url, "--vault", scenario.deployed.vault)
    return run("draw", out, *target, *words)


def approved(replayed: Replayed, *, until: int = 10**9) -> list[tuple[int, str, int, int]]:
    """Programme, batch, index and number of every payout, in the order of their numbers."""
    return sorted(
        (
            (batch.programme, "0x" + batch.id.hex(), index, batch.first_number + index)
            for batch in replayed.state.batches.values()
            if batch.block <= until
            for index in range(batch.approval["count"])
        ),
        key=lambda payout: (payout[0], payout[3]),
    )


def test_a_later_block_draws_from_all_that_was_approved(
    scenario: Scenario, replayed: Replayed, tmp_path: Path
) -> None:
    out, block = tmp_path / "draw.json", replayed.last
    done = draw(scenario, out, "--block", block, "--count", 6, "--manifests", scenario.manifests)
    assert done.exit_code == 0, done.output
    told = json.loads(out.read_bytes())
    header = scenario.deployed.rpc.header(block)
    assert header is not None
    assert (told["block"], told["block_hash"]) == (block, header["hash"])
    row = approved(replayed)
    assert told["population"] == len(row)
    drawn = first_positions(bytes.fromhex(header["hash"][2:]), len(row), 6)
    assert [
        (each["programme"], each["batch"], each["index"], each["number"])
        for each in told["payouts"]
    ] == [row[position] for position in drawn]
    for each in told["payouts"]:
        lines = (scenario.manifests / f"{each['batch']}.jsonl").read_text().splitlines()
        assert json.loads(lines[1 + each["index"]])["commitment"] == each["commitment"]
    assert f"6 of {len(row)} payouts, by block {block}" in done.stdout


def test_only_what_was_approved_up_to_an_earlier_block_is_drawn_from(
    scenario: Scenario, replayed: Replayed, tmp_path: Path
) -> None:
    blocks = sorted(batch.block for batch in replayed.state.batches.values())
    out = tmp_path / "draw.json"
    words = ("--block", blocks[2], "--until", blocks[1], "--count", 1000, "--json")
    done = draw(scenario, out, *words)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    row = approved(replayed, until=blocks[1])
    assert told["population"] == len(told["payouts"]) == len(row)
    assert sorted(each["number"] for each in told["payouts"]) == [number for *_, number in row]


def test_a_block_that_could_be_known_is_refused(
    scenario: Scenario, replayed: Replayed, tmp_path: Path
) -> None:
    block = max(batch.block for batch in replayed.state.batches.values())
    out = tmp_path / "draw.json"
    refused = {
        ("--block", block): f"--block {block} is not after every approval",
        ("--block", block, "--until", block): "it could be known",
        ("--block", replayed.last + 1): "is not there",
        ("--block", replayed.last, "--programme", 77): "no payouts of programme 77 were",
    }
    for words, said in refused.items():
        done = draw(scenario, out, *words, "--count", 5)
        assert (done.exit_code, done.stdout) == (2, ""), words
        assert said in " ".join(done.stderr.split())
    assert not out.exists()
    assert draw(scenario, out, "--block", block + 1, "--count", 5).exit_code == 0


def test_a_draw_is_never_written_over(
    scenario: Scenario, replayed: Replayed, tmp_path: Path
) -> None:
    out = tmp_path / "draw.json"
    out.write_text("drawn before")
    assert draw(scenario, out, "--block", replayed.last, "--count", 1).exit_code == 2
    assert out.read_text() == "drawn before"


# ---- the answer ----------------------------------------------------------------------------------


@dataclass
class Office:
    """A list with real commitments, four of its payouts drawn, and the office's answer."""

    folder: Path
    batch: str
    answer: dict[str, Any]
    drawn: dict[str, Any]

    def check(self, *words: object) -> Result:
        (self.folder / "openings.json").write_text(json.dumps(self.answer))
        (self.folder / "draw.json").write_text(json.dumps(self.drawn))
        options = {
            "--draw": self.folder / "draw.json",
            "--openings": self.folder / "openings.json",
            "--manifests": self.folder,
            "--programme-key-file": f"3={self.folder / 'programme.key'}",
        }
        given = [word for pair in options.items() for word in pair]
        return run("check-openings", *given, *words)

    def told(self) -> dict[str, Any]:
        done = self.check("--json")
        told: dict[str, Any] = json.loads(done.stdout)
        assert done.exit_code == (1 if told["findings"] else 0)
        return told


@pytest.fixture
def office(tmp_path: Path) -> Office:
    batch = "0x" + keccak(text="opened").hex()
    lines: list[dict[str, Any]] = [{"format": "relief-batch-manifest"}]
    for index, case in CASES.items():
        lines.append(
            {
                "amount_base_units": "5",
                "commitment": case_commitment(KEY, *case).hex(),
                "index": index,
                "payee": f"0x{index + 1:040x}",
            }
        )
    content = "".join(json.dumps(line) + "\n" for line in lines).encode()
    (tmp_path / f"{batch}.jsonl").write_bytes(content)
    key = tmp_path / "programme.key"
    key.touch(mode=0o600)
    key.write_text(KEY.hex() + "\n")
    block_hash = keccak(text="block 77")
    drawn = first_positions(block_hash, 30, 4)
    document = {
        "format": "relief-audit-draw",
        "version": 1,
        "chain_id": 31337,
        "vault": "0x1f9090aaE28b8a3dCeaDf281B0F12828e676c326",
        "programme": 3,
        "until": 70,
        "block": 77,
        "block_hash": "0x" + block_hash.hex(),
        "population": 30,
        "payouts": [
            {
                "position": position,
                "programme": 3,
                "number": position + 1,
                "batch": batch,
                "index": position,
                "manifest_hash": "0x" + keccak(content).hex(),
                "commitment": case_commitment(KEY, *CASES[position]).hex(),
            }
            for position in drawn
        ],
    }
    openings = [
        {
            "programme": 3,
            "number": position + 1,
            "identity": f"CN-RIC:{CASES[position][0]}",
            "cause": CASES[position][1],
            "period": CASES[position][2],
        }
        for position in drawn
    ]
    answer = {"format": "relief-audit-openings", "version": 1, "openings": openings}
    return Office(tmp_path, batch, answer, document)


def test_the_commitment_is_the_one_of_the_documentation() -> None:
    """docs/privacy.md, "Case commitment"."""
    opening = Opening("CN-RIC:51072219800101001X", " 洪灾 ", "2026-11")
    expected = "b5414f5678cc927a7b17db6e94d39e9f341d59b0898864f84f0476cbcce83d21"
    assert opening.commitment(KEY) == expected
    assert case_commitment(KEY, "51072219800101001X", "洪灾", "2026-11").hex() == expected


def test_an_honest_answer_opens_all(office: Office) -> None:
    told = office.told()
    (note,) = told.pop("notes")
    assert told == {"opened": 4, "of": 4, "findings": []}
    assert note.startswith("that these persons are real, and that the money reached them, is not")
    assert office.check().stdout == f"note: {note}\n4 of 4 opened\n"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("identity", "CN-RIC:510722198001010010"),
        ("cause", "地震"),
        ("period", "2026-12"),
    ],
)
def test_another_person_cause_or_period_is_found_and_not_repeated(
    office: Office, member: str, value: str
) -> None:
    opening = office.answer["openings"][2]
    opening[member] = value
    told = office.told()
    (finding,) = told["findings"]
    drawn = office.drawn["payouts"][2]
    assert (finding["code"], finding["number"], finding["batch"], finding["index"]) == (
        "opening_mismatch",
        opening["number"],
        office.batch,
        drawn["index"],
    )
    assert finding["expected"] == drawn["commitment"]
    assert told["opened"] == 3
    for shown in (office.check().output, json.dumps(told, ensure_ascii=False)):
        assert not any(opening[name] in shown for name in ("identity", "cause"))


def test_one_not_opened_is_found(office: Office) -> None:
    gone = office.answer["openings"].pop(1)
    (finding,) = office.told()["findings"]
    assert (finding["code"], finding["number"]) == ("opening_missing", gone["number"])


def test_another_key_opens_nothing(office: Office) -> None:
    (office.folder / "programme.key").write_text("11" * 32)
    told = office.told()
    assert [finding["code"] for finding in told["findings"]] == ["opening_mismatch"] * 4


def test_more_than_was_asked_for_is_a_note(office: Office) -> None:
    undrawn = next(
        n for n in range(30) if n not in {p["position"] for p in office.drawn["payouts"]}
    )
    office.answer["openings"].append(office.answer["openings"][0] | {"number": undrawn + 1})
    told = office.told()
    assert told["findings"] == []
    assert told["notes"][1:] == ["1 openings were not asked for: they tell of persons without need"]


Spoil = Callable[[Office], object]
SPOILT: dict[str, tuple[Spoil, str]] = {
    "a draw of others": (
        lambda o: o.drawn["payouts"].reverse(),
        "these are not the payouts that block 77 draws",
    ),
    "a draw by another hash": (
        lambda o: o.drawn.update(block_hash="0x" + "11" * 32),
        "these are not the payouts that block 77 draws",
    ),
    "a draw from fewer": (
        lambda o: o.drawn.update(population=29),
        "these are not the payouts that block 77 draws",
    ),
    "a draw of nothing": (lambda o: o.drawn.update(payouts=[]), "these are not the payouts"),
    "no draw": (lambda o: o.drawn.pop("block"), "is no draw"),
    "another format": (lambda o: o.drawn.update(format="x"), "is not of the format"),
    "another commitment in the draw": (
        lambda o: o.drawn["payouts"][0].update(commitment="00" * 32),
        "the draw has another commitment",
    ),
    "another list": (
        lambda o: (o.folder / f"{o.batch}.jsonl").write_text("{}\n"),
        "is not the list that officers signed",
    ),
    "no list": (lambda o: (o.folder / f"{o.batch}.jsonl").unlink(), "cannot read"),
    "one opened twice": (
        lambda o: o.answer["openings"].append(o.answer["openings"][0]),
        "of programme 3 twice",
    ),
    "a member more": (
        lambda o: o.answer["openings"][0].update(name="Li"),
        "opening 0 does not have the members",
    ),
    "a number as text": (
        lambda o: o.answer["openings"][0].update(number="1"),
        "opening 0 has a member of another kind",
    ),
    "no identity": (
        lambda o: o.answer["openings"][0].update(identity="Li"),
        "opening 0 has no identity CN-RIC:",
    ),
    "no openings": (lambda o: o.answer.pop("openings"), "has no list of openings"),
    "a key that others read": (
        lambda o: (o.folder / "programme.key").chmod(0o640),
        "others may read the key",
    ),
    "no key": (
        lambda o: (o.folder / "programme.key").write_text("secret"),
        "is no programme key",
    ),
    "another programme's key alone": (
        lambda o: [each.update(programme=4) for each in o.drawn["payouts"]],
        "no key was given of programme 4",
    ),
}


@pytest.mark.parametrize("what", SPOILT)
def test_wrong_input_exits_2_and_repeats_no_secret(office: Office, what: str) -> None:
    spoil, said = SPOILT[what]
    spoil(office)
    done = office.check()
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
    assert not any(secret in done.stderr for secret in (KEY.hex(), "secret", "Li\n"))
