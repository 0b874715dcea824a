"""Keystores of other wallets open, and a wrong passphrase and a damaged file are told apart."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from eth_account import Account

from service.chain.keystore_v3 import decrypt_key

KEY = b"\x11" * 32
PASSPHRASE = "pass 口令 ü"
QUICK = 2**4

# The two test vectors of the format's definition.
VECTOR_KEY = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
VECTORS: list[dict[str, Any]] = [
    {
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
            "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
            "kdf": "pbkdf2",
            "kdfparams": {
                "c": 262144,
                "dklen": 32,
                "prf": "hmac-sha256",
                "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd",
            },
            "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2",
        },
        "version": 3,
    },
    {
        "crypto": {
            "cipher": "aes-128-ctr",
            "cipherparams": {"iv": "83dbcc02d8ccb40e466191a123791e0e"},
            "ciphertext": "d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
            "kdf": "scrypt",
            "kdfparams": {
                "dklen": 32,
                "n": 262144,
                "p": 8,
                "r": 1,
                "salt": "ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19",
            },
            "mac": "2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097",
        },
        "version": 3,
    },
]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["crypto"]["kdf"])
def test_the_vectors_of_the_format_open(vector: dict[str, Any]) -> None:
    assert decrypt_key(vector, "testpassword").hex() == VECTOR_KEY
    with pytest.raises(ValueError, match="wrong passphrase"):
        decrypt_key(vector, "testpassword ")


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_what_eth_account_wrote_opens(kdf: Any) -> None:
    assert (
        decrypt_key(Account.encrypt(KEY, PASSPHRASE, kdf=kdf, iterations=QUICK), PASSPHRASE) == KEY
    )


def test_names_in_capital_letters_and_a_short_start_are_read() -> None:
    keystore = _keystore()
    keystore["Crypto"] = keystore.pop("crypto")
    assert decrypt_key(keystore, PASSPHRASE) == KEY

    vector = copy.deepcopy(VECTORS[0])
    with_zeros = vector["crypto"]["cipherparams"]
    with_zeros["iv"] = "00" * 2 + "01" * 14
    expected = decrypt_key(vector, "testpassword")
    with_zeros["iv"] = "01" * 14
    assert decrypt_key(vector, "testpassword") == expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kdf": "argon2"}, "another kind: key derivation argon2"),
        ({"cipher": "aes-256-gcm"}, "another kind: cipher aes-256-gcm"),
        ({"mac": "00" * 32}, "wrong passphrase"),
        ({"ciphertext": "00" * 32}, "wrong passphrase"),
        ({"ciphertext": None}, "damaged"),
        ({"kdfparams": {}}, "damaged"),
        ({"cipherparams": "iv"}, "damaged"),
        ({"iv": "zz"}, "damaged"),
    ],
)
def test_a_keystore_that_cannot_be_opened_says_why(change: dict[str, Any], said: str) -> None:
    keystore = _keystore()
    if "iv" in change:
        change = {"cipherparams": change}
    keystore["crypto"].update(change)
    with pytest.raises(ValueError, match=said):
        decrypt_key(keystore, PASSPHRASE)


def _keystore() -> dict[str, Any]:
    return dict(Account.encrypt(KEY, PASSPHRASE, kdf="scrypt", iterations=QUICK))
