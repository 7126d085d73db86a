"""The Kubernetes objects of a snapshot, by kind.

A kind that never occurs was not captured, as far as anybody can tell: the answer is NO_SOURCE and not "there is none".
An empty list that was captured is a fact.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from tools.errors import ToolNoSource
from tools.kind import plural
from tools.kubernetes.writers import without_writers
from tools.snapshot.folder import Folder
from tools.snapshot.logs import LogFiles
from tools.world import Object

AREA = "kubernetes"

_TIMES = frozenset((
    "creationTimestamp", "lastTimestamp", "firstTimestamp", "eventTime", "lastTransitionTime", "lastHeartbeatTime",
    "lastProbeTime", "lastUpdateTime", "lastScheduleTime", "startTime", "startedAt", "finishedAt", "completionTime",
    "renewTime", "time",
))  # fmt: skip


class Objects:
    """All objects that were read, deduplicated: the same object in two files is one."""

    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, dict[tuple[str, str], Object]]] = {}
        """Kind, then API group (native groups together as ""), then namespace and name."""
        self._words: dict[str, str] = {}
        """Lower-case spellings of a kind, singular and plural."""
        self._empty: set[str] = set()
        """Words of kinds whose list was captured and holds nothing."""
        self.namespaces: set[str] = set()
        self.count = 0

    def add(self, document: Any, stem: str) -> int:
        """Adds an object, a List or an array of objects; gives how many values in it were no objects.

        `stem` is the file's name without its suffix: `networkpolicies.json` with an empty List in it says that there
        are none.
        """
        if isinstance(document, list):
            return sum(self.add(item, stem) for item in cast("list[Any]", document))
        if not isinstance(document, dict):
            return 1
        known = cast("dict[str, Any]", document)
        kind, items = known.get("kind"), known.get("items")
        if not isinstance(kind, str):
            return 1
        if not kind.endswith("List") or not isinstance(items, list | None):
            return self._add_one(known)
        listed = cast("list[Any]", items or [])
        if not listed:
            self._empty.add(kind[:-4].lower() or stem.lower())
        version = known.get("apiVersion")
        return sum(self._add_item(item, kind[:-4], version) for item in listed)

    def _add_item(self, item: Any, kind: str, version: Any) -> int:
        if not isinstance(item, dict):
            return 1
        known = cast("dict[str, Any]", item)
        if "kind" not in known and kind:
            # Lists of the API carry the kind once; only `kubectl` repeats it in each item.
            known = {"apiVersion": version, "kind": kind, **known}
        return self._add_one(known)

    def _add_one(self, known: dict[str, Any]) -> int:
        kind, metadata = known.get("kind"), known.get("metadata")
        if not isinstance(kind, str) or not kind or not isinstance(metadata, dict):
            return 1
        meta = cast("dict[str, Any]", metadata)
        name, namespace = meta.get("name"), meta.get("namespace") or ""
        if kind == "Event" and name is None:
            name = f"event-{self.count}"
        if not isinstance(name, str) or not name or not isinstance(namespace, str):
            return 1
        known["metadata"] = without_writers(kind, meta)
        if kind not in self._kinds:
            self._words |= {kind.lower(): kind, plural(kind): kind}
        groups = self._kinds.setdefault(kind, {})
        groups.setdefault(_group(known), {})[namespace, name] = without_values(known) if kind == "Secret" else known
        self.namespaces.add(name if kind == "Namespace" else namespace)
        self.count += 1
        return 0

    def of(self, kind: str, namespace: str | None) -> Sequence[Object]:
        """The objects of a kind.

        Raises:
            ToolNoSource: when the kind, or anything of the namespace, was not captured.
        """
        word, _, group = kind.partition(".")
        groups = self._kinds.get(self._words.get(word.lower(), word), {})
        found = groups.get(group)
        if found is None and not group and groups:
            # Kinds of foreign groups may share a native name; asked without a group, the native one is meant.
            found = {key: value for each in groups.values() for key, value in each.items()}
        if found is None:
            if self._empty & {word.lower(), plural(word)}:
                return []
            raise ToolNoSource(
                f"this snapshot holds no object of kind {kind!r}: not captured, as far as can be told; "
                f"add `kubectl get {plural(word)} -A -o json` under kubernetes/"
            )
        if namespace is None:
            return list(found.values())
        chosen = [value for (where, _), value in found.items() if where == namespace]
        if not chosen and namespace not in self.namespaces and "Namespace" not in self._kinds:
            known = ", ".join(sorted(filter(None, self.namespaces))[:20])
            raise ToolNoSource(f"nothing of namespace {namespace!r} was captured in this snapshot, only of: {known}")
        return chosen

    def holds(self, kind: str) -> bool:
        """Whether a kind was captured, be it that there were none of it."""
        word = kind.partition(".")[0].lower()
        return word in self._words or bool(self._empty & {word, plural(word)})

    def newest(self) -> str | None:
        """The newest time at which anything was observed, as written."""
        times = (
            time
            for groups in self._kinds.values()
            for each in groups.values()
            for value in each.values()
            for time in _times(value)
        )
        return max(times, default=None)


class SnapshotCluster:
    """The recorded cluster."""

    def __init__(self, objects: Objects, logs: LogFiles) -> None:
        self._objects = objects
        self._logs = logs

    async def objects(self, kind: str, namespace: str | None) -> Sequence[Object]:
        """All captured objects of one kind."""
        return self._objects.of(kind, namespace)

    async def serves(self, kind: str) -> bool:
        """Whether the kind was captured."""
        return self._objects.holds(kind)

    async def watch(self, kind: str, namespace: str | None, seconds: float) -> Sequence[Mapping[str, Any]]:
        """Nothing happens in a recording, which does not mean that nothing happened."""
        raise ToolNoSource(
            f"a snapshot stands still, so {plural(kind)} cannot be watched in it; events and the objects' own times "
            "tell what had changed until then"
        )

    async def log(self, namespace: str, pod: str, container: str | None, *, previous: bool, tail_lines: int) -> str:
        """The newest captured lines of a container's log."""
        return await self._logs.tail(namespace, pod, container, previous=previous, lines=tail_lines)


def read(folder: Folder, below: str) -> Objects:
    """Reads every JSON and YAML file below a folder of the snapshot."""
    objects = Objects()
    for path in folder.files(below, AREA, (".json", ".yaml", ".yml")):
        useless = sum(objects.add(document, path.stem) for document in folder.documents(path, AREA))
        if useless:
            folder.gaps.remark(f"{folder.said(path)}: {useless} values are no Kubernetes objects and were left out")
    return objects


def without_values(secret: Mapping[str, Any]) -> dict[str, Any]:
    """A Secret with its names and its keys only."""
    metadata = cast("Mapping[str, Any]", secret["metadata"])
    kept = {
        key: value
        for key, value in metadata.items()
        if key in ("name", "namespace", "uid", "creationTimestamp", "ownerReferences", "labels")
    }
    bare: dict[str, Any] = {"apiVersion": secret.get("apiVersion"), "kind": "Secret", "metadata": kept}
    if isinstance(secret.get("type"), str):
        bare["type"] = secret["type"]
    for part in ("data", "stringData"):
        values = secret.get(part)
        if isinstance(values, dict):
            bare[part] = dict.fromkeys(cast("dict[str, Any]", values), "[redacted:secret]")
    return bare


def _group(known: Mapping[str, Any]) -> str:
    version = known.get("apiVersion")
    group = version.rpartition("/")[0] if isinstance(version, str) else ""
    return "" if "." not in group or group.endswith(".k8s.io") else group


def _times(value: Any) -> Iterator[str]:
    pending: list[Any] = [value]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            for key, inner in cast("dict[str, Any]", current).items():
                if isinstance(inner, str):
                    if key in _TIMES and inner.endswith("Z") and inner[:2] == "20":
                        yield inner
                else:
                    pending.append(inner)
        elif isinstance(current, list):
            pending.extend(cast("list[Any]", current))
