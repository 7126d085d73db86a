"""Changes that turn one thing on or off: new pods on a node, runs of a CronJob. Pure."""

from approvals.actions.cordon_node import cordon_node
from approvals.actions.objects import NoArgs, ObjectKind
from approvals.actions.resume_cronjob import resume_cronjob
from approvals.actions.suspend_cronjob import suspend_cronjob
from approvals.actions.uncordon_node import uncordon_node
from approvals.plan import NotPossible
from approvals.runners.kubernetes.change import Change, way_back
from approvals.runners.kubernetes.changes.rollouts import edited
from approvals.runners.kubernetes.reach import unread
from approvals.runners.kubernetes.seen import Seen, counted, ready
from tools.kubernetes.fields import items, name, text, value
from tools.world import Object


def _switch(
    kind: ObjectKind[NoArgs], back: ObjectKind[NoArgs], field: str, *, on: bool, related: str, is_said: str
) -> Change[NoArgs]:
    """Sets a boolean of the spec; absent means false."""

    def after(seen: Seen, _args: NoArgs) -> Object:
        if (value(seen.target, "spec", field) is True) is on:
            raise NotPossible(f"{name(seen.target)} is {is_said} already.")
        return edited(seen.target, on, "spec", field)

    return Change(
        kind=kind,
        related=frozenset({related}),
        after=after,
        undo=lambda seen, _: way_back(back, seen),
        reach=_node_reach if field == "unschedulable" else _cronjob_reach,
        is_narrow=True,
    )


def _node_reach(seen: Seen, _args: NoArgs) -> str:
    others = [each for each in seen.related.get("Node", ()) if name(each) != name(seen.target)]
    free = [each for each in others if value(each, "spec", "unschedulable") is not True]
    sentences = [
        f"One node, which {'is' if ready([seen.target]) else 'is not'} ready; pods that run there stay. "
        f"Of {counted(len(others), 'other node')} {len(free)} can take new pods, and {ready(free)} of those are ready."
    ]
    return " ".join([*sentences, *unread(seen)])


def _cronjob_reach(seen: Seen, _args: NoArgs) -> str:
    uid = text(seen.target, "metadata", "uid")
    jobs = [
        each
        for each in seen.related.get("Job", ())
        if any(text(owner, "uid") == uid for owner in items(each, "metadata", "ownerReferences"))
    ]
    active = len(items(seen.target, "status", "active"))
    sentences = [
        f"Runs on the schedule {text(seen.target, 'spec', 'schedule')}, the last at "
        f"{text(seen.target, 'status', 'lastScheduleTime') or 'no time that is known'}. "
        f"{counted(len(jobs), 'Job')} of it kept, {active} at work now, which would go on."
    ]
    return " ".join([*sentences, *unread(seen)])


cordon = _switch(cordon_node, uncordon_node, "unschedulable", on=True, related="Node", is_said="cordoned")
uncordon = _switch(uncordon_node, cordon_node, "unschedulable", on=False, related="Node", is_said="open for new pods")
suspend = _switch(suspend_cronjob, resume_cronjob, "suspend", on=True, related="Job", is_said="suspended")
resume = _switch(resume_cronjob, suspend_cronjob, "suspend", on=False, related="Job", is_said="at work")
