"""The connection to Temporal: the client, signals that start what they signal, and the worker."""

import asyncio
from datetime import timedelta

import structlog
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from bot.incident import IncidentId
from bot.workflows.activities import Activities
from bot.workflows.incident import IncidentWorkflow
from bot.workflows.messages import TASK_QUEUE, Start

CALL_TIMEOUT = timedelta(seconds=5)
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

    def __init__(self, client: Client, *, quiet_s: float) -> None:
        self._client = client
        self._quiet_s = quiet_s

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

    async def is_reachable(self) -> bool:
        """Whether the service answers."""
        try:
            return await self._client.service_client.check_health(timeout=timedelta(seconds=2))
        except RPCError:
            return False

    async def _tell(self, incident_id: IncidentId, name: str, by: str) -> bool:
        try:
            await self._client.get_workflow_handle(incident_id).signal(name, by, rpc_timeout=CALL_TIMEOUT)
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                return False
            raise WorkflowsAway(f"the workflow service did not take {name!r}: {error.message}") from error
        return True

    async def _signal(self, incident_id: IncidentId, name: str, arguments: list[str]) -> None:
        try:
            await self._client.start_workflow(
                IncidentWorkflow.run,
                Start(incident_id=incident_id, quiet_s=self._quiet_s),
                id=incident_id,
                task_queue=TASK_QUEUE,
                start_signal=name,
                start_signal_args=arguments,
                rpc_timeout=CALL_TIMEOUT,
            )
        except RPCError as error:
            raise WorkflowsAway(f"the workflow service did not take {name!r}: {error.message}") from error


def worker(client: Client, activities: Activities) -> Worker:
    """A worker of investigations; use as `async with`."""
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[IncidentWorkflow],
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
