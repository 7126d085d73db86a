"""Calls that fail, by the callers' own words: the caller has the symptom, whom it names has the suspicion."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.logs.callees import Callee, Unreached, lacks_port, unreached
from agents.logs.lines import quoted
from agents.logs.news import Stand, stand
from agents.logs.telling import finding
from agents.objects import items, number
from agents.scene import Scene
from tools.entity import Entity

SEVERAL = 2
"""Callers that mean the same thing: then it is not one of them that is set up wrongly."""
_RUNS = ("deployment", "statefulset", "daemonset")


@rule(
    id="calls-failing",
    area="logs",
    role=Role.SYMPTOM,
    title="Calls to others fail",
    meaning="A program says again and again that it does not reach something it calls.",
    remediation="Look at whom it names first; then at the way between them.",
    needs=("logs",),
)
def calls_failing(scene: Scene) -> Iterator[Finding]:
    for caller, several in _by_caller(unreached(scene)).items():
        most = several[0]
        if most.is_main or any(_is_stopped_by(scene, each) for each in several):
            named = ", ".join(str(each.callee.host) for each in several[:3])
            summary = f"{caller} fails to reach {named} ({len(most.hits)} lines): {quoted(most.hits[-1])}"
            yield finding(scene, calls_failing, caller, most.hits, summary, severity=Severity.WARNING)


@rule(
    id="dependency-failing",
    area="logs",
    role=Role.CAUSE,
    title="A callee does not answer",
    meaning="Most errors of a caller name the same callee. When the callee is well, the way to it is not.",
    remediation="Look at the callee's own health; if it is well, at policies, DNS and the address that is used.",
    needs=("logs",),
)
def dependency_failing(scene: Scene) -> Iterator[Finding]:
    for callee, several in _by_callee(scene).items():
        most = several[0]
        if most.callee.is_absent:
            continue
        who = ", ".join(str(each.caller) for each in several[:3])
        lines = sum(len(each.hits) for each in several)
        summary = f"{who} cannot reach {most.callee.host} ({lines} lines): {quoted(most.hits[-1])}"
        hits = [each for one in several[:3] for each in (one.hits[0], one.hits[-1])]
        # What callers say of their callee is hearsay until the callee is seen.
        yield finding(scene, dependency_failing, callee, hits, summary, severity=Severity.WARNING, direct=False)


@rule(
    id="callee-missing",
    area="logs",
    role=Role.CAUSE,
    title="It calls a Service that does not exist",
    meaning="The name can only be that of a Service here, and all Services were listed without it: renamed, deleted, "
    "or misspelt by the caller. Of several callers, or beside a workload of that name, the Service is what lacks.",
    remediation="Create the Service, or correct the address that the caller uses.",
    needs=("logs", "kubernetes"),
)
def callee_missing(scene: Scene) -> Iterator[Finding]:
    for callee, several in _by_callee(scene).items():
        most = several[0]
        if most.callee.is_absent:
            has_workload = any(scene.cluster.get(kind, callee.namespace, callee.name) for kind in _RUNS)
            blamed = callee if has_workload or len(several) >= SEVERAL else most.caller
            summary = (
                f"{most.caller} calls {most.callee.host}, and there is no Service {callee.name!r} in namespace"
                f" {callee.namespace!r}: {quoted(most.hits[-1])}"
            )
            yield finding(scene, callee_missing, blamed, most.hits, summary, severity=Severity.CRITICAL)


@rule(
    id="callee-port-mismatch",
    area="logs",
    role=Role.CAUSE,
    title="It calls a port that the Service does not have",
    meaning="The Service is there and lists other ports. Of several callers, the Service's port is what changed.",
    remediation="Align the port of the Service and the address that its callers use.",
    needs=("logs", "kubernetes"),
)
def callee_port_mismatch(scene: Scene) -> Iterator[Finding]:
    for callee, several in _by_callee(scene).items():
        wrong = [each for each in several if each.callee.known and lacks_port(each.callee.known, each.callee.host.port)]
        if wrong:
            most = wrong[0]
            blamed = callee if len(wrong) >= SEVERAL else most.caller
            ports = ", ".join(str(each) for each in _ports(most.callee))
            summary = f"{most.caller} calls {most.callee.host}, and {callee} has the ports {ports}"
            yield finding(scene, callee_port_mismatch, blamed, most.hits, summary, severity=Severity.CRITICAL)


def _ports(callee: Callee) -> Sequence[int]:
    stated = items(callee.known.raw, "spec", "ports") if callee.known else ()
    return [port for each in stated if (port := number(each, "port")) is not None]


def _by_caller(found: Sequence[Unreached]) -> dict[Entity, list[Unreached]]:
    groups: defaultdict[Entity, list[Unreached]] = defaultdict(list)
    for each in found:
        groups[each.caller].append(each)
    return groups


def _by_callee(scene: Scene) -> dict[Entity, list[Unreached]]:
    """Who cannot be reached and by whom, where that is most of what troubles the caller or what stops it."""
    groups: defaultdict[Entity, list[Unreached]] = defaultdict(list)
    callers = Counter(each.callee.entity for each in unreached(scene) if each.is_main or _is_stopped_by(scene, each))
    for each in unreached(scene):
        if callers[each.callee.entity] and (each.is_main or len(each.hits) > 1 or _is_stopped_by(scene, each)):
            groups[each.callee.entity].append(each)
    return groups


def _is_stopped_by(scene: Scene, each: Unreached) -> bool:
    """Whether one line is enough: the caller ended, or never got ready, and speaks of little else."""
    stands = {stand(scene, line.log) for line in each.hits}
    return bool(stands & {Stand.ENDED, Stand.UNWELL}) and each.share >= 1 / 3
