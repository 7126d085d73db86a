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


async def look_again(case: Case, world: World, watched: Sequence[tuple[CauseId, Entity]], *, since: Instant) -> Again:
    """Looks past every cache for findings that were there.

    Args:
        case: of the session that saw them.
        world: as it is now.
        watched: (cause, entity) of each finding.
        since: when something was done; what was last seen before that is history.
    """
    now = world.now()
    window = world.window if world.window and world.captured_at else Window(now - RECENT, now)
    fresh = replace(case, asked_at=now, scope=replace(case.scope, window=window))
    evidence = await gather(fresh, frozenset(), Looker(world, cache=MemoryCache(0)).look, world)
    # A recording has a clock of its own, and is as it is: whatever it shows is now.
    seen_since = Instant.MIN if world.captured_at else since
    return compared(Scene.of(fresh, evidence, partial=world.partial), watched, since=seen_since)


def compared(scene: Scene, watched: Sequence[tuple[CauseId, Entity]], *, since: Instant) -> Again:
    """What a fresh scene shows of findings that were there before."""
    wanted = {cause for cause, _ in watched}
    chosen = [rule for rule in rules() if rule.cause.id in wanted]
    blind = [rule.cause.title for rule in chosen if not all(scene.saw(source) for source in rule.cause.needs)]
    checked = run(chosen, scene)
    if blind or checked.failures or not chosen:
        what = ", ".join(blind[:3]) or "the checks that saw it"
        return Again(helped=None, said=f"It could not be looked at again ({what}): its sources did not answer.")
    still = [found for found in checked.findings if _is_watched(found, watched) and _is_now(found, since)]
    if not still:
        return Again(helped=True, said=f"{_counted(len(watched), 'finding')} that led to it: gone.")
    worst = min(still, key=lambda found: tuple(Severity).index(found.severity))
    return Again(
        helped=False, said=f"Still there, {len(still)} of {_counted(len(watched), 'finding')}: {worst.summary}"
    )


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
