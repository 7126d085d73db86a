"""Asks one or all MongoDB deployments of a world, and says which of them could not be seen.

The data of every MongoDB tool is a list with one object for each deployment, `{"deployment": name, "entity":
"mongodb//name", …}`. One that did not answer is `{"deployment", "entity", "gap": why}` and has nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from pydantic import Field

from tools.catalogue import Args, Reading
from tools.errors import ToolError, ToolNoSource, ToolRetry
from tools.world import MongoDB, World


class DeploymentArgs(Args):
    deployment: str | None = Field(None, max_length=253, description="none = all of them")


Ask = Callable[[MongoDB], Awaitable[Mapping[str, Any]]]
Describe = Callable[[Mapping[str, Any]], Sequence[str]]


async def read(world: World, deployment: str | None, query: str, ask: Ask, describe: Describe) -> Reading:
    """The reading of all chosen deployments; `describe` gives the lines of one, none when there is nothing to tell.

    Raises:
        ToolError: when none of them could be seen: the first one's reason.
    """
    chosen = _chosen(world, deployment)
    failures: list[ToolError] = []

    async def one(source: MongoDB) -> dict[str, Any]:
        about = {"deployment": source.name, "entity": f"mongodb//{source.name}"}
        try:
            return {**about, **await ask(source)}
        except ToolError as error:
            failures.append(error)
            return {**about, "gap": str(error)}

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(source)) for source in chosen]
    data = [task.result() for task in tasks]
    if len(failures) == len(data):
        raise failures[0]
    lines: list[str] = []
    for seen in data:
        told = [f"NOT SEEN: {seen['gap']}"] if "gap" in seen else describe(seen)
        lines += [f"{seen['deployment']}: {line}" for line in told]
    return Reading(query=query, text="\n".join(lines), data=data)


def _chosen(world: World, deployment: str | None) -> Sequence[MongoDB]:
    if not world.mongodb:
        raise ToolNoSource("no MongoDB here: set the address of a deployment")
    chosen = [source for source in world.mongodb if deployment in (None, source.name)]
    if not chosen:
        names = ", ".join(source.name for source in world.mongodb)
        raise ToolRetry(f"there is no deployment {deployment!r}; there are {names}")
    return chosen
