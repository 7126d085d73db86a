"""Small recorded worlds, and the runner that changes them."""

import json
from pathlib import Path
from typing import Any

from approvals.action import Action, read
from approvals.runners.recorded import RecordedRunner
from tests.kubernetes import scenes
from tools.snapshot.opening import open_snapshot

Object = dict[str, Any]
NAMESPACE = "shop"
CAPTURED = "2026-01-01T10:00:00Z"


def recorded(folder: Path, *objects: Object) -> RecordedRunner:
    """A runner on a snapshot that holds these objects."""
    snapshot = folder / "world"
    (snapshot / "kubernetes").mkdir(parents=True)
    (snapshot / "snapshot.yaml").write_text(f"version: 1\ncaptured_at: {CAPTURED}\n")
    for number, each in enumerate(objects):
        (snapshot / "kubernetes" / f"{number}.json").write_text(json.dumps(named(each, number)))
    return RecordedRunner(snapshot=snapshot, overlay=folder / "overlay", open_world=open_snapshot)


def named(obj: Object, number: int) -> Object:
    """The object with a uid, and in the namespace unless it has none."""
    metadata = {"uid": f"uid-{number}", **obj["metadata"]}
    if obj["kind"] not in ("Node", "Namespace"):
        metadata.setdefault("namespace", NAMESPACE)
    return {**obj, "metadata": metadata}


def action(name: str, target: str, cluster: str = "", **arguments: Any) -> Action:
    return read({"name": name, "target": target, "arguments": arguments, "cluster": cluster})


def workload(kind: str = "Deployment", *, container: Object | None = None, **spec: Any) -> Object:
    made: Object = scenes.deployment(NAMESPACE)
    made["kind"] = kind
    template: Object = {
        "metadata": {"labels": {"app": "cart"}},
        "spec": {
            "containers": [
                {"name": "cart", "image": "registry.test/cart:1", **({} if container is None else container)}
            ]
        },
    }
    made["spec"] |= {"template": template, **spec}
    return made


def pod(name: str, *, is_ready: bool = True, metadata: Object | None = None, **more: Any) -> Object:
    made = scenes.pod(NAMESPACE, name)
    made["metadata"] |= more | (metadata or {})
    return made | {"status": scenes.running() if is_ready else scenes.crashing()}


def owned(uid: str, kind: str = "ReplicaSet", name: str = "cart-h1", *, controller: bool = True) -> list[Object]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": controller}]


async def wanted() -> bool:
    return True
