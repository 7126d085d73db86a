"""The tool that evaluates LogQL as it is written."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from tools.catalogue import Args, Reading, tool
from tools.loki.lines import show
from tools.window import Window
from tools.world import World, need

SHOWN = 50


class QueryArgs(Args):
    logql: str = Field(min_length=1, max_length=4_000)
    minutes: int = Field(60, ge=1, le=10_080)
    limit: int = Field(200, ge=1, le=2_000, description="of lines; series of a metric query are not limited by it")


@tool("loki.query", QueryArgs, timeout_s=20)
async def query(world: World, args: QueryArgs) -> Reading:
    """The answer to a LogQL query: lines, or the series of a metric query such as count_over_time.

    For plain lines of a pod or a namespace logs.lines is simpler, and also works where there is no Loki.
    """
    logs = need(world.logs, "Loki", "set the address of Loki; recorded logs are read with logs.lines")
    window = Window.ending(world.now(), minutes=args.minutes)
    found = await logs.query(args.logql, window, args.limit)
    series = [one for one in found if "points" in one]
    text = "\n".join(_course(one) for one in series[:SHOWN]) if series else show(found)
    if len(series) > SHOWN:
        text += f"\n[… {len(series) - SHOWN} more series …]"
    return Reading(query=args.logql, text=text, data=list(found), window=window)


def _course(one: Mapping[str, Any]) -> str:
    values = [value for _, value in one["points"]]
    labels = ", ".join(f'{key}="{value}"' for key, value in sorted(one["labels"].items()))
    course = f"first {values[0]:g}, last {values[-1]:g}, min {min(values):g}, max {max(values):g}"
    return f"{{{labels}}}: {course}, {len(values)} points"
