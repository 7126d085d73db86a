"""Asks one or all Redis deployments of a world; the data is as `tools.deployments` says."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tools import deployments
from tools.catalogue import Reading
from tools.deployments import DeploymentArgs, Describe
from tools.errors import ToolError
from tools.world import Redis, World

__all__ = ["DeploymentArgs", "optional", "read"]

Ask = Callable[[Redis], Awaitable[Mapping[str, Any]]]


async def read(world: World, deployment: str | None, query: str, ask: Ask, describe: Describe) -> Reading:
    """The reading of all chosen deployments; see `tools.deployments.read`."""
    return await deployments.read(world.redis, "Redis", deployment=deployment, query=query, ask=ask, describe=describe)


async def optional(source: Redis, what: str) -> Mapping[str, Any] | None:
    """The reply, or `None` where this one gives none: managed servers forbid some, and the others are worth telling."""
    try:
        return await source.command(what)
    except ToolError:
        return None
