"""Investigations over the store: each step reads what the one before wrote, so that any can run anywhere, twice."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

from agents.alert import Alert
from agents.case import Case, SessionId
from agents.diagnosis import Diagnosis
from agents.investigation import GROUND, Investigation, concluded, open_case, routed
from agents.model.asking import Model
from agents.progress import Event, Listener, Phase, PhaseBegan
from agents.report import Report, Usage
from agents.specialist import GENERALIST, Specialist
from bot.incident import Question
from bot.stores.incidents import Incidents
from bot.stores.sessions import Session, Sessions
from bot.worlds import Worlds
from tools.caching import Cache

MOST_OPEN = 32
"""Investigations whose world stays in memory; an older one is read again, mostly from the cache."""


class LostSession(Exception):
    """The store does not know the session: nothing can be investigated."""


class Investigator:
    """What the worker's activities call."""

    def __init__(
        self,
        *,
        worlds: Worlds,
        specialists: Sequence[Specialist],
        model: Model,
        cache: Cache,
        incidents: Incidents,
        sessions: Sessions,
    ) -> None:
        self._worlds = worlds
        self._specialists = {each.name: each for each in specialists}
        self._model = model
        self._cache = cache
        self._incidents = incidents
        self._sessions = sessions
        self._open: OrderedDict[SessionId, Investigation] = OrderedDict()

    async def route(self, session_id: SessionId) -> tuple[str, ...]:
        """Opens the case and decides who leads; gives the specialists to run, leaders first.

        Raises:
            LostSession: when the store does not know it.
            bot.stores.connection.StoreError: when the store does not answer.
        """
        session = await self._session(session_id)
        if session.case is None or session.routing is None:
            case = await self._case(session)
            await self._sessions.tell(session_id, PhaseBegan(phase=Phase.ROUTING))
            routing = await asyncio.to_thread(routed, case, tuple(self._specialists.values()))
            await self._sessions.begin(case, routing)
        else:
            routing = session.routing
        await self._sessions.tell(session_id, PhaseBegan(phase=Phase.LOOKING, detail=", ".join(routing.leaders)))
        others = [name for name in self._specialists if name not in routing.leaders and name != GENERALIST]
        return (*routing.leaders, *others)

    async def run(self, session_id: SessionId, specialist: str) -> Report:
        """One specialist's work; its report is stored. Doing it twice gives the same report.

        Raises:
            LostSession: when the store does not know it.
            bot.stores.connection.StoreError: when the store does not answer.
        """
        session = await self._session(session_id)
        if session.case is None or session.routing is None:
            raise LostSession(f"session {session_id!r} was never routed")
        done = (await self._sessions.reports(session_id)).get(specialist)
        if done is not None and not done.failure:
            return done
        async with _Telling(self._sessions, session_id) as listen:
            investigation = self._investigation(session.case, listen)
            ground = await investigation.ground()
            report = await investigation.report(
                self._specialists[specialist],
                model=self._model.for_session(),
                leads=specialist in session.routing.leaders,
            )
        await self._sessions.report(session_id, ground)
        await self._sessions.report(session_id, report)
        return report

    async def give_up(self, session_id: SessionId, specialist: str, why: str) -> None:
        """A specialist could not finish; the conclusion will say so.

        Raises:
            bot.stores.connection.StoreError: when the store does not answer.
        """
        await self._sessions.report(session_id, Report(specialist=specialist, failure=why))

    async def conclude(self, session_id: SessionId) -> Diagnosis:
        """The diagnosis, stored. A second call gives the first one's.

        Raises:
            LostSession: when the store does not know it.
            bot.stores.connection.StoreError: when the store does not answer.
        """
        session = await self._session(session_id)
        if session.diagnosis is not None:
            return session.diagnosis
        if session.case is None or session.routing is None:
            raise LostSession(f"session {session_id!r} was never routed")
        await self._sessions.tell(session_id, PhaseBegan(phase=Phase.CONCLUDING))
        reports = await self._sessions.reports(session_id)
        ordered = [reports[name] for name in (GROUND, *self._specialists) if name in reports]
        spent = sum((each.usage for each in ordered), Usage())
        diagnosis = await concluded(session.case, session.routing, ordered, self._model.for_session(spent))
        await self._sessions.finish(session_id, diagnosis)
        await self._incidents.conclude(
            session.incident_id, diagnosis.verdict, diagnosis.summary.partition(". ")[0].removesuffix(".") + "."
        )
        await self._sessions.tell(session_id, PhaseBegan(phase=Phase.DONE))
        return diagnosis

    async def _session(self, session_id: SessionId) -> Session:
        session = await self._sessions.get(session_id)
        if session is None:
            raise LostSession(f"the store does not know session {session_id!r}")
        return session

    async def _case(self, session: Session) -> Case:
        incident = await self._incidents.get(session.incident_id)
        alerts: tuple[Alert, ...] = incident.alerts if incident else ()
        question = _asked(session.question) if session.question else ""
        world = self._worlds.about(question, alerts)
        return open_case(question, alerts, world, session_id=session.id)

    def _investigation(self, case: Case, listen: Listener) -> Investigation:
        found = self._open.get(case.session_id)
        if found is None:
            found = Investigation(case, self._worlds.of(case), cache=self._cache, listen=listen)
            self._open[case.session_id] = found
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
        return found


def _asked(question: Question) -> str:
    context = " ".join(f"{name} {value}" for name, value in question.context.items())
    return " ".join(part for part in (question.text, context, question.environment) if part)


class _Telling:
    """Hands events to the store in their order, without making who tells them wait."""

    def __init__(self, sessions: Sessions, session_id: SessionId) -> None:
        self._sessions = sessions
        self._session_id = session_id
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Listener:
        self._writing = asyncio.create_task(self._write())
        return self._queue.put_nowait

    async def __aexit__(self, *exc_info: object) -> None:
        self._queue.put_nowait(None)
        if self._writing:
            await self._writing

    async def _write(self) -> None:
        while (event := await self._queue.get()) is not None:
            await self._sessions.tell(self._session_id, event)
