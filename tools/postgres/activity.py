"""The tool that reads what sessions of PostgreSQL servers are doing.

One object a deployment: `{"active", "idle_in_transaction", "sessions": [{"pid", "role", "database", "application",
"client", "state", "wait_event_type", "wait_event", "transaction_s", "query_s", "state_s", "xids_held_back", "query"}],
"prepared": [{"gid", "role", "database", "age_s", "xids_held_back"}] or null}`. No value of a user is in `query`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from tools.catalogue import Reading, tool
from tools.postgres.deployments import DeploymentArgs, Row, optional, read, who
from tools.world import Postgres, World

_SHOWN = 25


class ActivityArgs(DeploymentArgs):
    """Which sessions."""

    min_seconds: float = Field(1.0, ge=0, le=86_400)


@tool("postgres.activity", ActivityArgs, ttl_s=10)
async def activity(world: World, args: ActivityArgs) -> Reading:
    """Statements that run and transactions that are open, the oldest first, and what they wait for; no values.

    A session `idle in transaction` keeps its locks; the statement is then its last. EMPTY says nothing of earlier.
    """

    async def ask(source: Postgres) -> Mapping[str, Any]:
        rows = await source.query("activity")
        return {
            "active": sum(row.get("state") == "active" for row in rows),
            "idle_in_transaction": sum(str(row.get("state")).startswith("idle in transaction") for row in rows),
            "sessions": [dict(row) for row in rows if _age(row) >= args.min_seconds],
            "prepared": await optional(source, "prepared"),
        }

    left_out = f"transaction_s or query_s >= {args.min_seconds:g}"
    return await read(world, args, ("activity", "prepared"), ask, _lines, filtered=left_out)


def _age(row: Row) -> float:
    return max(row.get("transaction_s") or 0.0, row.get("query_s") or 0.0)


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    lines = [session(row) for row in seen["sessions"][:_SHOWN]]
    if len(seen["sessions"]) > _SHOWN:
        lines.append(f"[… {len(seen['sessions']) - _SHOWN} more …]")
    return [*lines, *(prepared(row) for row in seen["prepared"] or ())]


def prepared(row: Row) -> str:
    """One prepared transaction on a line."""
    age = "of unknown age" if row.get("age_s") is None else f"{row['age_s']:.0f} s old"
    return f"prepared transaction {row.get('gid')} of {row.get('role')}@{row.get('database')}, {age}"


def session(row: Row) -> str:
    """One session on a line."""
    parts = [f"pid {row.get('pid')} {row.get('state') or 'state unknown'}"]
    for key, word in (("state_s", "for"), ("transaction_s", "transaction"), ("query_s", "statement")):
        if row.get(key) is not None:
            parts.append(f"{word} {row[key]:.0f} s")
    if row.get("wait_event"):
        parts.append(f"waits for {row.get('wait_event_type')}:{row['wait_event']}")
    return f"{', '.join(parts)}, {who(row)}: {row.get('query') or 'statement unknown'}"
