"""A process that writes threads, and what it is told."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any

from agents.case import SessionId
from agents.progress import Event, FindingSeen, LookBegan, LookEnded, Phase, PhaseBegan
from bot.incident import Incident
from bot.slack.threads import SlackThreads, connected
from bot.workspace.server import Workspace
from tests.bot.fakes import Notes, settings
from tools.evidence import Outcome

SESSION = SessionId("ses_1")


@contextlib.asynccontextmanager
async def running(workspace: Workspace, notes: Notes, *, api_url: str = "") -> AsyncGenerator[SlackThreads]:
    """One process that writes threads."""
    threads = connected(settings(workspace, api_url=api_url), notes)
    try:
        yield threads
    finally:
        await threads.close()


async def opened(threads: SlackThreads, incident: Incident) -> Incident:
    return replace(incident, place=await threads.open(incident))


def replies(workspace: Workspace, incident: Incident) -> list[dict[str, Any]]:
    return workspace.thread(incident.place.channel, incident.place.thread_ts)[1:]


async def told(*events: Event) -> AsyncIterator[tuple[str, Event]]:
    for number, event in enumerate(events):
        yield str(number), event


def look(number: int, *, ended: bool = True) -> list[Event]:
    key, title = f"k{number}", f"kubernetes.pods namespace=shop-{number}"
    began = LookBegan(key=key, tool="kubernetes.pods", title=title)
    done = LookEnded(
        key=key,
        tool="kubernetes.pods",
        title=title,
        outcome=Outcome.FOUND,
        detail="3",
        seconds=1,
    )
    return [began, done] if ended else [began]


STORY: tuple[Event, ...] = (
    PhaseBegan(phase=Phase.ROUTING),
    PhaseBegan(phase=Phase.LOOKING),
    *look(1),
    *look(2),
    FindingSeen(specialist="i", cause="c", entity="pod/shop/cart", severity="critical", summary="it crashes"),
    PhaseBegan(phase=Phase.DONE),
)


def tasks(message: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (task["title"], task["status"])
        for block in message["blocks"]
        if block["type"] == "plan"
        for task in block["tasks"]
    ]
