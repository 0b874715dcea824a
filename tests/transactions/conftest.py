"""The deployed chain and the worker's world."""

from tests.support.world import costly, deployed, deployed_once, make_world, world

__all__ = ["costly", "deployed", "deployed_once", "make_world", "world"]
