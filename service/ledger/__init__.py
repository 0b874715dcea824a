"""Double-entry ledger, posted from final events only, and its reconciliation with the chain."""
