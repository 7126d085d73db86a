"""What changed and who calls whom."""

from collections.abc import Mapping, Sequence
from typing import Any

from whenever import Instant

from tools.caching import MemoryCache
from tools.errors import ToolRefused
from tools.evidence import Evidence, Outcome
from tools.looking import Looker
from tools.window import Window
from tools.world import World

NOW = Instant.from_utc(2026, 1, 1, 12)


class Recorded:
    def __init__(self, changes: Sequence[Mapping[str, Any]], calls: Sequence[tuple[str, str]] = ()) -> None:
        self._changes = changes
        self._calls = calls

    async def changes(self, window: Window | None) -> Sequence[Mapping[str, Any]]:
        return [one for one in self._changes if window is None or Instant.parse_iso(one["at"]) in window]

    async def calls(self) -> Sequence[tuple[str, str]]:
        return self._calls


class Locked:
    async def changes(self, window: Window | None) -> Sequence[Mapping[str, Any]]:
        raise ToolRefused("needs to list ReplicaSets")

    async def calls(self) -> Sequence[tuple[str, str]]:
        raise ToolRefused("needs to list ReplicaSets")


DEPLOY = {
    "at": "2026-01-01T11:50:00Z",
    "kind": "deploy",
    "entity": "deployment/shop/cart",
    "summary": "v2",
    "who": "ann",
}
SCALE = {
    "at": "2026-01-01T09:00:00Z",
    "kind": "scale",
    "entity": "deployment/shop/web",
    "summary": "2 to 3",
    "diff": "+1",
}


async def look(history: Recorded | Locked | None, tool: str, **args: Any) -> Evidence:
    world = World(name="test", captured_at=NOW, history=history)
    return await Looker(world, cache=MemoryCache()).look(f"history.{tool}", args)


async def test_changes_come_the_newest_first_and_within_the_minutes_asked_for() -> None:
    history = Recorded([SCALE, DEPLOY])
    evidence = await look(history, "changes")
    assert evidence.excerpt.splitlines() == [
        "2026-01-01T11:50:00Z deploy deployment/shop/cart by ann: v2",
        "2026-01-01T09:00:00Z scale deployment/shop/web: 2 to 3 | diff: +1",
    ]
    assert evidence.window is None
    hour = await look(history, "changes", minutes=60)
    assert [one["kind"] for one in hour.data] == ["deploy"]
    assert hour.window == Window.ending(NOW, minutes=60)
    assert (await look(history, "changes", minutes=5)).outcome is Outcome.EMPTY


async def test_many_changes_are_cut_with_the_cut_stated() -> None:
    evidence = await look(Recorded([{**DEPLOY, "summary": str(number)} for number in range(60)]), "changes")
    assert "20 older changes" in evidence.excerpt
    assert len(evidence.data) == 60


async def test_calls_show_each_caller_with_its_callees() -> None:
    calls = [("service/shop/web", "service/shop/cart"), ("service/shop/web", "service/shop/api")]
    evidence = await look(Recorded([], calls), "calls")
    assert evidence.excerpt == "service/shop/web -> service/shop/api, service/shop/cart"
    assert evidence.data == [["service/shop/web", "service/shop/api"], ["service/shop/web", "service/shop/cart"]]


async def test_no_history_is_no_source_none_of_it_empty_and_a_locked_one_an_error() -> None:
    for tool in ("changes", "calls"):
        assert (await look(None, tool)).outcome is Outcome.NO_SOURCE
        assert (await look(Recorded([]), tool)).outcome is Outcome.EMPTY
        assert (await look(Locked(), tool)).outcome is Outcome.ERROR
