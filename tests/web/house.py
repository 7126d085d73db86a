"""The HTTP surface with strict stand-ins behind it; requests go through the whole application."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx2

from agents.case import SessionId
from approvals.ballot import Answer, Counted
from approvals.request import RequestId
from bot.connectors import Connector
from bot.desk import DeskClosed, SessionStatus, Ticket
from bot.gate import Click, GateClosed, View
from bot.incident import IncidentId, Question
from bot.settings import Settings
from bot.stores.connection import StoreError
from bot.stores.inbox import Delivery, InboxFull
from bot.web.app import create_app


class Box:
    """An inbox in memory."""

    def __init__(self) -> None:
        self.taken: list[Delivery] = []
        self.unreadable: list[bytes] = []
        self.is_away = False
        self.is_full = False

    async def append(self, delivery: Delivery) -> None:
        if self.is_away:
            raise StoreError("away")
        if self.is_full:
            raise InboxFull("full")
        self.taken.append(delivery)

    async def keep_unreadable(self, source: str, body: bytes, reason: str) -> None:
        if self.is_away:
            raise StoreError("away")
        self.unreadable.append(body)


class Counter:
    """A desk in memory: a question is taken once for each key."""

    def __init__(self) -> None:
        self.asked: dict[str, Question] = {}
        self.statuses: dict[str, SessionStatus] = {}
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.breaks_after = 1_000
        self.is_closed = False

    async def ask(self, question: Question) -> Ticket:
        if self.is_closed:
            raise DeskClosed("away")
        is_new = question.key not in self.asked
        self.asked.setdefault(question.key, question)
        number = list(self.asked).index(question.key)
        return Ticket(session_id=SessionId(f"ses_{number}"), incident_id=IncidentId("inc_1"), is_new=is_new)

    async def status(self, session_id: SessionId) -> SessionStatus | None:
        if self.is_closed:
            raise DeskClosed("away")
        return self.statuses.get(session_id)

    async def events(self, session_id: SessionId, *, after: str = "0") -> AsyncIterator[tuple[str, dict[str, Any]]]:
        ids = [cursor for cursor, _ in self.told]
        for number, each in enumerate(self.told[ids.index(after) + 1 if after in ids else 0 :]):
            if number == self.breaks_after:
                raise StoreError("away")
            yield each


class Sources:
    """Connectors that answer what they are told to."""

    def __init__(self) -> None:
        self.found: tuple[Connector, ...] = ()

    async def __call__(self) -> Sequence[Connector]:
        return self.found


class Gatekeeper:
    """A gate in memory: answers as it was told to, and keeps the clicks."""

    def __init__(self) -> None:
        self.views: list[View] = []
        self.answer = Answer(counted=Counted.DECIDED, text="Approved. It runs now.")
        self.clicks: list[Click] = []
        self.is_closed = False

    async def vote(self, click: Click) -> Answer:
        if self.is_closed:
            raise GateClosed("away")
        self.clicks.append(click)
        return self.answer

    async def view(self, request_id: RequestId) -> View | None:
        return next((view for view in self.views if view.request.id == request_id), None)

    async def open_requests(self, session_id: str) -> Sequence[View]:
        return [view for view in self.views if view.request.session_id == session_id]


class House:
    """All of it, with a client."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.box, self.desk, self.sources, self.gate = Box(), Counter(), Sources(), Gatekeeper()
        self.settings = Settings.model_validate(settings)
        self.app = create_app(self.settings, inbox=self.box, desk=self.desk, gate=self.gate, healths=self.sources)
        self.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url="http://locum")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
