"""A realistic incident for the model: an out-of-memory pod, seen by rules, with evidence of several tools."""

from collections.abc import Mapping, Sequence
from typing import Any

from whenever import Instant

from agents.alert import Alert, AlertStatus, Fingerprint
from agents.case import Case, Scope, SessionId
from agents.diagnosis import Confidence, Diagnosis, Hypothesis, Mode
from agents.finding import CauseId, Finding, Role, Severity
from agents.health import Verdict
from agents.model.answers import Brief
from agents.model.client import Config
from agents.report import Usage
from agents.routing import Routing
from agents.specialist import Limits, shipped
from tests.anthropic_emulator.server import Emulator
from tools.catalogue import Tool, catalogue
from tools.entity import Entity
from tools.evidence import Evidence, Outcome
from tools.window import Window

NOW = Instant.from_utc(2026, 3, 1, 10, 0)
POD = Entity.of("pod", "shop", "cart-5d9f7c6b8-x2x1z")
OOM = CauseId("oom-killed")
LIMITS = Limits(model_calls=6, tool_calls=12, seconds=20)

OBJECTS = Evidence.found(
    "kubernetes.objects",
    "kubectl get pods -n shop",
    "cart-5d9f7c6b8-x2x1z 0/1 CrashLoopBackOff restarts=14 last=OOMKilled exit=137 limit=256Mi\n" * 3,
)
EVENTS = Evidence.found(
    "kubernetes.events", "kubectl get events -n shop", "Warning BackOff pod/cart back-off restarting failed container"
)
LOGS = Evidence.found(
    "kubernetes.logs", "kubectl logs cart-5d9f7c6b8-x2x1z --previous", "loading catalogue\nallocating 310 MiB\nKilled"
)
GAP = Evidence.gap("prometheus.query", "up", Outcome.NO_SOURCE, "no Prometheus here: set LOCUM_PROMETHEUS__URL")


def alert(**annotations: str) -> Alert:
    return Alert(
        source="alertmanager",
        status=AlertStatus.FIRING,
        labels={"alertname": "KubePodCrashLooping", "namespace": "shop", "pod": POD.name, "severity": "critical"},
        annotations={"summary": "Pod shop/cart is restarting", **annotations},
        starts_at=NOW,
        fingerprint=Fingerprint("abc"),
    )


def finding(evidence: Evidence = OBJECTS) -> Finding:
    return Finding(
        cause=OOM,
        entity=POD,
        role=Role.CAUSE,
        severity=Severity.CRITICAL,
        summary="cart was killed 14 times for exceeding 256Mi",
        evidence=(evidence,),
        direct=True,
    )


def hypothesis() -> Hypothesis:
    return Hypothesis(
        cause=OOM,
        entity=POD,
        title="The container exceeds its memory limit",
        confidence=Confidence.CONFIRMED,
        score=0.97,
        evidence=(OBJECTS.id,),
    )


def brief(evidence: Sequence[Evidence] = (OBJECTS, EVENTS, LOGS), alerts: Sequence[Alert] = (alert(),)) -> Brief:
    specialist = next(each for each in shipped() if each.name == "infrastructure")
    return Brief(
        case=Case(
            session_id=SessionId("ses_1"),
            question="Why is cart restarting?",
            alerts=tuple(alerts),
            scope=Scope(namespaces=frozenset({"shop"}), window=Window.ending(NOW, minutes=60)),
            asked_at=NOW,
        ),
        specialist=specialist.name,
        instructions=specialist.instructions,
        findings=(finding(),),
        evidence=tuple(evidence),
        causes=frozenset({OOM}),
    )


def diagnosis() -> Diagnosis:
    return Diagnosis(
        session_id=SessionId("ses_1"),
        question="Why is cart restarting?",
        verdict=Verdict.FAILING,
        mode=Mode.RULES,
        routing=Routing(specialists=(), abstained=False),
        hypotheses=(hypothesis(),),
        findings=(finding(),),
        evidence=(OBJECTS, EVENTS, LOGS),
        timeline=(),
        summary="cart is failing: its container exceeds its memory limit.",
        usage=Usage(),
    )


def tools(*names: str) -> list[Tool[Any]]:
    specialist = next(each for each in shipped() if each.name == "infrastructure")
    return [catalogue()[name] for name in names or specialist.tools]


class World:
    """Answers looks from a table; remembers what was asked."""

    def __init__(self, answers: Mapping[str, Evidence] | None = None) -> None:
        self.answers = answers or {"kubernetes.objects": OBJECTS, "kubernetes.events": EVENTS, "kubernetes.logs": LOGS}
        self.asked: list[tuple[str, Mapping[str, Any]]] = []

    async def look(self, name: str, args: Mapping[str, Any]) -> Evidence:
        self.asked.append((name, args))
        return self.answers[name]


def config(emulator: Emulator, **changes: Any) -> Config:
    plain: dict[str, Any] = {
        "api_key": emulator.key,
        "base_url": emulator.url,
        "names": ("claude-sonnet-4-5", "claude-haiku-4-5"),
        "timeout_s": 10,
        "max_usd": 1.0,
        "max_tokens": 200_000,
        "max_calls": 12,
        "max_seconds": 60,
    }
    return Config(**(plain | changes))
