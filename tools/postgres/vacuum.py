"""The tool that reads how far vacuum keeps up in PostgreSQL servers, and what holds it back.

One object a deployment: `{"databases": [{"database", "xid_age", "multixact_age"}], "autovacuum": true or false or null,
"freeze_max_age", "tables": [{"schema", "table", "live_rows", "dead_rows", "dead_ratio", "bytes", "vacuumed_s_ago",
"xid_age"}], "running": [{"pid", "database", "relation", "phase", "seconds"}], "holders": [{"what", "xids"}]}`. The
tables are those of the one database that Locum connects to.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.catalogue import Reading, tool
from tools.postgres.deployments import DeploymentArgs, Row, optional, read
from tools.world import Postgres, World

_SHOWN = 15


@tool("postgres.vacuum", DeploymentArgs, ttl_s=60)
async def vacuum(world: World, args: DeploymentArgs) -> Reading:
    """Age of transaction ids by database, dead rows by table, vacuums that run, and what holds them back.

    At an age of two billion the server stops writing. Tables are those of one database only.
    """

    async def ask(source: Postgres) -> Mapping[str, Any]:
        settings = {row.get("name"): row.get("setting") for row in await optional(source, "settings") or ()}
        freeze = str(settings.get("autovacuum_freeze_max_age") or "")
        return {
            "databases": [
                {key: row.get(key) for key in ("database", "xid_age", "multixact_age")}
                for row in await source.query("databases")
            ],
            "autovacuum": settings["autovacuum"] == "on" if "autovacuum" in settings else None,
            "freeze_max_age": int(freeze) if freeze.isdigit() else None,
            "tables": [_table(row) for row in await optional(source, "tables") or ()],
            "running": [dict(row) for row in await optional(source, "vacuums") or ()],
            "holders": await _holders(source),
        }

    names = ("databases", "settings", "tables", "vacuums", "activity", "slots", "prepared")
    return await read(world, args, names, ask, _lines)


async def _holders(source: Postgres) -> list[dict[str, Any]]:
    """What keeps old rows alive, the oldest first."""
    sources = (("activity", "session", "pid"), ("slots", "slot", "slot"), ("prepared", "prepared transaction", "gid"))
    found = [
        {"what": f"{kind} {row.get(key)}", "xids": row["xids_held_back"]}
        for what, kind, key in sources
        for row in await optional(source, what) or ()
        if row.get("xids_held_back") is not None
    ]
    return sorted(found, key=lambda one: -one["xids"])


def _table(row: Row) -> dict[str, Any]:
    live, dead = row.get("live_rows") or 0, row.get("dead_rows") or 0
    return {**row, "dead_ratio": round(dead / (live + dead), 4) if live + dead else None}


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    lines = [
        f"{row['database']}: oldest transaction id {row['xid_age']}, multixact {row['multixact_age']}"
        for row in sorted(seen["databases"], key=lambda row: -(row["xid_age"] or 0))
    ]
    if seen["autovacuum"] is False:
        lines.append("autovacuum is OFF")
    dead = [row for row in seen["tables"] if row["dead_rows"]]
    lines += [_table_line(row) for row in dead[:_SHOWN]]
    lines += [
        f"vacuum of {row.get('relation') or 'a table'} in {row['database']} runs for {row.get('seconds') or 0:.0f} s: "
        f"{row.get('phase')}"
        for row in seen["running"]
    ]
    lines += [f"held back by {one['what']}: {one['xids']} transactions" for one in seen["holders"][:_SHOWN]]
    return lines


def _table_line(row: Row) -> str:
    ago = row.get("vacuumed_s_ago")
    vacuumed = "never vacuumed since statistics began" if ago is None else f"vacuumed {ago / 3600:.1f} h ago"
    dead = f"{row['dead_rows']} dead rows ({row['dead_ratio']:.0%})"
    return f"table {row.get('schema')}.{row.get('table')}: {dead}, {vacuumed}"
