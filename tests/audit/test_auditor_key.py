"""The auditor's key: made once, read by nobody else, and its signatures told from others'."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from service.audit.auditor_key import AuditorKey, canonical_json, verify
from service.errors import InvalidInput

RFC_8032_PUBLIC = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
RFC_8032_SIGNATURE = (
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)
RFC_8032_PEM = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7
-----END PRIVATE KEY-----
"""
"""RFC 8032, 7.1, test 2: the message is the byte 0x72."""


def test_it_signs_as_the_standard_says(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    path.write_text(RFC_8032_PEM)
    key = AuditorKey.load(path)
    assert (key.public_hex, key.sign(b"\x72")) == (RFC_8032_PUBLIC, RFC_8032_SIGNATURE)
    assert verify(RFC_8032_PUBLIC, b"\x72", RFC_8032_SIGNATURE)


def test_a_key_made_is_the_owners_alone_and_the_same_when_read(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    before = os.umask(0)
    try:
        made = AuditorKey.create(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    read = AuditorKey.load(path)
    assert read.public_hex == made.public_hex
    assert verify(made.public_hex, b"said", read.sign(b"said"))
    assert AuditorKey.create(tmp_path / "other.pem").public_hex != made.public_hex


def test_openssl_reads_the_key_it_makes(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = AuditorKey.create(path)
    command = ["openssl", "pkey", "-in", str(path), "-pubout", "-outform", "DER"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert done.stdout[-32:].hex() == made.public_hex


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("mine")
    with pytest.raises(InvalidInput, match="never written over"):
        AuditorKey.create(path)
    assert path.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_cannot_be_made_in_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot write the key"):
        AuditorKey.create(tmp_path / "none" / "key.pem")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_that_others_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key.pem"
    AuditorKey.create(path)
    path.chmod(mode)
    with pytest.raises(InvalidInput, match=f"mode 0{mode:o}"):
        AuditorKey.load(path)


def keys_of_others() -> dict[str, bytes]:
    curve = subprocess.run(
        ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        capture_output=True,
        check=True,
    ).stdout
    public = subprocess.run(
        ["openssl", "pkey", "-pubout"], input=curve, capture_output=True, check=True
    ).stdout
    return {
        "nothing": b"",
        "text": b"a key",
        "cut": RFC_8032_PEM.encode()[:60],
        "public": public,
        "P-256": curve,
    }


@pytest.mark.parametrize("what", ["nothing", "text", "cut", "public", "P-256"])
def test_what_is_no_such_key_is_refused(tmp_path: Path, what: str) -> None:
    path = tmp_path / "key.pem"
    path.touch(mode=0o600)
    path.write_bytes(keys_of_others()[what])
    with pytest.raises(InvalidInput, match="private key"):
        AuditorKey.load(path)


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot read the key"):
        AuditorKey.load(tmp_path / "key.pem")


@pytest.mark.parametrize("bit", [0, 255, 300, 511])
def test_a_changed_bit_of_a_signature_is_noticed(bit: int) -> None:
    changed = (int(RFC_8032_SIGNATURE, 16) ^ 1 << bit).to_bytes(64, "big").hex()
    assert not verify(RFC_8032_PUBLIC, b"\x72", changed)


@pytest.mark.parametrize(
    ("public", "signature"),
    [
        ("", RFC_8032_SIGNATURE),
        ("no key", RFC_8032_SIGNATURE),
        (RFC_8032_PUBLIC[:-2], RFC_8032_SIGNATURE),
        ("00" * 32, RFC_8032_SIGNATURE),
        (RFC_8032_PUBLIC, ""),
        (RFC_8032_PUBLIC, "no signature"),
        (RFC_8032_PUBLIC, RFC_8032_SIGNATURE[:-2]),
    ],
)
def test_what_is_no_key_or_no_signature_proves_nothing(public: str, signature: str) -> None:
    assert not verify(public, b"\x72", signature)


def test_other_bytes_are_not_signed() -> None:
    assert not verify(RFC_8032_PUBLIC, b"\x73", RFC_8032_SIGNATURE)


def test_a_document_has_one_spelling() -> None:
    written = {"b": [1, {"z": None, "a": "洪灾"}], "a": "1"}
    assert canonical_json(written).decode() == '{"a":"1","b":[1,{"a":"洪灾","z":null}]}'
