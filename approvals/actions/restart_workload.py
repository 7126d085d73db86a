"""Restart a workload."""

from approvals.action import ActionName, Effect
from approvals.actions.objects import RUNNER, WORKLOADS, NoArgs, ObjectKind, named

restart_workload = ObjectKind(
    name=ActionName("restart-workload"),
    title="Restart a workload",
    meaning="Replaces all pods of a workload as a rollout does, with the template as it is, at the pace of its update "
    "strategy. It cures what a fresh process cures, and loses what the old ones held in memory.",
    effect=Effect.WRITE,
    args=NoArgs,
    targets=WORKLOADS,
    runner=RUNNER,
    sentence=lambda target, _: f"Restart {named(target)}: replace all its pods, as a rollout does.",
)
