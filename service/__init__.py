"""Relief: a benefit-stablecoin disbursement service."""
