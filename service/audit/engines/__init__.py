"""Who answers questions about all transfers: DuckDB on one machine, Spark on many."""
