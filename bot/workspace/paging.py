"""Slack's way of giving a long list in pieces."""

import base64
from collections.abc import Sequence
from typing import Any

from bot.workspace.payloads import Json
from bot.workspace.refusals import Refused


def page(name: str, items: Sequence[Any], args: Json, *, most: int) -> Json:
    """One piece of `items` under `name`, and the cursor of the next."""
    limit = int(args.get("limit") or 100)
    if not 1 <= limit <= most:
        raise Refused("invalid_limit", problems=[f"limit: {limit}, from 1 to {most}"])
    start = _start(str(args.get("cursor") or ""))
    rest = start + limit < len(items)
    cursor = base64.b64encode(f"next:{start + limit}".encode()).decode() if rest else ""
    return {name: list(items[start : start + limit]), "response_metadata": {"next_cursor": cursor}}


def _start(cursor: str) -> int:
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("next:"))
    except ValueError:
        raise Refused("invalid_cursor") from None
