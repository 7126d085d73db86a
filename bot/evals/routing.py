"""One run of the router's scoreboard: by rules and, with a key, with the model's word where the rules have none."""

import asyncio
from collections.abc import Sequence
from typing import IO, Any

import orjson

from agents.specialist import Specialist
from bot.evals.alerts import Classified, Labelled, advised, classified, figures
from bot.settings import Settings
from bot.wiring import open_model


def scoreboard(
    rows: Sequence[Labelled],
    specialists: Sequence[Specialist],
    settings: Settings,
    *,
    is_masked: bool,
    lines: IO[bytes] | None,
) -> dict[str, Any]:
    """The figures over these alerts.

    With a key they are those with the model, and `rules` has those without it.
    """
    found = classified(rows, specialists, is_masked=is_masked)
    rules = figures(found)
    shown: dict[str, Any] = {"mode": "rules", **rules}
    if settings.model.api_key is not None:
        found = asyncio.run(_with_model(found, specialists, settings))
        shown = {"mode": "model", **figures(found), "rules": rules}
    if lines is not None:
        lines.writelines(orjson.dumps(each.to_json()) + b"\n" for each in found)
    return shown


async def _with_model(
    found: Sequence[Classified], specialists: Sequence[Specialist], settings: Settings
) -> tuple[Classified, ...]:
    async with open_model(settings) as model:
        return await advised(found, specialists, model=model)
