"""Investigations over the store: each step reads what the one before wrote, so that any can run anywhere, twice."""

import contextlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace

from whenever import Instant

from agents.again import Again, look_again
from agents.case import Case, SessionId
from agents.custom.checks import Checks
from agents.finding import CauseId
from agents.investigation import GROUND, Investigation, advised, concluded, open_case, routed
from agents.model.asking import Model
from agents.progress import Event, Listener
from agents.report import Usage
from agents.specialist import GENERALIST, Specialist
from bot.incident import Question
from bot.lending import Lending, Loan
from bot.runbooks import Library
from bot.stores.incidents import Incidents
from bot.stores.sessions import Sessions
from bot.worlds import Worlds
from tools.caching import Cache
from tools.entity import Entity
from tools.world import World

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
        lending: Lending | None,
        runbooks: Library,
        checks: Checks,
    ) -> None:
        self._worlds = worlds
        self._specialists = {each.name: each for each in specialists}
        self._model = model
        self._cache = cache
        self._incidents = incidents
        self._sessions = sessions
        self._lending = lending
        self._runbooks = runbooks
        self._checks = checks
        self._open: OrderedDict[SessionId, _Open] = OrderedDict()

    async def route(self, session_id: SessionId) -> tuple[str, ...]:
        """Makes the case where there is none yet; the specialists to run, those who lead first."""
        case = await self._sessions.case(session_id)
        if case is None:
            specialists = tuple(self._specialists.values())
            made, model = await self._case(session_id), self._model.for_session()
            case, advice = await advised(made, specialists, model=model, cache=self._cache)
            # The choice stands in the case, so that every step of the session is led by the same specialists.
            await self._sessions.save_case(case)
            if advice:
                await self._sessions.save_report(session_id, advice)
        routing = routed(case, tuple(self._specialists.values()))
        others = (name for name in self._specialists if name not in routing.leaders and name != GENERALIST)
        return (*routing.leaders, *others)

    async def wants(self, session_id: SessionId) -> tuple[Mapping[str, str], int, float]:
        """The credentials that those who lead would read with; a world that is recorded needs none."""
        case = await self._known(session_id)
        if self._lending is None or self._worlds.of(case).captured_at is not None:
            return {}, 0, 0.0
        leaders = routed(case, tuple(self._specialists.values())).leaders
        tools = (tool for name in leaders for tool in self._specialists[name].tools)
        return self._lending.wanted(tools), self._lending.minutes, self._lending.wait_minutes

    async def look_again(self, session_id: SessionId, watched: Sequence[tuple[str, str]], since: Instant) -> Again:
        """Looks past every cache for findings that were there."""
        case = await self._sessions.case(session_id)
        if case is None:
            return Again(helped=None, said="What the session was about is not known any more.", is_final=True)
        await self._worlds.refresh()
        things = [(CauseId(cause), Entity.parse(entity)) for cause, entity in watched]
        return await look_again(case, self._worlds.of(case), things, since=since)

    async def run(self, session_id: SessionId, specialist: str, on_event: Listener) -> None:
        """Lets one specialist work and stores its report; one that is there already is left as it is."""
        done = {each.specialist for each in await self._sessions.reports(session_id) if not each.failure}
        if specialist in done:
            return
        case = await self._known(session_id)
        await self._worlds.refresh()
        opened = self._opened(case, (await self._sessions.grant(session_id))[0])
        async with opened.reading(on_event):
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
        grant, refusal = await self._sessions.grant(session_id)
        diagnosis = await concluded(case, routing, reports, self._model.for_session(spent, grant=grant))
        if refusal:
            said = f"No credentials were used ({refusal}): what needs them was not looked at."
            diagnosis = replace(diagnosis, notes=(*diagnosis.notes, said))
        await self._sessions.save_diagnosis(await self._runbooks.beside(case, diagnosis))
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
        await self._worlds.refresh()
        world = self._worlds.about(question, alerts)
        return open_case(question, alerts, world, session_id=session_id)

    def _opened(self, case: Case, grant: str) -> "_Open":
        found = self._open.get(case.session_id)
        if found is None:
            world = self._worlds.of(case)
            loan = self._lending.loan(world, case.session_id, grant) if grant and self._lending else None
            model = self._model.for_session(grant=grant)
            found = _Open(case, loan.world if loan else world, loan, self._cache, model, checks=self._checks)
            self._open[case.session_id] = found
            while len(self._open) > MOST_OPEN:
                self._open.popitem(last=False)
        return found


class _Open:
    """One session at work in this process: the world is read once for all its specialists."""

    def __init__(
        self, case: Case, world: World, loan: Loan | None, cache: Cache, model: Model, *, checks: Checks
    ) -> None:
        self._loan = loan
        self.model = model
        """One for all specialists of the session, for they share its budget."""
        self._listeners: list[Listener] = []
        self.investigation = Investigation(case, world, cache=cache, listen=self._tell, checks=checks)

    @contextlib.asynccontextmanager
    async def reading(self, listener: Listener) -> AsyncGenerator[None]:
        """While it lasts, approved credentials are lent, and `listener` may be told what happens.

        Each event goes to one of those who listen.
        """
        self._listeners.append(listener)
        try:
            async with self._loan.reading() if self._loan else contextlib.nullcontext():
                yield
        finally:
            self._listeners.remove(listener)

    def _tell(self, event: Event) -> None:
        if self._listeners:
            self._listeners[0](event)


def _asked(question: Question) -> str:
    context = " ".join(f"{name} {value}" for name, value in question.context.items())
    return " ".join(part for part in (question.text, context, question.environment) if part)
