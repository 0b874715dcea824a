"""Checkpoints: what a chain said at a block, written where its operators cannot rewrite it.

Whoever runs all of a chain's validators can rewrite it whole, and a replay of the new one is clean.
A checkpoint is a small file with a final block's hash and the state rebuilt up to it, each with the
hash of the one before and, if wanted, the auditor's signature. Its hash is published elsewhere, and
a later replay is held against it.
"""
