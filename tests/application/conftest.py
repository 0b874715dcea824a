"""The deployed chain and the worker's world, with officers' batches."""

from tests.support.world import deployed, deployed_once, make_world, world

__all__ = ["deployed", "deployed_once", "make_world", "world"]
