"""Pods, policies and the Jobs of a namespace that no kubelet serves: a test says what becomes of them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from approvals.sandbox.job import Place
from approvals.sandbox.port import SandboxUnavailable

PLACE = Place(
    namespace="locum-sandbox", image=f"registry.example/locum@sha256:{'a' * 64}", pull_secrets=("pull",), start_s=2
)
ANYWHERE = [
    {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}},
    {"ipBlock": {"cidr": "::/0", "except": ["fd00:ec2::/32", "fe80::/10"]}},
]


def policy(
    name: str,
    selected: Mapping[str, str],
    *,
    types: Sequence[str] | None = ("Egress",),
    rules: Sequence[Mapping[str, Any]] = (),
    expressions: bool = False,
) -> dict[str, Any]:
    selector: dict[str, Any] = {"matchLabels": dict(selected)}
    if expressions:
        selector["matchExpressions"] = [{"key": "locum/network", "operator": "Exists"}]
    spec: dict[str, Any] = {"podSelector": selector, "egress": list(rules)}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": spec if types is None else spec | {"policyTypes": list(types)},
    }


CLOSED = policy("closed", {"app.kubernetes.io/name": "locum-sandbox"})
OPEN = policy("open", {"locum/network": "egress"}, rules=[{"to": ANYWHERE}])


def pod(
    phase: str, *, reason: str = "", name: str = "pod-1", at: str = "2026-01-01T00:00:00Z", **state: Any
) -> dict[str, Any]:
    statuses = [{"name": "command", "state": state}] if state else []
    status = {"phase": phase, "reason": reason, "containerStatuses": statuses}
    return {"metadata": {"name": name, "creationTimestamp": at}, "status": status}


class WrittenJobs:
    """Implements `Jobs`: each look at the pods gives the next of what was written, the last one from then on."""

    def __init__(self, *looks: Sequence[Mapping[str, Any]] | Exception, said: bytes | Exception = b"") -> None:
        self.allowed: Sequence[Mapping[str, Any]] = [CLOSED, OPEN]
        self.created: dict[str, Mapping[str, Any]] = {}
        self.is_created = asyncio.Event()
        self.deleted: list[str] = []
        self.create_error: BaseException | None = None
        self.delete_error: Exception | None = None
        self.asked_for: list[tuple[str, int]] = []
        self._looks = list(looks)
        self._said = said

    async def policies(self) -> Sequence[Mapping[str, Any]]:
        return self.allowed

    async def create(self, job: Mapping[str, Any]) -> bool:
        if self.create_error:
            raise self.create_error
        name = str(job["metadata"]["name"])
        if name in self.created:
            return False
        self.created[name] = job
        self.is_created.set()
        return True

    async def pods(self, job: str) -> Sequence[Mapping[str, Any]]:
        assert job in self.created
        look = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        if isinstance(look, Exception):
            raise look
        return look

    async def log(self, pod: str, limit_bytes: int) -> bytes:
        self.asked_for.append((pod, limit_bytes))
        if isinstance(self._said, Exception):
            raise self._said
        return self._said[:limit_bytes]

    async def delete(self, job: str) -> None:
        self.deleted.append(job)
        if self.delete_error:
            raise self.delete_error


TROUBLE = SandboxUnavailable("the API server cannot be reached")
