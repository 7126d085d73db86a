"""Findings out of lines: what a log says, checked against what it said before and against who says it. Pure."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from agents.causes import Rule
from agents.finding import Finding, Severity
from agents.logs.envelopes import Level
from agents.logs.lines import Line, by_entity, lines, quoted
from agents.logs.news import Stand, news, stand
from agents.rules.kubernetes.readings import severity as of_workload
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence

MANY = 3
"""Lines that are more than one odd request, of a process that otherwise works."""
FRAMES = 2
"""Lines of a trace after its first one that are shown with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """How a log says one thing."""

    words: re.Pattern[str]
    unless: re.Pattern[str] | None = None
    """What makes it mean something else."""
    stops: bool = False
    """Whether it matters only when whoever says it does not work: said at the start, and then got over."""
    least: int = MANY
    """Lines that it takes of somebody who is well by Kubernetes' account; one is enough of somebody who is not."""
    notes_count: bool = False
    """Whether it is meant even where the writer calls it information."""

    def found(self, line: Line) -> re.Match[str] | None:
        """Where the line says it."""
        if line.level is Level.DEBUG or (line.is_quiet and not self.notes_count):
            return None
        found = self.words.search(line.claim)
        return None if found and self.unless and self.unless.search(line.claim) else found


def told(scene: Scene, sign: Sign) -> Iterator[tuple[Entity, list[Line]]]:
    """What says it, and the lines of the incident in which it does; what it always said is left out."""
    for entity, hits in by_entity(scene, (each for each in lines(scene) if sign.found(each))).items():
        fresh = news(scene, entity, hits)
        unwell = [each for each in fresh if _may_stop(scene, sign, each)]
        if unwell or (len(fresh) >= sign.least and not sign.stops):
            yield entity, unwell or fresh


def _may_stop(scene: Scene, sign: Sign, line: Line) -> bool:
    """Whether one line is enough: Kubernetes says that its writer is not well, or nobody says how it is."""
    standing = stand(scene, line.log)
    if standing is Stand.UNKNOWN:
        # A warning is of somebody who goes on.
        return not (sign.stops and line.level is Level.WARN)
    return standing is not Stand.WELL


def said(
    scene: Scene, of: Rule, sign: Sign, what: Callable[[Entity, Sequence[Line]], str], severity: Severity
) -> Iterator[Finding]:
    """A finding for each thing whose log says it; `what` is the beginning of the summary.

    Args:
        scene: what was seen.
        of: the rule.
        sign: what to look for.
        what: puts it into words; the line itself is added.
        severity: of something that nobody else knows about. Kubernetes' account comes first where there is one.
    """
    for entity, hits in told(scene, sign):
        shown = hits[-1]
        yield finding(scene, of, entity, hits, f"{what(entity, hits)}: {quoted(shown)}", severity=severity)


def finding(
    scene: Scene,
    of: Rule,
    entity: Entity,
    hits: Sequence[Line],
    summary: str,
    *,
    severity: Severity,
    direct: bool = True,
    remedy: str = "",
) -> Finding:
    """A finding that rests on lines. Of somebody who is well by Kubernetes' account, a line is hearsay."""
    stands = {stand(scene, each.log) for each in hits}
    is_well = stands == {Stand.WELL}
    if is_well:
        severity = min(severity, Severity.WARNING, key=_GRAVITY.index)
    elif stands & {Stand.ENDED, Stand.UNWELL} and severity is Severity.CRITICAL:
        severity = of_workload(scene, entity)
    times = [each.at for each in hits if each.at]
    return of.finding(
        entity,
        summary,
        [
            *(each for line in dict.fromkeys((hits[0], hits[-1])) for each in cited(scene, line)),
            *_standing(scene, hits),
        ],
        severity=severity,
        direct=direct and not is_well,
        first_seen=min(times, default=None),
        last_seen=max(times, default=None),
        remedy=remedy,
    )


def _standing(scene: Scene, hits: Sequence[Line]) -> Iterator[Evidence]:
    """What Kubernetes says of one that is not well: a log alone is the word of whoever can write to it."""
    ill = (each for each in hits if stand(scene, each.log) in (Stand.ENDED, Stand.UNWELL))
    pods = (pod for each in ill if (pod := scene.cluster.at(each.log.entity)))
    yield from (scene.cite(pod, "status") for pod in islice(pods, 1))


def cited(scene: Scene, line: Line) -> list[Evidence]:
    """The entry as its log shows it; of a trace its beginning, and its end, where some languages tell the exception."""
    if line.end - line.place == 1:
        return [scene.cite_log(line.log, line.place)]
    places = dict.fromkeys((min(line.place + FRAMES, line.end - 1), line.end - 1))
    return [scene.cite_log(line.log, each) for each in places]


_GRAVITY = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)
