"""Asks one or all deployments of a kind of database, and says which of them could not be seen.

The data of such a tool is a list with one object for each deployment, `{"deployment": name, "entity": "<kind>//name",
…}`. One that did not answer is `{"deployment", "entity", "gap": why}` and has nothing else.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import Field

from tools.catalogue import Args, Reading
from tools.errors import ToolError, ToolNoSource, ToolRetry


class Deployment(Protocol):
    """Something that people have several of, each with a name."""

    name: str


D = TypeVar("D", bound=Deployment)
Describe = Callable[[Mapping[str, Any]], Sequence[str]]


class DeploymentArgs(Args):
    """Arguments of a tool that asks one or all deployments."""

    deployment: str | None = Field(None, max_length=253, description="none = all")


async def read(
    sources: Sequence[D],
    kind: str,
    *,
    deployment: str | None,
    query: str,
    ask: Callable[[D], Awaitable[Mapping[str, Any]]],
    describe: Describe,
) -> Reading:
    """The reading of all chosen deployments; `describe` gives the lines of one, none when there is nothing to tell.

    Raises:
        ToolError: when none of them could be seen: the first one's reason.
    """
    chosen = _chosen(sources, kind, deployment)
    failures: list[ToolError] = []

    async def one(source: D) -> dict[str, Any]:
        about = {"deployment": source.name, "entity": f"{kind.lower()}//{source.name}"}
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


def _chosen(sources: Sequence[D], kind: str, deployment: str | None) -> Sequence[D]:
    if not sources:
        raise ToolNoSource(f"no {kind} here: set the address of a deployment")
    chosen = [source for source in sources if deployment in (None, source.name)]
    if not chosen:
        names = ", ".join(source.name for source in sources)
        raise ToolRetry(f"there is no deployment {deployment!r}; there are {names}")
    return chosen
