"""The lines that may speak of trouble, read once for all rules: joined, dated, and whose they are. Pure.

Bounded whatever the logs hold: what is left out lies in the middle of a log, never at its beginning or its end.
"""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from whenever import Instant

from agents.logs.envelopes import Level, bare, opened, shortened
from agents.logs.joining import end_of
from agents.scene import Log, Scene
from tools.entity import Entity

MOST_OF_LOG = 4_000
"""Lines that speak of trouble, of one log: half from its beginning, which is the baseline, half from its end."""
MOST_ENTRIES = 40_000
"""The same for all logs together, each having an equal share of it."""
LEAST_OF_LOG = 200
MOST_READ = 400_000
"""Lines of all logs that are looked through, the newest of each first: about two seconds of work."""
LONGEST_WORDS = 4_096
"""Characters of what one joined entry says."""
_WORDS = (
    "err", "fatal", "panic", "exception", "fail", "critical", "warn", "refused", "timed out", "timeout",
    "unavailable", "traceback", "segmentation", "dumped", "terminate called", "outofmemory", "out of memory",
    "unhandled", "uncaught", "unreachable", "no such", "reset by peer", "deadline", "cannot", "can't", "could not",
    "unable to", "connection closed", "502", "503", "504", "500", "429", "bad gateway", "broken pipe", "no route",
    "not known", "eai_again", "resol", "401", "403", "unauthor", "denied", "forbidden", "credential", "invalid",
    "expired", "too many", "slots", "pool", "max_connections", "connections", "no space", "space", "storage", "full",
    "stepp", "primary", "lag", "delay", "unknown", "missing", "not set", "required", "not found", "does not exist",
    "not permitted", "read-only", "read only", "in use", "limit", "throttl", "license", "licence", "killed",
    "deadlock", "x509", "certificate", "tls", "ssl", "dirty", "migration", "alert", "emerg", "severe", "abort",
    "not enabled", "disabled", "clientread", "wal", "eacces", "enoent", "erofs", "emfile", "eaddr", "unset",
    "undefined", "not defined", "is not ", "not provided", "must be", "panicked", "thrown", "not authorized",
)  # fmt: skip
"""Each line that any rule is after has one of these: a search for plain words, before the dearer patterns."""
_STRETCH = 20_000
"""Lines that are searched at once."""
_HEALTHY = re.compile(
    r"(?i)\b(?:no|zero|0|without(?: any)?) (?:\w+ )?(?:errors?|failures?|failed|exceptions?|warnings?|panics?"
    r"|timeouts?)\b"
    r"|\b\w*(?:err(?:or)?s?|fail(?:ed|ures?)?|exceptions?|warnings?|panics?|timeouts?)(?:[_ ](?:count|total|rate))?"
    r"\"?\s*[=:]\s*\"?(?:(?:0(?:\.0+)?%?|nil|<nil>|null|false|\[\]|\{\})(?=[\s,;})\]\"|]|$)"
    r"|(?:no|none)(?=[,;})\]\"|]|\s+[\w.]+=|\s*$))"
)
"""Words of trouble in a line that says there is none: `0 errors`, `error=nil`, `failed: 0`."""
_SPEAKS = re.compile(
    r"(?i)\b(?:error|err|fatal|panic|exception|fail\w*|critical|refused|timed? ?out|unavailable|denied|cannot|unable)\b"
    r"|[a-z](?:Error|Exception)\b"
)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One thing that a log says, the lines of a trace taken together."""

    log: Log
    place: int
    """The index of its first line."""
    end: int
    """The index behind its last one."""
    text: str
    """The words, without what wraps them; at most `LONGEST_WORDS`."""
    at: Instant | None
    level: Level | None
    claim: str = ""
    """The words without those that deny trouble."""

    @property
    def is_quiet(self) -> bool:
        """Whether its writer thought it worth no more than a note."""
        return self.level is not None and self.level <= Level.INFO

    @property
    def is_trouble(self) -> bool:
        """Whether it says that something is wrong, by its level or, where it has none, by its words."""
        if self.level is not None:
            return self.level >= Level.ERROR or (self.level is Level.WARN and bool(_SPEAKS.search(self.claim)))
        return bool(_SPEAKS.search(self.claim))


def lines(scene: Scene) -> Sequence[Line]:
    """Every entry that may speak of trouble, in the order of the logs."""
    return scene.once(_lines)


def _lines(scene: Scene) -> Sequence[Line]:
    found: dict[tuple[Entity, str, str, int], Line] = {}
    share = max(LEAST_OF_LOG, min(MOST_OF_LOG, MOST_ENTRIES // max(1, len(scene.logs))))
    for log, start in _starts(scene):
        repeats: Counter[str] = Counter()
        for each in _of_log(log, start, share, scene.now):
            # The same line read through the container and through a store is one line.
            words = each.text.strip()
            repeats[words] += 1
            found.setdefault((log.entity, log.container, words, repeats[words]), each)
    return tuple(found.values())


def _starts(scene: Scene) -> Iterator[tuple[Log, int]]:
    """Each log with the index from which it is read."""
    room = MOST_READ
    for log in scene.logs:
        start = max(0, len(log.lines) - room)
        room -= len(log.lines) - start
        yield log, start


def read(scene: Scene) -> Iterator[tuple[Log, int, str]]:
    """Every line that is looked through, with its log and its index, as it stands there."""
    for log, start in _starts(scene):
        yield from ((log, place, log.lines[place]) for place in range(start, len(log.lines)))


def _of_log(log: Log, start: int, most: int, now: Instant) -> Iterable[Line]:
    """The entries of one log; where there are too many, those of its beginning and of its end."""
    places = _that_may_matter(log.lines, start)
    if len(places) > most:
        places = [*places[: most // 2], *places[-(most // 2) :]]
    end, last = start, None
    for place in places:
        if place < end:
            continue
        end = end_of(log.lines, place)
        entry = _entry(log, place, end, now)
        # A line without a time was written no earlier than the one before it.
        last = entry.at or last
        yield entry if entry.at or not last else replace(entry, at=last)


def _that_may_matter(lines: Sequence[str], start: int) -> list[int]:
    """The indexes of the lines with one of the words; a stretch is searched for one word after the other, in C."""
    found: list[int] = []
    for begin in range(start, len(lines), _STRETCH):
        stretch = [shortened(each).lower() for each in lines[begin : begin + _STRETCH]]
        starts = [0, *accumulate(len(each) + 1 for each in stretch)]
        text = "\n".join(stretch)
        hits: set[int] = set()
        for word in _WORDS:
            at = text.find(word)
            while at >= 0:
                line = bisect_right(starts, at) - 1
                hits.add(line)
                at = text.find(word, starts[line + 1])
        found += [begin + each for each in sorted(hits)]
    return found


def _entry(log: Log, place: int, end: int, now: Instant) -> Line:
    head = opened(log.lines[place], now=now)
    text = "\n".join((head.text, *(bare(shortened(each)) for each in log.lines[place + 1 : end])))[:LONGEST_WORDS]
    return Line(log, place, end, text, head.at, head.level, _HEALTHY.sub(" ", text))


def is_old(scene: Scene, line: Line) -> bool:
    """Whether it was written before the incident; a line without a time is not called old."""
    return line.at is not None and line.at < scene.window.start


def about(scene: Scene, log: Log) -> Entity:
    """Whose log it is: the workload of a known pod, else the thing of the case or of the metrics with that name."""
    pod = scene.cluster.at(log.entity)
    if pod:
        return scene.cluster.workload(pod)
    for each in (*scene.case.scope.entities, *scene.series):
        if each.name == log.pod and each.namespace in ("", log.namespace):
            return each
        if each.kind in ("database", "mongodb", "postgres") and log.pod.startswith(f"{each.name}-"):
            # A member of it, named as members mostly are.
            return Entity.of(each.kind, each.namespace, log.pod)
    return log.entity


def by_entity(scene: Scene, found: Iterable[Line]) -> dict[Entity, list[Line]]:
    """Lines by what their log is about."""
    groups: dict[Entity, list[Line]] = {}
    known: dict[int, Entity] = {}
    for line in found:
        if id(line.log) not in known:
            known[id(line.log)] = about(scene, line.log)
        groups.setdefault(known[id(line.log)], []).append(line)
    return groups


def quoted(line: Line, limit: int = 200) -> str:
    """The words in one line of text, cut visibly."""
    words = " ".join(line.text.split())
    return words if len(words) <= limit else f"{words[: limit - 1]}…"
