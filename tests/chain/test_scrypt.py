"""A key is derived beside this process, and the passphrase is nowhere to be seen meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from service.chain.scrypt import derive_key
from service.errors import ConfigurationError


def test_the_vector_of_rfc_7914() -> None:
    derived = derive_key(b"pleaseletmein", salt=b"SodiumChloride", n=16384, r=8, p=1, length=64)
    assert derived.hex() == (
        "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
        "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
    )


@pytest.mark.parametrize(
    ("n", "r", "p", "length"),
    [(15, 8, 1, 32), (2**22, 8, 1, 32), (2**70, 8, 1, 32), (16, 0, 1, 32), (16, 8, 1, -1)],
)
def test_parameters_that_will_not_do_are_an_error_of_value(
    n: int, r: int, p: int, length: int
) -> None:
    with pytest.raises(ValueError, match="scrypt"):
        derive_key(b"secret", salt=b"salt", n=n, r=r, p=p, length=length)


def test_the_passphrase_is_in_neither_arguments_nor_environment() -> None:
    passphrase = b"correct horse battery"
    seen: dict[int, bytes] = {}
    cost = {"n": 2**17, "r": 8, "p": 1}
    deriving = threading.Thread(
        target=derive_key, args=(passphrase,), kwargs={"salt": b"salt", "length": 32, **cost}
    )
    deriving.start()
    while deriving.is_alive():
        for child in _children():
            folder = Path(f"/proc/{child}")
            try:
                seen[child] = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            except OSError:  # it has just ended
                continue
    deriving.join()

    assert any(b"scrypt_child" in content for content in seen.values())
    for content in seen.values():
        assert passphrase not in content
        assert passphrase.hex().encode() not in content


def test_the_process_with_the_passphraseleaves_no_core_dump() -> None:
    program = (
        "import ctypes\n"
        "from service.chain import scrypt_child\n"
        "scrypt_child.leave_no_dump()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"  # PR_GET_DUMPABLE
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ran.stdout == b"0\n"


def test_a_process_that_was_killed_is_told_apart_from_a_wrong_passphrase() -> None:
    program = (
        "import resource\n"
        "from service.chain.scrypt import derive_key\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (1, 1))\n"  # the kernel kills, as without memory
        "derive_key(b'secret', salt=b's', n=2**20, r=8, p=1, length=32)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert (
        f"{ConfigurationError.__name__}: the process that derives a key ended with -9" in ran.stderr
    )
    assert "it needs 1024 MiB" in ran.stderr


def _children() -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            continue
        if parent == os.getpid():
            found.append(int(folder.name))
    return found
