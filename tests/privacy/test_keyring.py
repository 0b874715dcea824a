"""The keyring: its file, sealed rows, rotation, blind indexes."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from service.errors import (
    AlreadyExists,
    ConfigurationError,
    IntegrityError,
    InvalidInput,
    NotFound,
)
from service.privacy.keyring import Keyring, SealedRow

PASSPHRASE = "correct horse battery"
COST = 2**4
PERSON = {"name": "阿苏·子呷", "id_number": "51343219850305123X", "phone": "13800000000"}


@pytest.fixture(scope="module")
def keyring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    path = tmp_path_factory.mktemp("keys") / "keyring.json"
    return Keyring.create(path, PASSPHRASE, scrypt_n=COST)


def test_a_new_keyring_file_is_private_and_holds_no_key_in_the_clear(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "keyring.json"
    keyring = Keyring.create(path, PASSPHRASE, scrypt_n=COST)
    assert path.stat().st_mode & 0o777 == 0o600
    assert keyring.programme_key(7).hex() not in path.read_text()
    assert set(json.loads(path.read_text())) == {
        "format",
        "version",
        "kdf",
        "cipher",
        "nonce",
        "ciphertext",
    }
    assert [entry.name for entry in path.parent.iterdir()] == ["keyring.json"]


def test_a_loaded_keyring_has_the_keys_of_the_created_one(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    created = Keyring.create(path, PASSPHRASE, scrypt_n=COST)
    row = created.seal("beneficiaries", "1", PERSON)
    loaded = Keyring.load(path, PASSPHRASE)
    assert loaded.open("beneficiaries", "1", row) == PERSON
    assert loaded.programme_key(3) == created.programme_key(3)
    assert loaded.blind_index("a", "b") == created.blind_index("a", "b")


def test_creating_never_overwrites_a_keyring(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    Keyring.create(path, PASSPHRASE, scrypt_n=COST)
    before = path.read_bytes()
    with pytest.raises(AlreadyExists):
        Keyring.create(path, PASSPHRASE, scrypt_n=COST)
    assert path.read_bytes() == before


def test_a_short_passphrase_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        Keyring.create(tmp_path / "keyring.json", "short", scrypt_n=COST)


def test_a_wrong_passphrase_is_an_integrity_error(tmp_path: Path) -> None:
    Keyring.create(tmp_path / "keyring.json", PASSPHRASE, scrypt_n=COST)
    with pytest.raises(IntegrityError):
        Keyring.load(tmp_path / "keyring.json", "another passphrase")


def test_a_keyring_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    Keyring.create(path, PASSPHRASE, scrypt_n=COST)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="640"):
        Keyring.load(path, PASSPHRASE)


def test_a_missing_keyring_file_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no keyring"):
        Keyring.load(tmp_path / "none.json", PASSPHRASE)


def _edit(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    envelope = json.loads(path.read_text())
    change(envelope)
    path.write_text(json.dumps(envelope))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda e: e.update(ciphertext="00" + e["ciphertext"][2:]), IntegrityError),
        (lambda e: e.update(cipher="none"), IntegrityError),
        (lambda e: e.update(extra=1), IntegrityError),
        (lambda e: e["kdf"].update(salt="00" * 16), IntegrityError),
        (lambda e: e["kdf"].update(n=2**21), ConfigurationError),
        (lambda e: e["kdf"].update(n=3), ConfigurationError),
        (lambda e: e["kdf"].pop("salt"), ConfigurationError),
        (lambda e: e.update(format="x"), ConfigurationError),
        (lambda e: e.update(nonce="zz"), ConfigurationError),
    ],
)
def test_a_changed_keyring_file_is_refused(
    tmp_path: Path, change: Callable[[dict[str, object]], None], error: type[Exception]
) -> None:
    path = tmp_path / "keyring.json"
    Keyring.create(path, PASSPHRASE, scrypt_n=COST)
    _edit(path, change)
    with pytest.raises(error):
        Keyring.load(path, PASSPHRASE)


@given(st.text(), st.text(min_size=1), st.text(min_size=1))
def test_any_text_comes_back_as_it_was_sealed(
    keyring: Keyring, value: str, column: str, row_id: str
) -> None:
    value = value.encode("utf-8", "ignore").decode()
    row_id, column = (text.encode("utf-8", "ignore").decode() for text in (row_id, column))
    row = keyring.seal("t", row_id, {column: value})
    assert keyring.open("t", row_id, row) == {column: value}


def test_sealing_twice_gives_other_bytes_each_time(keyring: Keyring) -> None:
    one, other = (keyring.seal("beneficiaries", "1", PERSON) for _ in range(2))
    assert one.wrapped_data_key != other.wrapped_data_key
    assert one.fields["name"] != other.fields["name"]


def test_a_field_has_the_documented_layout(keyring: Keyring) -> None:
    data_key = keyring.new_data_key("beneficiaries", "row-1")
    sealed = data_key.seal("phone", "138")
    assert sealed[:1] == b"\x01"
    assert len(sealed) == 1 + 12 + 3 + 16
    place = (
        b"relief/field/v1\x00"
        b"\x00\x00\x00\x0dbeneficiaries"
        b"\x00\x00\x00\x05phone"
        b"\x00\x00\x00\x05row-1"
        b"\x00\x00\x00\x01"
    )
    assert data_key._cipher.decrypt(sealed[1:13], sealed[13:], place) == b"138"


@given(st.sampled_from(["table", "row", "column", "version", "byte", "cut", "key"]), st.data())
def test_a_field_that_was_moved_or_changed_is_never_opened(
    keyring: Keyring, move: str, data: st.DataObject
) -> None:
    data_key = keyring.new_data_key("beneficiaries", "1")
    sealed = data_key.seal("name", "阿苏")
    column, key = "name", data_key
    cipher = data_key._cipher
    place = {"table": "beneficiaries", "row_id": "1", "key_version": 1, "wrapped": b""}
    if move == "table":
        place["table"] = data.draw(st.sampled_from(["wallets", "beneficiarie", ""]))
    elif move == "row":
        place["row_id"] = data.draw(st.sampled_from(["2", "", "11"]))
    elif move == "column":
        column = data.draw(st.sampled_from(["phone", "nam", "name1"]))
    elif move == "version":
        place["key_version"] = 2
    elif move == "byte":
        at = data.draw(st.integers(0, len(sealed) - 1))
        flip = data.draw(st.integers(1, 255))
        sealed = sealed[:at] + bytes([sealed[at] ^ flip]) + sealed[at + 1 :]
    elif move == "cut":
        sealed = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    else:
        cipher = AESGCM(b"\x00" * 32)
    key = type(data_key)(**place, _cipher=cipher)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError):
        key.open(column, sealed)


def test_a_wrapped_key_moved_to_another_row_is_refused(keyring: Keyring) -> None:
    row = keyring.seal("beneficiaries", "1", PERSON)
    with pytest.raises(IntegrityError):
        keyring.open("beneficiaries", "2", row)


def test_a_swap_of_two_columns_of_one_row_is_refused(keyring: Keyring) -> None:
    row = keyring.seal("beneficiaries", "1", PERSON)
    swapped = dict(row.fields) | {"name": row.fields["phone"], "phone": row.fields["name"]}
    with pytest.raises(IntegrityError):
        keyring.open(
            "beneficiaries", "1", SealedRow(row.wrapped_data_key, row.key_version, swapped)
        )


def test_a_row_without_its_wrapped_key_is_erased(keyring: Keyring) -> None:
    with pytest.raises(NotFound, match="erased"):
        keyring.open_data_key("beneficiaries", "1", None, 1)


def test_an_unknown_key_version_is_an_integrity_error(keyring: Keyring) -> None:
    row = keyring.seal("beneficiaries", "1", PERSON)
    with pytest.raises(IntegrityError, match="no key 9"):
        keyring.open("beneficiaries", "1", SealedRow(row.wrapped_data_key, 9, row.fields))


def test_rotation_seals_new_rows_with_a_new_key_and_still_opens_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    keyring = Keyring.create(path, PASSPHRASE, scrypt_n=COST)
    old = keyring.seal("beneficiaries", "1", PERSON)
    index, programme = keyring.blind_index("f", "v"), keyring.programme_key(1)
    assert keyring.rotate() == 2
    new = keyring.seal("beneficiaries", "2", PERSON)
    assert (old.key_version, new.key_version) == (1, 2)
    for ring in (keyring, Keyring.load(path, PASSPHRASE)):
        assert ring.open("beneficiaries", "1", old) == PERSON
        assert ring.open("beneficiaries", "2", new) == PERSON
        assert ring.blind_index("f", "v") == index
        assert ring.programme_key(1) == programme


def test_two_processes_that_rotate_do_not_lose_each_others_keys(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    one = Keyring.create(path, PASSPHRASE, scrypt_n=COST)
    other = Keyring.load(path, PASSPHRASE)
    assert (one.rotate(), other.rotate()) == (2, 3)
    row = one.seal("beneficiaries", "1", PERSON)
    assert Keyring.load(path, PASSPHRASE).open("beneficiaries", "1", row) == PERSON


def test_a_changed_passphrase_opens_the_same_keys_and_the_old_one_opens_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "keyring.json"
    keyring = Keyring.create(path, PASSPHRASE, scrypt_n=COST)
    row = keyring.seal("beneficiaries", "1", PERSON)
    keyring.change_passphrase("a quite different one")
    assert Keyring.load(path, "a quite different one").open("beneficiaries", "1", row) == PERSON
    with pytest.raises(IntegrityError):
        Keyring.load(path, PASSPHRASE)


def test_a_blind_index_is_the_documented_hmac(keyring: Keyring) -> None:
    subkey = HKDFExpand(
        algorithm=SHA256(), length=32, info=b"relief/blind-index/v1/beneficiaries.phone"
    ).derive(keyring._index_root)
    expected = hmac.new(subkey, b"13800000000", hashlib.sha256).digest()
    assert keyring.blind_index("beneficiaries.phone", "13800000000") == expected


def test_equal_values_of_two_fields_have_different_blind_indexes(keyring: Keyring) -> None:
    assert keyring.blind_index("a", "1") != keyring.blind_index("b", "1")


def test_programmes_have_different_keys(keyring: Keyring) -> None:
    assert len({keyring.programme_key(number) for number in range(50)}) == 50
    with pytest.raises(ValueError):
        keyring.programme_key(-1)


def test_a_keyring_shows_no_key_when_printed(keyring: Keyring) -> None:
    row_key = keyring.new_data_key("t", "1")
    assert repr(keyring) == f"Keyring({str(keyring.path)!r}, key_version=1)"
    assert "_cipher" not in repr(row_key)
    assert "key=" not in repr(keyring._file_key)
