"""The contracts' logs as partitioned Parquet, to be replayed again without a node, and fast.

A folder that is handed over (:mod:`service.audit.hand_over`) may hold an archive: what a verified
replay read of the chain, and what it asked the node besides. Its manifest names every file by hash.

``archive/blocks-<first>-<last>/``
    A part: ``blocks.parquet`` has every header, ``logs.parquet`` the logs of the five contracts,
    ``transfers.parquet`` those of them that are the token's transfers of at most 64 bits.
``archive/answers.jsonl``
    The format, and what the node answered: code, calls of contracts, transactions; a line each.
"""
