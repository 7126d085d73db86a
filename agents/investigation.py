"""One investigation: every specialist looks and checks, the leaders ask the model, the conclusion puts it together.

All I/O is in the `Looker` and the model that are handed in; what is decided is decided by rules.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.alert import Alert
from agents.case import Case, SessionId
from agents.causes import catalogue as causes
from agents.causes import rules, run
from agents.clues import clues
from agents.conclusion import conclude, explained
from agents.custom.checks import Checks
from agents.diagnosis import Diagnosis
from agents.finding import Role
from agents.gathering import gather, gather_for
from agents.model.answers import Brief
from agents.model.asking import Model
from agents.model.choosing import applied
from agents.model.choosing_specialists import choose
from agents.model.explain import explain
from agents.model.loop import investigate as ask
from agents.model.offering import offered
from agents.progress import FindingSeen, Listener, LookBegan, LookEnded, Phase, PhaseBegan
from agents.remedy import remedied
from agents.report import Report, Usage
from agents.routing import Routing, route
from agents.scene import Scene
from agents.scoping import scope_of
from agents.specialist import GENERALIST, Specialist
from agents.timeline import moments
from tools.caching import Cache, Since
from tools.catalogue import catalogue
from tools.evidence import Outcome
from tools.looking import Look, Looker, Progress
from tools.redaction import redact
from tools.world import World

GROUND = "looks"
"""The name under which what was seen stands among the specialists' reports."""
NO_CHECKS = Checks()
ROUTING = "routing"
"""The name under which stands what asking for the way cost."""


def open_case(question: str, alerts: Sequence[Alert], world: World, *, session_id: SessionId) -> Case:
    """The case that a question or alerts open.

    Args:
        question: a person's words; empty when alerts ask.
        alerts: what fires; with a question, its context.
        world: tells the moment and the window that the case is about.
        session_id: of the session that works on it.
    """
    now = world.now()
    asked = redact(question.strip() or "; ".join(dict.fromkeys(_in_words(alert) for alert in alerts)))
    scope = scope_of(asked, alerts, now=now, window=world.window, default_namespace=world.default_namespace)
    return Case(session_id=session_id, question=asked, alerts=tuple(alerts), scope=scope, asked_at=now)


def new_session_id(key: str = "") -> SessionId:
    """An id for a session: the same for the same key, a new one without."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:16] if key else secrets.token_hex(8)
    return SessionId(f"ses_{digest}")


def _in_words(alert: Alert) -> str:
    return f"{alert.name}: {alert.summary}" if alert.summary and alert.summary != alert.name else alert.name


class Investigation:
    """One case at work in one process: the world is read once, and every specialist checks what was seen."""

    def __init__(self, case: Case, world: World, *, cache: Cache, listen: Listener, checks: Checks = NO_CHECKS) -> None:
        """Looks at nothing yet.

        Args:
            case: what is asked.
            world: what is looked at.
            cache: of answers of live tools.
            listen: hears of progress.
            checks: those that somebody added to the catalogue's own.
        """
        self.case = case
        self._checks = checks
        self._world = world
        self._listen = listen
        # What was read before the newest news of the alerts tells of a time before it: of the fault, after its end.
        news_at = max((each.ends_at or each.starts_at for each in case.alerts), default=None)
        self._looker = Looker(world, cache=Since(cache, news_at) if news_at else cache, on_look=self._tell)
        self._seen: asyncio.Task[_Seen] | None = None

    async def ground(self) -> Report:
        """What was seen, for all specialists alike: looks, topology, what happened when; what added checks found."""
        return (await self._look()).ground

    async def report(self, specialist: Specialist, *, model: Model, leads: bool) -> Report:
        """One specialist's whole work: its checks and, when it leads and there is a model, the model's loop."""
        report = await self._checked(specialist)
        return await self._advised(specialist, report, model) if leads and model.is_configured else report

    async def _checked(self, specialist: Specialist) -> Report:
        began = time.monotonic()
        scene = (await self._look()).scene
        # Rules over thousands of pods take a while, and others share this loop.
        checked = await asyncio.to_thread(run, rules(specialist.areas), scene)
        # The live world has no name where actions are concerned.
        cluster = self._world.name if self._world.captured_at else ""
        findings = await asyncio.to_thread(remedied, checked.findings, scene, cluster=cluster)
        for finding in findings:
            if finding.role is Role.CONTEXT:
                # What is well, and advice: it belongs to the answer, not to the news.
                continue
            self._listen(
                FindingSeen(
                    specialist=specialist.name,
                    cause=finding.cause,
                    entity=str(finding.entity),
                    severity=finding.severity,
                    summary=finding.summary,
                )
            )
        return Report(
            specialist=specialist.name,
            findings=findings,
            failed_checks=tuple(each.why for each in checked.failures),
            usage=Usage(seconds=time.monotonic() - began),
        )

    async def _advised(self, specialist: Specialist, report: Report, model: Model) -> Report:
        known = catalogue()
        brief = Brief(
            case=self.case,
            specialist=specialist.name,
            instructions=specialist.instructions,
            findings=report.findings,
            evidence=(await self.ground()).evidence,
            causes=frozenset(name for name, each in causes().items() if each.area in specialist.areas),
        )
        answer = await ask(
            brief,
            model=model,
            look=self._looker.look,
            limits=specialist.limits,
            tools=offered([known[name] for name in specialist.tools], self._world),
        )
        return replace(
            report,
            claims=answer.claims,
            # Gaps of the model's own looks are mostly its own slips; those of the sources are among the ground's.
            evidence=tuple(each for each in answer.evidence if not each.is_gap),
            usage=report.usage + answer.usage,
            model_failure=answer.sentence,
        )

    async def _look(self) -> "_Seen":
        if self._seen is None:
            self._seen = asyncio.create_task(self._read())
        # Shielded, for a specialist that is cancelled must not take the world from the others.
        return await asyncio.shield(self._seen)

    async def _read(self) -> "_Seen":
        began = time.monotonic()
        evidence = await gather(self.case, frozenset(), self._looker.look, self._world)
        added = await gather_for(self._checks, self.case, self._looker.look, self._world)
        evidence = tuple({each.id: each for each in (*evidence, *added)}.values())
        scene = Scene.of(self.case, evidence, partial=self._world.partial)
        told, cited = await asyncio.to_thread(moments, scene)
        checked = await asyncio.to_thread(run, self._checks.rules, scene)
        ground = Report(
            specialist=GROUND,
            findings=checked.findings,
            failed_checks=tuple(each.why for each in checked.failures),
            evidence=(*evidence, *cited),
            edges=scene.edges(),
            moments=told,
            notes=self._world.notes,
            usage=Usage(seconds=time.monotonic() - began, tool_calls=self._looker.calls),
        )
        return _Seen(scene, ground)

    def _tell(self, look: Look) -> None:
        title = f"{look.tool} {look.summary}".strip()
        key = hashlib.sha256(title.encode()).hexdigest()[:12]
        if look.state is Progress.STARTED:
            self._listen(LookBegan(key=key, tool=look.tool, title=title))
            return
        self._listen(
            LookEnded(
                key=key,
                tool=look.tool,
                title=title,
                outcome=look.outcome or Outcome.ERROR,
                detail=look.detail,
                seconds=look.seconds or 0.0,
            )
        )


@dataclass(frozen=True, slots=True)
class _Seen:
    scene: Scene
    ground: Report


def routed(case: Case, specialists: Sequence[Specialist]) -> Routing:
    """Who leads this case."""
    return route(clues(case.question, case.alerts), specialists, chosen=case.chosen)


async def advised(
    case: Case, specialists: Sequence[Specialist], *, model: Model, cache: Cache
) -> tuple[Case, Report | None]:
    """The case with the model's choice of who leads, where the rules are sure of nobody, and what asking cost."""
    if not model.is_configured or not routed(case, specialists).abstained:
        return case, None
    choice = await choose(case, specialists, model=model, cache=cache)
    return replace(case, chosen=choice.names), Report(specialist=ROUTING, usage=choice.usage)


async def concluded(case: Case, routing: Routing, reports: Sequence[Report], model: Model) -> Diagnosis:
    """The rules' conclusion, in the model's words where it has any that hold."""
    diagnosis = conclude(case, routing, reports, now=case.asked_at)
    if not model.is_configured:
        return diagnosis
    claims = tuple(claim for report in reports for claim in report.claims)
    cited = {each.evidence for claim in claims for each in claim.citations}
    seen = {each.id: each for report in reports for each in report.evidence if each.id in cited}
    diagnosis = replace(diagnosis, evidence=tuple({**{each.id: each for each in diagnosis.evidence}, **seen}.values()))
    words = await explain(diagnosis, claims, model=model)
    if words.failure:
        diagnosis = replace(diagnosis, notes=(*diagnosis.notes, f"No model's summary: {words.sentence}"))
    if not (claims or words.claims):
        return replace(diagnosis, usage=diagnosis.usage + words.usage)
    diagnosis = applied(diagnosis, words.choices)
    return explained(diagnosis, (*words.claims, *words.proposals, *claims), words.claims, words.usage)


async def diagnose(
    case: Case,
    world: World,
    specialists: Sequence[Specialist],
    *,
    model: Model,
    cache: Cache,
    listen: Listener,
    checks: Checks = NO_CHECKS,
) -> Diagnosis:
    """The whole of it in one process."""
    began = time.monotonic()
    listen(PhaseBegan(phase=Phase.ROUTING))
    case, advice = await advised(case, specialists, model=model, cache=cache)
    routing = routed(case, specialists)
    listen(PhaseBegan(phase=Phase.LOOKING, detail=", ".join(routing.leaders)))
    investigation = Investigation(case, world, cache=cache, listen=listen, checks=checks)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(investigation.report(each, model=model, leads=each.name in routing.leaders))
            for each in specialists
            if each.name != GENERALIST or routing.abstained
        ]
    reports = [await investigation.ground(), *(task.result() for task in tasks), *([advice] if advice else [])]
    listen(PhaseBegan(phase=Phase.CONCLUDING))
    diagnosis = await concluded(case, routing, reports, model)
    listen(PhaseBegan(phase=Phase.DONE))
    return replace(diagnosis, usage=replace(diagnosis.usage, seconds=time.monotonic() - began))
