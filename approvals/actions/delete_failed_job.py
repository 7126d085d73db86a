"""Delete a failed Job."""

from approvals.action import ActionName, Effect
from approvals.actions.objects import RUNNER, NoArgs, ObjectKind, named

delete_failed_job = ObjectKind(
    name=ActionName("delete-failed-job"),
    title="Delete a failed Job",
    meaning="Deletes a Job that has failed for good, with its pods and what the cluster kept of their logs. A Job that "
    "still runs or has succeeded is never deleted. There is no way back.",
    effect=Effect.WRITE,
    args=NoArgs,
    targets=frozenset({"job"}),
    runner=RUNNER,
    sentence=lambda target, _: f"Delete {named(target)}, which has failed, together with its pods.",
)
