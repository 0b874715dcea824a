"""The digest checker: what an officer is about to sign, in words, before signing it.

The officer's own machine reads the typed data that the service hands out, compares its types with
the contracts', makes the digest anew, and where given holds it against the list of payouts and
against the contract itself. Nothing here asks the service anything.

::

    document ─► words      what it says and does
        │
        ├─────► payouts    whether it commits to exactly that list
        └─────► contract   whether the contract makes the same digest of it
"""
