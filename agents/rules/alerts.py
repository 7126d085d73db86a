"""What alerts themselves say: those that fire on purpose, and those that mean that nobody is looking."""

from collections.abc import Iterator, Mapping

from agents.alert import AlertStatus
from agents.baseline import above, latest
from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import labels_at, text
from agents.scene import Scene
from agents.verdict import BY_DESIGN
from tools.entity import Entity
from tools.evidence import Evidence
from tools.kubernetes.fields import moment

UNSEEN_MINUTES = 5.0
_TARGET_DOWN = frozenset({"targetdown", "prometheustargetmissing", "scrapetargetdown", "instancedown"})


def _shown(scene: Scene) -> Iterator[tuple[Mapping[str, str], str, Evidence, object]]:
    for record, look in scene.records("alerts"):
        labels = labels_at(record, "labels")
        if labels.get("alertname") and text(record, "status") != AlertStatus.RESOLVED:
            yield labels, labels["alertname"], look, record


@rule(
    id="alert-by-design",
    area="alerts",
    role=Role.CONTEXT,
    title="Fires on purpose",
    meaning="A watchdog tests the pipeline by firing all the time; it is news only when it stops.",
    remediation="Nothing to do; route it to a dead man's switch instead of to people.",
    needs=("alerts",),
)
def alert_by_design(scene: Scene) -> Iterator[Finding]:
    for labels, name, look, _ in _shown(scene):
        if BY_DESIGN.match(name):
            entity = Entity.of("alert", "", name.replace("/", "-"))
            line = f"{name} fires on purpose: {' '.join(f'{key}={each}' for key, each in sorted(labels.items()))}"
            cited = [look.narrowed(f"{look.query} # {name}", line)]
            yield alert_by_design.finding(entity, f"{name} fires on purpose.", cited, severity=Severity.INFO)


@rule(
    id="scrape-target-down",
    area="alerts",
    role=Role.CAUSE,
    title="A target is not scraped",
    meaning="The exporter, its address or its certificate fails: the metric is unseen, which is not zero. "
    "A removed target looks the same for a while.",
    remediation="Read the target's last error; what its metrics would have shown is unknown until then.",
    needs=(),
)
def scrape_target_down(scene: Scene) -> Iterator[Finding]:
    for labels, name, look, record in _shown(scene):
        if name.lower() in _TARGET_DOWN:
            job = labels.get("job") or labels.get("instance") or "unknown"
            entity = Entity.of("service", labels.get("namespace"), labels.get("service") or job)
            line = f"{name} fires for job={job} instance={labels.get('instance', '?')}"
            cited = [look.narrowed(f"{look.query} # {name} {job}", line)]
            began = moment(record, "startsAt")
            yield scrape_target_down.finding(entity, f"{line}.", cited, direct=False, first_seen=began)
    for entity, series in scene.series.items():
        up = series.get("up")
        if up and latest(up) == 0 and above(up, scene.window, -0.5, minutes=UNSEEN_MINUTES):
            yield scrape_target_down.finding(entity, f"{entity} is not scraped: up is 0.", [scene.cite_series(up)])
