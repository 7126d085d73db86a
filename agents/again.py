"""After something was done: are the findings that led to it still there? A look that failed says nothing.

Decided by the same rules that found them; nothing of the earlier looks is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from whenever import Instant, TimeDelta

from agents.case import Case
from agents.causes import rules, run
from agents.finding import CauseId, Finding, Severity
from agents.gathering import gather
from agents.scene import Scene
from tools.caching import MemoryCache
from tools.entity import Entity
from tools.looking import Looker
from tools.window import Window
from tools.world import World

RECENT = TimeDelta(minutes=5)
"""What is measured over time is measured over this stretch: longer ones still hold the fault itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """What a second look showed."""

    helped: bool | None
    """`None`: it could not be seen."""
    said: str
    """One or two sentences."""
    is_final: bool
    """Whether another look would show the same: of what is recorded, always."""


async def look_again(case: Case, world: World, watched: Sequence[tuple[CauseId, Entity]], *, since: Instant) -> Again:
    """Looks past every cache for findings that were there.

    Args:
        case: of the session that saw them.
        world: as it is now.
        watched: (cause, entity) of each finding, the cause first.
        since: when something was done; what was last seen before that is history.
    """
    now = world.now()
    window = world.window if world.window and world.captured_at else Window(now - RECENT, now)
    fresh = replace(case, asked_at=now, scope=replace(case.scope, window=window))
    evidence = await gather(fresh, frozenset(), Looker(world, cache=MemoryCache(0)).look, world)
    # A recording has a clock of its own, and is as it is: whatever it shows is now.
    seen_since = Instant.MIN if world.captured_at else since
    helped, said = compared(Scene.of(fresh, evidence, partial=world.partial), watched, since=seen_since)
    return Again(helped=helped, said=said, is_final=helped is True or world.captured_at is not None)


def compared(scene: Scene, watched: Sequence[tuple[CauseId, Entity]], *, since: Instant) -> tuple[bool | None, str]:
    """Whether findings that were there before are gone from a fresh scene, and a sentence about it."""
    wanted = {cause for cause, _ in watched}
    chosen = {rule.cause.id: rule for rule in rules() if rule.cause.id in wanted}
    checked = run(chosen.values(), scene)
    seeing = {name for name, rule in chosen.items() if all(scene.saw(source) for source in rule.cause.needs)}
    seeing -= {failure.cause for failure in checked.failures}
    still = [found for found in checked.findings if _is_watched(found, watched) and _is_now(found, since)]
    if still:
        worst = min(still, key=lambda found: tuple(Severity).index(found.severity))
        return False, f"Still there, {len(still)} of {_counted(len(watched), 'finding')}: {worst.summary}"
    if watched[0][0] not in seeing:
        # The rest may be gone; whether the cause itself is, nobody saw.
        return None, "The cause could not be looked for again: its sources did not answer."
    gone = sum(cause in seeing for cause, _ in watched)
    unseen = f" {_counted(len(watched) - gone, 'finding')} could not be looked for." if gone < len(watched) else ""
    return True, f"{gone} of {_counted(len(watched), 'finding')} that led to it: gone.{unseen}"


def _is_watched(found: Finding, watched: Sequence[tuple[CauseId, Entity]]) -> bool:
    for cause, entity in watched:
        if found.cause != cause:
            continue
        # Pods are replaced by what was done; the same trouble of another pod there is the same trouble.
        is_sibling = found.entity.kind == entity.kind == "pod" and found.entity.namespace == entity.namespace
        if found.entity == entity or is_sibling:
            return True
    return False


def _is_now(found: Finding, since: Instant) -> bool:
    return found.last_seen is None or found.last_seen >= since


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
