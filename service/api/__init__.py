"""The REST API under ``/v1``: thin over the same services as the command line."""
