"""What all actions on Kubernetes objects have in common: whose names they take, and what they never touch. Pure."""

import re
from typing import Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints

from approvals.action import Action, ActionArgs, ActionError, ActionKind
from tools.entity import Entity
from tools.redaction import redact

RUNNER = "kubernetes"
WORKLOADS = frozenset({"deployment", "statefulset", "daemonset"})
CLUSTER_SCOPED = frozenset({"node"})

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_NAMESPACE = re.compile(_LABEL)
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_NAME = re.compile(_SUBDOMAIN)
_RESERVED = ("kube-", "openshift-")
"""How namespaces begin that hold what runs the cluster itself; Kubernetes reserves the first for itself."""
_LONGEST_NAME = 253
_CLUSTER = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?)?")

_WORD = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*(:[0-9]{1,5})?"
_PART = r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*"

ContainerName = Annotated[
    str, Field(description="Name of a container of the pod template", pattern=rf"^{_LABEL}$", max_length=63)
]
ImageReference = Annotated[
    str,
    Field(
        description="Image with a tag or a digest, such as registry.example/shop/cart:1.4.2",
        pattern=rf"^({_HOST}/)?{_PART}(/{_PART})*(:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}(@sha256:[0-9a-f]{{64}})?|@sha256:[0-9a-f]{{64}})$",
        max_length=500,
    ),
]
PortNumber = Annotated[int, Field(ge=1, le=65535)]
PortName = Annotated[str, StringConstraints(pattern=r"^[a-z]([a-z0-9-]{0,13}[a-z0-9])?$")]
Port = PortNumber | PortName
"""A number, or the name that a container gives to one of its ports."""
HttpPath = Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~%/?&=+:@,;-]*$", max_length=500)]
Cpu = Annotated[
    str,
    Field(
        description="Cores, such as 250m or 1.5", pattern=r"^([1-9][0-9]{0,6}m?|(0|[1-9][0-9]{0,3})\.[0-9]{0,2}[1-9])$"
    ),
]
Memory = Annotated[
    str,
    Field(
        description="Memory, such as 512Mi; bytes are taken from a million on",
        pattern=r"^([1-9][0-9]{0,9}(Ki|Mi|Gi|Ti|k|M|G|T)|[1-9][0-9]{6,14})$",
    ),
]
NoLimit = Literal["none"]
LabelKey = Annotated[str, Field(pattern=rf"^({_SUBDOMAIN}/)?{_WORD}$", max_length=317)]
LabelValue = Annotated[str, Field(pattern=rf"^({_WORD})?$", max_length=63)]
Revision = Annotated[int, Field(ge=1, le=2**31 - 1, description="Number of a revision of the rollout history")]

A = TypeVar("A", bound=ActionArgs)


class NoArgs(ActionArgs):
    """The target says it all."""


class ObjectKind(ActionKind[A]):
    """A kind of action on one Kubernetes object, named exactly, outside of the namespaces that run the cluster."""

    __slots__ = ()

    def on(self, target: Entity, args: A, *, cluster: str = "") -> Action:
        """This action on a target.

        Raises:
            ActionError: when the target is no object that this action is for, or the action could not be shown as it
                is because a part of it looks like a secret.
        """
        action = super().on(target, args, cluster=cluster)
        _check(self.name, target)
        if not _CLUSTER.fullmatch(cluster):
            raise ActionError(f"{self.name}: {cluster[:80]!r} is no name of a cluster")
        sentence = self.sentence(target, args)
        if redact(sentence) != sentence:
            raise ActionError(f"{self.name}: an argument looks like a secret, and people could not be shown it")
        return action


def repository(image: str) -> str:
    """Where an image comes from: registry and path, without tag and digest; the short names mean Docker Hub's."""
    path = image.partition("@")[0]
    if ":" in path.rpartition("/")[2]:
        path = path.rpartition(":")[0]
    first, slash, rest = path.partition("/")
    if not slash:
        return f"docker.io/library/{path}"
    if "." in first or ":" in first or first == "localhost":
        return f"docker.io/{rest}" if first == "index.docker.io" else path
    return f"docker.io/{path}"


def _check(action: str, target: Entity) -> None:
    if len(target.name) > _LONGEST_NAME or not _NAME.fullmatch(target.name):
        raise ActionError(f"{action}: the target's name is no name of one Kubernetes object")
    if target.kind in CLUSTER_SCOPED:
        if target.namespace:
            raise ActionError(f"{action}: a {target.kind} is in no namespace: expected {target.kind}//{target.name}")
        return
    if not _NAMESPACE.fullmatch(target.namespace):
        raise ActionError(f"{action}: the target needs a namespace: expected {target.kind}/namespace/{target.name}")
    if target.namespace.startswith(_RESERVED):
        raise ActionError(f"{action}: {target.namespace!r} runs the cluster itself, and nothing in it is ever changed")


def named(target: Entity) -> str:
    """A target as sentences name it: `deployment shop/cart`, `node worker-1`."""
    return f"{target.kind} {target.namespace}/{target.name}" if target.namespace else f"{target.kind} {target.name}"
