"""Requests that fail behind a proxy, by its access log: which upstream, how many of how many."""

from collections.abc import Iterator

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.logs.access import by_upstream
from agents.logs.telling import cited
from agents.scene import Scene

MIN_REQUESTS = 20
"""Requests below which a ratio says little."""
RATIO = 0.05
FACTOR = 3.0
"""How many times the usual ratio is news, as for the ratios that metrics tell."""


@rule(
    id="upstream-errors",
    area="logs",
    role=Role.SYMPTOM,
    title="Requests through a proxy fail",
    meaning="The access log has server errors for one upstream: above 5 % and three times the ratio before the onset.",
    remediation="Look at that upstream: its endpoints, its pods, then its own callees.",
    needs=("logs",),
)
def upstream_errors(scene: Scene) -> Iterator[Finding]:
    for entity, found in by_upstream(scene).items():
        is_news = found.ratio >= RATIO and found.ratio >= FACTOR * found.usual
        if found.requests >= MIN_REQUESTS and is_news and found.failed:
            before = f", {found.usual:.0%} before" if found.requests_before else ""
            summary = (
                f"{len(found.failed)} of {found.requests} requests to {entity} failed ({found.ratio:.0%}{before}),"
                f" most with {found.status}{found.flags}"
            )
            times = [each.at for each in found.failed if each.at]
            evidence = [one for line in (found.failed[0], found.failed[-1]) for one in cited(scene, line)]
            yield upstream_errors.finding(
                entity,
                summary,
                evidence,
                severity=Severity.WARNING,
                first_seen=min(times, default=None),
                last_seen=max(times, default=None),
            )
