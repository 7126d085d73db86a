"""Roll a workload back."""

from approvals.action import ActionArgs, ActionName, Effect
from approvals.actions.objects import RUNNER, WORKLOADS, ObjectKind, Revision, named


class RollbackArgs(ActionArgs):
    """To what."""

    revision: Revision


rollback_workload = ObjectKind(
    name=ActionName("rollback-workload"),
    title="Roll a workload back",
    meaning="Makes the pod template what it was in an earlier revision of the rollout history. It brings back neither "
    "ConfigMaps nor data, and whoever deploys from a repository may roll forward again.",
    effect=Effect.WRITE,
    args=RollbackArgs,
    targets=WORKLOADS,
    runner=RUNNER,
    sentence=lambda target, args: f"Roll {named(target)} back to revision {args.revision}.",
)
