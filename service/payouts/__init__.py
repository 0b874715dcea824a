"""Payouts: programmes, batches of payouts, their chunks and manifests."""
