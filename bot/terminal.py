"""One investigation for the terminal: no Slack, no server, no store."""

from agents.diagnosis import Diagnosis
from agents.investigation import diagnose as investigate
from agents.investigation import open_case
from agents.progress import Event
from agents.specialist import read_all, shipped
from bot.settings import Settings
from bot.wiring import open_world
from tools.caching import MemoryCache
from tools.catalogue import catalogue
from tools.world import World


async def diagnose(question: str, settings: Settings) -> Diagnosis:
    """Answers a question, or the alerts of a snapshot where there is no question.

    Raises:
        tools.snapshot.folder.SnapshotError: when the snapshot cannot be read.
        agents.specialist.SpecialistError: when a specialist's file cannot be used.
    """
    specialists = read_all(settings.specialists_dir) if settings.specialists_dir else shipped()
    async with open_world(settings) as world:
        case = open_case(question, await _recorded_alerts(world), world)
        return await investigate(case, world, specialists, cache=MemoryCache(), listen=_silent)


def _silent(event: Event) -> None:
    del event
