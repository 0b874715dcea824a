"""An auditor's replay: everything rebuilt from chain events, every rule checked again.

The package imports none of the stages it checks (import-linter holds it): it has its own event
table, its own arithmetic and its own JSON-RPC client, so that a mistake in the service cannot hide
itself here. It reads a node, and where given the batch manifests and the database, and it never
writes to any of them.

::

    rpc ─► blocks ─► decode ─► replay ─► state ─► views, manifests, database ─► report
           headers   events    registry,          compared with the state
           receipts            vault, token
"""
