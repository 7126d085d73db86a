"""One command as a restricted Kubernetes Job, and what its pod says of how it ended. Pure; asks no cluster.

A Job is named after its run: a second one of that name cannot be created while the first is there. Kubernetes itself
may start the pod of a Job twice, so nothing rests on the name alone.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from approvals.sandbox.port import GIVEN, SCRATCH, Command, Ended, is_signal
from approvals.sandbox.walls import NOBODY
from tools.kubernetes.fields import condition, items, mapping, text, value

GRACE_S = 30
"""From the deadline of the pod to that of its Job."""
KEPT_S = 120
"""That a Job which nobody took away stays after its end."""
NETWORK_LABEL = "locum/network"
"""`none` or `egress`; the namespace's network policies select by it."""
CONTAINER = "command"
_GIVEN = "locum/given"
_HOPELESS = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "CreateContainerConfigError")
_NOT_STARTED = ("StartError", "ContainerCannotRun", "CreateContainerError", "RunContainerError")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a cluster commands run, and from which image."""

    namespace: str
    """One of its own: whoever may create Jobs in it can read all that lies in it."""
    image: str
    """With its digest, so that nobody can put other programs under its name."""
    pull_secrets: tuple[str, ...] = ()
    start_s: int = 60
    """That a pod may take until its command runs: a node is found, the image pulled."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", self.image):
            raise ValueError(f"the sandbox's image {self.image!r} is not pinned: name it with @sha256: and its digest")


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a pod's command ended."""

    ended: Ended
    exit_code: int | None = None
    message: str = ""


def job_name(run_id: str) -> str:
    """The name of a run's Job."""
    return f"locum-run-{hashlib.sha256(run_id.encode()).hexdigest()[:32]}"


def labels(command: Command) -> dict[str, str]:
    """What policies know a command's pod by."""
    return {
        "app.kubernetes.io/name": "locum-sandbox",
        "app.kubernetes.io/managed-by": "locum",
        NETWORK_LABEL: "egress" if command.network else "none",
    }


def manifest(command: Command, place: Place) -> dict[str, Any]:
    """The Job that runs a command."""
    seconds = math.ceil(command.limits.wall_s) + place.start_s
    annotations = {} if command.given is None else {_GIVEN: command.given}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": job_name(command.run_id), "namespace": place.namespace, "labels": labels(command)},
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            # Later than the pod's own: with it the pod goes, and what it said.
            "activeDeadlineSeconds": seconds + GRACE_S,
            "ttlSecondsAfterFinished": KEPT_S,
            "template": {
                "metadata": {"labels": labels(command), "annotations": annotations},
                "spec": _pod(command, place) | {"activeDeadlineSeconds": seconds},
            },
        },
    }


def _pod(command: Command, place: Place) -> dict[str, Any]:
    volumes: list[dict[str, Any]] = [
        {"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": str(command.limits.scratch_bytes)}}
    ]
    mounts: list[dict[str, Any]] = [{"name": "scratch", "mountPath": SCRATCH}]
    if command.given is not None:
        # An annotation becomes a file without a ConfigMap, which would have to be created and taken away as well.
        folder, _, name = GIVEN.rpartition("/")
        source = {"path": name, "fieldRef": {"fieldPath": f"metadata.annotations['{_GIVEN}']"}}
        volumes.append({"name": "given", "downwardAPI": {"items": [source]}})
        mounts.append({"name": "given", "mountPath": folder, "readOnly": True})
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "hostNetwork": False,
        "hostPID": False,
        "hostIPC": False,
        "terminationGracePeriodSeconds": 0,
        "imagePullSecrets": [{"name": name} for name in place.pull_secrets],
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "fsGroup": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumes": volumes,
        "containers": [_container(command, place) | {"volumeMounts": mounts}],
    }


def _container(command: Command, place: Place) -> dict[str, Any]:
    limits = command.limits
    resources = {"cpu": "1", "memory": str(limits.memory_bytes), "ephemeral-storage": str(limits.scratch_bytes)}
    return {
        "name": CONTAINER,
        "image": place.image,
        "imagePullPolicy": "IfNotPresent",
        # Kubernetes would put variables in place of $(NAME), and writes $ as $$.
        "command": [each.replace("$", "$$") for each in command.argv],
        "workingDir": SCRATCH,
        "resources": {"limits": resources, "requests": resources | {"cpu": "100m"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def read_end(pod: Mapping[str, Any]) -> End | None:
    """How the pod's command ended; `None` while it may still run."""
    if text(pod, "status", "phase") not in ("Succeeded", "Failed"):
        return None
    if text(pod, "status", "reason") == "DeadlineExceeded":
        return End(ended=Ended.TIMED_OUT)
    terminated = mapping(_state(pod), "terminated")
    code = value(terminated, "exitCode")
    if text(terminated, "reason") in _NOT_STARTED:
        return End(ended=Ended.REFUSED, message=text(terminated, "message"))
    if not isinstance(code, int) or is_signal(code) or text(terminated, "reason") == "OOMKilled":
        return End(ended=Ended.KILLED)
    return End(ended=Ended.EXITED, exit_code=code)


def why_stuck(pod: Mapping[str, Any]) -> str | None:
    """Why the pod's command will never start, where its pod says so."""
    waiting = mapping(_state(pod), "waiting")
    if text(waiting, "reason") not in (*_HOPELESS, *_NOT_STARTED):
        return None
    return f"{text(waiting, 'reason')}: {text(waiting, 'message')}"


def why_pending(pod: Mapping[str, Any]) -> str:
    """What keeps the pod from a node, where its pod says so."""
    return text(condition(pod, "PodScheduled"), "message")


def is_running(pod: Mapping[str, Any]) -> bool:
    """Whether the pod's command has started."""
    return "running" in _state(pod)


def _state(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    for status in items(mapping(pod, "status"), "containerStatuses"):
        return mapping(status, "state")
    return {}
