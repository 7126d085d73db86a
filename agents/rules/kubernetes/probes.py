"""What probes say: which of them fails, and why."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from agents.causes import Rule, rule
from agents.finding import Finding, Role
from agents.objects import NOTHING, Event, Fields, Resource, items, mapping, moment, number, text
from agents.rules.kubernetes.readings import (
    STARTING,
    Container,
    by_workload,
    containers,
    counted,
    first,
    grouped,
    severity,
    short,
    target,
    unready_since,
)
from agents.rules.kubernetes.starting import is_stuck
from agents.scene import Scene
from tools.evidence import Evidence

GRACE_SLACK_S = 20
"""Seconds by which a killed container's life may exceed what its probe allows: kill, sync, scheduling."""
TIMEOUTS = 3
"""Time-outs before they count; a single one is a brief stall."""
_KIND = re.compile(r"^(?P<kind>readiness|liveness|startup) probe (?:failed|errored)", re.IGNORECASE)
_STATUS = re.compile(r"statuscode: (\d{3})")
_REFUSED = re.compile(r"connection refused", re.IGNORECASE)
_NO_CONNECTION = re.compile(r"failed to connect service")
"""How the kubelet tells that nobody took a gRPC probe's connection; refused or lost, it says "deadline exceeded"."""
_TIMED_OUT = re.compile(r"deadline exceeded|Client\.Timeout|timed out|timeout", re.IGNORECASE)
_LISTENS = re.compile(
    r"(?:listen\w*|serving|started|bound|running|port)\b[^\n]{0,60}?(?:[:\s])(\d{2,5})\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One probe that fails, as an event tells it."""

    pod: Resource
    kind: str
    """`readiness`, `liveness` or `startup`."""
    spec: Fields
    """The container in the pod's spec."""
    event: Event

    @property
    def probe(self) -> Fields:
        return mapping(self.spec, f"{self.kind}Probe")

    @property
    def port(self) -> int | str | None:
        """As the probe writes it: a number or a name; `None` for commands."""
        for way in ("httpGet", "tcpSocket", "grpc"):
            if way in self.probe:
                port = mapping(self.probe, way).get("port")
                return port if isinstance(port, int | str) else None
        return None


def failures(scene: Scene) -> Sequence[Failure]:
    """The probe failures that matter still."""
    return scene.once(_failures)


def _failures(scene: Scene) -> Sequence[Failure]:
    found: list[Failure] = []
    for event in scene.cluster.events_with("Unhealthy"):
        pod, said = scene.cluster.at(event.entity), _KIND.match(event.message)
        if not pod or not said or not is_stuck(scene, pod):
            continue
        kind = said["kind"].lower()
        probed = [each for each in items(pod.raw, "spec", "containers") if f"{kind}Probe" in each]
        named = [each for each in probed if f"{{{text(each, 'name')}}}" in event.field_path]
        found.append(Failure(pod=pod, kind=kind, spec=next(iter(named or probed), NOTHING), event=event))
    return found


def probe_findings(
    scene: Scene, of: Rule, found: Iterable[Failure], say: Callable[[Failure], tuple[str, str]], *, direct: bool = True
) -> Iterator[Finding]:
    """One finding a workload; `say` gives what is wrong and what to do, where `{target}` stands for the workload."""
    for workload, several in grouped(scene, ((each.pod, each) for each in found)).items():
        each = several[-1]
        what, remedy = say(each)
        yield of.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))}: {what}",
            [scene.cite_event(each.event), *_spec(scene, each)],
            severity=severity(scene, workload),
            direct=direct,
            first_seen=first(one.event.first_at for one in several),
            last_seen=each.event.last_at,
            remedy=remedy.replace("{target}", target(workload)),
        )


def _spec(scene: Scene, each: Failure) -> list[Evidence]:
    return [scene.cite(each.pod, f"spec.containers[*].{each.kind}Probe", "spec.containers[*].ports")]


@rule(
    id="readiness-failing",
    area="probes",
    role=Role.SYMPTOM,
    title="Pods run and are not ready",
    meaning="Running for more than two minutes without passing the readiness probe: the application, or what it needs.",
    remediation="Ask the probe's target by hand.",
)
def readiness_failing(scene: Scene) -> Iterator[Finding]:
    found = [each for each in containers(scene) if _runs_unready(scene, each)]
    for workload, several in by_workload(scene, found).items():
        each = several[0]
        events = scene.cluster.events_about(each.pod.entity, "Unhealthy")
        said = f": {short(events[-1].message)}" if events else ""
        yield readiness_failing.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))} run without being ready"
            f" since {unready_since(each.pod)}{said}",
            [scene.cite(each.pod, "status.conditions", each.path), *map(scene.cite_event, events[-1:])],
            severity=severity(scene, workload),
            first_seen=first(unready_since(one.pod) for one in several),
            remedy=f"kubectl describe pod {each.pod.name} -n {each.pod.namespace}; then ask the probe's target by hand",
        )


def _runs_unready(scene: Scene, each: Container) -> bool:
    if each.is_init or each.is_ready or each.running_since is None:
        return False
    since_when = unready_since(each.pod)
    if since_when is None or scene.now - since_when <= STARTING:
        return False
    # A container that has only just started has not been asked yet.
    return scene.now - each.running_since > STARTING / 2


@rule(
    id="liveness-killing",
    area="probes",
    role=Role.CAUSE,
    title="The liveness probe restarts the container",
    meaning="Restarts follow failed liveness probes: a tight time-out, a deadlock, or an application that hangs.",
    remediation="Compare the probe's limits with the real latency; loosen it, or find the hang.",
)
def liveness_killing(scene: Scene) -> Iterator[Finding]:
    found = [each for each in failures(scene) if each.kind == "liveness" and _is_killed(scene, each)]

    def say(each: Failure) -> tuple[str, str]:
        remedy = "Raise timeoutSeconds or failureThreshold of the liveness probe of {target}, or find the hang"
        return f"killed by the liveness probe ({each.event.count} failures): {short(each.event.message)}", remedy

    yield from probe_findings(scene, liveness_killing, found, say)


def _is_killed(scene: Scene, failure: Failure) -> bool:
    kills = scene.cluster.events_about(failure.pod.entity, "Killing")
    if any("liveness" in each.message for each in kills):
        return True
    begun = failure.event.first_at
    for status in items(failure.pod.raw, "status", "containerStatuses"):
        if text(status, "name") == text(failure.spec, "name"):
            ended_at = moment(status, "lastState", "terminated", "finishedAt")
            return bool(number(status, "restartCount")) and bool(ended_at and (begun is None or ended_at >= begun))
    return False


@rule(
    id="startup-too-short",
    area="probes",
    role=Role.CAUSE,
    title="The application is killed before it has started",
    meaning="It lives as long as its probe allows and no longer, each time. Inferred: a crash at that age looks alike.",
    remediation="Add a startup probe that allows the time it needs.",
)
def startup_too_short(scene: Scene) -> Iterator[Finding]:
    found = [each for each in failures(scene) if each.kind in ("liveness", "startup") and _dies_at_budget(each)]

    def say(each: Failure) -> tuple[str, str]:
        budget = f"{_budget_s(each.probe)} s"
        remedy = "Give {target} a startupProbe with failureThreshold x periodSeconds above its start-up time"
        return f"killed at the age that the {each.kind} probe allows ({budget}), before it was ever ready", remedy

    yield from probe_findings(scene, startup_too_short, found, say, direct=False)


def _budget_s(probe: Fields) -> int:
    # Defaults of the API: period 10 s, three failures, no delay.
    period_s = number(probe, "periodSeconds") or 10
    return (number(probe, "initialDelaySeconds") or 0) + period_s * (number(probe, "failureThreshold") or 3)


def _dies_at_budget(failure: Failure) -> bool:
    if failure.kind == "liveness" and "startupProbe" in failure.spec:
        return False
    # A wrong port or path never answers, however long one waits: those have causes of their own.
    if _STATUS.search(failure.event.message) or _is_undeclared(failure):
        return False
    for status in items(failure.pod.raw, "status", "containerStatuses"):
        if text(status, "name") != text(failure.spec, "name") or status.get("ready") is True:
            continue
        ended = mapping(status, "lastState", "terminated")
        started_at, ended_at = moment(ended, "startedAt"), moment(ended, "finishedAt")
        if started_at and ended_at and number(status, "restartCount"):
            life_s = (ended_at - started_at).total("seconds")
            grace_s = number(failure.pod.raw, "spec", "terminationGracePeriodSeconds") or 30
            budget_s = _budget_s(failure.probe)
            longest_s = budget_s + grace_s + GRACE_SLACK_S
            return budget_s - (number(failure.probe, "periodSeconds") or 10) <= life_s <= longest_s
    return False


@rule(
    id="probe-port-mismatch",
    area="probes",
    role=Role.CAUSE,
    title="The probe asks a port where nobody listens",
    meaning="Refused on a port that the container does not declare, or while the log names another one. Else inferred.",
    remediation="Correct the probe's port.",
)
def probe_port_mismatch(scene: Scene) -> Iterator[Finding]:
    for workload, several in grouped(scene, ((each.pod, each) for each in _misported(scene))).items():
        each = several[-1]
        declared = [str(number(port, "containerPort")) for port in items(each.spec, "ports")]
        heard = _listening(scene, each.pod)
        listens = heard and str(each.port) not in {port for port, _ in heard}
        where = f"the log says {heard[0][0]}" if listens else f"declared: {', '.join(declared) or 'none'}"
        right = heard[0][0] if listens else next(iter(declared), "the one the application listens on")
        yield probe_port_mismatch.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))}: the {each.kind} probe of container"
            f" {text(each.spec, 'name')!r} asks port {each.port}, where nobody listens ({where})",
            [*_spec(scene, each), scene.cite_event(each.event), *(line for _, line in heard[:1])],
            severity=severity(scene, workload),
            direct=bool(listens) or isinstance(each.port, str),
            first_seen=first([*(one.event.first_at for one in several), *(unready_since(one.pod) for one in several)]),
            last_seen=each.event.last_at,
            remedy=f"Set the {each.kind} probe's port of {target(workload)} to {right} (now {each.port})",
        )


def _misported(scene: Scene) -> Iterator[Failure]:
    for each in failures(scene):
        named = isinstance(each.port, str)
        if each.port is None or not (named or _REFUSED.search(each.event.message) or _is_grpc_elsewhere(each)):
            continue
        heard = {port for port, _ in _listening(scene, each.pod)}
        if _is_undeclared(each) or (heard and not named and str(each.port) not in heard):
            yield each


def _is_grpc_elsewhere(each: Failure) -> bool:
    """Whether a gRPC probe found nobody, at a port that the container does not declare."""
    return bool(_NO_CONNECTION.search(each.event.message)) and _is_undeclared(each)


def _is_undeclared(each: Failure) -> bool:
    ports = items(each.spec, "ports")
    if isinstance(each.port, str):
        return each.port not in {text(port, "name") for port in ports}
    return bool(ports) and each.port is not None and each.port not in {number(port, "containerPort") for port in ports}


def _listening(scene: Scene, pod: Resource) -> list[tuple[str, Evidence]]:
    """The ports that the pod's logs say it listens on, each with the line."""
    found: list[tuple[str, Evidence]] = []
    for log in scene.logs_of(pod):
        for number_, line in enumerate(log.lines):
            if "listen" in line.lower() and (said := _LISTENS.search(line)):
                found.append((said[1], scene.cite_log(log, number_)))
    return found


@rule(
    id="probe-path-wrong",
    area="probes",
    role=Role.CAUSE,
    title="The probe asks a path that does not answer it",
    meaning="401, 403, 404 or 405: a wrong path, or a route that now wants a login. Silent once the pod is ready.",
    remediation="Correct the path.",
)
def probe_path_wrong(scene: Scene) -> Iterator[Finding]:
    found = [
        each
        for each in failures(scene)
        if (status := _STATUS.search(each.event.message)) and status[1] in ("401", "403", "404", "405")
    ]

    def say(each: Failure) -> tuple[str, str]:
        status = _STATUS.search(each.event.message)
        path = text(each.probe, "httpGet", "path") or "/"
        remedy = f"Set the path of the {each.kind} probe of {{target}} to one that answers 200 (now {path})"
        return f"the {each.kind} probe asks {path} and gets {status[1] if status else '?'}", remedy

    yield from probe_findings(scene, probe_path_wrong, found, say)


@rule(
    id="probe-timeout",
    area="probes",
    role=Role.CAUSE,
    title="The probe gets no answer in time",
    meaning="Three or more time-outs: a slow endpoint, CPU throttling, or a time-out of one second.",
    remediation="Raise the probe's time-out, or give the container more CPU.",
)
def probe_timeout(scene: Scene) -> Iterator[Finding]:
    found = [
        each
        for each in failures(scene)
        if each.event.count >= TIMEOUTS and _TIMED_OUT.search(each.event.message) and not _is_grpc_elsewhere(each)
    ]

    def say(each: Failure) -> tuple[str, str]:
        limit = number(each.probe, "timeoutSeconds") or 1
        remedy = f"Raise timeoutSeconds of the {each.kind} probe of {{target}} above {limit}, or its CPU limit"
        return f"the {each.kind} probe timed out after {limit} s ({each.event.count} times)", remedy

    yield from probe_findings(scene, probe_timeout, found, say)
