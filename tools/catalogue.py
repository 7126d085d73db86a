"""Every tool there is, found by walking the package; nothing is registered as a side effect of an import.

A tool is an async function from a world and typed arguments to a `Reading`. Its docstring is what the model reads.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel, ConfigDict

import tools
from tools.window import Window
from tools.world import World


class Args(BaseModel):
    """Arguments of a tool: unknown keys are refused, so that a model's slip is an error and not a wider look."""

    model_config = ConfigDict(extra="forbid", frozen=True)


A = TypeVar("A", bound=Args)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a tool read, before redaction; only `tools.looking` makes evidence of it."""

    query: str
    """The exact query in the source's own language (PromQL, LogQL, a kubectl line), for a reader to paste."""
    text: str
    """The answer in lines that a person and a model can read; empty when the source holds nothing for the query."""
    data: Any = None
    """The whole answer as plain JSON values, for rules and for the cache."""
    window: Window | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool(Generic[A]):
    """A read-only look at the world that rules and the model can ask for."""

    name: str
    """`integration.what`, such as `kubernetes.objects`."""
    args: type[A]
    run: Callable[[World, A], Awaitable[Reading]]
    timeout_s: float
    ttl_s: float
    """Seconds that an answer may be served from the cache."""

    @property
    def doc(self) -> str:
        """What the model reads."""
        return inspect.getdoc(self.run) or ""


def tool(
    name: str, args: type[A], *, timeout_s: float = 10.0, ttl_s: float = 30.0
) -> Callable[[Callable[[World, A], Awaitable[Reading]]], Tool[A]]:
    """Turns an async function into a `Tool`; the value stands in its module, where `catalogue` finds it."""

    def made(run: Callable[[World, A], Awaitable[Reading]]) -> Tool[A]:
        return Tool(name=name, args=args, run=run, timeout_s=timeout_s, ttl_s=ttl_s)

    return made


@cache
def catalogue() -> Mapping[str, Tool[Any]]:
    """All tools by name.

    Modules named `live` are left out of the walk: they are the only ones that import client libraries, and whoever
    diagnoses from a snapshot should not pay for those.
    """
    found: dict[str, Tool[Any]] = {}
    for module in pkgutil.walk_packages(tools.__path__, "tools."):
        if module.ispkg or module.name.count(".") < 2 or module.name.endswith(".live") or ".snapshot." in module.name:
            continue
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Tool):
                known = cast("Tool[Any]", value)
                if found.setdefault(known.name, known) is not known:
                    raise ValueError(f"two tools are named {known.name!r}")
    return found
