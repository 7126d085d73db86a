"""The work of an incident's workflow. Everything here may run twice: after a crash, a time-out, a lost answer."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from whenever import Instant, TimeDelta

from agents.case import SessionId
from agents.progress import Event, Listener, LookEnded, Phase, PhaseBegan
from agents.report import Report
from bot.incident import Incident, IncidentId, IncidentStatus
from bot.stores.connection import StoreError
from bot.stores.incidents import Incidents
from bot.stores.sessions import Session, Sessions
from bot.telemetry import metrics
from bot.telemetry.traces import ended_span
from bot.workflows.approval_messages import LookAgain, Seen
from bot.workflows.messages import Looked, Wants, Work
from bot.workflows.pacing import Turns
from bot.workflows.ports import Investigator, Threads
from bot.workflows.working import durable
from tools.redaction import redact

LOOK_AGAIN_FOR = TimeDelta(minutes=4)
LOOK_AGAIN_EVERY_S = 10.0

_log = structlog.get_logger("locum.activities")


class Gone(Exception):
    """The store does not know the incident or the session: it was lost, and so is the work."""


class Activities:
    """Bound to the stores and ports of one process."""

    def __init__(
        self, *, incidents: Incidents, sessions: Sessions, investigator: Investigator, threads: Threads
    ) -> None:
        self._incidents = incidents
        self._sessions = sessions
        self._investigator = investigator
        self._threads = threads
        self._turns = Turns()

    def all(self) -> Sequence[Callable[..., Any]]:
        """What a worker offers."""
        return [
            self.open, self.refresh, self.resolve, self.close, self.reopen, self.begin, self.route, self.wants,
            self.paused, self.granted, self.specialist, self.give_up, self.conclude, self.publish, self.narrate,
            self.apologise, self.look_again,
        ]  # fmt: skip

    @activity.defn(name="open")
    @durable
    async def open(self, about: Work) -> Looked:
        """The thread, and how the incident stands."""
        incident = await self._look(about)
        await self._incidents.mark(incident.id, closed=False)
        await self._placed(incident)
        return _looked(incident)

    @activity.defn(name="refresh")
    @durable
    async def refresh(self, about: Work) -> Looked:
        """The first message as the incident stands now."""
        incident = await self._placed(await self._look(about))
        await self._threads.refresh(incident)
        return _looked(incident)

    @activity.defn(name="resolve")
    @durable
    async def resolve(self, about: Work) -> None:
        """A person said that it is over."""
        await self._incidents.mark(IncidentId(about.incident_id), resolved=True)

    @activity.defn(name="close")
    @durable
    async def close(self, about: Work) -> None:
        """From now on its groups open new incidents."""
        await self._incidents.mark(IncidentId(about.incident_id), closed=True)

    @activity.defn(name="reopen")
    @durable
    async def reopen(self, about: Work) -> None:
        """An alert came while it closed."""
        await self._incidents.mark(IncidentId(about.incident_id), closed=False)

    @activity.defn(name="begin")
    @durable
    async def begin(self, about: Work) -> None:
        """The session's record; one that a question made is there already."""
        session_id, incident_id = SessionId(about.session_id), IncidentId(about.incident_id)
        await self._sessions.open(Session(id=session_id, incident_id=incident_id, asked_at=Instant.now()))
        await self._incidents.add_session(incident_id, session_id)
        await self._wait_for_turn(session_id)
        await self._sessions.mark(session_id, "running")
        await self._sessions.tell(session_id, PhaseBegan(phase=Phase.ROUTING))

    @activity.defn(name="route")
    @durable
    async def route(self, about: Work) -> list[str]:
        """Who shall look."""
        session_id = SessionId(about.session_id)
        names = await self._investigator.route(session_id)
        await self._sessions.save_specialists(session_id, names)
        await self._sessions.tell(session_id, PhaseBegan(phase=Phase.LOOKING, detail=", ".join(names)))
        return list(names)

    @activity.defn(name="wants")
    @durable
    async def wants(self, about: Work) -> Wants:
        """The credentials that it would read with."""
        purposes, minutes, wait = await self._investigator.wants(SessionId(about.session_id))
        return Wants(
            incident_id=about.incident_id,
            session_id=about.session_id,
            purposes=tuple(purposes.items()),
            minutes=minutes,
            wait=wait,
        )

    @activity.defn(name="paused")
    @durable
    async def paused(self, about: Work) -> None:
        """People are asked for credentials."""
        session_id = SessionId(about.session_id)
        await self._sessions.mark(session_id, "waiting")
        await self._sessions.tell(session_id, PhaseBegan(phase=Phase.WAITING))

    @activity.defn(name="granted")
    @durable
    async def granted(self, about: Work) -> None:
        """It goes on, with credentials or without."""
        session_id = SessionId(about.session_id)
        await self._sessions.save_grant(session_id, about.grant, about.reason)
        await self._sessions.mark(session_id, "running")
        detail = "with credentials" if about.grant else f"without credentials: {about.reason}"
        await self._sessions.tell(session_id, PhaseBegan(phase=Phase.LOOKING, detail=detail))

    @activity.defn(name="look_again")
    @durable
    async def look_again(self, question: LookAgain) -> Seen:
        """Looks until what led to it is gone, or for a few minutes: rollouts take their time."""
        since = Instant.parse_iso(question.since)
        ends_at = since + LOOK_AGAIN_FOR
        while True:
            again = await self._investigator.look_again(SessionId(question.session_id), question.watched, since)
            if again.is_final or Instant.now() >= ends_at:
                return Seen(helped=again.helped, said=redact(again.said))
            await asyncio.sleep(LOOK_AGAIN_EVERY_S)

    @activity.defn(name="specialist")
    @durable
    async def specialist(self, about: Work) -> None:
        """One specialist's work."""
        async with _telling(self._sessions, SessionId(about.session_id)) as tell:
            await self._investigator.run(SessionId(about.session_id), about.specialist, tell)

    @activity.defn(name="give_up")
    @durable
    async def give_up(self, about: Work) -> None:
        """The report of a specialist that failed for good."""
        report = Report(specialist=about.specialist, failure=about.reason)
        await self._sessions.save_report(SessionId(about.session_id), report)

    @activity.defn(name="conclude")
    @durable
    async def conclude(self, about: Work) -> None:
        """The diagnosis; made once, then left as it is."""
        session_id = SessionId(about.session_id)
        if await self._sessions.diagnosis(session_id) is None:
            await self._sessions.tell(session_id, PhaseBegan(phase=Phase.CONCLUDING))
            await self._investigator.conclude(session_id)
        diagnosis = await self._sessions.diagnosis(session_id)
        if diagnosis is None:
            raise Gone(session_id)
        if await self._sessions.status(session_id) != "done":
            metrics.count_diagnosis(diagnosis)
            if session := await self._sessions.get(session_id):
                metrics.SESSION_S.observe((Instant.now() - session.asked_at).total("seconds"))
        await self._incidents.concluded(IncidentId(about.incident_id), diagnosis.verdict, diagnosis.headline)
        await self._sessions.tell(session_id, PhaseBegan(phase=Phase.DONE, detail=str(diagnosis.verdict)))
        await self._sessions.mark(session_id, "done")

    @activity.defn(name="publish")
    @durable
    async def publish(self, about: Work) -> None:
        """The conclusion to the people."""
        incident, session_id = await self._known(about), SessionId(about.session_id)
        diagnosis = await self._sessions.diagnosis(session_id)
        if diagnosis is None:
            raise Gone(session_id)
        await self._threads.conclude(incident, session_id, diagnosis)
        await self._threads.refresh(incident)

    @activity.defn(name="narrate")
    @durable
    async def narrate(self, about: Work) -> None:
        """Progress to the people, until the session is done."""
        session_id = SessionId(about.session_id)
        incident = await self._known(about)
        await self._threads.narrate(incident, session_id, self._sessions.events(session_id))

    @activity.defn(name="apologise")
    @durable
    async def apologise(self, about: Work) -> None:
        """Why there is no conclusion."""
        session_id = SessionId(about.session_id)
        await self._sessions.mark(session_id, "failed")
        await self._sessions.tell(session_id, PhaseBegan(phase=Phase.DONE, detail=about.reason))
        await self._threads.apologise(await self._known(about), session_id, about.reason)

    async def _wait_for_turn(self, session_id: SessionId) -> None:
        """Lets Temporal call again at this session's turn; a person's question begins at once."""
        if activity.info().attempt > 1:
            return
        session = await self._sessions.get(session_id)
        if session and session.question is None and (wait_s := self._turns.take()):
            raise ApplicationError(
                "its turn comes later",
                type="NotYet",
                category=ApplicationErrorCategory.BENIGN,
                next_retry_delay=timedelta(seconds=wait_s),
            )

    async def _placed(self, incident: Incident) -> Incident:
        """The incident with its thread, opened here when it could not be before: who asks in it must be known."""
        if incident.place.thread_ts:
            return incident
        place = await self._threads.open(incident)
        if place != incident.place:
            await self._incidents.placed(incident.id, place)
            if incident.question is None:
                metrics.FIRST_MESSAGE_S.observe((Instant.now() - incident.opened_at).total("seconds"))
        return replace(incident, place=place)

    async def _look(self, about: Work) -> Incident:
        incident = await self._incidents.look(IncidentId(about.incident_id))
        if incident is None:
            raise Gone(about.incident_id)
        return incident

    async def _known(self, about: Work) -> Incident:
        incident = await self._incidents.get(IncidentId(about.incident_id))
        if incident is None:
            raise Gone(about.incident_id)
        return incident


def _looked(incident: Incident) -> Looked:
    is_over = incident.status is IncidentStatus.RESOLVED
    return Looked(firing=0 if is_over else incident.firing_count, total=incident.alert_count)


@contextlib.asynccontextmanager
async def _telling(sessions: Sessions, session_id: SessionId) -> AsyncGenerator[Listener]:
    """Takes events without waiting and writes them in order; a store that is away costs progress, not the work."""
    waiting: asyncio.Queue[Event | None] = asyncio.Queue()

    async def write() -> None:
        is_over = False
        while not is_over:
            taken = [await waiting.get()]
            while not waiting.empty():
                taken.append(waiting.get_nowait())
            is_over = taken[-1] is None
            await _write(sessions, session_id, [event for event in taken if event is not None])

    writer = asyncio.create_task(write())

    def listen(event: Event) -> None:
        if isinstance(event, LookEnded):
            ended_span("look", seconds=event.seconds, tool=event.tool, outcome=str(event.outcome))
        waiting.put_nowait(event)

    try:
        yield listen
    finally:
        waiting.put_nowait(None)
        await writer


async def _write(sessions: Sessions, session_id: SessionId, events: Sequence[Event]) -> None:
    for event in events:
        metrics.count_event(event)
    if not events:
        return
    try:
        await sessions.tell(session_id, *events)
    except StoreError as error:
        _log.warning("progress was not told", reason=str(error))
