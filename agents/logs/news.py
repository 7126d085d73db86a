"""What a log says now that it did not say before, and whether whoever wrote it is well all the same. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from whenever import Instant

from agents.logs.lines import Line, about, is_old
from agents.logs.moments import written_at
from agents.objects import Resource, items, mapping, moment, number
from agents.rules.kubernetes.readings import is_leaving, is_ready, is_recent, unready_since
from agents.scene import Log, Scene
from tools.entity import Entity

FACTOR = 3.0
"""How many times the usual rate is news; the factor by which error ratios are judged as well."""
DEVIATIONS = 3.0
"""Of a Poisson count: the usual noise of events that come independently of each other."""
LAST_WORDS = 40
"""Lines at the end of an ended container's log that may say why it ended."""
_SHORTEST_S = 60.0
_DATED_WITHIN = 50
"""Lines at either end of a log among which one tells its time."""


class Stand(StrEnum):
    """How the container that wrote a log stands by Kubernetes' own account, which no log line can change."""

    ENDED = "ended"
    """It ended with an error lately, or waits to be started again."""
    UNWELL = "unwell"
    """Its pod is not ready."""
    WELL = "well"
    """Its pod is ready, and nothing of it ended lately."""
    UNKNOWN = "unknown"
    """Nobody listed it."""


def stand(scene: Scene, log: Log) -> Stand:
    """How whoever wrote a log stands."""
    known = scene.once(_stands)
    key = (log.namespace, log.pod, log.container, log.is_previous)
    if key not in known:
        known[key] = _stand(scene, log)
    return known[key]


def _stands(_: Scene) -> dict[tuple[str, str, str, bool], Stand]:
    return {}


def _stand(scene: Scene, log: Log) -> Stand:
    pod = scene.cluster.at(log.entity)
    if pod is None:
        return Stand.ENDED if log.is_previous else Stand.UNKNOWN
    if _has_ended(scene, pod, log.container) or pod.status.get("phase") == "Failed":
        return Stand.ENDED
    if is_ready(pod) or is_leaving(pod) or pod.status.get("phase") == "Succeeded":
        return Stand.WELL
    return Stand.UNWELL


def _has_ended(scene: Scene, pod: Resource, container: str) -> bool:
    for status in (*items(pod.raw, "status", "containerStatuses"), *items(pod.raw, "status", "initContainerStatuses")):
        if container and status.get("name") != container:
            continue
        if mapping(status, "state", "waiting").get("reason") == "CrashLoopBackOff":
            return True
        for state in ("state", "lastState"):
            ended = mapping(status, state, "terminated")
            if number(ended, "exitCode") and is_recent(scene, moment(ended, "finishedAt")):
                return True
    return False


def is_last_word(scene: Scene, line: Line) -> bool:
    """Whether it stands at the end of the log of a container that ended."""
    is_whole = line.log.source.tool == "kubernetes.logs"  # what a store gives may end anywhere
    return is_whole and stand(scene, line.log) is Stand.ENDED and line.place >= len(line.log.lines) - LAST_WORDS


@dataclass(frozen=True, slots=True)
class _Span:
    """Seconds before and after the onset of which an entity's logs tell."""

    before_s: float
    after_s: float


def news(scene: Scene, entity: Entity, hits: Sequence[Line]) -> list[Line]:
    """The lines of the incident among `hits`; none when the same came as often before.

    What was said all along by a pod that has been unwell since then, or as the last words of an ended container, is
    of the incident: its own standing says so.
    """
    new = [each for each in hits if not is_old(scene, each)]
    old = [each for each in hits if is_old(scene, each)]
    lasting = [each for each in old if is_last_word(scene, each) or _is_unwell_since(scene, each)]
    if lasting:
        return [*lasting, *new]
    if not new or not old:
        return new
    span = scene.once(_spans).get(entity, _Span(0.0, 0.0))
    expected = len(old) / max(span.before_s, _SHORTEST_S) * max(span.after_s, _SHORTEST_S)
    surges = len(new) >= FACTOR * expected and len(new) - expected >= DEVIATIONS * math.sqrt(max(expected, 1.0))
    return new if surges else []


def is_covered(scene: Scene, entity: Entity) -> bool:
    """Whether the logs reach back well before the onset, so that what they lack there is new."""
    span = scene.once(_spans).get(entity)
    return span is not None and span.before_s >= min(span.after_s, 600.0) and span.before_s >= _SHORTEST_S


def _is_unwell_since(scene: Scene, line: Line) -> bool:
    pod = scene.cluster.at(line.log.entity)
    since = unready_since(pod) if pod and stand(scene, line.log) is not Stand.WELL else None
    return since is not None and line.at is not None and since <= line.at


def _spans(scene: Scene) -> Mapping[Entity, _Span]:
    first: dict[Entity, Instant] = {}
    last: dict[Entity, Instant] = {}
    for log in scene.logs:
        entity = about(scene, log)
        begins, ends = _dated(log.lines[:_DATED_WITHIN], scene), _dated(log.lines[: -_DATED_WITHIN - 1 : -1], scene)
        if begins:
            first[entity] = min(first.get(entity, begins), begins)
        if ends:
            last[entity] = max(last.get(entity, ends), ends)
    onset = scene.window.start
    return {
        entity: _Span(
            max(0.0, (onset - at).total("seconds")), max(0.0, (last.get(entity, onset) - onset).total("seconds"))
        )
        for entity, at in first.items()
    }


def _dated(lines: Sequence[str], scene: Scene) -> Instant | None:
    return next((at for each in lines if (at := written_at(each, now=scene.now))), None)
