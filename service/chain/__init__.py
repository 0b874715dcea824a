"""The chain: JSON-RPC client, contract bindings, signers, fees, lanes."""
