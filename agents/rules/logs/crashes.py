"""Processes that crash, by their own last words: exceptions, panics, native faults, memory used up."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.logs.envelopes import Level
from agents.logs.lines import Line, by_entity, lines, quoted
from agents.logs.news import Stand, is_last_word, news, stand
from agents.logs.telling import Sign, finding, said
from agents.logs.templates import masked
from agents.logs.traces import Crash, crash_of
from agents.rules.kubernetes.exits import oom_killed
from agents.scene import Scene
from tools.entity import Entity

_HEAP = Sign(
    words=re.compile(
        r"(?i)java\.lang\.OutOfMemoryError|JavaScript heap out of memory|Reached heap limit|\bMemoryError\b"
        r"|std::bad_alloc"
        r"|Cannot allocate memory|System\.OutOfMemoryException|runtime: (?:out of memory|cannot allocate memory)"
        r"|Allowed memory size of \d+ bytes exhausted|memory allocation of \d+ bytes failed|NoMemoryError"
        r"|failed to allocate memory|OOM command not allowed"
    ),
    unless=re.compile(r"(?i)native thread"),
    least=1,
)
_KILLED = Sign(
    words=re.compile(
        r"(?i)memory cgroup out of memory|out of memory: kill(?:ed)? process|oom-kill:constraint"
        # What a shell says of a child that got SIGKILL; nearly always it was the kernel, for memory.
        r"|line \d+:\s{1,20}\d+ killed\b|^killed$"
    ),
    least=1,
    notes_count=True,
)


@rule(
    id="crash-signature",
    area="logs",
    role=Role.CAUSE,
    title="New crash in the log",
    meaning="A panic, traceback or fatal error that the log did not show before the onset.",
    remediation="Read the first frame of our own code; compare with what was changed just before.",
    needs=("logs",),
)
def crash_signature(scene: Scene) -> Iterator[Finding]:
    crashes = ((each, crash) for each in lines(scene) if not each.is_quiet and (crash := _crash(scene, each)))
    known = {id(line): (line, crash) for line, crash in crashes}
    for entity, several in by_entity(scene, (line for line, _ in known.values())).items():
        kinds: defaultdict[str, list[Line]] = defaultdict(list)
        for line in several:
            kinds[_signature(known[id(line)][1])].append(line)
        fresh = [hits for kind in kinds.values() if (hits := news(scene, entity, kind))]
        if fresh:
            hits = max(fresh, key=lambda each: _weight(scene, each, known[id(each[0])][1]))
            crash = known[id(hits[0])][1]
            ended = any(stand(scene, each.log) in (Stand.ENDED, Stand.UNWELL) for each in hits)
            others = f"; and {len(fresh) - 1} other kinds" if len(fresh) > 1 else ""
            summary = f"{entity} logs a crash that was not there before ({len(hits)}): {crash.told}{others}"
            yield finding(scene, crash_signature, entity, hits, summary, severity=Severity.WARNING, direct=ended)


def _crash(scene: Scene, line: Line) -> Crash | None:
    found = crash_of(line.claim)
    if found is None and line.level is Level.FATAL and is_last_word(scene, line):
        return Crash(language="unknown", kind="fatal", message=quoted(line))
    return found


def _signature(crash: Crash) -> str:
    """What makes two crashes the same, whatever the values in them."""
    return f"{crash.language} {crash.kind} {crash.frame} {masked(crash.message)}"


def _weight(scene: Scene, hits: Sequence[Line], crash: Crash) -> tuple[bool, bool, int]:
    return any(is_last_word(scene, each) for each in hits), bool(crash.frame), len(hits)


@rule(
    id="heap-exhausted",
    area="logs",
    role=Role.CAUSE,
    title="The process used up its own memory",
    meaning="The runtime could not allocate: its heap limit is too low for the load, or it leaks. No kernel killed it.",
    remediation="Compare the heap's limit with the container's; take a heap dump before raising either.",
    needs=("logs",),
)
def heap_exhausted(scene: Scene) -> Iterator[Finding]:
    def what(entity: Entity, hits: Sequence[Line]) -> str:
        return f"{entity} ran out of memory by its own account ({len(hits)})"

    yield from said(scene, heap_exhausted, _HEAP, what, Severity.CRITICAL)
    # The kernel's word in a log is the same cause as its word in the container's status.
    yield from said(scene, oom_killed, _KILLED, lambda entity, _: f"{entity}: a process was killed for memory", _WARNS)


_WARNS = Severity.WARNING
