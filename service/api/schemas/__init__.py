"""The documents that the API takes and gives, one module a resource."""
