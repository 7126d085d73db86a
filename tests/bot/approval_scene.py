"""One process that listens to clicks in a strict Slack, and a request that waits in a thread."""

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from typing import Any

from whenever import Instant, TimeDelta

from approvals.request import ApprovalRequest
from bot.gate import View
from bot.incident import Place
from bot.setting_groups import Slack
from bot.slack.app import SlackApp, create
from bot.slack.approval_cards import SlackCards
from bot.slack.calls import connect
from bot.slack.directory import Directory
from bot.slack.sending import Sender
from bot.slack.socket import Socket
from bot.workspace.server import Workspace
from tests.blocks import requests
from tests.bot.fakes import Desk, Notes, SeenKeys, settings
from tests.bot.gates import GROUP, MemoryGate


@dataclass
class Store:
    """What outlives a process."""

    notes: Notes = field(default_factory=Notes)
    seen: SeenKeys = field(default_factory=SeenKeys)
    views: dict[str, View] = field(default_factory=dict[str, View])
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    thread_ts: str = ""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What a test moves."""

    workspace: Workspace
    gate: MemoryGate
    cards: SlackCards
    slack: SlackApp
    desk: Desk
    store: Store

    @property
    def thread_ts(self) -> str:
        """Where the incident is talked about."""
        return self.store.thread_ts

    @property
    def card(self) -> dict[str, Any]:
        """The only card in the thread."""
        (card,) = [one for one in self.replies if "approval" in one["metadata"]["event_type"]]
        return card

    @property
    def replies(self) -> list[dict[str, Any]]:
        """What Locum said in the thread."""
        return [one for one in self.workspace.thread("alerts", self.thread_ts)[1:] if one.get("metadata")]

    @property
    def buttons(self) -> list[str]:
        """The action ids on the card."""
        return [
            button["action_id"]
            for block in self.card["blocks"]
            if block["type"] == "actions"
            for button in block["elements"]
        ]

    def told(self, who: str = "ana") -> list[str]:
        """What was answered to somebody alone, in the thread where they clicked."""
        said = self.workspace.ephemerals(who)
        assert all(one["thread_ts"] == self.thread_ts for one in said)
        return [one["text"] for one in said]

    async def answered(self, number: int = 1, who: str = "ana") -> list[str]:
        """Waits until somebody has so many answers."""
        await self.workspace.until(lambda: len(self.told(who)) >= number)
        return self.told(who)


def waiting(**agreed: Any) -> ApprovalRequest:
    """A request that waits now."""
    terms = requests.terms(**({"expires_at": Instant.now() + TimeDelta(minutes=30)} | agreed))
    return replace(requests.request(agreed=terms), created_at=Instant.now())


@contextlib.asynccontextmanager
async def listening(workspace: Workspace, store: Store | None = None) -> AsyncGenerator[Scene]:
    """One process over Socket Mode; ana and ben are on call."""
    async with acting(workspace, store) as scene:
        socket = Socket(scene.slack, settings(workspace))
        before = workspace.sockets
        await socket.connect()
        try:
            await workspace.connected(before + 1)
            yield scene
            await workspace.settled()
        finally:
            await socket.close()


@contextlib.asynccontextmanager
async def acting(
    workspace: Workspace, store: Store | None = None, configured: Slack | None = None
) -> AsyncGenerator[Scene]:
    """One process that is not connected yet."""
    store = store or Store()
    configured = configured or settings(workspace)
    if not store.thread_ts:
        begin(workspace, store)
    calls = connect(configured)
    cards = SlackCards(Sender(calls), store.notes)
    gate = MemoryGate(Directory(calls), cards, views=store.views, answers=store.answers)
    desk = Desk()
    slack = create(configured, desk, store.seen, gate)
    try:
        yield Scene(workspace=workspace, gate=gate, cards=cards, slack=slack, desk=desk, store=store)
        await slack.asking.close()
        assert slack.approving
        await slack.approving.close()
    finally:
        await slack.close()
        await calls.close()


def begin(workspace: Workspace, store: Store) -> None:
    """Somebody says that something is wrong."""
    workspace.add_group(GROUP, ["ana", "ben"])
    store.thread_ts = workspace.post("tom", "alerts", "cart is down")["ts"]


def asked(scene: Scene, request: ApprovalRequest | None = None, **fields: Any) -> View:
    """A request in the scene's thread."""
    place = Place(channel=scene.workspace.channel_id("alerts"), thread_ts=scene.thread_ts)
    return requests.view(request or waiting(), place=place, **fields)
