"""Benchmarks of the service on a chain of its own: the numbers of docs/benchmarks.md."""
