"""The loader of alert sources: each file here is one source with a `parse`; its name is the last part of its URL."""

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from bot.alerts.payload import Batch, ParseError, read_json

__all__ = ["Batch", "ParseError", "parse", "parse_any", "read_json", "sources"]

Parse = Callable[[Mapping[str, Any]], Batch]


@cache
def sources() -> Mapping[str, Parse]:
    """The parser of every source by name."""
    names = [each.name for each in pkgutil.iter_modules(__path__) if each.name != "payload"]
    return {name: importlib.import_module(f"{__name__}.{name}").parse for name in names}


def parse(source: str, body: bytes) -> Batch:
    """The alerts of one request body.

    Raises:
        ParseError: when nothing in it can be used; the message says why and what was expected.
    """
    return sources()[source](read_json(body))


def parse_any(body: bytes) -> Batch:
    """The alerts of a body whose source nobody named.

    Raises:
        ParseError: when no source knows it; the message is that of the source it resembles.
    """
    data = read_json(body)
    return sources()["alertmanager" if "version" in data else "generic"](data)
