"""The connection to Temporal: the client, and signals that start what they signal."""

import asyncio
from datetime import timedelta

import structlog
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from bot.incident import IncidentId
from bot.workflows.approval_messages import LookAgain, Seen
from bot.workflows.incident import IncidentWorkflow
from bot.workflows.looking_again import LookAgainWorkflow
from bot.workflows.messages import TASK_QUEUE, Start

CALL_TIMEOUT = timedelta(seconds=5)
LOOK_AGAIN_WITHIN = timedelta(minutes=9)
_CONNECT_WITHIN_S = 30.0

_log = structlog.get_logger("locum.workflows")


class WorkflowsAway(Exception):
    """The workflow service did not answer; nothing was started. Ask again."""


async def connect(address: str, *, namespace: str, tls: bool) -> Client:
    """A client; waits a while for a service that is just starting.

    Raises:
        WorkflowsAway: when it does not answer.
    """
    try:
        async with asyncio.timeout(_CONNECT_WITHIN_S):
            while True:
                try:
                    return await Client.connect(address, namespace=namespace, tls=tls)
                except (RuntimeError, RPCError) as error:
                    _log.info("waiting for the workflow service", address=address, reason=str(error)[:200])
                    await asyncio.sleep(0.5)
    except TimeoutError as error:
        raise WorkflowsAway(f"the workflow service at {address!r} does not answer") from error


class Workflows:
    """Tells incidents' workflows what happened; each is started by the first signal to it."""

    def __init__(self, client: Client, *, quiet_s: float, has_approvals: bool) -> None:
        self._client = client
        self._quiet_s = quiet_s
        self._has_approvals = has_approvals

    async def alerts_changed(self, incident_id: IncidentId) -> None:
        """The store has news about its alerts.

        Raises:
            WorkflowsAway: when nobody could be told.
        """
        await self._signal(incident_id, "alerts_changed", [])

    async def ask(self, incident_id: IncidentId, session_id: str) -> None:
        """A question waits in the store.

        Raises:
            WorkflowsAway: when nobody could be told.
        """
        await self._signal(incident_id, "ask", [session_id])

    async def stop(self, incident_id: IncidentId, by: str) -> bool:
        """Ends the investigation that runs now; the incident stays open.

        Args:
            incident_id: whose investigation.
            by: a Slack user's id or a principal; people are told.

        Returns:
            Whether the incident was there to be told; one that closed has nothing to stop.

        Raises:
            WorkflowsAway: when it could not be told.
        """
        return await self._tell(incident_id, "stop", by)

    async def resolve(self, incident_id: IncidentId, by: str) -> bool:
        """A person says that it is over: it is looked at once more, and closes after its quiet time.

        The person's word holds until something new fires; what fires already may go on.

        Args:
            incident_id: what is over.
            by: a Slack user's id or a principal.

        Returns:
            Whether the incident was there to be told; one that closed is over anyway.

        Raises:
            WorkflowsAway: when it could not be told.
        """
        return await self._tell(incident_id, "resolved_by", by)

    async def decided(self, incident_id: IncidentId, request_id: str, state: str) -> None:
        """A request of the incident was decided, or is over; an incident that closed need not know.

        Raises:
            WorkflowsAway: when it could not be told.
        """
        await self._tell(incident_id, "decided", request_id, state)

    async def look_again(self, question: LookAgain) -> Seen:
        """Lets the investigators look for findings once more; waits for what they see.

        Raises:
            WorkflowsAway: when it could not be asked, or nobody looked in time.
        """
        try:
            return await self._client.execute_workflow(
                LookAgainWorkflow.run,
                question,
                id=f"look-again-{question.request_id}",
                task_queue=TASK_QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                execution_timeout=LOOK_AGAIN_WITHIN,
            )
        except (RPCError, WorkflowFailureError) as error:
            raise WorkflowsAway(f"nobody looked again: {type(error).__name__}") from error

    async def is_reachable(self) -> bool:
        """Whether the service answers."""
        try:
            return await self._client.service_client.check_health(timeout=timedelta(seconds=2))
        except RPCError:
            return False

    async def _tell(self, incident_id: IncidentId, name: str, *arguments: str) -> bool:
        try:
            handle = self._client.get_workflow_handle(incident_id)
            await handle.signal(name, args=list(arguments), rpc_timeout=CALL_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise WorkflowsAway(f"the workflow service did not take {name!r}: {error.message}") from error
        return True

    async def _signal(self, incident_id: IncidentId, name: str, arguments: list[str]) -> None:
        try:
            await self._client.start_workflow(
                IncidentWorkflow.run,
                Start(incident_id=incident_id, quiet_s=self._quiet_s, has_approvals=self._has_approvals),
                id=incident_id,
                task_queue=TASK_QUEUE,
                start_signal=name,
                start_signal_args=arguments,
                rpc_timeout=CALL_TIMEOUT,
            )
        except RPCError as error:
            raise WorkflowsAway(f"the workflow service did not take {name!r}: {error.message}") from error
