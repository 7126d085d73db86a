"""Claims that are not bound, and volumes that are not mounted."""

import re
from collections.abc import Iterator

from whenever import Instant, TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Event, Resource, moment, text
from agents.rules.kubernetes.readings import STARTING, counted, first, grouped, older_than, severity, short, target
from agents.rules.kubernetes.starting import event_findings, is_stuck
from agents.scene import Scene
from agents.topology import references
from tools.evidence import Evidence

HANDOVER = TimeDelta(minutes=6)
"""The controller force-detaches a volume of a dead node after six minutes; until then it may be a handover."""
_REFUSED = re.compile(
    r"mount failed: exit status|mount\.\w+: |wrong fs type|access denied by server|Stale file handle|unknown "
    r"filesystem",
    re.IGNORECASE,
)
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"


def unbound(scene: Scene) -> Iterator[Resource]:
    """The claims that have been waiting for a volume for a while."""
    for claim in scene.cluster.all("PersistentVolumeClaim"):
        if claim.status.get("phase") == "Pending" and older_than(scene, claim.created_at, STARTING):
            yield claim


def class_of(claim: Resource) -> str | None:
    """The named class; "" asks for none, `None` for the default."""
    named = claim.spec.get("storageClassName")
    if isinstance(named, str):
        return named
    return claim.annotations.get("volume.beta.kubernetes.io/storage-class")


def _newest(scene: Scene, claim: Resource, *reasons: str) -> Event | None:
    about = scene.cluster.events_about(claim.entity, *reasons)
    return about[-1] if about else None


def _cited(scene: Scene, claim: Resource, event: Event | None) -> list[Evidence]:
    shown = scene.cite(claim, "spec.storageClassName", "spec.volumeName", "status.phase")
    return [shown, *([scene.cite_event(event)] if event else [])]


@rule(
    id="claim-pending",
    area="storage",
    role=Role.SYMPTOM,
    title="A volume claim is not bound",
    meaning="Pending for over two minutes. Claims that wait for their first pod are left out.",
    remediation="Read the claim's events.",
)
def claim_pending(scene: Scene) -> Iterator[Finding]:
    for claim in unbound(scene):
        event = _newest(scene, claim)
        if _waits_for_pod(scene, claim, event):
            continue
        said = f": {short(event.message)}" if event else ""
        yield claim_pending.finding(
            claim.entity,
            f"{claim.entity} has been pending since {claim.created_at} (class {class_of(claim)!r}){said}",
            _cited(scene, claim, event),
            severity=Severity.CRITICAL,
            first_seen=claim.created_at,
            remedy=f"kubectl describe pvc {claim.name} -n {claim.namespace}",
        )


def _waits_for_pod(scene: Scene, claim: Resource, event: Event | None) -> bool:
    named = class_of(claim)
    known = scene.cluster.get("StorageClass", "", named) if named else None
    late = known is not None and text(known.raw, "volumeBindingMode") == "WaitForFirstConsumer"
    told = event is not None and event.reason == "WaitForFirstConsumer"
    return (late or told) and not _is_used(scene, claim)


def _is_used(scene: Scene, claim: Resource) -> bool:
    used = scene.once(_used_claims)
    return (claim.namespace, claim.name) in used


def _used_claims(scene: Scene) -> frozenset[tuple[str, str]]:
    return frozenset(
        (pod.namespace, name)
        for pod in scene.cluster.all("Pod")
        for kind, name in references(pod.spec)
        if kind == "persistentvolumeclaim"
    )


@rule(
    id="claim-missing",
    area="storage",
    role=Role.CAUSE,
    title="A pod names a volume claim that does not exist",
    meaning="The claim was not created, or is called otherwise, or lies in another namespace.",
    remediation="Create the claim, or correct its name.",
)
def claim_missing(scene: Scene) -> Iterator[Finding]:
    found: list[tuple[Resource, tuple[Resource, str]]] = []
    for pod in scene.cluster.all("Pod"):
        if pod.status.get("phase") == "Pending":
            names = (name for kind, name in references(pod.spec) if kind == "persistentvolumeclaim")
            lacking = [name for name in names if scene.cluster.lacks("PersistentVolumeClaim", pod.namespace, name)]
            found += [(pod, (pod, name)) for name in lacking[:1]]
    for workload, several in grouped(scene, found).items():
        pod, name = several[0]
        yield claim_missing.finding(
            workload,
            f"{counted(scene, workload, (one for one, _ in several))} wait for claim {name!r}, which does not exist",
            [scene.cite(pod, "spec.volumes", "status.phase", "status.conditions")],
            severity=severity(scene, workload),
            first_seen=first(one.created_at for one, _ in several),
            remedy=f"Create claim {name} in {pod.namespace}, or correct the name in {target(workload)}",
        )


@rule(
    id="storage-class-missing",
    area="storage",
    role=Role.CAUSE,
    title="The storage class does not exist",
    meaning="A typing error, or a manifest of another cluster. An empty class name means static binding and is fine.",
    remediation="Name a class that exists; a claim's class cannot be changed, so create it again.",
)
def storage_class_missing(scene: Scene) -> Iterator[Finding]:
    for claim in unbound(scene):
        named = class_of(claim)
        event = _newest(scene, claim, "ProvisioningFailed")
        told = event if event and "storageclass" in event.message.lower() and "not found" in event.message else None
        if not named or not (told or scene.cluster.lacks("StorageClass", "", named)):
            continue
        there = [each.name for each in scene.cluster.all("StorageClass")]
        have = f"; there are {', '.join(there)}" if there else ""
        yield storage_class_missing.finding(
            claim.entity,
            f"{claim.entity} asks for storage class {named!r}, which does not exist{have}",
            _cited(scene, claim, told),
            severity=Severity.CRITICAL,
            first_seen=claim.created_at,
            remedy=f"Create the class {named!r}, or recreate claim {claim.name} with {next(iter(there), 'another')}",
        )


@rule(
    id="no-default-class",
    area="storage",
    role=Role.CAUSE,
    title="The claim names no class and there is no default",
    meaning="Nobody provisions a volume for it.",
    remediation="Name a class, or make one the default.",
)
def no_default_class(scene: Scene) -> Iterator[Finding]:
    classes = scene.cluster.all("StorageClass")
    if not scene.cluster.knows("StorageClass") or any(
        each.annotations.get(DEFAULT_CLASS) == "true" for each in classes
    ):
        return
    for claim in unbound(scene):
        if class_of(claim) is None and not text(claim.raw, "spec", "volumeName"):
            name = classes[0].name if classes else "<class>"
            yield no_default_class.finding(
                claim.entity,
                f"{claim.entity} names no storage class and no class is the default",
                _cited(scene, claim, _newest(scene, claim)),
                severity=Severity.CRITICAL,
                first_seen=claim.created_at,
                remedy=f"kubectl annotate storageclass {name} {DEFAULT_CLASS}=true",
            )


@rule(
    id="provisioning-failed",
    area="storage",
    role=Role.CAUSE,
    title="The volume cannot be made",
    meaning="The storage driver or the cloud says no: quota, permissions, a parameter. Bound claims are left out.",
    remediation="Read the driver's message and log.",
)
def provisioning_failed(scene: Scene) -> Iterator[Finding]:
    for claim in scene.cluster.all("PersistentVolumeClaim"):
        event = _newest(scene, claim, "ProvisioningFailed")
        if event is None or claim.status.get("phase") == "Bound" or _is_nobodys(event.message):
            continue
        yield provisioning_failed.finding(
            claim.entity,
            f"{claim.entity}: {short(event.message)}",
            _cited(scene, claim, event),
            severity=Severity.CRITICAL,
            first_seen=event.first_at,
            last_seen=event.last_at,
            remedy=f"Read the log of the provisioner of class {class_of(claim)!r}",
        )


def _is_nobodys(message: str) -> bool:
    """Whether no driver said it: the class is absent, or volumes are made by hand and none fits."""
    return "not found" in message or "no persistent volumes available" in message


@rule(
    id="claim-lost",
    area="storage",
    role=Role.CAUSE,
    title="A claim has lost its volume",
    meaning="The volume that it was bound to is gone.",
    remediation="Restore the volume, or recreate the claim from a backup.",
)
def claim_lost(scene: Scene) -> Iterator[Finding]:
    for claim in scene.cluster.all("PersistentVolumeClaim"):
        if claim.status.get("phase") == "Lost":
            volume = text(claim.raw, "spec", "volumeName")
            yield claim_lost.finding(
                claim.entity,
                f"{claim.entity} has lost its volume {volume!r}",
                [scene.cite(claim, "spec.volumeName", "status")],
                severity=Severity.CRITICAL,
                remedy=f"Restore volume {volume} from a backup, then recreate {claim.name}",
            )


@rule(
    id="volume-mount-failed",
    area="storage",
    role=Role.SYMPTOM,
    title="A volume cannot be mounted",
    meaning="A missing reference, a driver, permissions. A first retry right after the start is left out.",
    remediation="The event names the volume and the reason.",
)
def volume_mount_failed(scene: Scene) -> Iterator[Finding]:
    found = [
        event
        for event in scene.cluster.events_with("FailedMount")
        if event.count > 1 or _lasts(scene, event) or (event.last_at and event.first_at != event.last_at)
    ]
    yield from event_findings(scene, volume_mount_failed, found)


def _lasts(scene: Scene, event: Event) -> bool:
    pod = scene.cluster.at(event.entity)
    return pod is not None and older_than(scene, pod.created_at, STARTING) and is_stuck(scene, pod)


@rule(
    id="mount-refused",
    area="storage",
    role=Role.CAUSE,
    title="The storage does not let itself be mounted",
    meaning="The mount itself fails: the file server does not answer or refuses the node, the path is not there, the "
    "disk "
    "has another file system. Missing references and drivers have causes of their own.",
    remediation="Mount it by hand from the node; look at the server's export and at the path.",
)
def mount_refused(scene: Scene) -> Iterator[Finding]:
    found = [event for event in scene.cluster.events_with("FailedMount") if _REFUSED.search(event.message)]
    remedy = "Mount it by hand from the pod's node; then the server's export, the path, and what lies between"
    yield from event_findings(scene, mount_refused, found, remedy=remedy)


@rule(
    id="volume-multi-attach",
    area="storage",
    role=Role.CAUSE,
    title="The volume is still attached to another node",
    meaning="An old pod or a dead node holds it. A handover may take six minutes.",
    remediation="End the old pod, or look at the node that holds the volume.",
)
def volume_multi_attach(scene: Scene) -> Iterator[Finding]:
    found = [
        event
        for event in scene.cluster.events_with("FailedAttachVolume")
        if "multi-attach" in event.message.lower() and older_than(scene, _begun(scene, event), HANDOVER)
    ]
    yield from event_findings(
        scene,
        volume_multi_attach,
        found,
        remedy="Find who holds the volume: kubectl get volumeattachment",
    )


def _begun(scene: Scene, event: Event) -> Instant | None:
    pod = scene.cluster.at(event.entity)
    return first([event.first_at, moment(pod.raw, "status", "startTime") if pod else None])


@rule(
    id="csi-driver-missing",
    area="storage",
    role=Role.CAUSE,
    title="The storage driver is not on the node",
    meaning="The driver's pod on that node is down, or the node is new.",
    remediation="Look at the driver's DaemonSet.",
)
def csi_driver_missing(scene: Scene) -> Iterator[Finding]:
    found = [
        event
        for event in scene.cluster.events_with("FailedMount", "FailedAttachVolume")
        if "not found in the list of registered CSI drivers" in event.message
    ]
    yield from event_findings(scene, csi_driver_missing, found, remedy="Look at the storage driver's pods")
