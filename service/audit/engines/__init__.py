"""Who reads an archive's parts and sums up its transfers: DuckDB here, Spark on many machines."""
