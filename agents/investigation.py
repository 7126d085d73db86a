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
from agents.case import Case, Scope, SessionId
from agents.causes import rules, run
from agents.conclusion import conclude
from agents.diagnosis import Diagnosis
from agents.gathering import gather
from agents.progress import FindingSeen, Listener, LookBegan, LookEnded, Phase, PhaseBegan
from agents.report import Report, Usage
from agents.routing import Routing, clues, route
from agents.scene import Scene
from agents.scoping import scope_of
from agents.specialist import GENERALIST, Specialist
from agents.timeline import moments
from tools.caching import Cache
from tools.evidence import Outcome
from tools.looking import Look, Looker, Progress
from tools.redaction import redact
from tools.world import World

GROUND = "looks"
"""The name under which what was seen stands among the specialists' reports."""


def open_case(question: str, alerts: Sequence[Alert], world: World, *, key: str = "") -> Case:
    """The case that a question or alerts open.

    Args:
        question: a person's words; empty when alerts ask.
        alerts: what fires; with a question, its context.
        world: tells the moment and the window that the case is about.
        key: the same key gives the same session; empty makes a new one.
    """
    now = world.now()
    asked = redact(question.strip() or "; ".join(dict.fromkeys(_in_words(alert) for alert in alerts)))
    scope: Scope = scope_of(asked, alerts, now=now, window=world.window, default_namespace=world.default_namespace)
    digest = hashlib.sha256(key.encode()).hexdigest()[:16] if key else secrets.token_hex(8)
    return Case(
        session_id=SessionId(f"ses_{digest}"), question=asked, alerts=tuple(alerts), scope=scope, asked_at=now
    )


def _in_words(alert: Alert) -> str:
    return f"{alert.name}: {alert.summary}" if alert.summary and alert.summary != alert.name else alert.name


class Investigation:
    """One case at work in one process: the world is read once, and every specialist checks what was seen."""

    def __init__(self, case: Case, world: World, *, cache: Cache, listen: Listener) -> None:
        self.case = case
        self._world = world
        self._listen = listen
        self._looker = Looker(world, cache=cache, on_look=self._tell)
        self._seen: asyncio.Task[_Seen] | None = None

    async def ground(self) -> Report:
        """What was seen, for all specialists alike: looks, topology, what happened when. Has no findings."""
        return (await self._look()).ground

    async def checked(self, specialist: Specialist) -> Report:
        """One specialist's deterministic checks over what was seen."""
        began = time.monotonic()
        scene = (await self._look()).scene
        areas = None if specialist.name == GENERALIST else specialist.areas
        # Rules over thousands of pods take a while, and others share this loop.
        checked = await asyncio.to_thread(run, rules(areas), scene)
        for finding in checked.findings:
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
            findings=checked.findings,
            failed_checks=tuple(each.why for each in checked.failures),
            usage=Usage(seconds=time.monotonic() - began),
        )

    async def _look(self) -> "_Seen":
        if self._seen is None:
            self._seen = asyncio.create_task(self._read())
        # Shielded, for a specialist that is cancelled must not take the world from the others.
        return await asyncio.shield(self._seen)

    async def _read(self) -> "_Seen":
        began = time.monotonic()
        evidence = await gather(self.case, frozenset(), self._looker.look, self._world)
        scene = Scene.of(self.case, evidence, partial=self._world.partial)
        told, cited = await asyncio.to_thread(moments, scene)
        ground = Report(
            specialist=GROUND,
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
            self._listen(LookBegan(key=key, specialist="", tool=look.tool, title=title))
            return
        self._listen(
            LookEnded(
                key=key,
                specialist="",
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
    return route(clues(case.question, case.alerts), specialists)


async def diagnose(
    case: Case, world: World, specialists: Sequence[Specialist], *, cache: Cache, listen: Listener
) -> Diagnosis:
    """The whole of it in one process, with rules alone."""
    began = time.monotonic()
    listen(PhaseBegan(phase=Phase.ROUTING))
    routing = routed(case, specialists)
    listen(PhaseBegan(phase=Phase.LOOKING, detail=", ".join(routing.leaders)))
    investigation = Investigation(case, world, cache=cache, listen=listen)
    checking = [each for each in specialists if each.name != GENERALIST]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(investigation.checked(each)) for each in checking]
    reports = [await investigation.ground(), *(task.result() for task in tasks)]
    listen(PhaseBegan(phase=Phase.CONCLUDING))
    diagnosis = conclude(case, routing, reports, now=case.asked_at)
    listen(PhaseBegan(phase=Phase.DONE))
    usage = replace(diagnosis.usage, seconds=time.monotonic() - began)
    return replace(diagnosis, usage=usage)
