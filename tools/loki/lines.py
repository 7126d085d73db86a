"""The tool that reads log lines of all pods at once, from Loki or from the recorded files."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field
from whenever import TimeDelta

from tools.catalogue import Args, Reading, tool
from tools.window import Window
from tools.world import World, need

_ROOM = 3_600
_LINE = 400
_NEWEST = 8
_TROUBLE = re.compile(
    r"(?i)\b(?:error|err|fatal|panic|exception|traceback|critical|fail\w*|refused|denied|timed? ?out|unavailable"
    r"|oom\w*|killed|no space|unreachable|forbidden|unauthorized|[45]\d\d)\b"
)


class LinesArgs(Args):
    namespace: str | None = Field(None, max_length=253)
    pod: str | None = Field(
        None, max_length=253, pattern=r"^[a-zA-Z0-9._-]+\*?$", description="a whole name, or a prefix that ends in *"
    )
    contains: str | None = Field(None, min_length=1, max_length=500, description="text that each line must hold")
    minutes: int = Field(60, ge=1, le=10_080)
    until_minutes: int = Field(0, ge=0, le=10_080, description="how many minutes ago the stretch ends")
    limit: int = Field(200, ge=1, le=2_000)


@tool("logs.lines", LinesArgs, timeout_s=15)
async def lines(world: World, args: LinesArgs) -> Reading:
    """Log lines in time order, newest last; where there are too many to show, those that speak of trouble come first.

    Name a namespace or a pod when you can. EMPTY says that no line matched in these minutes, not that all is well.
    """
    logs = need(world.logs, "logs", "set the address of Loki, or capture logs/<namespace>/<pod>/<container>.log")
    window = Window.ending(world.now() - TimeDelta(minutes=args.until_minutes), minutes=args.minutes)
    found = await logs.lines(args.namespace, args.pod, args.contains, window, args.limit)
    asked = (("namespace", args.namespace), ("pod", args.pod), ("contains", args.contains), ("limit", args.limit))
    asked += (("until_minutes", args.until_minutes or None),)
    query = "lines " + " ".join(f"{name}={value!r}" for name, value in asked if value is not None)
    text = show(found)
    if len(found) >= args.limit:
        text += f"\n[… {args.limit} lines were asked for and came; there may be more before these …]"
    return Reading(query=query, text=text, data=list(found), window=window)


def show(found: Sequence[Mapping[str, Any]]) -> str:
    """Lines in order within the room of an excerpt: the newest few and those of trouble, with every cut stated."""
    origins = {(one["namespace"], one["pod"], one["container"]) for one in found}
    texts = [_text(one, with_origin=len(origins) > 1) for one in found]
    chosen = sorted(_chosen(texts))
    shown: list[str] = []
    if len(origins) == 1:
        namespace, pod, container = origins.pop()
        shown.append(f"{namespace}/{pod}/{container}:")
    before = -1
    for at in chosen:
        if at > before + 1:
            shown.append(f"[… {at - before - 1} lines left out …]")
        shown.append(texts[at])
        before = at
    return "\n".join(shown)


def _chosen(texts: Sequence[str]) -> list[int]:
    newest_first = range(len(texts) - 1, -1, -1)
    newest = list(newest_first[:_NEWEST])
    trouble = [at for at in newest_first if _TROUBLE.search(texts[at])]
    rest = list(newest_first)
    room, chosen, seen = _ROOM, list[int](), set[int]()
    for at in (*newest, *trouble, *rest):
        if at in seen:
            continue
        seen.add(at)
        room -= len(texts[at]) + 1
        if room < 0:
            break
        chosen.append(at)
    return chosen


def _text(one: Mapping[str, Any], *, with_origin: bool) -> str:
    line = str(one["line"]).rstrip()
    if len(line) > _LINE:
        line = f"{line[:_LINE]} [… {len(line) - _LINE} characters left out …]"
    origin = f"{one['namespace']}/{one['pod']}/{one['container']} " if with_origin else ""
    return f"{one['at']} {origin}{line}" if one["at"] else f"{origin}{line}"
