"""What several Kubernetes rules read from a scene: containers in trouble, pods by workload, how bad it is.

No rule stands here. Pure; each reading is made once a scene.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from whenever import Instant, TimeDelta

from agents.finding import Severity
from agents.objects import NOTHING, Fields, Resource, items, mapping, moment, number, text
from agents.scene import Scene
from tools.entity import Entity

T = TypeVar("T")

SETTLED = TimeDelta(minutes=10)
"""A container that runs and is ready for this long got over it; the kubelet forgives a crash loop then."""
STARTING = TimeDelta(minutes=2)
"""Pods and claims younger than this are still on their way: image pull, first probe, first mount retry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of a pod as its status shows it, beside its spec."""

    pod: Resource
    name: str
    is_init: bool
    status: Fields
    spec: Fields

    @property
    def path(self) -> str:
        """Where its status stands in the pod."""
        return "status.initContainerStatuses" if self.is_init else "status.containerStatuses"

    @property
    def restarts(self) -> int:
        return number(self.status, "restartCount") or 0

    @property
    def is_ready(self) -> bool:
        return self.status.get("ready") is True

    @property
    def waiting(self) -> Fields:
        """The waiting state: reason and message."""
        return mapping(self.status, "state", "waiting")

    @property
    def ended(self) -> Fields:
        """How it ended last, whether or not it was started again."""
        return mapping(self.status, "state", "terminated") or mapping(self.status, "lastState", "terminated")

    @property
    def exit_code(self) -> int | None:
        return number(self.ended, "exitCode")

    @property
    def running_since(self) -> Instant | None:
        return moment(self.status, "state", "running", "startedAt")

    @property
    def words(self) -> str:
        """What the runtime says of it: the messages of all its states."""
        return "\n".join(filter(None, (text(self.waiting, "message"), text(self.ended, "message"))))

    def is_settled(self, now: Instant) -> bool:
        """Whether it has been running and ready for long enough that its last end is history."""
        since = self.running_since or moment(self.pod.condition("Ready"), "lastTransitionTime")
        # Where nobody wrote when it started, that it is ready decides.
        return self.is_ready and (since is None or now - since > SETTLED)


def containers(scene: Scene) -> Sequence[Container]:
    """The containers that wait, ended, restarted or are not ready, of pods that nobody is deleting."""
    return scene.once(_containers)


def _containers(scene: Scene) -> Sequence[Container]:
    found: list[Container] = []
    for pod in scene.cluster.all("Pod"):
        status = mapping(pod.raw, "status")
        if is_leaving(pod) or status.get("phase") == "Succeeded":
            continue
        for path, listing, is_init in (
            ("containerStatuses", "containers", False),
            ("initContainerStatuses", "initContainers", True),
        ):
            for each in items(status, path):
                if _is_quiet(each, is_init=is_init):
                    continue
                name = text(each, "name")
                specs = items(pod.raw, "spec", listing)
                spec = next((one for one in specs if one.get("name") == name), NOTHING)
                found.append(Container(pod=pod, name=name, is_init=is_init, status=each, spec=spec))
    return found


def _is_quiet(status: Fields, *, is_init: bool) -> bool:
    if is_init and number(status, "state", "terminated", "exitCode") == 0:
        return True
    return status.get("ready") is True and not status.get("restartCount") and not mapping(status, "lastState")


def is_leaving(pod: Resource) -> bool:
    """Whether somebody deleted it already."""
    return bool(text(pod.raw, "metadata", "deletionTimestamp"))


def is_ready(pod: Resource) -> bool:
    return pod.condition("Ready").get("status") == "True"


def unready_since(pod: Resource) -> Instant | None:
    """Since when it is not ready; `None` for a pod that is, or that ended well."""
    if is_ready(pod) or is_leaving(pod) or pod.status.get("phase") in ("Succeeded", "Failed"):
        return None
    return moment(pod.condition("Ready"), "lastTransitionTime") or pod.created_at


def since(scene: Scene, container: Container) -> Instant | None:
    """When the trouble of a container began, as far as its status and events tell."""
    times = (
        moment(container.ended, "finishedAt"),
        unready_since(container.pod),
        *(event.first_at for event in scene.cluster.events_about(container.pod.entity, "BackOff", "Unhealthy")),
    )
    return min((at for at in times if at), default=container.pod.created_at)


def is_recent(scene: Scene, at: Instant | None) -> bool:
    """Whether it happened in the incident's window or shortly before; an unknown time is not held against it."""
    return at is None or at >= scene.window.start - SETTLED


def older_than(scene: Scene, at: Instant | None, age: TimeDelta) -> bool:
    """Whether `at` lies that long ago; an unknown time counts as long ago."""
    return at is None or scene.now - at > age


def grouped(scene: Scene, found: Iterable[tuple[Resource, T]]) -> Mapping[Entity, list[T]]:
    """What was found at pods, by the workload that a person would edit."""
    groups: dict[Entity, list[T]] = {}
    for pod, each in found:
        groups.setdefault(scene.cluster.workload(pod), []).append(each)
    return groups


def by_workload(scene: Scene, found: Iterable[Container]) -> Mapping[Entity, list[Container]]:
    """Containers by the workload that a person would edit."""
    return grouped(scene, ((each.pod, each) for each in found))


def severity(scene: Scene, workload: Entity) -> Severity:
    """Critical when no pod of a serving workload is ready, else a warning."""
    if workload.kind in ("job", "cronjob"):
        return Severity.WARNING
    pods = scene.cluster.pods_of(workload)
    return Severity.WARNING if any(is_ready(pod) for pod in pods) else Severity.CRITICAL


def counted(scene: Scene, workload: Entity, pods: Iterable[Resource]) -> str:
    """`2 of 3 pods of deployment/shop/cart`, or `pod/shop/cart` where there is only itself."""
    names = {pod.name for pod in pods}
    if workload.kind == "pod":
        return str(workload)
    everyone = [pod for pod in scene.cluster.pods_of(workload) if not is_leaving(pod)]
    return f"{len(names)} of {max(len(everyone), len(names))} pods of {workload}"


def target(workload: Entity) -> str:
    """What kubectl calls it: `deployment/cart -n shop`."""
    return f"{workload.kind}/{workload.name}" + (f" -n {workload.namespace}" if workload.namespace else "")


def first(times: Iterable[Instant | None]) -> Instant | None:
    """The earliest that is known."""
    return min((at for at in times if at), default=None)


def short(message: str, limit: int = 240) -> str:
    """One line of a message, cut visibly."""
    line = " ".join(message.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
