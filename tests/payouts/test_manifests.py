"""Manifests: their bytes, their check, and that they are there before anybody signs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from service.errors import AlreadyExists, IntegrityError, NotFound
from service.payouts import manifests
from service.payouts.manifests import ManifestLine
from service.payouts.models import Batch, Payout
from tests.support.programme import AddCases, Build

ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"


@pytest.fixture
def batch(add_cases: AddCases, build: Build) -> Batch:
    add_cases("a", "b", "c")
    [built] = build(chunk_size=2)
    return built


@pytest.fixture
def path(batch: Batch, manifests_dir: Path) -> Path:
    return manifests_dir / f"{batch.id}.jsonl"


def test_a_payouts_line_is_this_to_the_byte() -> None:
    _, line = manifests.manifest_bytes({}, [ManifestLine(3, "ab" * 32, ADDRESS, 600_000_000)])

    assert line == (
        b'{"amount_base_units":"600000000","commitment":"' + b"ab" * 32 + b'","index":3,'
        b'"payee":"0x52908400098527886E0F7030069857D2E4169EE7"}\n'
    )


@given(st.integers(0, 10**6), st.integers(0, 2**64 - 1))
def test_a_payouts_line_is_canonical_json(index: int, amount: int) -> None:
    _, line = manifests.manifest_bytes({}, [ManifestLine(index, "cd" * 32, ADDRESS, amount)])

    assert line == manifests.canonical_line(json.loads(line))


def test_the_signed_hash_is_the_keccak_of_the_file(batch: Batch, path: Path) -> None:
    assert batch.manifest_hash == "0x" + keccak(path.read_bytes()).hex()


def test_the_header_is_what_officers_sign(batch: Batch, path: Path) -> None:
    header = json.loads(path.read_bytes().split(b"\n")[0])

    assert header == {
        "batch_id": batch.id,
        "cadence_s": 0,
        "chunk_size": 2,
        "chunks_root": batch.chunks_root,
        "cliff_s": 0,
        "count": 3,
        "duration_s": 0,
        "execute_before_unix_s": batch.execute_before_unix_s,
        "expires_at_unix_s": batch.expires_at_unix_s,
        "format": "relief-batch-manifest",
        "kind": "one_off",
        "maker_officer_id": 1,
        "programme_id": 1,
        "programme_version": 1,
        "region_code": 51,
        "region_digits": 2,
        "start_unix_s": 0,
        "total_base_units": "1800000000",
        "version": 1,
    }


def test_the_database_gives_the_same_bytes(session: Session, batch: Batch, path: Path) -> None:
    assert b"".join(manifests.derive(session, batch)) == path.read_bytes()


def test_a_lost_file_is_written_again_before_signing(
    session: Session, batch: Batch, path: Path, manifests_dir: Path
) -> None:
    content = path.read_bytes()
    path.unlink()

    manifests.ensure_durable(session, batch, manifests_dir)

    assert path.read_bytes() == content
    assert list(manifests_dir.iterdir()) == [path]


def test_another_file_under_the_name_stops_the_signing(
    session: Session, batch: Batch, path: Path, manifests_dir: Path
) -> None:
    path.write_bytes(b"something else\n")

    with pytest.raises(IntegrityError, match="another manifest"):
        manifests.ensure_durable(session, batch, manifests_dir)

    assert path.read_bytes() == b"something else\n"


@pytest.mark.parametrize(
    ("column", "value"),
    [("amount_base_units", 1), ("payee", ADDRESS), ("commitment", "00" * 32)],
)
def test_a_payout_changed_in_the_database_stops_the_signing(
    session: Session, batch: Batch, manifests_dir: Path, column: str, value: object
) -> None:
    payout = session.get(Payout, (batch.id, 1))
    setattr(payout, column, value)
    session.flush()

    with pytest.raises(IntegrityError, match="not those it was built from"):
        manifests.ensure_durable(session, batch, manifests_dir)


@pytest.fixture
def handed_out(tmp_path: Path) -> Path:
    folder = tmp_path / "handed-out"
    folder.mkdir()
    return folder


def test_a_manifest_is_handed_out_byte_for_byte_and_once(
    batch: Batch, path: Path, manifests_dir: Path, handed_out: Path
) -> None:
    assert manifests.hand_out(manifests_dir, batch, handed_out) is True
    assert manifests.hand_out(manifests_dir, batch, handed_out) is False
    assert [file.name for file in handed_out.iterdir()] == [path.name]
    assert (handed_out / path.name).read_bytes() == path.read_bytes()


def test_a_lost_or_changed_manifest_is_not_handed_out(
    batch: Batch, path: Path, manifests_dir: Path, handed_out: Path
) -> None:
    path.write_bytes(path.read_bytes().replace(b"600000000", b"600000001"))
    with pytest.raises(IntegrityError, match="was changed: its hash is 0x"):
        manifests.hand_out(manifests_dir, batch, handed_out)
    path.unlink()
    with pytest.raises(IntegrityError, match="is missing in the manifests' folder"):
        manifests.hand_out(manifests_dir, batch, handed_out)
    assert list(handed_out.iterdir()) == []


@pytest.mark.parametrize("other", ["a file", "a folder", "a link that leads nowhere"])
def test_a_manifest_is_never_handed_out_over_something_else(
    batch: Batch, path: Path, manifests_dir: Path, handed_out: Path, other: str
) -> None:
    taken = handed_out / path.name
    if other == "a file":
        taken.write_text("mine")
    elif other == "a folder":
        taken.mkdir()
    else:
        taken.symlink_to(handed_out / "nothing")
    with pytest.raises(AlreadyExists, match="never written over"):
        manifests.hand_out(manifests_dir, batch, handed_out)
    assert list(handed_out.iterdir()) == [taken]
    assert other != "a file" or taken.read_text() == "mine"


def test_a_file_that_comes_while_a_manifest_is_handed_out_is_not_written_over(
    batch: Batch,
    path: Path,
    manifests_dir: Path,
    handed_out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (handed_out / path.name).write_text("mine")
    monkeypatch.setattr(manifests, "is_handed_out", lambda *_: False)  # looked before it came
    with pytest.raises(AlreadyExists):
        manifests.hand_out(manifests_dir, batch, handed_out)
    assert [file.read_text() for file in handed_out.iterdir()] == ["mine"]


def test_reading_gives_the_payouts(batch: Batch, path: Path) -> None:
    read = manifests.read(path, batch.manifest_hash)

    assert read.manifest_hash == batch.manifest_hash
    assert [line.index for line in read.lines] == [0, 1, 2]


def test_a_file_with_another_hash_is_refused(path: Path) -> None:
    with pytest.raises(IntegrityError, match="its hash is"):
        manifests.read(path, "0x" + "00" * 32)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        manifests.read(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"amount_base_units":"600000000"', b'"amount_base_units":"600000001"'),
        (b'"amount_base_units":"600000000"', b'"amount_base_units":600000000'),
        (b'"amount_base_units":"600000000"', b'"amount_base_units":"0600000000"'),
        (b'"index":1', b'"index":2'),
        (b'"count":3', b'"count":4'),
        (b'"format":"relief-batch-manifest"', b'"format":"other"'),
        (b'"payee":"0x', b'"payee":"0X'),
        (b'"index":0,', b'"index":0, '),
        (b"}\n{", b"}\r\n{"),
        (b'{"amount', b'{"name":"x","amount'),
        (b'"chunk_size":2', b'"chunk_size":3'),
        (b'"index":2', b'"index":2,"index":2'),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))

    with pytest.raises(IntegrityError):
        manifests.read(path)


def test_a_file_cut_off_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.raises(IntegrityError, match="does not end"):
        manifests.read(path)
