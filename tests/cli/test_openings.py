"""An office's answer to an auditor's draw, held against the auditor's own check."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak
from sqlalchemy import select, update

from service.audit.openings.draw import first_positions
from service.cases import erase_beneficiary
from service.cases.models import Beneficiary, Case
from service.clock import ManualClock
from service.payouts.building import build_batches
from service.payouts.models import JournalEntry, Payout, Programme
from service.privacy.keyring import Keyring
from service.regions import Region
from tests.cli.conftest import CHEAP, HEADER, PASSPHRASE, PEOPLE, Cli, Ran, add_flood, pay
from tests.support.deployed import Deployed, account

NOW = datetime(2026, 11, 1, tzinfo=UTC)
FIRST_NUMBER = 40
CAUSES = ("洪灾", "房屋倒塌", "农田受淹", "  道路 \u3000 中断 ")
REASON = ("--reason", "the audit of block 77")
COUNT = 5


@dataclass
class Office:
    """A batch of eight cases on chain, as the database has it, of which five are drawn."""

    cli: Cli
    folder: Path
    batch: str
    drawn: dict[str, Any]

    @property
    def out(self) -> Path:
        return self.folder / "answer.json"

    @property
    def key(self) -> Path:
        return self.folder / "programme.key"

    def answer(self, *words: str) -> Ran:
        draw = self.folder / "draw.json"
        draw.write_text(json.dumps(self.drawn))
        return self.cli("openings", draw, "--out", self.out, *(words or REASON))

    def check(self) -> Any:
        """What the auditor's check says of the answer, with the key that the office wrote."""
        self.cli.ok("programme", "commitment-key", "flood", "--out", self.key, *REASON)
        ran = self.cli(
            *("audit", "check-openings", "--draw", self.folder / "draw.json"),
            *("--openings", self.out, "--programme-key-file", f"3={self.key}"),
            *("--manifests", self.cli.app.settings.resolved_manifests_dir, "--json"),
        )
        told = json.loads(ran.out)
        assert ran.code == (1 if told["findings"] else 0)
        return told

    def looks(self) -> list[tuple[str, str, str | None]]:
        """Whose cases the journal says were looked at, by whom and why."""
        with self.cli.app.sessions() as session:
            rows = session.execute(
                select(JournalEntry, Case.case_ref)
                .join(Case, Case.id == JournalEntry.object_id)
                .where(JournalEntry.action == "reveal_person")
                .order_by(JournalEntry.id)
            )
            return [(entry.actor, case_ref, entry.reason) for entry, case_ref in rows]

    def case_of(self, position: int) -> str:
        """Reference of the case of the payout that was drawn so early."""
        return f"C-{self.drawn['payouts'][position]['index']}"


@pytest.fixture
def office(cli: Cli, tmp_path: Path) -> Office:
    add_flood(cli, 3, NOW)
    rows = [
        f"C-{n},王芳,{PEOPLE[n % 2]},,510722,{account(f'drawn {n % 2}').address},flood,one_off,"
        f"60{n},2026-{10 + n // 4}-01,,{CAUSES[n % 4]}\n"
        for n in range(8)
    ]
    (tmp_path / "cases.csv").write_text(HEADER + "".join(rows))
    cli.ok("cases", "import", tmp_path / "cases.csv")
    cli.ok("cases", "decide", "--all", "--approve")
    with cli.app.transaction() as session:
        (batch,) = build_batches(
            session,
            programme=session.get_one(Programme, 3),
            kind="one_off",
            region=Region(51, 2),
            maker_officer_id=1,
            execute_before_unix_s=int((NOW + timedelta(days=30)).timestamp()),
            actor="test",
            manifests_dir=cli.app.settings.resolved_manifests_dir,
            clock=ManualClock(NOW),
        )
        batch.first_number, batch.approved_block_number = FIRST_NUMBER, 60  # as BatchApproved does
        batch_id, manifest_hash = batch.id, batch.manifest_hash
        commitments = {
            payout.index: payout.commitment
            for payout in session.scalars(select(Payout).where(Payout.batch_id == batch.id))
        }
    block_hash = keccak(text="block 77")
    drawn = {
        "format": "relief-audit-draw",
        "version": 1,
        "chain_id": 31337,
        "vault": "0x1f9090aaE28b8a3dCeaDf281B0F12828e676c326",
        "programme": None,
        "until": 70,
        "block": 77,
        "block_hash": "0x" + block_hash.hex(),
        "population": len(rows),
        "payouts": [
            {
                "position": position,
                "programme": 3,
                "number": FIRST_NUMBER + position,
                "batch": batch_id,
                "index": position,
                "manifest_hash": manifest_hash,
                "commitment": commitments[position],
            }
            for position in first_positions(block_hash, len(rows), COUNT)
        ],
    }
    return Office(cli, tmp_path, batch_id, drawn)


# ---- what opens ----------------------------------------------------------------------------------


def test_what_the_office_writes_passes_the_auditors_check(office: Office) -> None:
    ran = office.answer()
    assert ran.code == 0, ran.err
    told = office.check()
    assert (told["opened"], told["of"], told["findings"]) == (COUNT, COUNT, [])
    assert len(told["notes"]) == 1, "nothing was opened that was not drawn"


def test_the_answer_has_what_was_drawn_and_no_more(office: Office) -> None:
    assert office.answer().code == 0
    written = json.loads(office.out.read_bytes())
    assert {name: written[name] for name in ("format", "version")} == {
        "format": "relief-audit-openings",
        "version": 1,
    }
    assert written["openings"] == [
        {
            "programme": 3,
            "number": each["number"],
            "identity": f"CN-RIC:{PEOPLE[each['index'] % 2]}",
            "cause": " ".join(CAUSES[each["index"] % 4].split()),
            "period": f"2026-{10 + each['index'] // 4}",
        }
        for each in office.drawn["payouts"]
    ]
    assert office.out.stat().st_mode & 0o777 == 0o600


def test_a_draw_without_the_lists_commitments_opens_too(office: Office) -> None:
    for each in office.drawn["payouts"]:
        each["commitment"] = None
    assert office.answer().code == 0
    assert office.check()["opened"] == COUNT


def test_what_is_printed_names_no_person(office: Office) -> None:
    ran = office.answer(*REASON, "--json")
    assert ran.json == {
        "path": str(office.out),
        "block": 77,
        "block_hash": office.drawn["block_hash"],
        "drawn": COUNT,
        "opened": COUNT,
        "left_out": [],
    }
    office.out.unlink()
    said = ran.out + ran.err + "".join((plain := office.answer()).out + plain.err)
    assert not any(word in said for word in (*PEOPLE, *CAUSES, "王芳"))
    assert "delete it" in plain.err


def test_each_look_is_in_the_journal_with_who_and_why(office: Office) -> None:
    assert office.answer().code == 0
    assert office.looks() == [
        ("tester", office.case_of(position), "the audit of block 77") for position in range(COUNT)
    ]


@pytest.mark.parametrize("reason", ["", " ", "a" * 2001, "two\nlines"])
def test_without_a_reason_nothing_is_opened(office: Office, reason: str) -> None:
    for ran in (
        office.answer("--reason", reason),
        office.cli("programme", "commitment-key", "3", "--out", office.key, "--reason", reason),
    ):
        assert ran.code == 2
        assert "--reason" in ran.err
    assert office.looks() == []
    assert not office.out.exists()
    assert not office.key.exists()


# ---- what does not -------------------------------------------------------------------------------


def _change_case(office: Office, position: int, **values: Any) -> None:
    with office.cli.app.transaction() as session:
        ref = office.case_of(position)
        session.execute(update(Case).where(Case.case_ref == ref).values(values))


def _erase(office: Office) -> None:
    """Erase the person of the payout drawn first."""
    with office.cli.app.transaction() as session:
        case = session.scalars(select(Case).where(Case.case_ref == office.case_of(0))).one()
        erase_beneficiary(session, case.beneficiary_id)


def _restored(office: Office) -> None:
    """Have a payout of a restored batch, whose case was filed by another name."""
    index = office.drawn["payouts"][0]["index"]
    _change_case(office, 0, commitment="00" * 32)
    with office.cli.app.transaction() as session:
        session.get_one(Payout, (office.batch, index)).case_id = None


def _spoil_a_row(office: Office) -> None:
    with office.cli.app.transaction() as session:
        case = session.scalars(select(Case).where(Case.case_ref == office.case_of(0))).one()
        session.get_one(Beneficiary, case.beneficiary_id).id_number = b"\x01" + bytes(40)


def _lose_the_payout(office: Office) -> None:
    index = office.drawn["payouts"][0]["index"]
    with office.cli.app.transaction() as session:
        session.delete(session.get_one(Payout, (office.batch, index)))


def _change_what_was_signed(office: Office) -> None:
    index = office.drawn["payouts"][0]["index"]
    office.drawn["payouts"][0]["commitment"] = None
    with office.cli.app.transaction() as session:
        session.get_one(Payout, (office.batch, index)).commitment = "00" * 32


def _pick_by_hand(office: Office) -> None:
    """Name a payout that is here and was not drawn, at the position of one that was."""
    drawn = {each["index"] for each in office.drawn["payouts"]}
    index = min(set(range(8)) - drawn)
    with office.cli.app.sessions() as session:
        commitment = session.get_one(Payout, (office.batch, index)).commitment
    chosen = {"index": index, "number": FIRST_NUMBER + index, "commitment": commitment}
    office.drawn["payouts"][0].update(chosen)


def _drawn(**values: Any) -> Callable[[Office], None]:
    return lambda office: office.drawn["payouts"][0].update(values)


UNOPENED: dict[str, tuple[Callable[[Office], None], str, str]] = {
    "a person who was erased": (_erase, "erased", "its person was erased"),
    "a case that is not there": (_restored, "no_case", "its case was not filed again"),
    "a person changed in the database": (_spoil_a_row, "unreadable", "was changed"),
    "another cause than was signed": (
        lambda office: _change_case(office, 0, cause="another"),
        "other_commitment",
        "is not what officers signed",
    ),
    "another period than was signed": (
        lambda office: _change_case(office, 0, period="2027-01"),
        "other_commitment",
        "is not what officers signed",
    ),
    "another commitment in the database": (
        _change_what_was_signed,
        "other_commitment",
        "is not what officers signed",
    ),
    "another commitment in the draw": (
        _drawn(commitment="00" * 32),
        "other_commitment",
        "officers signed another commitment",
    ),
    "a batch that is not there": (
        _drawn(batch="0x" + "77" * 32),
        "other_payout",
        "of batch 0x7777",
    ),
    "another number": (_drawn(number=7), "other_payout", "of programme 3 here"),
    "another programme": (_drawn(programme=4), "other_payout", "of programme 3 here"),
    "another index": (_drawn(index=2**63 - 1), "other_payout", "it is not index 9223372"),
    "somebody picked by hand": (_pick_by_hand, "other_payout", "of programme 3 here"),
    "another list": (
        _drawn(manifest_hash="0x" + "77" * 32),
        "other_list",
        "officers signed another list",
    ),
    "a payout that is not there": (_lose_the_payout, "other_payout", "it is not index"),
}


@pytest.mark.parametrize("what", UNOPENED)
def test_what_cannot_be_opened_is_named_and_nothing_is_written(office: Office, what: str) -> None:
    spoil, code, said = UNOPENED[what]
    spoil(office)
    ran = office.answer(*REASON, "--json")
    assert ran.code == 1
    first = office.drawn["payouts"][0]
    problem = ran.json["error"]["problems"][0]
    assert (problem["code"], problem["value"]) == (code, f"{first['programme']}#{first['number']}")
    assert said in problem["message"]
    assert said in " ".join(ran.err.split())
    assert not any(word in ran.out + ran.err for word in (*PEOPLE, "王芳"))
    assert not office.out.exists()
    assert office.looks() == []


def test_what_cannot_be_opened_is_left_out_where_that_is_said(office: Office) -> None:
    _change_case(office, 1, cause="another")
    ran = office.answer(*REASON, "--leave-out", "--json")
    assert ran.code == 0, ran.err
    number = office.drawn["payouts"][1]["number"]
    (left,) = ran.json["left_out"]
    assert (left["code"], left["payout"]) == ("other_commitment", f"3#{number}")
    told = office.check()
    assert told["opened"] == COUNT - 1
    (finding,) = told["findings"]
    assert (finding["code"], finding["number"]) == ("opening_missing", number)
    assert office.case_of(1) not in [case for _, case, _ in office.looks()]


def test_left_out_payouts_are_shown_to_people_too(office: Office) -> None:
    _erase(office)
    ran = office.answer(*REASON, "--leave-out")
    assert ran.code == 0, ran.err
    assert "its person was erased" in ran.out


def test_an_answer_that_opens_nothing_is_never_written(office: Office) -> None:
    with office.cli.app.transaction() as session:
        session.execute(update(Case).values(cause="another"))
    ran = office.answer(*REASON, "--leave-out", "--json")
    assert ran.code == 1
    assert len(ran.json["error"]["problems"]) == COUNT
    assert not office.out.exists()


def test_another_keyring_opens_nothing(office: Office) -> None:
    office.cli.app.keyring_path.unlink()
    Keyring.create(office.cli.app.keyring_path, PASSPHRASE, scrypt_n=CHEAP)
    office.cli.app.close()
    ran = office.answer(*REASON, "--leave-out", "--json")
    assert {each["code"] for each in ran.json["error"]["problems"]} == {"unreadable"}


@pytest.mark.parametrize(
    ("member", "value", "here"), [("until", 59, 0), ("programme", 4, 0), ("population", 9, 8)]
)
def test_a_draw_from_other_payouts_than_are_here_opens_nothing(
    office: Office, member: str, value: int, here: int
) -> None:
    office.drawn[member] = value
    block_hash = bytes.fromhex(office.drawn["block_hash"][2:])
    positions = first_positions(block_hash, office.drawn["population"], COUNT)
    for each, position in zip(office.drawn["payouts"], positions, strict=True):
        each.update(position=position)
    ran = office.answer(*REASON, "--leave-out")
    assert ran.code == 1
    assert f"and {here} are in the database" in " ".join(ran.err.split())
    assert not office.out.exists()


def test_a_case_filed_again_after_a_restore_is_opened(office: Office) -> None:
    with office.cli.app.transaction() as session:
        session.execute(update(Payout).values(case_id=None))
    assert office.answer().code == 0
    assert office.check()["opened"] == COUNT


# ---- files ---------------------------------------------------------------------------------------


def _pop(name: str) -> Callable[[Any], object]:
    return lambda drawn: drawn.pop(name)


BAD_DRAWS: dict[str, tuple[Callable[[Any], object], str]] = {
    "no format": (_pop("format"), "is not of the format relief-audit-draw, version 1"),
    "a later version": (lambda d: d.update(version=2), "is not of the format"),
    "no programme": (_pop("programme"), "programme is missing"),
    "a programme in words": (lambda d: d.update(programme="3"), "programme is of another kind"),
    "true for a number": (lambda d: d.update(block=True), "block is of another kind"),
    "half a hash": (lambda d: d.update(block_hash="0x11"), "block_hash is not 0x[0-9a-f]{64}"),
    "payouts that are none": (lambda d: d["payouts"].append(3), "payouts[5] is of another kind"),
    "a payout without its batch": (
        lambda d: d["payouts"][2].pop("batch"),
        "payouts[2].batch is missing",
    ),
    "a payout without its commitment": (
        lambda d: d["payouts"][2].pop("commitment"),
        "payouts[2].commitment is missing",
    ),
    "a batch that is none": (
        lambda d: d["payouts"][1].update(batch="0x\0"),
        "payouts[1].batch is not 0x[0-9a-f]{64}",
    ),
    "a commitment that is none": (
        lambda d: d["payouts"][1].update(commitment="AA" * 32),
        "payouts[1].commitment is not [0-9a-f]{64}",
    ),
    "a number below nothing": (
        lambda d: d["payouts"][1].update(index=-1),
        "payouts[1].index is out of range",
    ),
    "a number past all": (
        lambda d: d["payouts"][1].update(programme=2**63),
        "payouts[1].programme is out of range",
    ),
    "payouts that somebody chose": (
        lambda d: d["payouts"].reverse(),
        "these are not the payouts that block 77 draws",
    ),
    "one payout twice": (
        lambda d: d["payouts"][1].update(number=d["payouts"][0]["number"]),
        "a payout is in it twice",
    ),
}


@pytest.mark.parametrize("what", BAD_DRAWS)
def test_a_bad_draw_is_refused_with_file_and_member(office: Office, what: str) -> None:
    spoil, said = BAD_DRAWS[what]
    spoil(office.drawn)
    ran = office.answer()
    assert (ran.code, ran.out) == (2, "")
    assert str(office.folder / "draw.json") in "".join(ran.err.split())
    assert said in " ".join(ran.err.split())
    assert not office.out.exists()
    assert office.looks() == []


def test_a_draw_that_is_not_there_or_no_json_is_refused(office: Office) -> None:
    none = office.cli("openings", office.folder / "none.json", "--out", office.out, *REASON)
    assert (none.code, "No such file" in none.err) == (2, True)
    (office.folder / "none.json").write_text("{")
    none = office.cli("openings", office.folder / "none.json", "--out", office.out, *REASON)
    assert (none.code, "is not JSON" in none.err) == (2, True)


def test_nothing_is_written_over_or_beside_a_missing_folder(office: Office) -> None:
    office.out.write_text("an answer given before")
    office.key.symlink_to(office.folder / "elsewhere")
    for ran in (
        office.answer(),
        office.cli("programme", "commitment-key", "flood", "--out", office.key, *REASON),
    ):
        assert (ran.code, "is there already" in ran.err) == (2, True)
    assert office.out.read_text() == "an answer given before"
    assert not (office.folder / "elsewhere").exists()
    away = office.folder / "away" / "key"
    ran = office.cli("programme", "commitment-key", "flood", "--out", away, *REASON)
    assert (ran.code, "there is no folder" in ran.err) == (2, True)
    with office.cli.app.sessions() as session:
        assert not session.scalars(
            select(JournalEntry).where(
                JournalEntry.action.in_(["reveal_person", "write_commitment_key"])
            )
        ).all()


def test_a_full_disk_leaves_no_file_and_the_look_is_recorded_all_the_same(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("service.audit.new_file.os.fsync", full)
    ran = office.answer()
    assert (ran.code, ran.out) == (2, "")
    assert "No space left" in ran.err
    assert not [path for path in office.folder.iterdir() if "answer" in path.name]
    assert len(office.looks()) == COUNT


# ---- the key -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["flood", "3"])
def test_a_programmes_key_goes_to_a_private_file_and_into_the_journal(
    office: Office, name: str
) -> None:
    ran = office.cli("--quiet", "programme", "commitment-key", name, "--out", office.key, *REASON)
    assert ran.code == 0, ran.err
    key = office.cli.app.keyring.programme_key(3)
    assert office.key.read_bytes() == key.hex().encode() + b"\n"
    assert office.key.stat().st_mode & 0o777 == 0o600
    assert key.hex() not in ran.out + ran.err
    assert "every identity number against every case of programme 3, for ever" in " ".join(
        ran.err.split()
    ), "the warning is given also where notes are not"
    with office.cli.app.sessions() as session:
        (entry,) = session.scalars(
            select(JournalEntry).where(JournalEntry.action == "write_commitment_key")
        )
        assert (entry.actor, entry.object_type, entry.object_id, entry.reason) == (
            "tester",
            "programme",
            "3",
            "the audit of block 77",
        )


def test_the_key_is_not_in_what_json_prints(office: Office) -> None:
    told = office.cli.ok("programme", "commitment-key", "flood", "--out", office.key, *REASON)
    assert told == {"programme": 3, "path": str(office.key)}


def test_there_is_no_key_of_a_programme_that_is_not_there(office: Office) -> None:
    ran = office.cli("programme", "commitment-key", "drought", "--out", office.key, *REASON)
    assert (ran.code, ran.out) == (1, "")
    assert not office.key.exists()


# ---- on a chain ----------------------------------------------------------------------------------


def test_the_draw_of_a_real_chain_is_answered_and_passes(
    ready: Cli, deployed: Deployed, tmp_path: Path
) -> None:
    pay(ready, "one_off")
    pay(ready, "stream")
    draw, out, key = (tmp_path / name for name in ("draw.json", "answer.json", "programme.key"))
    manifests = ready.app.settings.resolved_manifests_dir
    drawn = ready(
        *("audit", "draw", draw, "--rpc", deployed.node.rpc_url, "--vault", deployed.vault),
        *("--block", deployed.rpc.block_number(), "--count", 3, "--manifests", manifests),
    )
    assert drawn.code == 0, drawn.err
    assert ready.ok("openings", draw, "--out", out, *REASON)["opened"] == 3
    number = ready.ok("programme", "commitment-key", "flood", "--out", key, *REASON)["programme"]
    checked = ready(
        *("audit", "check-openings", "--draw", draw, "--openings", out, "--json"),
        *("--manifests", manifests, "--programme-key-file", f"{number}={key}"),
    )
    assert (checked.code, json.loads(checked.out)["opened"]) == (0, 3), checked.err
