"""Emoji with their words: never a colour alone. Pure; the one place where a state gets a picture."""

from agents.diagnosis import Confidence, Mode
from agents.finding import Severity
from agents.health import HealthState, Verdict
from tools.evidence import Outcome

VERDICTS = {
    Verdict.FAILING: "🔴 failing",
    Verdict.DEGRADED: "🟠 degraded",
    Verdict.RECOVERED: "🟢 recovered",
    Verdict.STALE: "🟢 stale alert",
    Verdict.EXPECTED: "🟢 expected",
    Verdict.HEALTHY: "🟢 healthy",
    Verdict.UNKNOWN: "⚪ unknown",
}
STATES = {
    HealthState.HAPPY: "🟢 happy",
    HealthState.STRESSED: "🟠 stressed",
    HealthState.CRITICAL: "🔴 critical",
    HealthState.UNKNOWN: "⚪ unknown",
}
SEVERITIES = {Severity.CRITICAL: "🔴 critical", Severity.WARNING: "🟠 warning", Severity.INFO: "🔵 info"}
CONFIDENCES = {
    Confidence.CONFIRMED: "✅ confirmed",
    Confidence.LIKELY: "🟡 likely",
    Confidence.INCONCLUSIVE: "⚪ inconclusive",
}
MODES = {
    Mode.RULES: "📐 rules: decided and worded by rules, without a model",
    Mode.MODEL: "🧠 model: decided by rules, worded by a model, every quote checked",
}
OUTCOMES = {
    Outcome.FOUND: "found",
    Outcome.EMPTY: "empty: nothing of the kind is there",
    Outcome.NO_SOURCE: "no source",
    Outcome.ERROR: "no answer",
}

_RANKS = {
    "🔴": ("critical", "fatal", "emergency", "page", "disaster", "error", "high", "major", "sev1", "sev2", "p1", "p2"),
    "🟠": ("warning", "warn", "average", "minor", "medium", "sev3", "p3"),
    "🔵": ("info", "information", "notice", "low", "none", "debug", "ok", "p4", "p5"),
}


def alert_severity(word: str) -> tuple[int, str]:
    """A rank (0 is worst) and the emoji for a source's own word."""
    for rank, (emoji, known) in enumerate(_RANKS.items()):
        if word.lower() in known:
            return rank, emoji
    return len(_RANKS), "⚪"


def worst(severities: list[Severity]) -> str:
    """The worst severity in words; a dash when nothing was found."""
    return next((SEVERITIES[one] for one in Severity if one in severities), "⚪ none found")


def count(number: int, noun: str, plural: str = "") -> str:
    """`1 alert`, `2 alerts`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
