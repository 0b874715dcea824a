"""Events of the contracts, re-org aware, and what follows from them for the service's own rows."""
