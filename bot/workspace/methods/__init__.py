"""Finds every Web API method in this package: one file per family, nothing registers itself."""

import importlib
import pkgutil

from bot.workspace.method import Method


def load() -> dict[str, Method]:
    """Every method by its name."""
    found: dict[str, Method] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        found |= {one.name: one for one in vars(module).values() if isinstance(one, Method)}
    return found
