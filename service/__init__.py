"""Relief: a benefit-stablecoin disbursement service."""

import os

from eth_hash.auto import keccak

BACKEND = "ETH_HASH_BACKEND"
"""Where eth-hash looks for the name of its backend when it is first used."""

if BACKEND not in os.environ:
    # Keccak-256 in C, in a sixth of the time of the backend that it would choose. What we start,
    # Brownie among it, has an environment of its own, which need not have this one.
    os.environ[BACKEND] = "pysha3"
    keccak(b"")
    del os.environ[BACKEND]
