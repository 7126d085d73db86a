"""Which tools the model is offered, and in how many words. Every request carries them all. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agents.model import prompts, schemas
from tools.catalogue import Tool
from tools.world import World

ROOM = 5_200
"""Bytes of JSON beyond which they are told in fewer words; a first request has 9,800 in all."""
_PORTS: Mapping[str, Callable[[World], object]] = {
    "kubernetes": lambda world: world.cluster,
    "metrics": lambda world: world.metrics,
    "prometheus": lambda world: world.metrics,
    "logs": lambda world: world.logs,
    "loki": lambda world: world.logs,
    "alerts": lambda world: world.alerts,
    "mongodb": lambda world: world.mongodb,
    "postgres": lambda world: world.postgres,
    "redis": lambda world: world.redis,
    "network": lambda world: world.network,
    "host": lambda world: world.host,
}
_ENGINES = frozenset({"prometheus", "loki"})
"""Integrations whose tools evaluate queries, which nothing recorded can."""


def offered(tools: Sequence[Tool[Any]], world: World) -> list[Tool[Any]]:
    """Those that this world has a source for: the others could only say so, and their words cost as much as any."""
    return [each for each in tools if _has_source(each.name.partition(".")[0], world)]


def _has_source(integration: str, world: World) -> bool:
    if integration in _ENGINES and world.captured_at is not None:
        return False
    port = _PORTS.get(integration)
    return port is None or bool(port(world))


def described(tools: Sequence[Tool[Any]]) -> list[dict[str, Any]]:
    """The tools as the service takes them; where there are many, in fewer and fewer words."""
    told = [schemas.described(each) for each in tools]
    if prompts.size(told) > ROOM:
        told = [{**each, "description": tool.doc.partition(". ")[0]} for each, tool in zip(told, tools, strict=True)]
    return [_bare(each) for each in told] if prompts.size(told) > ROOM else told


def _bare(tool: Mapping[str, Any]) -> dict[str, Any]:
    schema = tool["input_schema"]
    known: Mapping[str, Mapping[str, Any]] = schema["properties"]
    plain = {name: {key: each[key] for key in each if key != "description"} for name, each in known.items()}
    return {**tool, "input_schema": {**schema, "properties": plain}}
