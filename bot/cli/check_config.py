"""`locum check-config`: every setting and connector, what is missing or wrong, and how to set it."""

import asyncio
import sys

import orjson

from agents.specialist import SpecialistError, check_tools, read_all, shipped
from bot.cli.outcome import BadInput, settings
from bot.connectors import Connector, Health

_WORDS = {Health.OK: "ok", Health.OFF: "off", Health.FAILED: "FAILED"}


def run(*, output: str) -> None:
    """Prints a line a connector; exit code 1 when one that is configured does not work."""
    connectors = asyncio.run(_check())
    if output == "json":
        rows = [{"name": each.name, "health": each.health, "detail": each.detail} for each in connectors]
        sys.stdout.write(orjson.dumps(rows).decode() + "\n")
    else:
        width = max(len(each.name) for each in connectors)
        sys.stdout.writelines(f"{each.name:<{width}}  {_WORDS[each.health]:<6}  {each.detail}\n" for each in connectors)
    if any(each.health is Health.FAILED for each in connectors):
        sys.exit(1)


async def _check() -> tuple[Connector, ...]:
    from bot.connectors import check_approvals, slack_connector, store_connectors, world_connectors
    from bot.wiring import ConnectorError, open_world
    from tools.catalogue import catalogue
    from tools.snapshot.folder import SnapshotError

    current = settings()
    try:
        specialists = read_all(current.specialists_dir) if current.specialists_dir else shipped()
        check_tools(specialists, tuple(catalogue()))
        async with open_world(current) as world:
            found = await world_connectors(world, current)
    except (SpecialistError, ConnectorError, SnapshotError) as error:
        raise BadInput(str(error)) from error
    return (
        *found, *await store_connectors(current), *await check_approvals(current), await slack_connector(current),
    )  # fmt: skip
