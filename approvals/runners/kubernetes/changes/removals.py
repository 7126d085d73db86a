"""Objects that are deleted: a pod that its controller replaces, a Job that has failed. Pure."""

from approvals.actions.delete_failed_job import delete_failed_job
from approvals.actions.delete_pod import delete_pod
from approvals.actions.objects import NoArgs
from approvals.plan import NotPossible
from approvals.runners.kubernetes.change import PODS_AND_WHO_USES_THEM, Change, Counts
from approvals.runners.kubernetes.reach import unread
from approvals.runners.kubernetes.seen import Seen, counted, ready
from tools.kubernetes.fields import Fields, condition, items, mapping, name, number, text, value


def _controller(seen: Seen) -> Fields | None:
    owners = items(seen.target, "metadata", "ownerReferences")
    return next((each for each in owners if value(each, "controller") is True), None)


def _leaving(seen: Seen) -> None:
    if text(seen.target, "metadata", "deletionTimestamp"):
        raise NotPossible(f"{name(seen.target)} is being deleted already.")


def _pod_gone(seen: Seen, _args: NoArgs) -> None:
    _leaving(seen)
    owner = _controller(seen)
    if owner is None:
        raise NotPossible(f"No controller would replace pod {name(seen.target)}: deleting it would lose it.")
    if text(owner, "kind") == "Node":
        raise NotPossible(f"Pod {name(seen.target)} is run by its node from a file: deleting it changes nothing.")


def _pod_counts(seen: Seen, _args: NoArgs) -> Counts:
    return {"phase": text(seen.target, "status", "phase"), "node": text(seen.target, "spec", "nodeName")}


def _pod_reach(seen: Seen, _args: NoArgs) -> str:
    owner, labels = _controller(seen) or {}, mapping(seen.target, "metadata", "labels")
    uid = text(owner, "uid")
    beside = [
        each
        for each in seen.related.get("Pod", ())
        if any(text(owned, "uid") == uid for owned in items(each, "metadata", "ownerReferences"))
        and name(each) != name(seen.target)
    ]
    state = "is" if ready([seen.target]) else "is not"
    sentences = [
        f"One pod, which {state} ready. {text(owner, 'kind')} {text(owner, 'name')} makes a new one; "
        f"beside it {counted(len(beside), 'pod')}, {ready(beside)} ready."
    ]
    if services := seen.services_of(labels):
        sentences.append(f"Traffic to it comes by Service {', '.join(services)}.")
    if budgets := seen.budgets_of(labels):
        sentences.append(f"PodDisruptionBudget {', '.join(budgets)} covers it, and deleting does not ask it.")
    return " ".join([*sentences, *unread(seen)])


pod = Change(
    kind=delete_pod,
    related=PODS_AND_WHO_USES_THEM,
    after=_pod_gone,
    undo=lambda _seen, _args: None,
    counts=_pod_counts,
    reach=_pod_reach,
    is_narrow=True,
)


def _job_gone(seen: Seen, _args: NoArgs) -> None:
    _leaving(seen)
    if text(condition(seen.target, "Failed"), "status") != "True":
        raise NotPossible(f"Job {name(seen.target)} has not failed for good.")
    if active := number(seen.target, "status", "active"):
        raise NotPossible(f"Job {name(seen.target)} still has {counted(active, 'pod')} at work.")


def _job_counts(seen: Seen, _args: NoArgs) -> Counts:
    return {"failed": number(seen.target, "status", "failed")}


def _job_reach(seen: Seen, _args: NoArgs) -> str:
    uid = text(seen.target, "metadata", "uid")
    pods = [
        each
        for each in seen.related.get("Pod", ())
        if any(text(owner, "uid") == uid for owner in items(each, "metadata", "ownerReferences"))
    ]
    owner = _controller(seen)
    sentences = [f"The Job and {counted(len(pods), 'pod')} of it, with what the cluster kept of their logs."]
    if owner:
        sentences.append(f"{text(owner, 'kind')} {text(owner, 'name')} starts its next run as usual.")
    return " ".join([*sentences, *unread(seen)])


job = Change(
    kind=delete_failed_job,
    related=frozenset({"Pod"}),
    after=_job_gone,
    undo=lambda _seen, _args: None,
    counts=_job_counts,
    reach=_job_reach,
    is_narrow=False,
)
