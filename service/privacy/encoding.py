"""Unambiguous bytes for what is authenticated: length-prefixed, normalised text.

Without the lengths ``("ab", "c")`` and ``("a", "bc")`` would be the same bytes, and a value could
be passed off as another one.
"""

from __future__ import annotations

import unicodedata


def length_prefixed(*texts: str) -> bytes:
    """Join texts: each as UTF-8 of its NFC form, after its length in bytes.

    Returns
    -------
    bytes
        For each text 4 bytes (unsigned big-endian, the number of bytes that follow), then the
        bytes.
    """
    parts = []
    for text in texts:
        # ASCII is its own normal form; asking first is what makes long imports quick.
        encoded = (text if text.isascii() else unicodedata.normalize("NFC", text)).encode()
        parts.append(len(encoded).to_bytes(4, "big") + encoded)
    return b"".join(parts)
