"""scrypt (RFC 7914) in a short-lived process of its own.

At the cost of a keystore it fills 128 · n · r bytes, 256 MiB, by its very design. A worker opens
its keystores once and then needs half of that, so the memory is another process's, which is gone
after a second. Passphrase and key go through pipes, never by arguments, environment or file.
"""

from __future__ import annotations

import json
import subprocess
import sys

from service.chain import scrypt_child
from service.errors import ConfigurationError

MAX_MEMORY_BYTES = 2**30
"""Four times what geth's keystores ask for; a file that asks for more was made by no wallet."""


def derive_key(passphrase: bytes, *, salt: bytes, n: int, r: int, p: int, length: int) -> bytes:
    """Derive a key from a passphrase.

    Parameters
    ----------
    n, r, p
        Cost (a power of two), block size and parallelism, as RFC 7914 names them.
    length
        Of the key, in bytes.

    Raises
    ------
    ValueError
        If scrypt does not take these parameters, or would fill more than 1 GiB with them.
    ConfigurationError
        If the process could not do it, such as where the machine's memory does not suffice.
    """
    if min(n, r, p, length) < 1 or 128 * n * r > MAX_MEMORY_BYTES:
        raise ValueError(f"no parameters of scrypt here: n={n}, r={r}, p={p}, {length} bytes")
    given = {"passphrase": passphrase.hex(), "salt": salt.hex(), "n": n, "r": r, "p": p}
    child = subprocess.run(  # noqa: S603 - this interpreter and a file of this package
        [sys.executable, "-I", scrypt_child.__file__],
        input=json.dumps(given | {"length": length}).encode(),
        capture_output=True,
        check=False,
    )
    if child.returncode == scrypt_child.REFUSED:
        raise ValueError(f"scrypt: {child.stderr.decode()}")
    if child.returncode or len(child.stdout) != length:
        said = child.stderr.decode().strip().rpartition("\n")[2]
        message = f"the process that derives a key ended with {child.returncode}: {said}"
        raise ConfigurationError(f"{message} (it needs {128 * n * r >> 20} MiB)")
    return child.stdout
