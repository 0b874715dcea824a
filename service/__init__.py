"""Relief: a benefit-stablecoin disbursement service."""

import os

# Keccak-256 in C, in a sixth of the time of the backend that is chosen where none is named.
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")
