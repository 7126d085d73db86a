"""Clicks on approval cards, from Slack to the gate; and the answer that every click gets."""

import asyncio
import hashlib
import json
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from whenever import Instant

from approvals.ballot import Choice, State
from approvals.request import RequestId
from bot.gate import Click, Gate, GateClosed, View
from bot.slack import text
from bot.slack.calls import Calls, Method, Refused, SlackError
from bot.slack.cards import lines
from bot.slack.cards.approval import APPROVE, DENY, DETAILS
from bot.slack.cards.approval_details import LONGEST_REASON, REASON_BLOCK, denial, details
from bot.slack.cards.approval_standing import standing, state_at
from bot.slack.clicks import Denial, Press, Spot, Turn, read

VOTE_S = 8
"""How long a click waits for the gate."""
VIEW_S = 1.5
"""How long a modal waits for the store: Slack lets one be opened within three seconds of the click."""
ANSWER_S = 10

logger = logging.getLogger(__name__)


class Approving:
    """Takes clicks. Slack is acked with what `take` gives; the work goes on behind it."""

    def __init__(self, gate: Gate, calls: Calls) -> None:
        self._gate = gate
        self._calls = calls
        self._running: set[asyncio.Task[None]] = set()

    def take(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Begins what an interaction asks for; gives the body of the ack. What is not ours is dropped."""
        match read(body):
            case Press() as press:
                self._go({APPROVE: self._approve, DENY: self._ask_why, DETAILS: self._show}[press.action_id](press))
            case Turn() as turn:
                self._go(self._turn(turn))
            case Denial(reason=reason) as denied:
                if problem := _problem(reason):
                    return {"response_action": "errors", "errors": {REASON_BLOCK: problem}}
                self._go(self._deny(denied))
            case None:
                # Without the payload: it may hold anything.
                logger.warning(
                    "an interaction that is not ours was dropped", extra={"kind": str(body.get("type"))[:40]}
                )
        return {}

    async def close(self) -> None:
        """Waits for the clicks that are being taken."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _approve(self, press: Press) -> None:
        click = Click(
            request_id=press.request_id,
            account=press.account,
            via="slack",
            choice=Choice.APPROVE,
            key=_key(press.request_id, press.account, press.at),
        )
        await self._tell(press.account, press.spot, await self._voted(click))

    async def _deny(self, denied: Denial) -> None:
        click = Click(
            request_id=denied.request_id,
            account=denied.account,
            via="slack",
            choice=Choice.DENY,
            key=_key(denied.request_id, denied.account, denied.at),
            reason=text.plain(denied.reason, LONGEST_REASON),
        )
        await self._tell(denied.account, denied.spot, await self._voted(click))

    async def _voted(self, click: Click) -> str:
        """What whoever clicked is told."""
        extra = {"request_id": click.request_id, "choice": str(click.choice)}
        try:
            async with asyncio.timeout(VOTE_S):
                answer = await self._gate.vote(click)
        except GateClosed as closed:
            logger.warning("a click was not recorded", extra=extra | {"why": str(closed)})
            return lines.NOT_RECORDED
        except TimeoutError:
            logger.warning("a click got no answer in time", extra=extra)
            return lines.NOT_ANSWERED
        except Exception:
            # The outer edge of this click: whatever broke, the person is told, without its innards.
            logger.exception("taking a click failed", extra=extra)
            return lines.NOT_ANSWERED
        logger.info("a click was answered", extra=extra | {"counted": str(answer.counted)})
        return f"{lines.COUNTED[answer.counted]}: {text.escape(answer.text, 1_500)}"

    async def _show(self, press: Press) -> None:
        view = await self._view(press.request_id)
        if isinstance(view, str):
            await self._tell(press.account, press.spot, view)
        else:
            # In a thread: a request can be long, and looking through all of it must not hold up other clicks.
            await self._open(press, await asyncio.to_thread(details, view, 1, Instant.now()))

    async def _ask_why(self, press: Press) -> None:
        view = await self._view(press.request_id)
        if isinstance(view, str):
            await self._tell(press.account, press.spot, view)
        elif state_at(view, Instant.now()) not in (State.PENDING, State.APPROVED):
            said = standing(view, Instant.now())
            await self._tell(press.account, press.spot, f"{lines.DECIDED}: {said}")
        else:
            where = {"request_id": press.request_id, "channel": press.spot.channel, "thread_ts": press.spot.thread_ts}
            await self._open(press, denial(view, json.dumps(where)))

    async def _turn(self, turn: Turn) -> None:
        view = await self._view(turn.request_id)
        if isinstance(view, str):
            logger.warning("a page could not be turned", extra={"request_id": turn.request_id})
            return
        try:
            async with asyncio.timeout(ANSWER_S):
                page = await asyncio.to_thread(details, view, turn.page, Instant.now())
                await self._calls(Method.UPDATE_VIEW, view_id=turn.view_id, view=page)
        except (SlackError, TimeoutError) as error:
            logger.warning("a page could not be turned", extra={"request_id": turn.request_id, "why": str(error)})

    async def _view(self, request_id: RequestId) -> View | str:
        """The request, or what whoever clicked is told instead."""
        try:
            async with asyncio.timeout(VIEW_S):
                view = await self._gate.view(request_id)
        except (GateClosed, TimeoutError) as error:
            logger.warning("a request could not be read", extra={"request_id": request_id, "why": str(error)})
            return lines.NOT_READ
        except Exception:
            # The outer edge of this click, as in `_voted`.
            logger.exception("reading a request failed", extra={"request_id": request_id})
            return lines.NOT_READ
        return view or lines.NO_REQUEST

    async def _open(self, press: Press, modal: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._calls(Method.OPEN_VIEW, trigger_id=press.trigger_id, view=modal)
        except (SlackError, TimeoutError) as error:
            logger.warning("a modal could not be opened", extra={"request_id": press.request_id, "why": str(error)})
            await self._tell(press.account, press.spot, lines.NOT_OPENED)

    async def _tell(self, account: str, spot: Spot, said: str) -> None:
        """Answers whoever clicked, alone: where they clicked, else in the direct message."""
        try:
            async with asyncio.timeout(ANSWER_S):
                if not (spot.channel and await self._whispered(account, spot, said)):
                    await self._calls(Method.POST, channel=account, text=said, unfurl_links=False, unfurl_media=False)
        except (SlackError, TimeoutError) as error:
            logger.warning("a click could not be answered", extra={"why": str(error)})

    async def _whispered(self, account: str, spot: Spot, said: str) -> bool:
        where = {"channel": spot.channel, "thread_ts": spot.thread_ts or None}
        try:
            await self._calls(Method.EPHEMERAL, **where, user=account, text=said)
        except Refused as refusal:
            logger.info("a click is answered in the direct message", extra={"code": refusal.code})
            return False
        return True

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _problem(reason: str) -> str:
    """What is wrong with a reason; empty when nothing is."""
    if not text.plain(reason, LONGEST_REASON):
        return "Say why, in words that the others can read."
    if len(reason) > LONGEST_REASON:
        return f"{len(reason)} characters are too many: at most {LONGEST_REASON}."
    return ""


def _key(request_id: str, account: str, at: str) -> str:
    return hashlib.sha256("\n".join((request_id, account, at)).encode()).hexdigest()
