"""Keystores hold keys encrypted, and sign as every wallet does."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from eth_account import Account
from eth_keys.backends import get_backend
from eth_keys.backends.coincurve import CoinCurveECCBackend

from service.chain.signers import (
    SCRYPT_COST,
    KeystoreSigner,
    create_keystore,
    import_keystore,
    list_keystores,
    load_keystore,
    read_passphrase,
)
from service.errors import AlreadyExists, ConfigurationError, InvalidInput, NotFound

QUICK = 2**4


def test_a_keystore_signs_and_its_file_shows_no_key(tmp_path: Path) -> None:
    key = b"\x11" * 32
    info = import_keystore(tmp_path, "relayer-1", key, "secret", scrypt_cost=QUICK)

    signer = KeystoreSigner(info.path, "secret")

    assert signer.address == info.address == Account.from_key(key).address
    assert key.hex() not in info.path.read_text()
    assert stat.S_IMODE(info.path.stat().st_mode) == 0o600
    signature = signer.sign_digest(b"\x22" * 32)
    assert len(signature) == 65
    assert Account._recover_hash(b"\x22" * 32, signature=signature) == signer.address
    raw = signer.sign_transaction(
        {
            "chainId": 1,
            "nonce": 0,
            "to": signer.address,
            "value": 0,
            "data": b"",
            "gas": 21_000,
            "gasPrice": 1,
        }
    )
    assert Account.recover_transaction(raw) == signer.address


def test_a_wrong_passphrase_is_refused(tmp_path: Path) -> None:
    create_keystore(tmp_path, "a", "secret", scrypt_cost=QUICK)
    with pytest.raises(ConfigurationError, match="passphrase"):
        load_keystore(tmp_path, "a", "other")


def test_a_keystore_at_full_cost_is_opened_without_its_memory(tmp_path: Path) -> None:
    made = create_keystore(tmp_path, "a", "secret", scrypt_cost=SCRYPT_COST)
    program = (
        "import pathlib, sys\n"
        "from service.chain.signers import KeystoreSigner\n"
        "print(KeystoreSigner(pathlib.Path(sys.argv[1]), 'secret').address)\n"
        "print(pathlib.Path('/proc/self/status').read_text())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, made.path], capture_output=True, text=True, check=True
    )
    address, *status = ran.stdout.splitlines()
    (peak_kib,) = (int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    assert address == made.address
    assert peak_kib < 128 * 1024  # scrypt alone fills twice that


def test_a_damaged_keystore_is_refused_with_what_is_wrong(tmp_path: Path) -> None:
    made = create_keystore(tmp_path, "a", "secret", scrypt_cost=QUICK)
    content = json.loads(made.path.read_bytes())
    content["crypto"]["kdfparams"]["n"] = 15
    made.path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError, match=r"a\.json: .* N must be a power of 2"):
        load_keystore(tmp_path, "a", "secret")


def test_a_keystore_is_never_overwritten(tmp_path: Path) -> None:
    create_keystore(tmp_path, "a", "secret", scrypt_cost=QUICK)
    with pytest.raises(AlreadyExists):
        create_keystore(tmp_path, "a", "secret", scrypt_cost=QUICK)


@pytest.mark.parametrize(("name", "passphrase"), [("../a", "x"), ("", "x"), ("a", "")])
def test_a_name_that_leaves_the_folder_or_an_empty_passphrase_is_refused(
    tmp_path: Path, name: str, passphrase: str
) -> None:
    with pytest.raises(InvalidInput):
        create_keystore(tmp_path, name, passphrase, scrypt_cost=QUICK)


def test_other_files_of_the_folder_are_passed_over(tmp_path: Path) -> None:
    create_keystore(tmp_path, "b", "secret", scrypt_cost=QUICK)
    create_keystore(tmp_path, "a", "secret", scrypt_cost=QUICK)
    (tmp_path / "keyring.json").write_text('{"format": "relief-keyring"}')
    (tmp_path / "broken.json").write_text("{")
    assert [keystore.name for keystore in list_keystores(tmp_path)] == ["a", "b"]
    with pytest.raises(NotFound):
        load_keystore(tmp_path, "keyring-2", "secret")


def test_a_passphrase_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "passphrase"
    path.write_text("secret\n")
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="open to others"):
        read_passphrase(path)
    path.chmod(0o600)
    assert read_passphrase(path) == "secret"


def test_signing_is_done_by_coincurve() -> None:
    assert isinstance(get_backend(), CoinCurveECCBackend)
