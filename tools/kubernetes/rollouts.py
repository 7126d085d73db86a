"""The tool that tells what a deployment's revisions changed."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field
from whenever import Instant

from tools.catalogue import Args, Reading, tool
from tools.kubernetes.fields import Fields, age, items, mapping, moment, name, number, text
from tools.kubernetes.objects import HINT
from tools.kubernetes.render import dump
from tools.world import World, need

REVISION = "deployment.kubernetes.io/revision"
_MAX_DIFF_LINES = 80


class RolloutArgs(Args):
    """Which deployment."""

    namespace: str = Field(min_length=1)
    deployment: str = Field(min_length=1)


@tool("kubernetes.rollout_history", RolloutArgs)
async def rollout_history(world: World, args: RolloutArgs) -> Reading:
    """The revisions of a deployment, newest first, each with what it changed in the pod template.

    Only the template is known: scaling, and changes of a ConfigMap or a Secret, leave no revision. A rollback gives an
    old set a new revision, so its age is that of the set and not of the rollback.
    """
    cluster = need(world.cluster, "Kubernetes cluster", HINT)
    owned = [
        each for each in await cluster.objects("ReplicaSet", args.namespace) if _is_owned(each, args.deployment)
    ]  # fmt: skip
    history = revisions(owned)
    return Reading(
        query=f"kubectl rollout history deployment/{args.deployment} -n {args.namespace} -o yaml",
        text=_text(args, history, world.now()),
        data=history,
    )


def revisions(replica_sets: Sequence[Fields]) -> list[dict[str, Any]]:
    """Revisions newest first, each with the difference of its pod template from the one before."""
    ordered = sorted(replica_sets, key=lambda each: (_revision(each), text(each, "metadata", "creationTimestamp")))
    found: list[dict[str, Any]] = []
    before: list[str] | None = None
    for each in ordered:
        template = _template(each)
        found.append(
            {
                "revision": _revision(each),
                "created_at": text(each, "metadata", "creationTimestamp") or None,
                "replicaset": name(each),
                "replicas": number(each, "spec", "replicas"),
                "ready": number(each, "status", "readyReplicas"),
                "images": [
                    text(container, "image") for container in items(each, "spec", "template", "spec", "containers")
                ],
                "change_cause": text(each, "metadata", "annotations", "kubernetes.io/change-cause") or None,
                "diff": "" if before is None else _diff(before, template),
            }
        )
        before = template
    return found[::-1]


def _is_owned(replica_set: Fields, deployment: str) -> bool:
    return any(
        text(owner, "kind") == "Deployment" and text(owner, "name") == deployment
        for owner in items(replica_set, "metadata", "ownerReferences")
    )


def _revision(replica_set: Fields) -> int:
    revision = text(replica_set, "metadata", "annotations", REVISION)
    return int(revision) if revision.isascii() and revision.isdigit() and len(revision) < 19 else 0


def _template(replica_set: Fields) -> list[str]:
    template = dict(mapping(replica_set, "spec", "template"))
    metadata = dict(mapping(template, "metadata"))
    # Differs in every set and was written by the controller, not by a person.
    metadata["labels"] = {key: each for key, each in mapping(metadata, "labels").items() if key != "pod-template-hash"}
    metadata.pop("creationTimestamp", None)
    return dump({"metadata": metadata, "spec": template.get("spec")}).splitlines()


def _diff(before: list[str], after: list[str]) -> str:
    lines = [line for line in difflib.unified_diff(before, after, n=2, lineterm="") if line[:3] not in ("---", "+++")]
    if len(lines) > _MAX_DIFF_LINES:
        lines = [*lines[:_MAX_DIFF_LINES], f"… {len(lines) - _MAX_DIFF_LINES} more lines"]
    return "\n".join(lines)


def _text(args: RolloutArgs, history: Sequence[Mapping[str, Any]], now: Instant) -> str:
    lines: list[str] = []
    for each in history:
        cause = f" ({each['change_cause']})" if each["change_cause"] else ""
        lines.append(
            f"revision {each['revision']} of {args.namespace}/{args.deployment}: {each['replicaset']} created "
            f"{each['created_at']} ({age(now, moment(each, 'created_at'))} ago), "
            f"ready={each['ready']}/{each['replicas']}, images={','.join(each['images'])}{cause}"
        )
        lines += [f"  {line}" for line in each["diff"].splitlines()]
    return "\n".join(lines)
