"""The workers of each part: who polls which queue."""

from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from bot.workflows.actions import Actions
from bot.workflows.activities import Activities
from bot.workflows.approval import ApprovalWorkflow
from bot.workflows.approval_messages import ACTIONS_QUEUE, APPROVALS_QUEUE
from bot.workflows.gateway import Gateway
from bot.workflows.incident import IncidentWorkflow
from bot.workflows.looking_again import LookAgainWorkflow
from bot.workflows.messages import PROPOSALS_QUEUE, TASK_QUEUE
from bot.workflows.proposing import Proposing


def worker(client: Client, activities: Activities) -> Worker:
    """A worker of investigations; use as `async with`."""
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[IncidentWorkflow, LookAgainWorkflow],
        activities=activities.all(),
        # Most of them wait, for Slack's next turn, for news, for a model; a first message must not wait for those.
        max_concurrent_activities=2_000,
        # What finds no poller waits until there is nothing newer: with the default of one for new workflows, some
        # incidents waited for seconds.
        max_concurrent_workflow_task_polls=20,
        nonsticky_to_sticky_poll_ratio=0.5,
        max_concurrent_activity_task_polls=20,
        graceful_shutdown_timeout=timedelta(seconds=2),
    )


def gateway_workers(client: Client, approvals: Client, *, gateway: Gateway, proposing: Proposing) -> tuple[Worker, ...]:
    """The workers that decide: of the approvals, and of what investigations ask for."""
    stop = timedelta(seconds=2)
    return (
        Worker(
            approvals, task_queue=APPROVALS_QUEUE, workflows=[ApprovalWorkflow], activities=gateway.all(),
            graceful_shutdown_timeout=stop,
        ),
        Worker(client, task_queue=PROPOSALS_QUEUE, activities=proposing.all(), graceful_shutdown_timeout=stop),
    )  # fmt: skip


def runner_worker(approvals: Client, actions: Actions) -> Worker:
    """The worker that changes things: activities alone, one at a time, and nothing that thinks or decides."""
    return Worker(
        approvals, task_queue=ACTIONS_QUEUE, activities=actions.all(), max_concurrent_activities=4,
        graceful_shutdown_timeout=timedelta(seconds=20),
    )  # fmt: skip
