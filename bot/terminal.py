"""One investigation for the terminal: no Slack, no server, no store."""

import asyncio

from agents.alert import Alert
from agents.diagnosis import Diagnosis
from agents.investigation import diagnose as investigate
from agents.investigation import new_session_id, open_case
from agents.progress import Event
from agents.specialist import read_all, shipped
from bot.alerts.alertmanager import parse_alerts
from bot.runbooks import Library
from bot.settings import Settings
from bot.wiring import custom_checks, open_model, open_world
from tools.caching import MemoryCache
from tools.world import World


async def diagnose(question: str, settings: Settings) -> Diagnosis:
    """Answers a question, or the alerts of a snapshot where there is no question.

    Raises:
        tools.snapshot.folder.SnapshotError: when the snapshot cannot be read.
        agents.specialist.SpecialistError: when a specialist's file cannot be used.
        bot.wiring.ConnectorError: when custom checks cannot be used.
    """
    specialists = read_all(settings.specialists_dir) if settings.specialists_dir else shipped()
    cache = MemoryCache()
    async with open_world(settings) as world, open_model(settings, cache=cache) as model:
        checks = await asyncio.to_thread(custom_checks, settings)
        case = open_case(question, await _recorded_alerts(world), world, session_id=new_session_id())
        diagnosis = await investigate(case, world, specialists, model=model, cache=cache, listen=_silent, checks=checks)
        return await Library(settings.runbooks).beside(case, diagnosis)


async def _recorded_alerts(world: World) -> tuple[Alert, ...]:
    """The alerts that a snapshot was taken for; live, what fires is looked at, not asked about."""
    if world.captured_at is None or world.alerts is None:
        return ()
    return parse_alerts(await world.alerts.active())


def _silent(event: Event) -> None:
    del event
