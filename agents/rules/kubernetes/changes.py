"""What changed shortly before the trouble began. A candidate, never more than inferred."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from whenever import Instant, TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, Resource, items, mapping, moment, text
from agents.rules.kubernetes.readings import is_leaving, is_ready, short, target
from agents.scene import Scene
from tools.entity import Entity

BEFORE = TimeDelta(minutes=60)
"""How long before the onset a change counts (checks.md: 60 minutes)."""
MOST = 6
"""Differences that a summary names."""
_SECRET = re.compile(r"\.env\..*(?:pass|secret|token|key|cred|auth|dsn|private)", re.IGNORECASE)
"""Settings whose values are not repeated, whatever they look like."""
# Never the values of settings: redaction knows shapes of secrets, and a plain word has none.
_SHOWN = tuple(
    f"spec.template.spec.containers[*].{field}"
    for field in ("image", "command", "args", "ports", "resources", "livenessProbe", "readinessProbe", "startupProbe")
)


@rule(
    id="recent-change",
    area="workloads",
    role=Role.CAUSE,
    title="It was changed shortly before",
    meaning="A new version, or a recorded change, within the hour before the onset, on something that is in trouble.",
    remediation="Read the difference; roll back if the trouble began with it.",
    needs=(),
)
def recent_change(scene: Scene) -> Iterator[Finding]:
    yield from _rollouts(scene)
    for record, look in scene.records("changes"):
        at, entity = moment(record, "at"), _entity(text(record, "entity"))
        if at is None or entity is None or not _is_near(scene, at):
            continue
        who = f" by {text(record, 'who')}" if text(record, "who") else ""
        line = f"{at} {text(record, 'kind')} {entity}{who}: {text(record, 'summary')}\n{text(record, 'diff')}"
        yield recent_change.finding(
            entity,
            f"{entity} was changed at {at}{who}: {short(text(record, 'summary'))}",
            [look.narrowed(f"{look.query} of {entity}", line)],
            direct=False,
            first_seen=at,
            last_seen=at,
            remedy=f"Undo it if the trouble began with it: {short(text(record, 'summary'), 80)}",
        )


def _entity(written: str) -> Entity | None:
    try:
        return Entity.parse(written)
    except ValueError:
        return None


def _is_near(scene: Scene, at: Instant) -> bool:
    return scene.window.start - BEFORE <= at <= scene.now


def _rollouts(scene: Scene) -> Iterator[Finding]:
    for deployment in scene.cluster.all("Deployment"):
        sets = scene.cluster.replica_sets(deployment.entity)
        if len(sets) < 2:
            continue
        newest, before = sets[0], sets[1]
        at = newest.created_at
        if at is None or not _is_near(scene, at) or not _is_in_trouble(scene, deployment, newest):
            continue
        changed = differences(before, newest)
        if not changed:
            continue
        shown = "; ".join(changed[:MOST]) + (f"; {len(changed) - MOST} more" if len(changed) > MOST else "")
        yield recent_change.finding(
            deployment.entity,
            f"{deployment.entity} got a new version at {at} ({newest.name}): {shown}",
            [scene.cite(newest, "metadata.creationTimestamp", *_SHOWN), scene.cite(before, *_SHOWN)],
            severity=Severity.WARNING,
            direct=False,
            first_seen=at,
            last_seen=at,
            remedy=f"kubectl rollout undo {target(deployment.entity)}",
        )


def _is_in_trouble(scene: Scene, deployment: Resource, newest: Resource) -> bool:
    """Whether a change of it matters: the case is about it, or its newest pods are not well."""
    about = {(each.namespace, each.name) for each in scene.case.scope.entities}
    pods = [pod for pod in scene.cluster.pods_of(newest.entity) if not is_leaving(pod)]
    if any((each.namespace, each.name) in about for each in (deployment, *pods)):
        return True
    return not pods or any(not is_ready(pod) or _restarted(pod) for pod in pods)


def _restarted(pod: Resource) -> bool:
    return any(each.get("restartCount") for each in items(pod.raw, "status", "containerStatuses"))


def differences(before: Resource, after: Resource) -> list[str]:
    """What differs between the pod templates of two sets, field by field."""
    old, new = (_flat(mapping(each.raw, "spec", "template", "spec")) for each in (before, after))
    found = [
        f"{place} changed" if _SECRET.search(place) else f"{place} {_brief(old.get(place))} -> {_brief(new.get(place))}"
        for place in sorted({*old, *new})
        if old.get(place) != new.get(place)
    ]
    # An image says most: it comes first.
    return sorted(found, key=lambda each: not each.partition(" ")[0].endswith(".image"))


def _flat(spec: Fields) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for field, value in spec.items():
        if field not in ("containers", "initContainers"):
            found[field] = value
    for container in (*items(spec, "initContainers"), *items(spec, "containers")):
        name = text(container, "name") or "?"
        for field, value in container.items():
            if field == "env":
                found |= {f"{name}.env.{text(each, 'name')}": _setting(each) for each in items(container, "env")}
            elif field != "name":
                found[f"{name}.{field}"] = value
    return found


def _setting(variable: Fields) -> Any:
    return variable["value"] if "value" in variable else variable.get("valueFrom")


def _brief(value: Any) -> str:
    if value is None:
        return "absent"
    return short(value if isinstance(value, str) else json.dumps(value, default=str, sort_keys=True), 90)
