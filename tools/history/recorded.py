"""The tools that read what changed and who calls whom."""

from pydantic import Field

from tools.catalogue import Args, Reading, tool
from tools.window import Window
from tools.world import World, need

SHOWN = 40


class ChangesArgs(Args):
    minutes: int | None = Field(None, ge=1, le=43_200, description="none = all that is known")


class CallsArgs(Args):
    pass


@tool("history.changes", ChangesArgs)
async def changes(world: World, args: ChangesArgs) -> Reading:
    """Deployments, configuration, scaling, flags and commits, the newest first. Most incidents follow a change.

    A change that nobody recorded is not here; and one that is here need not be the cause.
    """
    history = need(
        world.history, "history of changes", "capture changes/*.json; rollouts are seen in the ReplicaSets themselves"
    )
    window = Window.ending(world.now(), minutes=args.minutes) if args.minutes else None
    found = sorted(await history.changes(window), key=lambda one: str(one["at"]), reverse=True)
    lines = [
        f"{one['at']} {one['kind']} {one['entity']}"
        f"{' by ' + str(one['who']) if one.get('who') else ''}: {str(one['summary'])[:300]}"
        f"{' | diff: ' + str(one['diff'])[:500] if one.get('diff') else ''}"
        for one in found[:SHOWN]
    ]
    if len(found) > SHOWN:
        lines.append(f"[… {len(found) - SHOWN} older changes …]")
    query = f"changes{f' of the last {args.minutes} minutes' if args.minutes else ''}"
    return Reading(query=query, text="\n".join(lines), data=found, window=window)


@tool("history.calls", CallsArgs, ttl_s=300)
async def calls(world: World, args: CallsArgs) -> Reading:
    """Which service calls which, one caller with all its callees a line: where a failure can spread to.

    A pair that is missing was not seen; that does not prove that there is no such call.
    """
    history = need(world.history, "map of calls", "capture topology.csv")
    pairs = sorted(await history.calls())
    callees: dict[str, list[str]] = {}
    for caller, callee in pairs:
        callees.setdefault(caller, []).append(callee)
    lines = [f"{caller} -> {', '.join(named)}" for caller, named in callees.items()]
    data = [[caller, callee] for caller, callee in pairs]
    return Reading(query="calls between entities", text="\n".join(lines), data=data)
