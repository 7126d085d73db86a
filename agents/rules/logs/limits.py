"""Limits that were hit, by the word of whoever hit them: connections, space, files, ports, threads, rates."""

import re
from collections.abc import Callable, Iterator, Sequence

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.logs.lines import Line, by_entity, lines
from agents.logs.news import news
from agents.logs.telling import Sign, finding, said
from agents.rules.hosts import fds_exhausted, pids_exhausted, ports_exhausted
from agents.scene import Scene
from tools.entity import Entity

NEARLY_ALL = 0.9
"""Share of a limit that is as good as reached: a pool above it cannot take a burst."""
_TOO_MANY = Sign(
    words=re.compile(
        r"(?i)too many (?:connections|clients)|remaining connection slots|max number of clients reached"
        r"|(?:connection )?pool\b.{0,40}?\b(?:exhausted|is full|timed? ?out|limit reached|has reached)"
        r"|QueuePool limit|Connection is not available, request timed out|PoolTimeout|PoolExhausted"
        r"|timeout waiting for (?:an )?(?:idle object|(?:free )?connection)|timed out (?:acquiring"
        r"|waiting for) (?:a )?connection"
        r"|unable to (?:acquire|obtain) (?:a |jdbc )?connection|connection limit (?:exceeded|reached)"
        r"|approaching (?:the )?(?:max_connections|maximum|connection limit)|new connections may be refused"
        r"|max_connections"
    ),
    unless=re.compile(r"(?i)too many connections? (?:errors|attempts)|max_connections ?(?:=|to|set)"),
    least=1,
)
_FILLED = re.compile(
    r"(?i)(?:connections?\D{0,20}|\bhas )(?P<used>\d{1,7})(?: connections)?\D{0,40}?"
    r"(?: of |/|maximum of |limit of |max(?:imum)?:? )(?P<most>\d{1,7})"
)
_NO_SPACE = Sign(
    words=re.compile(
        r"(?i)no space left on device|\bENOSPC\b|disk quota exceeded|out of (?:disk|storage) space"
        r"|ran out of (?:storage|disk)|(?:disk|volume|file ?system) (?:is )?full|storage.full"
        r"|not enough (?:disk )?space"
        r"|storage is critically low|insufficient storage space"
    ),
    least=1,
)
_READ_ONLY = Sign(words=re.compile(r"(?i)read-?only file ?system|\bEROFS\b"))
_FILES = Sign(words=re.compile(r"(?i)too many open files|\bE[MN]FILE\b"))
_PORTS = Sign(
    words=re.compile(r"(?i)\bEADDRNOTAVAIL\b|cannot assign requested address"),
    unless=re.compile(r"(?i)\bbind\b|\blisten"),
)
_THREADS = Sign(
    words=re.compile(
        r"(?i)unable to create (?:new )?native thread|fork:.{0,20}resource temporarily unavailable"
        r"|pthread_create failed"
        r"|can't start new thread|cannot fork|failed to create new OS thread"
    ),
    least=1,
)
_AGAIN = Sign(words=re.compile(r"(?i)resource temporarily unavailable|\bEAGAIN\b"), unless=_THREADS.words)
_RATE = Sign(
    words=re.compile(
        r"(?i)too many requests|rate.?limit(?:ed|ing)?\b.{0,30}(?:exceeded|reached|hit)|rate exceeded"
        r"|ThrottlingException"
        r"|\brate.?limited\b|(?:request|client)s? (?:was|were|is|are|being) throttled|RESOURCE_EXHAUSTED"
        r"|(?:status|code|error)\D{0,6}429\b"
    ),
    unless=re.compile(r"(?i)exceeded quota|client-side throttling"),
)


@rule(
    id="connections-exhausted",
    area="logs",
    role=Role.CAUSE,
    title="No connection left",
    meaning="A server or a pool says that its limit is reached: a leak, idle sessions, or a storm of clients.",
    remediation="See who holds connections and how many are idle; end leaks before raising the limit.",
    needs=("logs",),
)
def connections_exhausted(scene: Scene) -> Iterator[Finding]:
    what = _counted("says that its connections are used up")
    yield from said(scene, connections_exhausted, _TOO_MANY, what, Severity.CRITICAL)
    for entity, hits in by_entity(scene, (each for each in lines(scene) if _share(each) >= NEARLY_ALL)).items():
        if fresh := news(scene, entity, hits):
            found = _FILLED.search(fresh[-1].claim)
            used = f"{found['used']} of {found['most']}" if found else "nearly all"
            summary = f"{entity} says that {used} connections are in use"
            yield finding(scene, connections_exhausted, entity, fresh, summary, severity=Severity.WARNING)


def _share(line: Line) -> float:
    found = _FILLED.search(line.claim) if "onnection" in line.text else None
    return int(found["used"]) / int(found["most"]) if found and int(found["most"]) else 0.0


def _counted(does: str) -> Callable[[Entity, Sequence[Line]], str]:
    return lambda entity, hits: f"{entity} {does} ({len(hits)})"


@rule(
    id="no-space-left",
    area="logs",
    role=Role.CAUSE,
    title="No space left",
    meaning="A process could not write: its disk or volume is full.",
    remediation="Extend or clean the volume, then find what grows.",
    needs=("logs",),
)
def no_space_left(scene: Scene) -> Iterator[Finding]:
    yield from said(scene, no_space_left, _NO_SPACE, _counted("says that there is no space left"), Severity.CRITICAL)


@rule(
    id="volume-read-only",
    area="logs",
    role=Role.CAUSE,
    title="A file system is read-only",
    meaning="Writes fail with EROFS: mounted so, a read-only root, or a disk with errors that the kernel took away.",
    remediation="See whether the mount or readOnlyRootFilesystem says so; if not, read the kernel's log of that node.",
    needs=("logs",),
)
def volume_read_only(scene: Scene) -> Iterator[Finding]:
    what = _counted("cannot write: its file system is read-only")
    yield from said(scene, volume_read_only, _READ_ONLY, what, Severity.CRITICAL)


@rule(
    id="resource-refused",
    area="logs",
    role=Role.CAUSE,
    title="The system refuses a resource",
    meaning="The kernel says that something is used up: files, local ports, threads. Where the line tells which, it is "
    "told as that cause.",
    remediation="Find what is not given back; raise the limit only then.",
    needs=("logs",),
)
def resource_refused(scene: Scene) -> Iterator[Finding]:
    for of, sign, does in (
        (fds_exhausted, _FILES, "has too many files open"),
        (ports_exhausted, _PORTS, "has no local port left"),
        (pids_exhausted, _THREADS, "cannot start a thread"),
        (resource_refused, _AGAIN, "is refused a resource by its system"),
    ):
        yield from said(scene, of, sign, _counted(does), Severity.CRITICAL)


@rule(
    id="rate-limited",
    area="logs",
    role=Role.CAUSE,
    title="Requests are refused for their rate",
    meaning="Whoever is asked says that it is too often: a campaign, a loop of retries, a plan that is too small.",
    remediation="Find which caller asks so often; back off, cache, or have the limit raised.",
    needs=("logs",),
)
def rate_limited(scene: Scene) -> Iterator[Finding]:
    yield from said(scene, rate_limited, _RATE, _counted("is told that it asks too often"), Severity.WARNING)
