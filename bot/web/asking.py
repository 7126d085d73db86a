"""Questions of programs: ask, look how it stands, follow the progress."""

import json
import re
import secrets
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.exceptions import HTTPException

from agents.case import SessionId
from bot.alerts.payload import ParseError, read_json, reasons
from bot.desk import Desk
from bot.gate import Gate
from bot.incident import Question
from bot.settings import Settings
from bot.stores.connection import StoreError
from bot.web.guarding import body_of, principal
from bot.web.waiting import waiting_requests

router = APIRouter()

_LONGEST_KEY = 200
_CURSOR = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")


class Problem(BaseModel):
    """The body of `POST /diagnose`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    problem: str = Field(min_length=1, max_length=10_000)
    environment: str = Field(default="", max_length=200)
    context: dict[str, str] = Field(default={}, max_length=50)


class Allowed:
    """A dependency: the token's principal, when it has the scope."""

    def __init__(self, scope: str) -> None:
        self._scope = scope

    def __call__(self, request: Request) -> str:
        settings: Settings = request.app.state.settings
        found = principal(settings.http, request.headers.get("authorization", ""), self._scope)
        if found is None:
            raise HTTPException(401, "unauthorized", {"WWW-Authenticate": "Bearer"})
        return found


Asker = Annotated[str, Depends(Allowed("diagnose"))]
Reader = Annotated[str, Depends(Allowed("status"))]


@router.post("/diagnose")
async def diagnose(
    request: Request, asker: Asker, idempotency_key: Annotated[str, Header(max_length=_LONGEST_KEY)] = ""
) -> JSONResponse:
    """Takes a question; the same `Idempotency-Key` of the same principal is the same question."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        # A page in somebody's browser cannot send this type to another host without being asked about.
        raise HTTPException(415, "send application/json")
    settings: Settings = request.app.state.settings
    try:
        problem = Problem.model_validate(dict(read_json(await body_of(request, settings.alerts.max_body_bytes))))
    except ParseError as error:
        raise HTTPException(422, str(error)) from error
    except ValidationError as error:
        raise HTTPException(422, reasons(error)) from error
    desk: Desk = request.app.state.desk
    question = Question(
        key=f"http|{asker}|{idempotency_key or secrets.token_hex(16)}",
        text=problem.problem,
        asked_by=asker,
        environment=problem.environment,
        context=problem.context,
    )
    ticket = await desk.ask(question)
    message = "taken" if ticket.is_new else "this request was taken before"
    answer = {"session_id": ticket.session_id, "status": "queued", "message": message}
    return JSONResponse(answer, status_code=202)


@router.get("/status/{session_id}")
async def status(request: Request, session_id: str, _: Reader) -> JSONResponse:
    """How far a session is."""
    desk: Desk = request.app.state.desk
    found = await desk.status(SessionId(session_id))
    if found is None:
        raise HTTPException(404, "no such session")
    answer: dict[str, object] = {
        "session_id": found.session_id,
        "status": found.status,
        "phase": found.phase,
        "progress": found.progress,
        "findings": list(found.findings),
    }
    if found.diagnosis is not None:
        answer["diagnosis"] = found.diagnosis
    gate: Gate | None = request.app.state.gate
    if gate and (waiting := await gate.open_requests(session_id)):
        answer["approvals"] = waiting_requests(waiting)
    return JSONResponse(answer)


@router.get("/status/{session_id}/events")
async def events(
    request: Request, session_id: str, _: Reader, last_event_id: Annotated[str, Header()] = "0"
) -> EventSourceResponse:
    """Progress as it comes, from `Last-Event-ID` on, until the session is done."""
    desk: Desk = request.app.state.desk
    if not _CURSOR.fullmatch(last_event_id):
        raise HTTPException(422, "Last-Event-ID: expected the id of an event of this stream")
    if await desk.status(SessionId(session_id)) is None:
        raise HTTPException(404, "no such session")
    return EventSourceResponse(_stream(desk, SessionId(session_id), last_event_id))


async def _stream(desk: Desk, session_id: SessionId, after: str) -> AsyncIterator[ServerSentEvent]:
    try:
        async for cursor, event in desk.events(session_id, after=after):
            yield ServerSentEvent(id=cursor, event=event["kind"], data=json.dumps(event))
    except StoreError:
        # The reader comes back by itself, with the last id that it saw.
        return
