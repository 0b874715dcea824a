"""Use cases that join several stages, and the context that the entry points share."""
