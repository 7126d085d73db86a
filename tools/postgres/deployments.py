"""Asks one or all PostgreSQL deployments of a world; the data is as `tools.deployments` says."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from tools import deployments
from tools.catalogue import Reading
from tools.deployments import DeploymentArgs, Describe
from tools.errors import ToolError
from tools.postgres.queries import shown
from tools.world import Postgres, World

__all__ = ["DeploymentArgs", "Row", "optional", "read", "who"]

Row = Mapping[str, Any]
Ask = Callable[[Postgres], Awaitable[Mapping[str, Any]]]


async def read(
    world: World, args: DeploymentArgs, names: Sequence[str], ask: Ask, describe: Describe, *, filtered: str = ""
) -> Reading:
    """The reading of all chosen deployments by the queries of those names.

    `filtered` says in SQL what was left out of their rows afterwards.
    """
    query = shown(*names) + (f" -- {filtered}" if filtered else "")
    return await deployments.read(
        world.postgres, "Postgres", deployment=args.deployment, query=query, ask=ask, describe=describe
    )


async def optional(source: Postgres, what: str) -> Sequence[Row] | None:
    """The rows, or `None` where this one query gives no answer: what the others tell is worth telling without it."""
    try:
        return await source.query(what)
    except ToolError:
        return None


def who(row: Row) -> str:
    """A session in a few words."""
    where = row.get("client") or "local"
    return (
        f"{row.get('role') or 'unknown'}@{row.get('database') or '-'} "
        f"app {row.get('application') or 'unnamed'} from {where}"
    )
