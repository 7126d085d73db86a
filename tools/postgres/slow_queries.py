"""The tool that reads which statements take PostgreSQL servers' time.

One object a deployment: `{"since_s", "statements": [{"id", "role", "database", "calls", "mean_ms", "max_ms",
"total_ms", "share", "busy", "rows_per_call", "cache_hit_ratio", "temp_blocks_written", "query"}]}`. `share` is of all
time spent in statements; `busy` is how many sessions it kept at work on average since `since_s` seconds ago, `null`
where the server does not tell when counting began. No value of a user is in `query`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tools.catalogue import Reading, tool
from tools.postgres.deployments import DeploymentArgs, Row, optional, read
from tools.world import Postgres, World

_SHOWN = 20


class SlowArgs(DeploymentArgs):
    """Which statements."""

    threshold_ms: float = Field(100.0, ge=0, le=86_400_000)


@tool("postgres.slow_queries", SlowArgs)
async def slow_queries(world: World, args: SlowArgs) -> Reading:
    """Statements whose mean time is above a threshold, those that took most time in all first.

    Counted since the last reset: what was slow last month is in it still.
    """

    async def ask(source: Postgres) -> Mapping[str, Any]:
        rows = [row for row in await source.query("statements") if (row.get("mean_ms") or 0) >= args.threshold_ms]
        since = await optional(source, "statements_since") if rows else None
        since_s = since[0].get("since_s") if since else None
        return {"since_s": since_s, "statements": [_statement(row, since_s) for row in rows]}

    left_out = f"mean_ms >= {args.threshold_ms:g}"
    return await read(world, args, ("statements", "statements_since"), ask, _lines, filtered=left_out)


def _statement(row: Row, since_s: float | None) -> dict[str, Any]:
    calls, total = row.get("calls") or 0, row.get("total_ms") or 0.0
    hit, missed = row.get("blocks_hit") or 0, row.get("blocks_read") or 0
    kept = ("id", "role", "database", "calls", "mean_ms", "max_ms", "total_ms", "share", "temp_blocks_written", "query")
    return {
        **{key: row.get(key) for key in kept},
        "busy": round(total / 1000 / since_s, 4) if since_s else None,
        "rows_per_call": round((row.get("rows") or 0) / calls, 1) if calls else None,
        "cache_hit_ratio": round(hit / (hit + missed), 4) if hit + missed else None,
    }


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    lines = [_line(one) for one in seen["statements"][:_SHOWN]]
    if len(seen["statements"]) > _SHOWN:
        lines.append(f"[… {len(seen['statements']) - _SHOWN} more …]")
    if lines and seen["since_s"] is not None:
        lines.append(f"counted for {seen['since_s'] / 3600:.1f} h")
    return lines


def _line(one: Row) -> str:
    busy = f", {one['busy']:.2f} sessions busy with it" if one["busy"] is not None else ""
    cached = f", {one['cache_hit_ratio']:.0%} from cache" if one["cache_hit_ratio"] is not None else ""
    return (
        f"{one['calls']} x mean {one['mean_ms'] or 0:.0f} ms, max {one['max_ms'] or 0:.0f} ms, "
        f"{one['share'] or 0:.0%} of all time{busy}, {one['rows_per_call']} rows a call{cached}, "
        f"{one['role'] or 'unknown'}@{one['database'] or '-'}: {one['query'] or 'statement unknown'}"
    )
