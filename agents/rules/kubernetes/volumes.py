"""Volumes and classes: why no volume fits a claim, and what is left half done."""

from collections.abc import Iterator, Sequence

from whenever import TimeDelta

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, mapping, matches, moment, quantity, text, words
from agents.rules.kubernetes.readings import older_than, short
from agents.rules.kubernetes.storage import DEFAULT_CLASS, class_of, unbound
from agents.scene import Scene

BY_HAND = "kubernetes.io/no-provisioner"
RESIZING = TimeDelta(minutes=10)
"""A file system grows within a minute of the pod's start; the kubelet retries for a while."""
TINY = 2.0**30
_RESIZES = ("FileSystemResizePending", "ControllerResizeError", "NodeResizeError")


@rule(
    id="volume-claim-mismatch",
    area="storage",
    role=Role.CAUSE,
    title="No volume fits the claim",
    meaning="Volumes are made by hand here, and none that is free has the size, access mode or labels asked for; "
    "or the "
    "one that the claim names is too small, differs, or belongs to another. Classes that make volumes are left out.",
    remediation="Change the claim to what a volume offers, or make a volume that fits.",
)
def volume_claim_mismatch(scene: Scene) -> Iterator[Finding]:
    if not scene.cluster.knows("PersistentVolume"):
        return
    for claim in unbound(scene):
        named = text(claim.raw, "spec", "volumeName")
        if not named and _is_made_for_it(scene, claim):
            continue
        candidates = [
            each
            for each in scene.cluster.all("PersistentVolume")
            if (each.name == named if named else text(each.raw, "spec", "storageClassName") == (class_of(claim) or ""))
        ]
        reasons = {each: _unfit(claim, each) for each in candidates}
        if any(not each for each in reasons.values()):
            continue
        said = "; ".join(f"{each.name} {', '.join(why)}" for each, why in list(reasons.items())[:3])
        none = f"there is no volume {named!r}" if named else f"there is no volume of class {class_of(claim)!r}"
        shown = [
            scene.cite(each, "spec.capacity", "spec.accessModes", "spec.claimRef", "status.phase")
            for each in candidates
        ]
        yield volume_claim_mismatch.finding(
            claim.entity,
            f"no volume fits {claim.entity}: {said or none}",
            [scene.cite(claim, "spec", "status.phase"), *shown[:2]],
            severity=Severity.CRITICAL,
            first_seen=claim.created_at,
            remedy=f"Make a volume that fits {claim.name}, or change the claim: {said or none}",
        )


def _is_made_for_it(scene: Scene, claim: Resource) -> bool:
    """Whether a provisioner would make a volume; a class that is not known may well."""
    named = class_of(claim)
    if named is None:
        return True
    if not named:
        return False
    known = scene.cluster.get("StorageClass", "", named)
    if known is None:
        # Static binding works with a class that has no object, where volumes carry its name.
        return not any(text(each.raw, "spec", "storageClassName") == named for each in _volumes(scene))
    return text(known.raw, "provisioner") != BY_HAND


def _volumes(scene: Scene) -> Sequence[Resource]:
    return scene.cluster.all("PersistentVolume")


def _unfit(claim: Resource, volume: Resource) -> list[str]:
    """Why a volume does not serve a claim; empty when it does."""
    found: list[str] = []
    holder = mapping(volume.raw, "spec", "claimRef")
    if holder and (text(holder, "namespace"), text(holder, "name")) != (claim.namespace, claim.name):
        found.append(f"belongs to claim {text(holder, 'namespace')}/{text(holder, 'name')}")
    wanted = quantity(text(claim.raw, "spec", "resources", "requests", "storage"))
    has = quantity(text(volume.raw, "spec", "capacity", "storage"))
    if wanted is not None and has is not None and has < wanted:
        asks = text(claim.raw, "spec", "resources", "requests", "storage")
        found.append(f"has {text(volume.raw, 'spec', 'capacity', 'storage')}, asked is {asks}")
    modes = set(words(claim.raw, "spec", "accessModes")) - set(words(volume.raw, "spec", "accessModes"))
    if modes:
        found.append(f"lacks access mode {', '.join(sorted(modes))}")
    if not matches(mapping(claim.raw, "spec", "selector"), volume.labels):
        found.append("lacks the labels that the claim selects")
    if (text(claim.raw, "spec", "volumeMode") or "Filesystem") != (
        text(volume.raw, "spec", "volumeMode") or "Filesystem"
    ):
        found.append("is of another volume mode")
    return found


@rule(
    id="several-default-classes",
    area="storage",
    role=Role.CAUSE,
    title="Several storage classes are the default",
    meaning="A claim without class gets the newest of them, which nobody chose. Only news while such a claim waits.",
    remediation="Leave one default.",
)
def several_default_classes(scene: Scene) -> Iterator[Finding]:
    defaults = [each for each in scene.cluster.all("StorageClass") if each.annotations.get(DEFAULT_CLASS) == "true"]
    if len(defaults) < 2:
        return
    waits = any(class_of(claim) is None for claim in unbound(scene))
    names = ", ".join(each.name for each in defaults)
    yield several_default_classes.finding(
        defaults[0].entity,
        f"{len(defaults)} storage classes are the default: {names}",
        [
            scene.cite(each, r"metadata.annotations.storageclass\.kubernetes\.io/is-default-class")
            for each in defaults[:3]
        ],
        severity=Severity.WARNING if waits else Severity.INFO,
        remedy=f"kubectl annotate storageclass {defaults[-1].name} {DEFAULT_CLASS}=false --overwrite",
    )


@rule(
    id="pv-failed",
    area="storage",
    role=Role.CAUSE,
    title="A volume could not be reclaimed",
    meaning="Phase Failed: deleting or recycling it went wrong, and it holds its disk.",
    remediation="Read its message; delete the disk, then the object.",
)
def pv_failed(scene: Scene) -> Iterator[Finding]:
    for volume in _volumes(scene):
        if volume.status.get("phase") == "Failed":
            yield pv_failed.finding(
                volume.entity,
                f"{volume.entity} has failed: {short(text(volume.status, 'message')) or 'it does not say why'}",
                [scene.cite(volume, "spec.claimRef", "status")],
                severity=Severity.WARNING,
                remedy=f"kubectl describe pv {volume.name}; then its disk at the storage",
            )


@rule(
    id="pv-released",
    area="storage",
    role=Role.CONTEXT,
    title="A volume is kept after its claim",
    meaning="Released and retained by design: its data are there, and nobody can bind it as it is.",
    remediation="Remove its claimRef to use it again, or delete it.",
)
def pv_released(scene: Scene) -> Iterator[Finding]:
    for volume in _volumes(scene):
        if volume.status.get("phase") == "Released":
            holder = mapping(volume.raw, "spec", "claimRef")
            yield pv_released.finding(
                volume.entity,
                f"{volume.entity} is released; it was of claim {text(holder, 'namespace')}/{text(holder, 'name')}",
                [scene.cite(volume, "spec.claimRef", "spec.persistentVolumeReclaimPolicy", "status.phase")],
                severity=Severity.INFO,
                remedy=f'kubectl patch pv {volume.name} -p \'{{"spec":{{"claimRef":null}}}}\', or delete it',
            )


@rule(
    id="volume-resize-pending",
    area="storage",
    role=Role.CAUSE,
    title="A volume waits to be resized",
    meaning="The disk grew and its file system did not: it needs the pod to start anew. Ten minutes are given.",
    remediation="Restart the pod that uses it.",
)
def volume_resize_pending(scene: Scene) -> Iterator[Finding]:
    for claim in scene.cluster.all("PersistentVolumeClaim"):
        for state in items(claim.status, "conditions"):
            at = moment(state, "lastTransitionTime")
            if text(state, "type") in _RESIZES and state.get("status") == "True" and older_than(scene, at, RESIZING):
                yield volume_resize_pending.finding(
                    claim.entity,
                    f"{claim.entity} is not resized yet ({text(state, 'type')}): {short(text(state, 'message'))}",
                    [scene.cite(claim, "spec.resources", "status")],
                    severity=Severity.WARNING,
                    first_seen=at,
                    remedy=f"Restart the pod that uses claim {claim.name} in {claim.namespace}",
                )


@rule(
    id="deprecated-provisioner",
    area="storage",
    role=Role.CONTEXT,
    title="A storage class uses a driver of old",
    meaning="Drivers inside Kubernetes are gone or going; an upgrade may end them. Volumes made by hand are no driver.",
    remediation="Migrate to the CSI driver.",
)
def deprecated_provisioner(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("StorageClass"):
        driver = text(each.raw, "provisioner")
        if driver.startswith("kubernetes.io/") and driver != BY_HAND:
            yield deprecated_provisioner.finding(
                each.entity,
                f"{each.entity} uses the in-tree driver {driver}",
                [scene.cite(each, "provisioner")],
                severity=Severity.INFO,
                remedy=f"Move the volumes of class {each.name} to the CSI driver of the same storage",
            )


@rule(
    id="tiny-volume",
    area="storage",
    role=Role.CONTEXT,
    title="A claim is very small",
    meaning="Less than 1 Gi: full soon, unless somebody knows what goes in.",
    remediation="Ask for what it will need.",
)
def tiny_volume(scene: Scene) -> Iterator[Finding]:
    for claim in scene.cluster.all("PersistentVolumeClaim"):
        asked = text(claim.raw, "spec", "resources", "requests", "storage")
        size = quantity(asked)
        if size is not None and 0 < size < TINY:
            yield tiny_volume.finding(
                claim.entity,
                f"{claim.entity} asks for {asked} only",
                [scene.cite(claim, "spec.resources", "status.capacity")],
                severity=Severity.INFO,
                remedy=f"Set the storage request of {claim.where} to what it will need",
            )
