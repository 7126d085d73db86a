"""Changes that replace a workload's pods or their number: restart, rollback, scale. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from approvals.action import Action
from approvals.actions.objects import NoArgs
from approvals.actions.restart_workload import restart_workload
from approvals.actions.rollback_workload import RollbackArgs, rollback_workload
from approvals.actions.scale_workload import ScaleArgs, scale_workload
from approvals.plan import NotPossible
from approvals.runners.kubernetes.change import PODS_AND_WHO_USES_THEM, Change, Counts, hashed, way_back
from approvals.runners.kubernetes.reach import of_rollout, of_workload, unread
from approvals.runners.kubernetes.seen import Seen, counted, ready
from tools.kubernetes.fields import items, mapping, name, number, text, value
from tools.kubernetes.rollouts import REVISION
from tools.world import Object

RESTARTED = "kubectl.kubernetes.io/restartedAt"


def edited(obj: Mapping[str, Any], new: Any, key: str, *path: str) -> Mapping[str, Any]:
    """A copy of an object with something else at the end of a path of keys."""
    return {**obj, key: edited(mapping(obj, key), new, *path) if path else new}


def _rolled_out(target: Object) -> None:
    if value(target, "spec", "paused") is True:
        raise NotPossible(f"The rollout of {name(target)} is paused: nothing would happen until it is resumed.")
    if text(target, "spec", "updateStrategy", "type") == "OnDelete":
        raise NotPossible(f"{name(target)} replaces pods only when they are deleted: nothing would happen.")


def _restarted(seen: Seen, _args: NoArgs) -> Object:
    _rolled_out(seen.target)
    return edited(
        seen.target, str(seen.now.round("second")), "spec", "template", "metadata", "annotations", RESTARTED
    )  # fmt: skip


restart = Change(
    kind=restart_workload,
    related=PODS_AND_WHO_USES_THEM,
    after=_restarted,
    # What ran is gone: another restart would be one more restart, and no way back.
    undo=lambda _seen, _args: None,
    reach=lambda seen, _: of_rollout(seen),
    is_narrow=True,
)


def _revisions(seen: Seen) -> Mapping[int, Mapping[str, Any]]:
    """The pod templates of the rollout history by revision."""
    if seen.target.get("kind") == "Deployment":
        sets = _owned(seen, "ReplicaSet")
        return {_revision(each): _bare(mapping(each, "spec", "template")) for each in sets if _revision(each)}
    kept = _owned(seen, "ControllerRevision")
    return {number(each, "revision"): _bare(mapping(each, "data", "spec", "template")) for each in kept}


def _owned(seen: Seen, kind: str) -> Sequence[Object]:
    uid = text(seen.target, "metadata", "uid")
    return [
        each
        for each in seen.related.get(kind, ())
        if any(text(owner, "uid") == uid for owner in items(each, "metadata", "ownerReferences"))
    ]


def _revision(replica_set: Object) -> int:
    written = text(replica_set, "metadata", "annotations", REVISION)
    return int(written) if written.isascii() and written.isdigit() and len(written) < 10 else 0


def _bare(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """A pod template as people write it: without what the controllers add."""
    metadata = dict(mapping(template, "metadata"))
    metadata["labels"] = {key: each for key, each in mapping(metadata, "labels").items() if key != "pod-template-hash"}
    bare = {key: each for key, each in template.items() if key != "$patch"}
    # The server writes an empty moment of creation into some copies of a template and leaves it out of others.
    return {**bare, "metadata": {key: each for key, each in metadata.items() if each is not None}}


def _wanted(seen: Seen, args: RollbackArgs) -> Mapping[str, Any]:
    history = _revisions(seen)
    if args.revision not in history:
        known = ", ".join(map(str, sorted(history))) or "none"
        raise NotPossible(f"The history of {name(seen.target)} has no revision {args.revision}; it has: {known}.")
    return history[args.revision]


def _rolled_back(seen: Seen, args: RollbackArgs) -> Object:
    _rolled_out(seen.target)
    template = _wanted(seen, args)
    if template == _bare(mapping(seen.target, "spec", "template")):
        raise NotPossible(f"{name(seen.target)} has the pod template of revision {args.revision} already.")
    return edited(seen.target, template, "spec", "template")


def _revision_now(seen: Seen) -> int | None:
    template = _bare(mapping(seen.target, "spec", "template"))
    return max((number for number, each in _revisions(seen).items() if each == template), default=None)


def _unrolled(seen: Seen, _args: RollbackArgs) -> Action | None:
    present = _revision_now(seen)
    return None if present is None else way_back(rollback_workload, seen, revision=present)


def _history_counts(seen: Seen, args: RollbackArgs) -> Counts:
    # A revision is an object that can be edited like any other: what was shown is what is taken.
    return {"template": hashed(_wanted(seen, args))}


def _rollback_reach(seen: Seen, args: RollbackArgs) -> str:
    present = _revision_now(seen)
    owners = {text(each, "metadata", "uid") for each in _owned(seen, "ReplicaSet") if _revision(each) == args.revision}
    staying = [
        pod for pod in seen.pods if any(text(o, "uid") in owners for o in items(pod, "metadata", "ownerReferences"))
    ]
    return f"From revision {present or 'unknown'} to {args.revision}. {of_rollout(seen, staying=len(staying))}"


rollback = Change(
    kind=rollback_workload,
    related=PODS_AND_WHO_USES_THEM | {"ReplicaSet", "ControllerRevision"},
    after=_rolled_back,
    undo=_unrolled,
    counts=_history_counts,
    reach=_rollback_reach,
    is_narrow=True,
)


def _replicas(target: Object) -> int:
    # What is not written is 1 to every controller.
    return 1 if value(target, "spec", "replicas") is None else number(target, "spec", "replicas")


def _scaled(seen: Seen, args: ScaleArgs) -> Object:
    if args.replicas == _replicas(seen.target):
        raise NotPossible(f"{name(seen.target)} is to have {counted(args.replicas, 'replica')} already.")
    return edited(seen.target, args.replicas, "spec", "replicas")


def _scale_reach(seen: Seen, args: ScaleArgs) -> str:
    before, pods = _replicas(seen.target), seen.pods
    sentences = [f"From {before} to {counted(args.replicas, 'replica')}; {ready(pods)} of {before} are ready now."]
    if args.replicas < before:
        sentences.append(f"{counted(before - args.replicas, 'pod')} would be removed.")
    sentences += [
        f"HorizontalPodAutoscaler {name(each)} owns this number ({number(each, 'spec', 'minReplicas') or 1} to "
        f"{number(each, 'spec', 'maxReplicas')}) and would set its own again."
        for each in seen.autoscalers
    ]
    sentences += of_workload(seen)
    if args.replicas == 0:
        sentences.append("Nothing would serve.")
    return " ".join([*sentences, *unread(seen)])


scale = Change(
    kind=scale_workload,
    related=PODS_AND_WHO_USES_THEM | {"HorizontalPodAutoscaler"},
    after=_scaled,
    undo=lambda seen, _: way_back(scale_workload, seen, replicas=_replicas(seen.target)),
    reach=_scale_reach,
    is_narrow=True,
)
