"""Payment proofs: one file that proves one payout to anybody, checked without a node.

``document`` is the file, ``evidence`` what binds its logs to block hashes, ``standing`` which of
the registry's events show that a signer stood in force, ``batches`` and ``grants`` the statements
about one payout, ``verify`` and ``making`` the two directions, ``command`` what a person types.
"""
