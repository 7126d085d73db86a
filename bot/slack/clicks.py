"""What Slack's payloads say about our buttons and modals, as far as anything of it is believed. Pure.

Of a payload only these are used: who pressed, which button with which request id, and when. The trigger opens a modal,
and the place of the click is where the answer is shown, to whoever clicked alone. What is approved stands in the store.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from approvals.request import RequestId
from bot.slack.cards.approval import APPROVE, DENY, DETAILS
from bot.slack.cards.approval_details import DENIAL, DETAILS_VIEW, PAGE, REASON_BLOCK, REASON_INPUT

_ID = re.compile(r"[A-Za-z0-9_-]{20,64}")
_USER = re.compile(r"[UW][A-Z0-9]{2,30}")
_CHANNEL = re.compile(r"[CDG][A-Z0-9]{2,30}")
_TS = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")
_PAGES = frozenset({f"{PAGE}_back", f"{PAGE}_on"})
_PAGE_NUMBER = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where somebody clicked: there the answer is shown."""

    channel: str = ""
    thread_ts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """One use of a button of ours."""

    action_id: str
    request_id: RequestId
    account: str
    at: str
    """Slack's time of this very click."""
    trigger_id: str
    spot: Spot


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A page of the details is asked for."""

    request_id: RequestId
    page: int
    view_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """A reason was given, and the request is denied."""

    request_id: RequestId
    account: str
    at: str
    """The id of the modal: sending it twice is one denial."""
    reason: str
    spot: Spot


def read(body: Mapping[str, Any]) -> Press | Turn | Denial | None:
    """What of an interaction is ours and well formed; `None` for everything else."""
    account = _text(_object(body.get("user")).get("id"))
    if not _USER.fullmatch(account):
        return None
    if body.get("type") == "view_submission":
        return _denial(_object(body.get("view")), account)
    actions: object = body.get("actions")
    if body.get("type") != "block_actions" or not isinstance(actions, list):
        return None
    pressed = cast("list[object]", actions)
    return _pressed(body, _object(pressed[0]), account) if len(pressed) == 1 else None


def _pressed(body: Mapping[str, Any], action: Mapping[str, Any], account: str) -> Press | Turn | None:
    action_id, value, at = (_text(action.get(name)) for name in ("action_id", "value", "action_ts"))
    if action_id in _PAGES:
        return _turned(_object(body.get("view")), value)
    if action_id not in {APPROVE, DENY, DETAILS} or not _ID.fullmatch(value) or not _TS.fullmatch(at):
        return None
    container = _object(body.get("container"))
    return Press(
        action_id=action_id,
        request_id=RequestId(value),
        account=account,
        at=at,
        trigger_id=_text(body.get("trigger_id")),
        spot=_spot(container.get("channel_id"), container.get("thread_ts")),
    )


def _turned(view: Mapping[str, Any], value: str) -> Turn | None:
    request_id = _text(view.get("private_metadata"))
    is_ours = view.get("callback_id") == DETAILS_VIEW and _ID.fullmatch(request_id)
    if not is_ours or not _PAGE_NUMBER.fullmatch(value):
        return None
    return Turn(request_id=RequestId(request_id), page=int(value), view_id=_text(view.get("id")))


def _denial(view: Mapping[str, Any], account: str) -> Denial | None:
    if view.get("callback_id") != DENIAL:
        return None
    try:
        where = _object(json.loads(_text(view.get("private_metadata"))))
    except ValueError:
        return None
    request_id, view_id = _text(where.get("request_id")), _text(view.get("id"))
    if not _ID.fullmatch(request_id) or not view_id:
        return None
    values = _object(_object(view.get("state")).get("values"))
    typed = _object(_object(values.get(REASON_BLOCK)).get(REASON_INPUT))
    return Denial(
        request_id=RequestId(request_id),
        account=account,
        at=view_id,
        reason=_text(typed.get("value")).strip(),
        spot=_spot(where.get("channel"), where.get("thread_ts")),
    )


def _spot(channel: object, thread_ts: object) -> Spot:
    spot = Spot(channel=_text(channel), thread_ts=_text(thread_ts))
    if not _CHANNEL.fullmatch(spot.channel):
        return Spot()
    return spot if _TS.fullmatch(spot.thread_ts) else replace(spot, thread_ts="")


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
