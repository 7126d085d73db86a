"""Leaves a model in peace that failed several times in a row. Pure: takes `now`.

Our own forty lines, since the kept library imports a Redis client (0.7 s of a cold start), measures rest by the wall
clock, and lets every caller through at once when the rest is over.
"""

from dataclasses import dataclass, replace

THRESHOLD = 5
"""Failures in a row after which a circuit opens."""
REST_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """Of one model name. Closed: all may ask. Open: nobody; after the rest, one may try."""

    failures: int = 0
    opened_at_s: float | None = None

    def asked(self, *, now_s: float) -> "Circuit | None":
        """The circuit while somebody asks, or `None` when nobody may."""
        if self.opened_at_s is None:
            return self
        # The rest begins anew, so that the next caller waits for what this one finds out.
        return replace(self, opened_at_s=now_s) if now_s >= self.opened_at_s + REST_S else None

    def failed(self, *, now_s: float) -> "Circuit":
        """After the service failed; what is wrong with our own request is no failure of it."""
        failures = self.failures + 1
        return Circuit(failures=failures, opened_at_s=now_s if failures >= THRESHOLD else None)
