"""What logs say: new crashes, callees that fail, refused credentials, limits that were hit. Lines are data only."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whenever import Instant

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.objects import text
from agents.rules.standing import near_of
from agents.scene import Log, Scene
from tools.entity import Entity

MIN_LINES = 3
"""Lines of a kind that are more than one odd request."""
MOST_OF_ERRORS = 0.5
AUTH_FACTOR = 5.0
MIN_AUTH_LINES = 5
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)?\s*(Z|[+-]\d\d:?\d\d)?")
_VARIABLE = re.compile(r"0x[0-9a-f]+|[0-9a-f]{8,}|\d+|\"[^\"]*\"|'[^']*'", re.IGNORECASE)
_CRASH = re.compile(
    r"\bpanic:|Traceback \(most recent call last\)|Exception in thread|\bfatal error:|\bFATAL\b"
    r"|Unhandled ?(?:exception|rejection)|UnhandledPromiseRejection|segmentation fault|core dumped"
    r"|terminate called|OutOfMemoryError|uncaught exception",
    re.IGNORECASE,
)
_LOW_LEVEL = re.compile(r"(?i)\b(?:level=)?(?:debug|info|notice)\b")
_TROUBLE = re.compile(
    r"(?i)\b(?:error|err|fatal|panic|exception|fail\w*|critical|warn(?:ing)?|refused|timed? ?out|unavailable)\b"
)
_WORDS = (
    "err", "fatal", "panic", "exception", "fail", "critical", "warn", "refused", "timed out", "timeout",
    "unavailable", "traceback", "segmentation", "dumped", "terminate called", "outofmemory", "unhandled",
    "unreachable", "no such host", "reset by peer", "deadline", "cannot connect", "could not", "connection closed",
    "502", "503", "504", "bad gateway", "broken pipe", "no route", "not known", "eai_again", "resolution", "401",
    "403", "unauthor", "denied", "credential", "invalid token", "expired", "too many", "slots", "pool",
    "max_connections", "no space", "space", "storage", "full", "stepp", "primary", "lag", "delay", "unknownhost",
)  # fmt: skip
"""Each line that any rule below is after has one of these: a search for plain words, before the dearer patterns."""
_UNREACHED = re.compile(
    r"(?i)refused|timed? ?out|timeout|unreachable|no such host|ECONN\w+|ETIMEDOUT|reset by peer|unavailable"
    r"|deadline exceeded|could not connect|failed to connect|cannot connect|connection closed|broken pipe"
    r"|no route to host"
    r"|\b(?:502|503|504)\b|bad gateway|name or service not known|EAI_AGAIN|Temporary failure in name resolution"
)
_HOST = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://(?:[^\s/@]*@)?|lookup |host[=: ]\"?'?|connect(?:ing)? to |upstream |dial tcp "
    r"|address[=: ])"
    r"\"?'?(?P<named>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)|(?<![\w.:/-])(?P<ported>[a-z][a-z0-9.-]*[a-z0-9]):\d{2,5}\b"
)
_NOT_HOSTS = frozenset(
    {"localhost", "server", "host", "tcp", "udp", "the", "to", "a", "error", "database", "upstream", "on", "at"}
)
_REFUSED_WHO = re.compile(
    r"(?i)\b(?:401|403)\b|unauthori[sz]ed|authentication failed|password authentication|access denied"
    r"|invalid (?:credentials|token)|token (?:is |has )?expired|permission denied"
)
_TOO_MANY = re.compile(
    r"(?i)too many (?:connections|clients)|remaining connection slots"
    r"|connection pool (?:is )?(?:exhausted|full|timeout)"
    r"|max_connections|unable to (?:acquire|obtain) (?:a )?connection"
)
_NO_SPACE = re.compile(
    r"(?i)no space left on device|out of (?:disk|storage) space|ran out of (?:storage|disk)|disk (?:is )?full"
    r"|storage.full"
)
_FAILOVER = re.compile(
    r"(?i)failover (?:started|initiated|in progress|completed|to )|\bstepping down\b|stepped down"
    r"|promoted to primary|new primary"
)


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One line of a log, with its time where it tells."""

    log: Log
    place: int
    text: str
    at: Instant | None


def lines(scene: Scene) -> Sequence[Line]:
    """Every line that may speak of trouble, read once for all rules that look into logs."""
    return scene.once(_lines)


def _lines(scene: Scene) -> Sequence[Line]:
    found: dict[tuple[Entity, str, str, int], Line] = {}
    for log in scene.logs:
        repeats: Counter[str] = Counter()
        for place, line in enumerate(log.lines):
            lower = line.lower()
            if any(word in lower for word in _WORDS):
                repeats[line] += 1
                # The same line read through the container and through a store is one line.
                key = (log.entity, log.container, line.strip(), repeats[line])
                found.setdefault(key, Line(log, place, line, _time(line)))
    return tuple(found.values())


def _time(line: str) -> Instant | None:
    found = _TIME.search(line[:80])
    if not found:
        return None
    zone = found[3] or "Z"
    zone = zone if zone == "Z" or ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        return Instant.parse_iso(f"{found[1]}T{found[2]}{zone}")
    except ValueError:
        return None


def _is_old(scene: Scene, line: Line) -> bool:
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


def _by_entity(scene: Scene, found: Iterator[Line]) -> dict[Entity, list[Line]]:
    groups: dict[Entity, list[Line]] = {}
    for line in found:
        groups.setdefault(about(scene, line.log), []).append(line)
    return groups


def _finding(
    scene: Scene, of: Rule, entity: Entity, hits: Sequence[Line], summary: str, *, direct: bool, severity: Severity
) -> Finding:
    times = [each.at for each in hits if each.at]
    return of.finding(
        entity,
        summary,
        [scene.cite_log(each.log, each.place) for each in dict.fromkeys((hits[0], hits[-1]))],
        severity=severity,
        direct=direct,
        first_seen=min(times, default=None),
        last_seen=max(times, default=None),
    )


def _short(line: Line) -> str:
    words = " ".join(line.text.split())
    return words if len(words) <= 200 else f"{words[:199]}…"


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
    crashes = [each for each in lines(scene) if _CRASH.search(each.text) and not _LOW_LEVEL.search(each.text[:60])]
    before = {_template(each) for each in crashes if _is_old(scene, each)}
    new = (each for each in crashes if not _is_old(scene, each) and _template(each) not in before)
    for entity, hits in _by_entity(scene, new).items():
        ended = any(each.log.is_previous for each in hits)
        summary = f"{entity} logs a crash that was not there before ({len(hits)}): {_short(hits[0])}"
        yield _finding(scene, crash_signature, entity, hits, summary, direct=ended, severity=Severity.WARNING)


def _template(line: Line) -> str:
    return _VARIABLE.sub("#", _TIME.sub("", line.text)).strip()[:120]


@rule(
    id="dependency-failing",
    area="logs",
    role=Role.CAUSE,
    title="A callee does not answer",
    meaning="Most errors of a caller name the same callee. When the callee is well, the way to it is not.",
    remediation="Look at the callee's own health; if it is well, at policies, DNS and the address that is used.",
    needs=("logs",),
)
def dependency_failing(scene: Scene) -> Iterator[Finding]:
    speaks = (each for each in lines(scene) if _TROUBLE.search(each.text) or _UNREACHED.search(each.text))
    current = (each for each in speaks if not _is_old(scene, each))
    for caller, hits in _by_entity(scene, current).items():
        named = [(host, each) for each in hits if _UNREACHED.search(each.text) and (host := _host(each.text))]
        if not named:
            continue
        host, count = Counter(host for host, _ in named).most_common(1)[0]
        if count >= MIN_LINES and count >= MOST_OF_ERRORS * len(hits):
            callee = _resolved(scene, host, caller)
            summary = f"{caller} cannot reach {host} ({count} lines): {_short(named[-1][1])}"
            of_host = [each for name, each in named if name == host]
            # What the caller says of its callee is hearsay until the callee is seen.
            yield _finding(scene, dependency_failing, callee, of_host, summary, direct=False, severity=Severity.WARNING)


def _host(line: str) -> str:
    for found in _HOST.finditer(line):
        host = (found["named"] or found["ported"] or "").lower().rstrip(".")
        if host and host not in _NOT_HOSTS and not host.isdigit() and len(host) > 1:
            return host
    return ""


def _resolved(scene: Scene, host: str, caller: Entity) -> Entity:
    """The Service or pod that a host name or address means; the caller itself where that cannot be told or joined."""
    parts = host.split(".")
    for each in scene.cluster.all("Service", "Pod"):
        by_name = each.name == parts[0] and each.namespace == (parts[1] if len(parts) > 1 else caller.namespace)
        by_address = host in (text(each.raw, "spec", "clusterIP"), text(each.raw, "status", "podIP"))
        if (by_name and each.kind == "Service") or by_address:
            joined = scene.once(near_of).topology.joins(each.entity, caller)
            return each.entity if joined else caller
    return caller


@rule(
    id="auth-failing",
    area="logs",
    role=Role.CAUSE,
    title="Credentials are refused",
    meaning="Far more refusals than before: a rotated secret, an expired token, a wrong clock, or a scanner.",
    remediation="Compare the moment with the last rotation of that credential; see who still holds the old one.",
    needs=("logs",),
)
def auth_failing(scene: Scene) -> Iterator[Finding]:
    refused = (
        each for each in lines(scene) if _REFUSED_WHO.search(each.text) and not _LOW_LEVEL.search(each.text[:60])
    )
    for entity, hits in _by_entity(scene, refused).items():
        old = sum(_is_old(scene, each) for each in hits)
        new = [each for each in hits if not _is_old(scene, each)]
        if len(new) >= MIN_AUTH_LINES and len(new) >= AUTH_FACTOR * old:
            summary = f"{entity} has {len(new)} refusals of credentials, {old} before: {_short(new[-1])}"
            yield _finding(scene, auth_failing, entity, new, summary, direct=False, severity=Severity.WARNING)


def _said(scene: Scene, of: Rule, pattern: re.Pattern[str], what: str, severity: Severity) -> Iterator[Finding]:
    found = (each for each in lines(scene) if pattern.search(each.text) and not _is_old(scene, each))
    for entity, hits in _by_entity(scene, found).items():
        summary = f"{entity} {what} ({len(hits)}): {_short(hits[-1])}"
        yield _finding(scene, of, entity, hits, summary, direct=True, severity=severity)


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
    said = "says that its connections are used up"
    yield from _said(scene, connections_exhausted, _TOO_MANY, said, Severity.CRITICAL)


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
    yield from _said(scene, no_space_left, _NO_SPACE, "says that there is no space left", Severity.CRITICAL)


@rule(
    id="db-failover",
    area="logs",
    role=Role.CAUSE,
    title="A database failed over",
    meaning="Another member became primary; connections break for seconds to minutes, and then work goes on.",
    remediation="Find why the old primary was left; check that clients reconnected.",
    needs=("logs",),
)
def db_failover(scene: Scene) -> Iterator[Finding]:
    yield from _said(scene, db_failover, _FAILOVER, "failed over", Severity.WARNING)
