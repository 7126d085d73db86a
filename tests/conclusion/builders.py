"""Findings, cases and reports for tests of the conclusion. Everything happens around `NOW`."""

from collections.abc import Sequence

from whenever import Instant, TimeDelta

from agents.alert import Alert, AlertStatus, fingerprint
from agents.case import Case, Scope, SessionId
from agents.explaining import Topology
from agents.finding import CauseId, Finding, Role, Severity
from agents.nearness import Near
from agents.report import Edge, Report
from agents.routing import Routing
from tools.entity import Entity
from tools.evidence import Evidence, Outcome
from tools.window import Window

NOW = Instant.parse_iso("2026-01-01T12:00:00Z")
NOBODY = Routing(specialists=(), abstained=True)


def ago(minutes: float) -> Instant:
    """So many minutes before `NOW`."""
    return NOW - TimeDelta(minutes=minutes)


def found(query: str, tool: str = "kubernetes.objects") -> Evidence:
    """A look that saw something."""
    return Evidence.found(tool, query, f"seen by {query}")


def gap(tool: str = "kubernetes.objects", outcome: Outcome = Outcome.NO_SOURCE) -> Evidence:
    """A look that gave no answer."""
    return Evidence.gap(tool, f"{tool} {{}}", outcome, f"nobody answers for {tool}")


def finding(
    cause: str,
    entity: str,
    role: Role = Role.CAUSE,
    *,
    severity: Severity = Severity.CRITICAL,
    direct: bool = True,
    minutes: float | None = 30,
    last: float | None = None,
) -> Finding:
    """A finding that began so many minutes ago."""
    return Finding(
        cause=CauseId(cause),
        entity=Entity.parse(entity),
        role=role,
        severity=severity,
        summary=f"{cause} at {entity}.",
        evidence=(found(f"{cause} {entity}"),),
        direct=direct,
        first_seen=None if minutes is None else ago(minutes),
        last_seen=None if last is None else ago(last),
    )


def symptom(cause: str, entity: str, *, minutes: float | None = 30, severity: Severity = Severity.WARNING) -> Finding:
    """A symptom."""
    return finding(cause, entity, Role.SYMPTOM, minutes=minutes, severity=severity)


def context(cause: str, entity: str, *, last: float | None = None) -> Finding:
    """A fact or an advice."""
    return finding(cause, entity, Role.CONTEXT, severity=Severity.INFO, last=last)


def alert(name: str = "Trouble", *, minutes: float = 30, resolved: float | None = None, **labels: str) -> Alert:
    """An alert that began so many minutes ago."""
    carried = {"alertname": name, **labels}
    return Alert(
        source="alertmanager",
        status=AlertStatus.FIRING if resolved is None else AlertStatus.RESOLVED,
        labels=carried,
        annotations={},
        starts_at=ago(minutes),
        ends_at=None if resolved is None else ago(resolved),
        fingerprint=fingerprint(carried),
    )


def case(
    *entities: str, namespaces: Sequence[str] = (), alerts: Sequence[Alert] = (), question: str = "what is wrong?"
) -> Case:
    """A case about some entities, in a window of the last hour."""
    scope = Scope(
        entities=tuple(Entity.parse(each) for each in entities),
        namespaces=frozenset(namespaces),
        window=Window.ending(NOW, minutes=60),
    )
    return Case(session_id=SessionId("ses_test"), question=question, alerts=tuple(alerts), scope=scope, asked_at=NOW)


def edges(*pairs: tuple[str, str, str]) -> frozenset[Edge]:
    """(upstream, downstream, relation)."""
    return frozenset(Edge(Entity.parse(up), Entity.parse(down), relation) for up, down, relation in pairs)


def near(about: Case, links: frozenset[Edge] = frozenset()) -> Near:
    """How far things are from a case."""
    return Near.of(about, Topology(links))


def report(
    *findings: Finding, evidence: Sequence[Evidence] = (), links: frozenset[Edge] = frozenset(), failure: str = ""
) -> Report:
    """What one specialist brings."""
    cited = [each for one in findings for each in one.evidence]
    return Report(
        specialist="infrastructure", findings=findings, evidence=(*evidence, *cited), edges=links, failure=failure
    )
