"""Delete a pod."""

from approvals.action import ActionName, Effect
from approvals.actions.objects import RUNNER, NoArgs, ObjectKind, named

delete_pod = ObjectKind(
    name=ActionName("delete-pod"),
    title="Delete a pod",
    meaning="Deletes one pod with its usual grace period, so that its controller makes a new one, maybe on another "
    "node. A pod that no controller would replace is never deleted. There is no way back.",
    effect=Effect.WRITE,
    args=NoArgs,
    targets=frozenset({"pod"}),
    runner=RUNNER,
    sentence=lambda target, _: f"Delete {named(target)}, so that its controller replaces it.",
)
