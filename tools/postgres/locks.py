"""The tool that reads who waits for whom in PostgreSQL servers.

One object a deployment: `{"waiting", "longest_wait_s", "chains": [{"head": session, "blocked", "longest_wait_s",
"waiters": [session with "blocked_by", "lock", "mode", "relation", "wait_s"]}]}`. A head holds what the others want and
waits for nobody; pid 0 is a prepared transaction, which no session owns.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from tools.catalogue import Reading, tool
from tools.postgres.activity import prepared, session
from tools.postgres.deployments import DeploymentArgs, Row, optional, read
from tools.world import Postgres, World

_SHOWN = 10
_PREPARED = 0
"""What the server says in place of a pid where a prepared transaction blocks."""


@tool("postgres.locks", DeploymentArgs, ttl_s=10)
async def locks(world: World, args: DeploymentArgs) -> Reading:
    """Sessions that wait for a lock, by chain: who holds it and waits for nobody, and everyone behind.

    Ask when work hangs. EMPTY says that nobody waits for a lock at this moment.
    """

    async def ask(source: Postgres) -> Mapping[str, Any]:
        found = chains(await source.query("locks"))
        if any(one["head"].get("pid") == _PREPARED for one in found["chains"]):
            # Which one of several it is the server does not tell.
            found["prepared"] = await optional(source, "prepared")
        return found

    return await read(world, args, ("locks", "prepared"), ask, _lines)


def chains(rows: Sequence[Row]) -> dict[str, Any]:
    """Waiting sessions under the heads that they wait for in the end; a deadlock, which has no head, is not shown."""
    by_pid = {row.get("pid"): row for row in rows}
    waiters = [{**row, "wait_s": _wait(row)} for row in rows if row.get("blocked_by")]
    under: dict[Any, list[dict[str, Any]]] = {}
    for waiter in waiters:
        for head in _heads(waiter, by_pid):
            under.setdefault(head, []).append(waiter)
    found = [_chain(by_pid.get(head) or {"pid": head}, several) for head, several in under.items()]
    return {
        "waiting": len(waiters),
        "longest_wait_s": max((one["wait_s"] for one in waiters), default=None),
        "chains": sorted(found, key=lambda one: (-one["blocked"], -one["longest_wait_s"])),
    }


def _wait(row: Row) -> float:
    # Before version 14 nobody notes when a wait began; the statement cannot have waited longer than it runs.
    return next((row[key] for key in ("wait_s", "query_s") if row.get(key) is not None), 0.0)


def _heads(waiter: Row, by_pid: Mapping[Any, Row]) -> set[Any]:
    heads: set[Any] = set()
    seen = {waiter.get("pid")}
    ahead = list(waiter["blocked_by"])
    while ahead:
        pid = ahead.pop()
        if pid in seen:
            continue
        seen.add(pid)
        further = by_pid.get(pid, {}).get("blocked_by")
        if further:
            ahead += further
        else:
            heads.add(pid)
    return heads


def _chain(head: Row, waiters: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kept = {
        key: value for key, value in head.items() if key not in ("blocked_by", "lock", "mode", "relation", "wait_s")
    }
    ordered = sorted(waiters, key=lambda one: -one["wait_s"])
    return {"head": kept, "blocked": len(ordered), "longest_wait_s": ordered[0]["wait_s"], "waiters": ordered}


def _lines(seen: Mapping[str, Any]) -> Sequence[str]:
    lines: list[str] = []
    for chain in seen["chains"][:_SHOWN]:
        head = chain["head"]
        named = "a prepared transaction" if head.get("pid") == _PREPARED else session(head)
        lines.append(f"{chain['blocked']} wait, the longest {chain['longest_wait_s']:.0f} s, behind {named}")
        lines += [_waiter(one) for one in chain["waiters"][:_SHOWN]]
        if chain["blocked"] > _SHOWN:
            lines.append(f"  [… {chain['blocked'] - _SHOWN} more …]")
    if len(seen["chains"]) > _SHOWN:
        lines.append(f"[… {len(seen['chains']) - _SHOWN} more chains …]")
    if not seen["chains"] and seen["waiting"]:
        lines.append(f"{seen['waiting']} wait for each other")
    return [*lines, *(prepared(row) for row in seen.get("prepared") or ())]


def _waiter(one: Row) -> str:
    on = f" of {one['relation']}" if one.get("relation") else ""
    behind = ", ".join(map(str, one["blocked_by"]))
    return f"  waits {one['wait_s']:.0f} s for {one.get('mode') or 'a lock'}{on} behind {behind}: {session(one)}"
