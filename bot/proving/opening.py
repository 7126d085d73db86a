"""Opens everything that one incident left something in."""

import contextlib
from collections.abc import AsyncGenerator
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError

from bot.deciding import ledger
from bot.embedded import servers
from bot.incident import IncidentId
from bot.proving.proof import Proof, prove
from bot.proving.sinks import Sinks, Unsearched
from bot.settings import Settings
from bot.slack.calls import Calls, Method, SlackError, connect, following, listed
from bot.stores import connection
from bot.stores.incidents import Incidents
from bot.workflows import service


class NoSuchIncident(ValueError):
    """There is none of that id, or no more."""


async def prove_incident(settings: Settings, incident_id: str) -> Proof:
    """Searches what the incident left, in everything that the settings name.

    Raises:
        NoSuchIncident: when it is not known.
        LedgerError, StoreError, WorkflowsAway: when one of them cannot be asked at all.
        bot.embedded.child.ServerFailed: when an embedded server does not start.
        bot.embedded.folder.FolderTaken: when a running Locum has the embedded servers.
    """
    async with contextlib.AsyncExitStack() as stack:
        endpoints = await stack.enter_async_context(servers.running(settings))
        store = connection.connect(endpoints.redis_url)
        stack.push_async_callback(store.aclose)
        incident = await Incidents(store).get(IncidentId(incident_id))
        if incident is None:
            raise NoSuchIncident(f"there is no incident {incident_id[:80]!r}; they are kept for 30 days")
        temporal = settings.temporal
        client = await service.connect(endpoints.temporal_address, namespace=temporal.namespace, tls=temporal.tls)
        own = temporal.approvals_namespace
        approvals = (
            await service.connect(endpoints.temporal_address, namespace=own, tls=temporal.tls) if own else client
        )
        sinks = Sinks(
            incident=incident,
            ledger=await stack.enter_async_context(ledger(settings)),
            store=store,
            client=client,
            approvals=approvals,
            slack=await stack.enter_async_context(_slack(settings)),
            record=settings.proof.record,
        )
        return await prove(sinks, is_over=await _is_over(client, incident_id))


async def _is_over(client: Client, incident_id: str) -> bool:
    try:
        described = await client.get_workflow_handle(incident_id).describe()
    except RPCError:
        # What became of its history is said where that is searched.
        return True
    return described.status is not WorkflowExecutionStatus.RUNNING


@contextlib.asynccontextmanager
async def _slack(settings: Settings) -> AsyncGenerator["_Threads | None"]:
    if settings.slack.bot_token is None:
        yield None
        return
    calls = connect(settings.slack)
    try:
        yield _Threads(calls)
    finally:
        await calls.close()


class _Threads:
    """Implements `Reads`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def thread(self, channel: str, thread_ts: str) -> list[dict[str, Any]]:
        found, cursor = list[dict[str, Any]](), None
        try:
            while True:
                answer = await self._calls(
                    Method.REPLIES, channel=channel, ts=thread_ts, include_all_metadata=True, limit=200, cursor=cursor
                )
                found += listed(answer, "messages")
                cursor = following(answer)
                if cursor is None:
                    return found
        except SlackError as error:
            raise Unsearched(f"Slack did not give the thread: {error}") from error
