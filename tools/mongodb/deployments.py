"""Asks one or all MongoDB deployments of a world; the data is as `tools.deployments` says."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from tools import deployments
from tools.catalogue import Reading
from tools.deployments import DeploymentArgs, Describe
from tools.world import MongoDB, World

__all__ = ["DeploymentArgs", "read"]

Ask = Callable[[MongoDB], Awaitable[Mapping[str, Any]]]


async def read(world: World, deployment: str | None, query: str, ask: Ask, describe: Describe) -> Reading:
    """The reading of all chosen deployments; see `tools.deployments.read`."""
    return await deployments.read(
        world.mongodb, "MongoDB", deployment=deployment, query=query, ask=ask, describe=describe
    )
