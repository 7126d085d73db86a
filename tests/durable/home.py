"""A whole Locum without Slack and model: real embedded servers, real worker, and fakes as strict as the ports."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from temporalio.client import WorkflowExecutionStatus
from whenever import Instant

from agents.again import Again
from agents.alert import Alert, AlertStatus, fingerprint
from agents.case import SessionId
from agents.diagnosis import Diagnosis, Mode
from agents.health import Verdict
from agents.progress import Event, FindingSeen, Listener
from agents.report import Report, Usage
from agents.routing import Routing
from bot.embedded.servers import Endpoints, running
from bot.incident import Incident, IncidentId, Place
from bot.intake import Intake
from bot.settings import Settings
from bot.stores.connection import Store, connect
from bot.stores.inbox import Delivery, Inbox
from bot.stores.incidents import Incidents
from bot.stores.sessions import Sessions
from bot.workflows import service, workers
from bot.workflows.activities import Activities
from bot.workflows.desk import TemporalDesk

SECRET_WORDS = "the-words-of-an-alert"


@dataclass
class Thinker:
    """Finds the same every time; a specialist named `broken` fails, one named `slow` waits to be let go."""

    sessions: Sessions
    names: tuple[str, ...] = ("network",)
    at_once: int = 0
    most_at_once: int = 0
    may_go: asyncio.Event = field(default_factory=asyncio.Event)
    has_begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def route(self, session_id: SessionId) -> tuple[str, ...]:
        return self.names

    async def run(self, session_id: SessionId, specialist: str, on_event: Listener) -> None:
        self.has_begun.set()
        if specialist == "broken":
            raise LookupError(SECRET_WORDS)
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            if specialist == "slow":
                await self.may_go.wait()
        finally:
            self.at_once -= 1
        on_event(FindingSeen(specialist=specialist, cause="c", entity="pod/a/b", severity="info", summary="seen"))
        await self.sessions.save_report(session_id, Report(specialist=specialist))

    async def wants(self, session_id: SessionId) -> tuple[Mapping[str, str], int, float]:
        return {}, 0, 0.0

    async def look_again(self, session_id: SessionId, watched: Sequence[tuple[str, str]], since: Instant) -> Again:
        raise AssertionError("nothing was done, so nobody looks again")

    async def conclude(self, session_id: SessionId) -> None:
        reports = await self.sessions.reports(session_id)
        diagnosis = Diagnosis(
            session_id=session_id, question=SECRET_WORDS, verdict=Verdict.UNKNOWN, mode=Mode.RULES,
            routing=Routing(specialists=(), abstained=True), hypotheses=(), findings=(), evidence=(), timeline=(),
            summary="Nothing is known. Truly.", notes=tuple(f"{one.specialist}: {one.failure}" for one in reports),
            usage=Usage(),
        )  # fmt: skip
        await self.sessions.save_diagnosis(diagnosis)


class Refused(Exception):
    """What Slack says when only a person can help."""


class HeldAtClosing(Incidents):
    """Holds the door open for a moment when an incident wants to close."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.is_closing = asyncio.Event()
        self.may_close = asyncio.Event()

    async def mark(self, incident_id: IncidentId, *, closed: bool | None = None, resolved: bool | None = None) -> None:
        if closed:
            self.is_closing.set()
            await self.may_close.wait()
        await super().mark(incident_id, closed=closed, resolved=resolved)


@dataclass
class Room:
    """Threads in the store, so that they outlive their worker; a second conclusion of a session would be seen."""

    store: Store
    narrated: list[Event] = field(default_factory=list[Event])
    is_shut: bool = False
    """Locum was not invited: no thread can be opened."""

    async def open(self, incident: Incident) -> Place:
        if self.is_shut:
            raise Refused("not_in_channel")
        return replace(incident.place, channel="C1", thread_ts=f"1.{incident.id}")

    async def refresh(self, incident: Incident) -> None:
        await self.store.incr("room:refreshes")

    async def narrate(
        self, incident: Incident, session_id: SessionId, events: AsyncIterator[tuple[str, Event]]
    ) -> None:
        async for _, event in events:
            self.narrated.append(event)

    async def conclude(self, incident: Incident, session_id: SessionId, diagnosis: Diagnosis) -> None:
        if await self.store.set(f"room:said:{session_id}", 1, nx=True):
            await self.store.rpush("room:conclusions", session_id)

    async def apologise(self, incident: Incident, session_id: SessionId, reason: str) -> None:
        await self.store.rpush("room:apologies", reason)


@dataclass
class Home:
    endpoints: Endpoints
    store: Store
    inbox: Inbox
    incidents: Incidents
    sessions: Sessions
    workflows: service.Workflows
    desk: TemporalDesk
    thinker: Thinker
    room: Room
    intake: Intake
    client: service.Client

    async def conclusions(self, count: int, within_s: float = 20) -> list[str]:
        """The sessions that were concluded, once there are `count`."""
        return await self._said("room:conclusions", count, within_s)

    async def apologies(self, count: int) -> list[str]:
        """Why there were none, once there are `count`."""
        return await self._said("room:apologies", count, 20)

    async def ended(self, incident_id: str, run_id: str | None = None, within_s: float = 20) -> WorkflowExecutionStatus:
        """How a run of the incident's workflow ended, once it did."""
        handle = self.client.get_workflow_handle(incident_id, run_id=run_id)
        async with asyncio.timeout(within_s):
            while True:
                status = (await handle.describe()).status
                if status not in (None, WorkflowExecutionStatus.RUNNING):
                    return status
                await asyncio.sleep(0.05)

    async def _said(self, key: str, count: int, within_s: float) -> list[str]:
        async with asyncio.timeout(within_s):
            while True:
                found = [each.decode() for each in await self.store.lrange(key, 0, -1)]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.05)


def alert(name: str = "Down", *, status: str = "firing", group: str = "g", **labels: str) -> Alert:
    all_labels = {"alertname": name, **labels}
    return Alert(
        source="generic", status=AlertStatus(status), labels=all_labels, annotations={"summary": SECRET_WORDS},
        starts_at=Instant.from_utc(2026, 1, 1), fingerprint=fingerprint(all_labels), group=group,
    )  # fmt: skip


def delivery(*alerts: Alert) -> Delivery:
    return Delivery(tuple(alerts), Instant.now().timestamp())


async def until(is_so: Callable[[], Awaitable[bool]], *, within_s: float = 20) -> None:
    """Waits for what nobody announces."""
    async with asyncio.timeout(within_s):
        while True:
            if await is_so():
                return
            await asyncio.sleep(0.03)


@asynccontextmanager
async def home(folder: Path, *, quiet_s: float = 3600, names: Sequence[str] = ("network",)) -> AsyncGenerator[Home]:
    """With servers of its own."""
    async with running(Settings(data_dir=folder)) as endpoints, home_on(endpoints, quiet_s=quiet_s, names=names) as own:
        yield own


@asynccontextmanager
async def home_on(
    endpoints: Endpoints,
    *,
    quiet_s: float = 3600,
    names: Sequence[str] = ("network",),
    incidents_of: Callable[[Store], Incidents] = Incidents,
) -> AsyncGenerator[Home]:
    """On servers that run already, with an empty store."""
    store = connect(endpoints.redis_url)
    await store.flushall()
    client = await service.connect(endpoints.temporal_address, namespace="locum", tls=False)
    inbox, incidents, sessions = Inbox(store), incidents_of(store), Sessions(store)
    workflows = service.Workflows(client, quiet_s=quiet_s, has_approvals=False)
    thinker, room = Thinker(sessions, tuple(names)), Room(store)
    intake = Intake(Settings(), inbox=inbox, incidents=incidents, workflows=workflows, reader="r")
    activities = Activities(incidents=incidents, sessions=sessions, investigator=thinker, threads=room)
    desk = TemporalDesk(incidents=incidents, sessions=sessions, workflows=workflows)
    async with workers.worker(client, activities):
        reading = asyncio.create_task(intake.run())
        try:
            yield Home(endpoints, store, inbox, incidents, sessions, workflows, desk, thinker, room, intake, client)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    await store.aclose(close_connection_pool=True)
