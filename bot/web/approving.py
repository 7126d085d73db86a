"""Decisions of programs: through the same gate as a click, by the principal of a token with the scope `approve`."""

import hashlib
import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from agents.case import SessionId
from approvals.ballot import Choice, Counted
from approvals.request import RequestId
from bot.alerts.payload import ParseError, read_json, reasons
from bot.desk import Desk
from bot.gate import Click, Gate, View
from bot.settings import Settings
from bot.web.asking import Allowed
from bot.web.guarding import body_of

router = APIRouter()

_STATUS = {
    Counted.COUNTED: 200,
    Counted.DECIDED: 200,
    Counted.DUPLICATE: 200,
    Counted.REFUSED: 403,
    Counted.CLOSED: 409,
}
_LONGEST_KEY = 200

Approver = Annotated[str, Depends(Allowed("approve"))]


class Decision(BaseModel):
    """The body of `POST /approve/{session_id}`."""

    model_config = ConfigDict(strict=True, extra="forbid")

    approved: bool
    request_id: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,64}$")
    """Which request; may be left out where the session has exactly one that waits."""
    reason: str = Field(default="", max_length=800)
    """Why it is denied."""
    only: list[int] | None = Field(default=None, max_length=100)
    """Of a batch, the items that are approved; counted from 0."""


@router.post("/approve/{session_id}")
async def approve(
    request: Request,
    session_id: str,
    approver: Approver,
    idempotency_key: Annotated[str, Header(max_length=_LONGEST_KEY)] = "",
) -> JSONResponse:
    """Counts one decision; the same `Idempotency-Key` of the same principal is the same decision."""
    decision = await _decision(request)
    gate: Gate | None = request.app.state.gate
    desk: Desk = request.app.state.desk
    if gate is None:
        raise HTTPException(404, "no approvals are set up here: set approvals.policy")
    if await desk.status(SessionId(session_id)) is None:
        raise HTTPException(404, "no such session")
    view = await _meant(gate, session_id, decision.request_id)
    key = f"{approver}\0{view.request.id}\0{idempotency_key or secrets.token_hex(16)}"
    answer = await gate.vote(
        Click(
            request_id=view.request.id,
            account=approver,
            via="api",
            choice=Choice.APPROVE if decision.approved else Choice.DENY,
            key=hashlib.sha256(key.encode()).hexdigest(),
            reason=decision.reason,
            only=None if decision.only is None else frozenset(decision.only),
        )
    )
    body = {"request_id": view.request.id, "counted": answer.counted, "message": answer.text}
    return JSONResponse(body, status_code=_STATUS[answer.counted])


async def _decision(request: Request) -> Decision:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        # A page in somebody's browser cannot send this type to another host without being asked about.
        raise HTTPException(415, "send application/json")
    settings: Settings = request.app.state.settings
    try:
        body = await body_of(request, settings.alerts.max_body_bytes)
        return Decision.model_validate(dict(read_json(body)))
    except ParseError as error:
        raise HTTPException(422, str(error)) from error
    except ValidationError as error:
        raise HTTPException(422, reasons(error)) from error


async def _meant(gate: Gate, session_id: str, request_id: str) -> View:
    """The request that a decision is about."""
    if request_id:
        view = await gate.view(RequestId(request_id))
        if view is None or view.request.session_id != session_id:
            raise HTTPException(404, "no such request in this session")
        return view
    waiting = await gate.open_requests(session_id)
    if not waiting:
        raise HTTPException(404, "nothing of this session waits for a decision")
    if len(waiting) > 1:
        ids = ", ".join(each.request.id for each in waiting)
        raise HTTPException(409, f"{len(waiting)} requests wait: say which one in request_id: {ids}")
    return waiting[0]
