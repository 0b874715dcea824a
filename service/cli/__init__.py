"""The command line ``relief``: thin commands over the same services as the API."""
