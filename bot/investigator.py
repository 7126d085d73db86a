"""Investigations over the store: each step reads what the one before wrote, so that any can run anywhere, twice."""

import contextlib
from collections import OrderedDict
from collections.abc import Generator, Sequence

from agents.case import Case, SessionId
from agents.investigation import GROUND, Investigation, concluded, open_case, routed
from agents.model.asking import Model
from agents.progress import Event, Listener
from agents.report import Usage
from agents.specialist import GENERALIST, Specialist
from bot.incident import Question
from bot.stores.incidents import Incidents
from bot.stores.sessions import Sessions
from bot.worlds import Worlds
from tools.caching import Cache

MOST_OPEN = 32
"""Investigations whose world stays in memory; an older one is read again, mostly from the cache."""


class LostSession(Exception):
    """The store does not know the session: nothing can be investigated."""


class StoredInvestigator:
    """What the worker's activities call; implements `bot.workflows.ports.Investigator`."""

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
        self._open: OrderedDict[SessionId, _Open] = OrderedDict()

    async def route(self, session_id: SessionId) -> tuple[str, ...]:
        """Makes the case where there is none yet; the specialists to run, those who lead first."""
        case = await self._sessions.case(session_id)
        if case is None:
            case = await self._case(session_id)
            await self._sessions.save_case(case)
        routing = routed(case, tuple(self._specialists.values()))
        others = (name for name in self._specialists if name not in routing.leaders and name != GENERALIST)
        return (*routing.leaders, *others)

    async def run(self, session_id: SessionId, specialist: str, on_event: Listener) -> None:
        """Lets one specialist work and stores its report; one that is there already is left as it is."""
        done = {each.specialist for each in await self._sessions.reports(session_id) if not each.failure}
        if specialist in done:
            return
        case = await self._known(session_id)
        opened = self._opened(case)
        with opened.telling(on_event):
            ground = await opened.investigation.ground()
            report = await opened.investigation.report(
                self._specialists[specialist],
                model=opened.model,
                leads=specialist in routed(case, tuple(self._specialists.values())).leaders,
            )
        if GROUND not in done:
            await self._sessions.save_report(session_id, ground)
        await self._sessions.save_report(session_id, report)

    async def conclude(self, session_id: SessionId) -> None:
        """Puts the reports together and stores the diagnosis; works with whatever reports there are."""
        case = await self._known(session_id)
        reports = await self._sessions.reports(session_id)
        routing = routed(case, tuple(self._specialists.values()))
        spent = sum((each.usage for each in reports), Usage())
        diagnosis = await concluded(case, routing, reports, self._model.for_session(spent))
        await self._sessions.save_diagnosis(diagnosis)
        self._open.pop(session_id, None)

    async def _known(self, session_id: SessionId) -> Case:
        case = await self._sessions.case(session_id)
        if case is None:
            raise LostSession(f"session {session_id!r} was never routed")
        return case

    async def _case(self, session_id: SessionId) -> Case:
        session = await self._sessions.get(session_id)
        if session is None:
            raise LostSession(f"the store does not know session {session_id!r}")
        incident = await self._incidents.get(session.incident_id)
        alerts = incident.alerts if incident else ()
        question = _asked(session.question) if session.question else ""
        world = self._worlds.about(question, alerts)
        return open_case(question, alerts, world, session_id=session_id)

    def _opened(self, case: Case) -> "_Open":
        found = self._open.get(case.session_id)
        if found is None:
            found = _Open(case, self._worlds, self._cache, self._model.for_session())
            self._open[case.session_id] = found
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
        return found


class _Open:
    """One session at work in this process: the world is read once for all its specialists."""

    def __init__(self, case: Case, worlds: Worlds, cache: Cache, model: Model) -> None:
        self.model = model
        """One for all specialists of the session, for they share its budget."""
        self._listeners: list[Listener] = []
        self.investigation = Investigation(case, worlds.of(case), cache=cache, listen=self._tell)

    @contextlib.contextmanager
    def telling(self, listener: Listener) -> Generator[None]:
        """While it lasts, `listener` may be told what happens; each event goes to one of those who listen."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def _tell(self, event: Event) -> None:
        if self._listeners:
            self._listeners[0](event)


def _asked(question: Question) -> str:
    context = " ".join(f"{name} {value}" for name, value in question.context.items())
    return " ".join(part for part in (question.text, context, question.environment) if part)
