"""After an execution: the investigators look for what led to it once more. Deterministic and short."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from bot.workflows.approval_messages import LookAgain, Seen


@workflow.defn(name="LookAgain")
class LookAgainWorkflow:
    """One look; the workflow's id is `look-again-<request id>`."""

    @workflow.run
    async def run(self, question: LookAgain) -> Seen:
        """What was seen when it was gone, or when the time was up."""
        return await workflow.execute_activity(
            "look_again", question, result_type=Seen, heartbeat_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_interval=timedelta(seconds=15)),
            start_to_close_timeout=timedelta(minutes=6), schedule_to_close_timeout=timedelta(minutes=8),
        )  # fmt: skip
