"""Incidents and diagnoses for tests, ordinary and hostile."""

from dataclasses import replace
from typing import Any

from whenever import Instant

from agents.alert import Alert, AlertStatus, fingerprint
from agents.case import SessionId
from agents.diagnosis import Confidence, Diagnosis, Hypothesis, Mode, Remediation
from agents.finding import CauseId, Finding, Role, Severity
from agents.health import Verdict
from agents.report import Citation, Claim, Moment, Usage
from agents.routing import Route, Routing
from bot.incident import Incident, IncidentId, IncidentStatus, Place, Question
from tools.entity import Entity
from tools.evidence import Evidence, Outcome

NOW = Instant.from_utc(2026, 3, 1, 10, 0)
CART = Entity.of("deployment", "shop", "cart")
HOSTILE = (
    "<!channel> <@U0001ANA> <https://evil.example|your bank> @here @everyone ```rm -rf /``` `x` *bold* "
    "\u202eevil\u202c \u200bhidden & <script>alert(1)</script>\x1b[31m"
)
LONG = "x" * 100_000


def alert(name: str = "CartDown", *, status: AlertStatus = AlertStatus.FIRING, **fields: Any) -> Alert:
    labels = {"alertname": name, "severity": "critical", "namespace": "shop", "service": "cart"} | fields.pop(
        "labels", {}
    )
    return Alert(
        source="alertmanager",
        status=status,
        labels=labels,
        annotations=fields.pop("annotations", {"summary": "cart answers with 5xx"}),
        starts_at=NOW,
        ends_at=NOW if status is AlertStatus.RESOLVED else None,
        fingerprint=fingerprint(labels),
        url=fields.pop("url", "https://prometheus.example/graph?g0.expr=up&g0.tab=1"),
    )


def incident(*alerts: Alert, channel: str = "#alerts", **fields: Any) -> Incident:
    firing = sum(one.status is AlertStatus.FIRING for one in alerts)
    made = Incident(
        id=IncidentId("inc_1"),
        title="CartDown in shop",
        status=IncidentStatus.OPEN,
        opened_at=NOW,
        place=Place(channel=channel),
        alerts=alerts,
        alert_count=len(alerts),
        firing_count=firing,
    )
    return replace(made, **fields)


def asked(place: Place, *, by: str, text: str = "checkout is slow", key: str = "k1") -> Incident:
    question = Question(key=key, text=text, asked_by=by, place=place)
    return incident(channel=place.channel, title=text, question=question, place=place)


def found(text: str, *, query: str = 'sum(rate(http_requests_total{code=~"5.."}[5m]))') -> Evidence:
    return Evidence.found("prometheus.query", query, text)


def silent(why: str = "nobody answers at loki:3100; set loki.url") -> Evidence:
    return Evidence.gap("loki.query", '{app="cart"} |= `timeout`', Outcome.NO_SOURCE, why)


def finding(number: int = 0, *, summary: str = "cart has 0 of 3 ready pods") -> Finding:
    return Finding(
        cause=CauseId("probe-port-mismatch"),
        entity=Entity.of("deployment", "shop", f"cart-{number}" if number else "cart"),
        role=Role.CAUSE,
        severity=Severity.CRITICAL,
        summary=summary,
        evidence=(found(f"ready 0/3 number {number}"),),
        direct=True,
        first_seen=NOW,
    )


def long_diagnosis() -> Diagnosis:
    """Too long for one message."""
    seen = (finding(number, summary="y" * 290) for number in range(40))
    return diagnosis(findings=tuple(replace(one, evidence=(found("z", query=f"{one.id}{'q' * 600}"),)) for one in seen))


def diagnosis(session_id: str = "ses_1", *, findings: tuple[Finding, ...] | None = None, **fields: Any) -> Diagnosis:
    findings = (finding(),) if findings is None else findings
    shown = tuple(dict.fromkeys(piece for one in findings for piece in one.evidence))
    hypotheses = tuple(
        Hypothesis(
            cause=one.cause,
            entity=one.entity,
            title="The readiness probe asks a port that nothing listens on",
            confidence=Confidence.CONFIRMED,
            score=0.9,
            evidence=tuple(piece.id for piece in one.evidence),
            explains=(one.id,),
            remediations=(Remediation(summary="Set the probe's port to 8080 and roll out again."),),
        )
        for one in findings[:2]
    )
    made = Diagnosis(
        session_id=SessionId(session_id),
        question="why is cart down?",
        verdict=Verdict.FAILING,
        mode=Mode.RULES,
        routing=Routing(
            specialists=(Route(name="infrastructure", score=0.9, why="names a deployment"),), abstained=False
        ),
        hypotheses=hypotheses,
        findings=findings,
        evidence=(*shown, silent()),
        timeline=(Moment(at=NOW, entity=CART, what="rolled out revision 7", evidence=found("revision 7").id),),
        summary="Cart is failing since its last rollout. The probe asks port 80, the container listens on 8080.",
        notes=("there was no model",),
        usage=Usage(seconds=0.4, tool_calls=12),
    )
    return replace(made, **fields)


def hostile(text: str) -> Diagnosis:
    """Every outside text of a diagnosis is `text`."""
    piece = Evidence.found(text, text, text)
    quoted = Claim(text=text, citations=(Citation(evidence=piece.id, quote=text),))
    name = text.replace("/", "_") or "x"
    entity = Entity("pod", name, name)
    seen = replace(finding(), cause=CauseId(text), entity=entity, summary=text, evidence=(piece,))
    top = Hypothesis(
        cause=CauseId(text),
        entity=entity,
        title=text,
        confidence=Confidence.LIKELY,
        score=0.5,
        evidence=(piece.id,) * 7,
        contradicted_by=(piece.id,) * 7,
        doubts=(text,) * 3,
        explains=(seen.id,) * 5,
        remediations=(Remediation(summary=text), Remediation(summary=text + "2")),
    )
    return diagnosis(
        findings=(seen,) * 15,
        question=text,
        hypotheses=(top,) * 5,
        evidence=tuple(Evidence.found(f"{text}{number}", text, text) for number in range(25))
        + (silent(f"because {text}"),) * 10,
        timeline=(Moment(at=NOW, entity=entity, what=text, evidence=piece.id),) * 25,
        summary=text,
        claims=(quoted,) * 10,
        notes=(text,) * 7,
        mode=Mode.MODEL,
        routing=Routing(specialists=(Route(name=text, score=0.5, why=text),) * 7, abstained=True),
    )
