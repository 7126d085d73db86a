"""The state of an entity and the answer to a question, as closed sets. Pure."""

from enum import StrEnum


class HealthState(StrEnum):
    """How an entity is. Decided by rules; unknown is never happy."""

    HAPPY = "happy"
    STRESSED = "stressed"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """The answer to the question, decided by rules."""

    FAILING = "failing"
    DEGRADED = "degraded"
    RECOVERED = "recovered"
    STALE = "stale"
    EXPECTED = "expected"
    HEALTHY = "healthy"
    UNKNOWN = "unknown"

    @property
    def state(self) -> HealthState:
        """The health state that this verdict speaks of."""
        return _STATES[self]


_STATES = {
    Verdict.FAILING: HealthState.CRITICAL,
    Verdict.DEGRADED: HealthState.STRESSED,
    Verdict.RECOVERED: HealthState.HAPPY,
    Verdict.STALE: HealthState.HAPPY,
    Verdict.EXPECTED: HealthState.HAPPY,
    Verdict.HEALTHY: HealthState.HAPPY,
    Verdict.UNKNOWN: HealthState.UNKNOWN,
}
