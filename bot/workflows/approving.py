"""The approval workflows as the gateway sees them: started, voted on, cancelled."""

import asyncio

from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from bot.workflows.approval import ApprovalWorkflow
from bot.workflows.approval_messages import APPROVALS_QUEUE, Begin, Cast, Reply
from bot.workflows.service import CALL_TIMEOUT, WorkflowsAway

VOTE_WITHIN_S = 7.0


class NoSuchBallot(Exception):
    """The workflow has ended or never was: nothing can be voted on."""


class Approvals:
    """Tells approval workflows what happened."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def start(self, begin: Begin) -> None:
        """Begins one request's workflow; one that runs or ran already is left alone.

        Raises:
            WorkflowsAway: when it could not be started.
        """
        try:
            await self._client.start_workflow(
                ApprovalWorkflow.run,
                begin,
                id=workflow_id(begin.request_id),
                task_queue=APPROVALS_QUEUE,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                rpc_timeout=CALL_TIMEOUT,
            )
        except WorkflowAlreadyStartedError:
            return
        except RPCError as error:
            raise WorkflowsAway(f"the workflow service did not take the request: {error.message}") from error

    async def vote(self, request_id: str, cast: Cast) -> Reply:
        """One click; the same key again gets the first answer.

        Raises:
            NoSuchBallot: when it is over, or never was.
            WorkflowsAway: when it was not taken.
            TimeoutError: when nobody knows yet whether it is counted; clicking again is safe.
        """
        handle = self._client.get_workflow_handle(workflow_id(request_id))
        try:
            # The client's own time-out is for one call; it asks again and again for the answer of an Update.
            async with asyncio.timeout(VOTE_WITHIN_S):
                reply: Reply = await handle.execute_update(  # pyright: ignore[reportUnknownMemberType]
                    "vote", cast, id=cast.key, result_type=Reply
                )
        except WorkflowUpdateFailedError as error:
            raise NoSuchBallot(request_id) from error
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                raise NoSuchBallot(request_id) from error
            raise WorkflowsAway(f"the vote was not taken: {error.message}") from error
        except WorkflowUpdateRPCTimeoutOrCancelledError as error:
            raise TimeoutError("the vote was not answered in time") from error
        return reply

    async def cancel(self, request_id: str, why: str) -> None:
        """It is wanted no more.

        Raises:
            WorkflowsAway: when it could not be told.
        """
        await self._tell(request_id, "cancel", why)

    async def release(self, request_id: str) -> None:
        """Whoever used the grant is done.

        Raises:
            WorkflowsAway: when it could not be told.
        """
        await self._tell(request_id, "release")

    async def redraw(self, request_id: str) -> None:
        """Its cards may not show what is so.

        Raises:
            WorkflowsAway: when it could not be told.
        """
        await self._tell(request_id, "redraw")

    async def _tell(self, request_id: str, name: str, *arguments: str) -> None:
        handle = self._client.get_workflow_handle(workflow_id(request_id))
        try:
            await handle.signal(name, args=list(arguments), rpc_timeout=CALL_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise WorkflowsAway(f"the workflow service did not take {name!r}: {error.message}") from error


def workflow_id(request_id: str) -> str:
    """The id of a request's workflow."""
    return f"approval-{request_id}"
