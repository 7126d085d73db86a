"""Why images do not arrive: the registry's own words decide which of the causes it is."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agents.causes import Rule, rule
from agents.finding import Finding, Role
from agents.objects import Event, items, text
from agents.rules.kubernetes.readings import Container, by_workload, containers, counted, first, severity, short, target
from agents.rules.kubernetes.starting import is_stuck, waiting_findings
from agents.scene import Scene

PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"})


class Refusal(StrEnum):
    """What a registry, or the way to it, said."""

    RATE = "rate"
    STORE = "store"
    UNREACHABLE = "unreachable"
    AUTH = "auth"
    ABSENT = "absent"
    UNSAID = "unsaid"


# In this order: a look-up that times out may also say "not found", and a denial may speak of what does not exist.
_WORDS = (
    (Refusal.RATE, re.compile(r"\b429\b|toomanyrequests|too many requests|rate limit", re.IGNORECASE)),
    (Refusal.STORE, re.compile(r"no space left|read-only file system|input/output error", re.IGNORECASE)),
    (
        Refusal.UNREACHABLE,
        re.compile(
            r"i/o timeout|timed? ?out|deadline exceeded|no such host|connection re(?:fused|set)|no route to host"
            r"|network is unreachable|server misbehaving|name resolution|x509|tls:|\b50[0234]\b|service unavailable",
            re.IGNORECASE,
        ),
    ),
    (
        Refusal.AUTH,
        re.compile(
            r"unauthorized|denied|authentication required|no basic auth|\b40[13]\b|forbidden|authorization failed",
            re.IGNORECASE,
        ),
    ),
    (Refusal.ABSENT, re.compile(r"not found|manifest unknown|does not exist|\b404\b|no match(?:ing)?", re.IGNORECASE)),
)


_EITHER = re.compile(r"repository does not exist or may require", re.IGNORECASE)
"""What Docker Hub and others say of an image that does not exist to whoever does not log in."""


def refusal_of(message: str) -> Refusal:
    """Which refusal a pull error is; UNSAID when it only says that the pull is backing off."""
    return next((kind for kind, shape in _WORDS if shape.search(message)), Refusal.UNSAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One container whose image does not arrive."""

    container: Container
    message: str
    event: Event | None

    @property
    def image(self) -> str:
        return text(self.container.spec, "image") or text(self.container.status, "image")


def pulls(scene: Scene) -> Sequence[Pull]:
    """The containers that wait for an image, each with the most telling message."""
    return scene.once(_pulls)


def _pulls(scene: Scene) -> Sequence[Pull]:
    found: list[Pull] = []
    for each in containers(scene):
        if text(each.waiting, "reason") not in PULL_REASONS:
            continue
        events = [
            event
            for event in scene.cluster.events_about(each.pod.entity, "Failed")
            if "pull" in event.message and (not event.field_path or f"{{{each.name}}}" in event.field_path)
        ]
        telling = next((event for event in reversed(events) if refusal_of(event.message) is not Refusal.UNSAID), None)
        said = text(each.waiting, "message")
        message = telling.message if telling and refusal_of(said) is Refusal.UNSAID else said
        found.append(Pull(container=each, message=message, event=telling))
    return found


def _findings(scene: Scene, of: Rule, found: Iterable[Pull], advice: str) -> Iterator[Finding]:
    by_name = {id(each.container): each for each in found}
    for workload, several in by_workload(scene, (each.container for each in by_name.values())).items():
        each = by_name[id(several[0])]
        unsaid = refusal_of(each.message) is Refusal.UNSAID
        said = "; the registry's answer was not captured" if unsaid else f": {short(each.message)}"
        cited = [scene.cite(each.container.pod, each.container.path, "spec.containers[*].image")]
        yield of.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))} cannot pull {each.image}{said}",
            [*cited, *([scene.cite_event(each.event)] if each.event else [])],
            severity=severity(scene, workload),
            direct=not unsaid and not _is_open(each.message),
            first_seen=first(one.pod.created_at for one in several),
            remedy=advice.format(image=each.image, target=target(workload), container=several[0].name),
        )


def _of(scene: Scene, *kinds: Refusal) -> list[Pull]:
    return [each for each in pulls(scene) if _refusal(scene, each) in kinds]


def _refusal(scene: Scene, each: Pull) -> Refusal:
    """Which refusal it is; where the registry leaves it open, only who has a login can have a wrong one."""
    if not _is_open(each.message) or _logs_in(scene, each):
        return refusal_of(each.message)
    return Refusal.ABSENT


def _is_open(message: str) -> bool:
    return bool(_EITHER.search(message))


def _logs_in(scene: Scene, each: Pull) -> bool:
    pod = each.container.pod
    account = scene.cluster.get(
        "ServiceAccount", pod.namespace, text(pod.raw, "spec", "serviceAccountName") or "default"
    )
    return bool(items(pod.raw, "spec", "imagePullSecrets") or (account and items(account.raw, "imagePullSecrets")))


@rule(
    id="image-not-found",
    area="images",
    role=Role.CAUSE,
    title="The image does not exist",
    meaning="A typing error in name or tag, or a tag that was deleted. Inferred where its answer is missing.",
    remediation="Correct the tag, or roll back to the last image that worked.",
)
def image_not_found(scene: Scene) -> Iterator[Finding]:
    advice = "{image} is not in its registry: kubectl set image {target} {container}=<a tag that exists>"
    yield from _findings(scene, image_not_found, _of(scene, Refusal.ABSENT, Refusal.UNSAID), advice)


@rule(
    id="image-auth-failed",
    area="images",
    role=Role.CAUSE,
    title="The registry refuses access",
    meaning="An expired or wrong pull secret; some registries also say this of an image that does not exist.",
    remediation="Renew the pull secret, and check the image's name.",
)
def image_auth_failed(scene: Scene) -> Iterator[Finding]:
    advice = "Renew the pull secret that {target} uses for {image}, and check that the image's name is right"
    yield from _findings(scene, image_auth_failed, _of(scene, Refusal.AUTH), advice)


@rule(
    id="registry-unreachable",
    area="images",
    role=Role.CAUSE,
    title="The registry cannot be reached",
    meaning="Time-out, name resolution or TLS on the way to the registry, or the registry is down.",
    remediation="Probe the registry from the node.",
)
def registry_unreachable(scene: Scene) -> Iterator[Finding]:
    advice = "From the node, try the registry of {image}: name, port 443, certificate"
    yield from _findings(scene, registry_unreachable, _of(scene, Refusal.UNREACHABLE), advice)


@rule(
    id="image-rate-limited",
    area="images",
    role=Role.CAUSE,
    title="The registry limits the rate of pulls",
    meaning="Too many pulls without an account. It clears by itself and comes back.",
    remediation="Pull with an account, or through a mirror.",
)
def image_rate_limited(scene: Scene) -> Iterator[Finding]:
    advice = "Give {target} a pull secret with an account, or take {image} from a mirror"
    yield from _findings(scene, image_rate_limited, _of(scene, Refusal.RATE), advice)


@rule(
    id="image-store-broken",
    area="images",
    role=Role.CAUSE,
    title="The node's image store is full or broken",
    meaning="The image arrives and cannot be kept: the node's disk is full or failing.",
    remediation="Clean the node's disk.",
)
def image_store_broken(scene: Scene) -> Iterator[Finding]:
    broken = [
        Pull(container=each, message=text(each.waiting, "message"), event=None)
        for each in containers(scene)
        if text(each.waiting, "reason") == "ImageInspectError"
    ]
    advice = "Free space in the image store of the node that runs {target}"
    yield from _findings(scene, image_store_broken, [*_of(scene, Refusal.STORE), *broken], advice)


@rule(
    id="pull-secret-missing",
    area="images",
    role=Role.CAUSE,
    title="The pull secret does not exist",
    meaning="The pod names a pull secret that is not in its namespace. Silent while the image arrives all the same.",
    remediation="Create the secret in that namespace.",
)
def pull_secret_missing(scene: Scene) -> Iterator[Finding]:
    found: list[tuple[Container, str]] = []
    for each in pulls(scene):
        pod = each.container.pod
        names = [text(one, "name") for one in items(pod.raw, "spec", "imagePullSecrets")]
        told = " ".join(
            event.message for event in scene.cluster.events_about(pod.entity, "FailedToRetrieveImagePullSecret")
        )
        lacking = [
            name for name in names if scene.cluster.lacks("Secret", pod.namespace, name) or (name and name in told)
        ]
        if lacking and is_stuck(scene, pod):
            found.append((each.container, lacking[0]))
    named = {id(container): name for container, name in found}
    for workload, several in by_workload(scene, (container for container, _ in found)).items():
        each, name = several[0], named[id(several[0])]
        events = scene.cluster.events_about(each.pod.entity, "FailedToRetrieveImagePullSecret")
        yield pull_secret_missing.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))} name the pull secret {name!r}, which is not in"
            f" {each.pod.namespace}",
            [scene.cite(each.pod, "spec.imagePullSecrets", each.path), *map(scene.cite_event, events[-1:])],
            severity=severity(scene, workload),
            first_seen=first(one.pod.created_at for one in several),
            remedy=f"kubectl create secret docker-registry {name} -n {each.pod.namespace} …",
        )


@rule(
    id="invalid-image-name",
    area="images",
    role=Role.CAUSE,
    title="The image's name is not a name",
    meaning="The reference cannot be read: capital letters, a space, a missing variable.",
    remediation="Correct the reference.",
)
def invalid_image_name(scene: Scene) -> Iterator[Finding]:
    found = (each for each in containers(scene) if text(each.waiting, "reason") == "InvalidImageName")
    yield from waiting_findings(scene, invalid_image_name, found)


@rule(
    id="image-never-pull",
    area="images",
    role=Role.CAUSE,
    title="The image is absent and must not be pulled",
    meaning="Pull policy Never, and the node does not have the image.",
    remediation="Load the image onto the nodes, or change the pull policy.",
)
def image_never_pull(scene: Scene) -> Iterator[Finding]:
    found = (each for each in containers(scene) if text(each.waiting, "reason") == "ErrImageNeverPull")
    yield from waiting_findings(scene, image_never_pull, found)
