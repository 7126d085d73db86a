"""Back to the version that worked, where the new one is what fails."""

from collections.abc import Iterator
from dataclasses import dataclass

from whenever import Instant, TimeDelta

from agents.finding import Finding
from agents.objects import NOTHING, Fields, Resource, items, mapping, text
from agents.remedy import remedy
from agents.rules.kubernetes.changes import BEFORE
from agents.rules.kubernetes.readings import is_leaving, is_ready
from agents.scene import Scene
from approvals.action import Action
from approvals.actions.objects import repository
from approvals.actions.rollback_workload import RollbackArgs, rollback_workload
from approvals.actions.set_image import ImageArgs, set_image
from tools.entity import Entity

SLACK = TimeDelta(minutes=2)
"""How much earlier than the new version its trouble may seem to have begun: clocks, surge pods."""
REVISION = "deployment.kubernetes.io/revision"
_DIGITS = 9

_IMAGE = frozenset({"image", "imagePullPolicy"})
_START = _IMAGE | {"command", "args", "env", "envFrom", "securityContext", "workingDir"}
_SETTINGS = frozenset({"env", "envFrom", "volumes", "volumeMounts", "projected"})
_PROBES = _IMAGE | {"livenessProbe", "readinessProbe", "startupProbe", "ports", "args", "env"}

_BEARS = {
    # Which fields of a pod template must differ, so that the older version can be expected to lack the cause.
    "image-not-found": _IMAGE,
    "invalid-image-name": _IMAGE,
    "image-never-pull": _IMAGE,
    "exec-format-error": _IMAGE,
    "segfault": _START,
    "command-not-found": _START,
    "main-process-ends": _START,
    "config-key-missing": _SETTINGS,
    "configmap-missing": _SETTINGS,
    "secret-missing": _SETTINGS,
    "service-account-missing": frozenset({"serviceAccountName", "serviceAccount"}),
    "priority-class-missing": frozenset({"priorityClassName"}),
    "node-selector-mismatch": frozenset({"nodeSelector", "affinity"}),
    "probe-path-wrong": _PROBES,
    "startup-too-short": _PROBES | {"command"},
    "oom-killed": frozenset({"resources"}),
    "heap-exhausted": frozenset({"resources"}) | _START,
    "setting-missing": _SETTINGS | _START,
    "config-invalid": _SETTINGS | _START,
    "file-missing": _SETTINGS | _START,
    "module-missing": _START,
    "file-permission-denied": _SETTINGS | _START,
    "address-in-use": _START | {"ports", "hostNetwork"},
}
RECENT_CHANGE = "recent-change"
_ANYTHING = frozenset({"app-exits", "init-failing", "post-start-hook-failed", RECENT_CHANGE})
"""Causes that any difference may have brought about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One version of a Deployment."""

    number: int
    set: Resource


@remedy(*_BEARS, *_ANYTHING)
def roll_back(finding: Finding, scene: Scene) -> Iterator[Action]:
    """The version before, when the trouble came with the newest one."""
    deployment = scene.cluster.at(finding.entity)
    if deployment is None or deployment.kind != "Deployment" or deployment.spec.get("paused") is True:
        return
    history = _history(scene, deployment)
    if len(history) < 2 or not _is_new(scene, history[0]):
        return
    newest, before = history[0], next((each for each in history[1:] if _ready(scene, each)), history[1])
    if not _ready(scene, before) and not _came_with(finding, newest):
        return
    is_it = _is_rollout(finding, newest) if finding.cause == RECENT_CHANGE else _fails(scene, newest)
    if not is_it or _others_fail(scene, history):
        return
    differs = changed_fields(_template(before), _template(newest))
    if differs and (finding.cause in _ANYTHING or differs & _BEARS[finding.cause]):
        yield rollback_workload.on(finding.entity, RollbackArgs(revision=before.number))


@remedy("image-not-found", "invalid-image-name")
def set_good_image(finding: Finding, scene: Scene) -> Iterator[Action]:
    """The image that the workload's ready pods run, where its history was not seen."""
    workload = scene.cluster.at(finding.entity)
    if workload is None or workload.kind not in ("Deployment", "StatefulSet", "DaemonSet"):
        return
    for container in items(workload.raw, "spec", "template", "spec", "containers"):
        name, wanted = text(container, "name"), text(container, "image")
        good = {_image(pod, name) for pod in scene.cluster.pods_of(workload.entity) if is_ready(pod)} - {"", wanted}
        lacking = any(
            _image(pod, name) == wanted and _waits(pod, name) for pod in scene.cluster.pods_of(workload.entity)
        )
        if lacking and len(good) == 1 and repository(image := next(iter(good))) == repository(wanted):
            yield set_image.on(workload.entity, ImageArgs(container=name, image=image))


def _history(scene: Scene, deployment: Resource) -> list[Revision]:
    """The versions that were seen, the newest first; empty when the present one is not among them."""
    sets = scene.cluster.replica_sets(deployment.entity)
    said = [(each.annotations.get(REVISION, ""), each) for each in sets]
    found = [Revision(number=int(number), set=each) for number, each in said if _is_number(number)]
    found.sort(key=lambda each: each.number, reverse=True)
    present = deployment.annotations.get(REVISION, "")
    return found if found and str(found[0].number) == present else []


def _is_number(written: str) -> bool:
    return written.isascii() and written.isdecimal() and len(written) <= _DIGITS and int(written) > 0


def _is_new(scene: Scene, newest: Revision) -> bool:
    at = newest.set.created_at
    return at is not None and scene.window.start - BEFORE <= at <= scene.now


def _came_with(finding: Finding, newest: Revision) -> bool:
    at: Instant | None = newest.set.created_at
    return at is not None and finding.first_seen is not None and finding.first_seen >= at - SLACK


def _is_rollout(finding: Finding, newest: Revision) -> bool:
    """Whether the change that was found is the one that made the newest version, and not another of that hour."""
    at = newest.set.created_at
    if at is None or finding.first_seen is None:
        return False
    return at - SLACK <= finding.first_seen <= at + SLACK


def _pods(scene: Scene, revision: Revision) -> list[Resource]:
    return [pod for pod in scene.cluster.pods_of(revision.set.entity) if not is_leaving(pod)]


def _ready(scene: Scene, revision: Revision) -> bool:
    return any(is_ready(pod) for pod in _pods(scene, revision))


def _fails(scene: Scene, revision: Revision) -> bool:
    pods = _pods(scene, revision)
    restarted = (one.get("restartCount") for pod in pods for one in items(pod.raw, "status", "containerStatuses"))
    return any(not is_ready(pod) for pod in pods) or any(restarted)


def _others_fail(scene: Scene, history: list[Revision]) -> bool:
    """Whether an older version is in trouble too: then going back to it is no cure."""
    return any(not is_ready(pod) for each in history[1:] for pod in _pods(scene, each))


def _template(revision: Revision) -> Fields:
    return mapping(revision.set.raw, "spec", "template", "spec")


def changed_fields(before: Fields, after: Fields) -> frozenset[str]:
    """The names of the fields of a pod, and of its containers, that differ between two templates."""
    listings = ("containers", "initContainers")
    found = {key for key in {*before, *after} if key not in listings and before.get(key) != after.get(key)}
    for listing in listings:
        old, new = _by_name(before, listing), _by_name(after, listing)
        for name in {*old, *new}:
            was, now_is = old.get(name, {}), new.get(name, {})
            found |= {key for key in {*was, *now_is} if was.get(key) != now_is.get(key)}
    return frozenset(found)


def _by_name(spec: Fields, listing: str) -> dict[str, Fields]:
    return {text(each, "name"): each for each in items(spec, listing)}


def _image(pod: Resource, container: str) -> str:
    named = (each for each in items(pod.raw, "spec", "containers") if each.get("name") == container)
    return text(next(named, NOTHING), "image")


def _waits(pod: Resource, container: str) -> bool:
    return any(
        mapping(each, "state", "waiting")
        for each in items(pod.raw, "status", "containerStatuses")
        if each.get("name") == container
    )


def workload_of(scene: Scene, entity: Entity) -> Resource | None:
    """The workload that a person would edit for an entity, where it was listed and is one that Kubernetes keeps."""
    known = scene.cluster.at(entity)
    top = scene.cluster.at(scene.cluster.workload(known)) if known else None
    return top if top is not None and top.kind in ("Deployment", "StatefulSet", "DaemonSet") else None
