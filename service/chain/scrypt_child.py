"""The other side of :mod:`service.chain.scrypt`: derives one key, writes it down its pipe, ends.

Run as a file, and imports little, so that it is there in a fifth of a second. On stdin a JSON
object, bytes as hexadecimal digits; on stdout the key.
"""

from __future__ import annotations

import ctypes
import json
import sys

from Crypto.Protocol.KDF import scrypt

REFUSED = 3
"""Exit code when the parameters will not do; the reason is on stderr."""

_PR_SET_DUMPABLE = 4  # prctl(2)
_BYTES_AS_TEXT = "latin-1"  # what pycryptodome encodes text with


def main() -> int:
    """Derive a key; returns the exit code."""
    leave_no_dump()
    given = json.load(sys.stdin)
    try:
        key = scrypt(
            bytes.fromhex(given["passphrase"]).decode(_BYTES_AS_TEXT),
            bytes.fromhex(given["salt"]).decode(_BYTES_AS_TEXT),
            given["length"],
            N=given["n"],
            r=given["r"],
            p=given["p"],
        )
    except (ArithmeticError, TypeError, ValueError) as error:
        sys.stderr.write(str(error))
        return REFUSED
    assert isinstance(key, bytes)
    sys.stdout.buffer.write(key)
    return 0


def leave_no_dump() -> None:
    """Forbid core dumps, also those that go to a pipe, and other processes' looking inside.

    Raises
    ------
    OSError
        If the system does not.
    """
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    sys.exit(main())
