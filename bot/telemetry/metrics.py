"""Figures about Locum itself, for Prometheus. Labels are closed sets: no alert, name or person is ever one."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from agents.diagnosis import Diagnosis
from agents.progress import Event, LookEnded

REGISTRY = CollectorRegistry()

_SOON = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300)

ALERTS_RECEIVED = Counter("locum_alerts_received", "Alerts taken into the inbox", ["source"], registry=REGISTRY)
ALERTS_REJECTED = Counter(
    "locum_alerts_rejected", "Alerts and payloads that were refused", ["source", "reason"], registry=REGISTRY
)
ALERTS_REPEATED = Counter(
    "locum_alerts_repeated", "Firing alerts that were known already", ["source"], registry=REGISTRY
)
INCIDENTS_OPENED = Counter("locum_incidents_opened", "Incidents opened", ["kind"], registry=REGISTRY)
FIRST_MESSAGE_S = Histogram(
    "locum_first_message_seconds", "From the alert's arrival to its thread", buckets=_SOON, registry=REGISTRY
)
VERDICTS = Counter("locum_verdicts", "Sessions concluded", ["verdict", "mode"], registry=REGISTRY)
SESSION_S = Histogram("locum_session_seconds", "From the question to its conclusion", buckets=_SOON, registry=REGISTRY)
LOOKS = Counter("locum_tool_calls", "Looks at the world", ["tool", "outcome"], registry=REGISTRY)
LOOK_S = Histogram("locum_tool_seconds", "Time of a look", ["tool"], buckets=_SOON, registry=REGISTRY)
MODEL_CALLS = Counter("locum_model_calls", "Calls of the language model", registry=REGISTRY)
MODEL_TOKENS = Counter("locum_model_tokens", "Tokens of the language model", ["direction"], registry=REGISTRY)
MODEL_USD = Counter("locum_model_usd", "Cost of the language model in US dollars", registry=REGISTRY)
MODEL_CACHED = Counter(
    "locum_model_cached_answers", "Answers of the language model that had been given before", registry=REGISTRY
)
MODEL_CLAIMS = Counter(
    "locum_model_claims", "Claims of the language model, by whether code found a quote again", ["held"],
    registry=REGISTRY,
)  # fmt: skip
MODEL_REFUTATIONS = Counter(
    "locum_model_refutations", "Causes of the rules that the language model lowered", registry=REGISTRY
)
MODEL_TIE_BREAKS = Counter(
    "locum_model_tie_breaks", "Causes that the language model put first among equals", registry=REGISTRY
)
SESSION_TOKENS = Histogram(
    "locum_model_session_tokens",
    "Tokens of one session in which the language model was asked",
    buckets=(1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 200_000),
    registry=REGISTRY,
)
APPROVALS = Counter(
    "locum_approvals", "Requests for approval, each state that they reach", ["action", "state"], registry=REGISTRY
)
FAILURES = Counter("locum_activity_failures", "Attempts of work that failed", ["activity", "error"], registry=REGISTRY)


def text() -> bytes:
    """All figures in Prometheus' text format."""
    return generate_latest(REGISTRY)


def count_event(event: Event) -> None:
    """Counts a look that ended."""
    if isinstance(event, LookEnded):
        LOOKS.labels(tool=event.tool, outcome=str(event.outcome)).inc()
        LOOK_S.labels(tool=event.tool).observe(event.seconds)


def count_diagnosis(diagnosis: Diagnosis) -> None:
    """Counts a verdict, what it cost, and what the model's part of it was good for."""
    usage, quality = diagnosis.usage, diagnosis.usage.quality
    VERDICTS.labels(verdict=str(diagnosis.verdict), mode=str(diagnosis.mode)).inc()
    MODEL_CALLS.inc(usage.model_calls)
    MODEL_TOKENS.labels(direction="input").inc(usage.input_tokens)
    MODEL_TOKENS.labels(direction="output").inc(usage.output_tokens)
    MODEL_USD.inc(usage.usd)
    MODEL_CACHED.inc(quality.cached)
    MODEL_CLAIMS.labels(held="yes").inc(quality.held)
    MODEL_CLAIMS.labels(held="no").inc(quality.claims - quality.held)
    MODEL_REFUTATIONS.inc(quality.refutations)
    MODEL_TIE_BREAKS.inc(quality.tie_breaks)
    if usage.model_calls or quality.cached:
        SESSION_TOKENS.observe(usage.input_tokens + usage.output_tokens)
