"""A programme with approved cases."""

from tests.support.programme import add_cases, build, clock, manifests_dir, programme, session

__all__ = ["add_cases", "build", "clock", "manifests_dir", "programme", "session"]
