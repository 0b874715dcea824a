"""The deployed chain and the worker's world."""

from tests.support.world import deployed, deployed_once, make_world, world

__all__ = ["deployed", "deployed_once", "make_world", "world"]
