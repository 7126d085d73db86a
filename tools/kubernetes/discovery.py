"""Finds under which path a cluster serves a kind. Asks only for the groups that it needs, and remembers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tools.errors import ToolNoSource, ToolUnavailable
from tools.kind import plural
from tools.kubernetes.fields import Fields, items, mapping, text, value, words

Get = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Reads one path of the API server as JSON."""

_GROUPS = {
    "apps": ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ControllerRevision"),
    "batch": ("Job", "CronJob"),
    "autoscaling": ("HorizontalPodAutoscaler",),
    "networking.k8s.io": ("Ingress", "IngressClass", "NetworkPolicy"),
    "discovery.k8s.io": ("EndpointSlice",),
    "policy": ("PodDisruptionBudget",),
    "storage.k8s.io": ("StorageClass", "VolumeAttachment", "CSIDriver", "CSINode"),
    "rbac.authorization.k8s.io": ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
    "scheduling.k8s.io": ("PriorityClass",),
    "coordination.k8s.io": ("Lease",),
    "apiextensions.k8s.io": ("CustomResourceDefinition",),
    "apiregistration.k8s.io": ("APIService",),
    "admissionregistration.k8s.io": ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"),
}
_HOME = {kind: group for group, kinds in _GROUPS.items() for kind in kinds}

_CORE = "api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """How one kind is read."""

    kind: str
    group: str
    version: str
    plural: str
    is_namespaced: bool

    def path(self, namespace: str | None) -> str:
        """The path of its list."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        where = f"/namespaces/{namespace}" if namespace is not None and self.is_namespaced else ""
        return f"{root}{where}/{self.plural}"


class Discovery:
    """What one API server serves."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._known: dict[str, Resource] = {}
        self._lists: dict[str, Mapping[str, Any]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def find(self, kind: str) -> Resource:
        """Where a kind is served; `Kind.group` names the group as well.

        Raises:
            ToolNoSource: when no group serves it.
            ToolUnavailable: when a group that may serve it does not answer.
        """
        if kind not in self._known:
            self._known[kind] = await self._search(kind)
        return self._known[kind]

    def forget(self, kind: str) -> None:
        """After a path turned out to be gone."""
        self._known.pop(kind, None)
        self._lists.clear()

    async def _search(self, kind: str) -> Resource:
        word, _, group = kind.partition(".")
        if not group and kind not in _HOME and (found := _served(await self._read(_CORE), kind, "", "v1")):
            return found
        home = group or _HOME.get(kind)
        groups = items(await self._read("apis"), "groups")
        groups = [each for each in groups if home is None or text(each, "name") == home]
        silent: list[str] = []
        for each in groups:
            for version in _versions(each):
                try:
                    listed = await self._read(f"apis/{text(each, 'name')}/{version}")
                except ToolUnavailable:
                    # One broken extension server must not hide what the others serve.
                    silent.append(text(each, "name"))
                    continue
                if found := _served(listed, word, text(each, "name"), version):
                    return found
        if silent:
            raise ToolUnavailable(
                f"kind {kind!r} was not found, and these API groups do not answer: {', '.join(silent)}"
            )
        # Its definition may be installed any time: the next question asks the server again.
        self._lists.clear()
        raise ToolNoSource(f"this cluster serves no kind {kind!r}")

    async def _read(self, path: str) -> Mapping[str, Any]:
        # The lock, so that several questions at once share one request.
        async with self._locks.setdefault(path, asyncio.Lock()):
            if path not in self._lists:
                self._lists[path] = await self._get(f"/{path}")
            return self._lists[path]


def _versions(group: Fields) -> Iterator[str]:
    preferred = text(mapping(group, "preferredVersion"), "version")
    yield preferred
    yield from (version for each in items(group, "versions") if (version := text(each, "version")) != preferred)


def _served(listed: Fields, word: str, group: str, version: str) -> Resource | None:
    wanted = {word.lower(), plural(word)}
    for each in items(listed, "resources"):
        name, kind = text(each, "name"), text(each, "kind")
        if "/" in name or "list" not in words(each, "verbs"):
            continue
        if wanted & {kind.lower(), name, text(each, "singularName"), *words(each, "shortNames")} - {""}:
            namespaced = value(each, "namespaced") is True
            return Resource(kind=kind, group=group, version=version, plural=name, is_namespaced=namespaced)
    return None
