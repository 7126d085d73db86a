"""Nodes whose own detectors complain, or whose version or clock is off."""

import re
from collections.abc import Iterator

from whenever import TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Fields, Resource, items, moment, text
from agents.rules.kubernetes.readings import older_than, short
from agents.scene import Scene

NATIVE = frozenset({"Ready", "MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable", "OutOfDisk"})
GOOD_WHEN_TRUE = re.compile(r"(?:Ready|Healthy|Available|IsVoter|Online|Valid|Connected|Initialized|Running|Synced)$")
"""Endings of condition types for which True is good; problem detectors write True for a problem."""
LASTING = TimeDelta(minutes=2)
SKEW = 3
"""Minor versions that a kubelet may be behind the API server (Kubernetes version skew policy since 1.28)."""
_CLOCK = re.compile(r"ntp|chrony|clock|time.?sync|timesync", re.IGNORECASE)
_MINOR = re.compile(r"^v?1\.(\d{1,3})")


def _complaints(node: Resource) -> Iterator[Fields]:
    for state in items(node.status, "conditions"):
        kind = text(state, "type")
        bad = "False" if GOOD_WHEN_TRUE.search(kind) else "True"
        if kind and kind not in NATIVE and state.get("status") == bad:
            yield state


@rule(
    id="node-custom-condition",
    area="nodes",
    role=Role.CAUSE,
    title="A detector reports a problem of the node",
    meaning="A condition that Kubernetes itself does not know, such as node-problem-detector's, says that something is "
    "wrong. Types where True is good count when they are False.",
    remediation="Its message says what; look at the kernel log of the node.",
)
def node_custom_condition(scene: Scene) -> Iterator[Finding]:
    for node in scene.cluster.all("Node"):
        for state in _complaints(node):
            at = moment(state, "lastTransitionTime")
            if older_than(scene, at, LASTING) and not _CLOCK.search(text(state, "type")):
                said = short(text(state, "message") or text(state, "reason") or "no message")
                yield node_custom_condition.finding(
                    node.entity,
                    f"{node.entity}: {text(state, 'type')} is {text(state, 'status')} since {at}: {said}",
                    [scene.cite(node, "status.conditions")],
                    severity=Severity.WARNING,
                    first_seen=at,
                    remedy=f"On {node.name}: journalctl -k, for {text(state, 'reason') or text(state, 'type')}",
                )


@rule(
    id="clock-skew",
    area="nodes",
    role=Role.CAUSE,
    title="A node's clock is wrong",
    meaning="A detector says that its time is not kept: certificates, leases and logs go wrong there.",
    remediation="Repair time synchronisation on the node.",
)
def clock_skew(scene: Scene) -> Iterator[Finding]:
    for node in scene.cluster.all("Node"):
        for state in _complaints(node):
            if _CLOCK.search(text(state, "type")):
                yield clock_skew.finding(
                    node.entity,
                    f"{node.entity} does not keep time: {short(text(state, 'message') or text(state, 'reason'))}",
                    [scene.cite(node, "status.conditions")],
                    severity=Severity.WARNING,
                    first_seen=moment(state, "lastTransitionTime"),
                    remedy=f"On {node.name}: timedatectl, chronyc tracking; then restart what holds certificates",
                )


def _minor(version: str) -> int | None:
    found = _MINOR.match(version)
    return int(found[1]) if found else None


@rule(
    id="version-skew",
    area="nodes",
    role=Role.CAUSE,
    title="A node's version is too far off",
    meaning="Its kubelet is more than three minor versions behind the newest, or ahead of the control plane: an "
    "upgrade "
    "that stopped half-way. Nothing need fail yet.",
    remediation="Finish the upgrade of the node.",
)
def version_skew(scene: Scene) -> Iterator[Finding]:
    nodes = [(each, minor) for each in scene.cluster.all("Node") if (minor := _minor(_kubelet(each))) is not None]
    newest = max((minor for _, minor in nodes), default=0)
    for node, minor in nodes:
        if newest - minor > SKEW:
            yield version_skew.finding(
                node.entity,
                f"{node.entity} runs kubelet {_kubelet(node)} while others run 1.{newest}: {SKEW} minor versions "
                f"may lie"
                " between",
                [scene.cite(node, "status.nodeInfo")],
                severity=Severity.WARNING,
                remedy=f"Drain and upgrade node {node.name}",
            )


def _kubelet(node: Resource) -> str:
    return text(node.raw, "status", "nodeInfo", "kubeletVersion")
