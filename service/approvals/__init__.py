"""Approvals: what officers sign (EIP-712), their signatures, maker-checker rules."""
