"""Going on with a replay where an earlier one was: what it had rebuilt, kept at a final block."""
