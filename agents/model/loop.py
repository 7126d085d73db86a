"""The model looks, a bounded number of times, and concludes; code checks what it says."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson

from agents.model import citations, offering, prompts, schemas
from agents.model.answers import Answer, Brief, digest
from agents.model.asking import Model, Request
from agents.model.citations import Dropped
from agents.model.failures import ModelError, Reason
from agents.model.replies import Reply, ToolCall
from agents.model.schemas import CONCLUDE
from agents.report import Claim, Quality, Usage
from agents.specialist import Limits
from tools.catalogue import Tool
from tools.evidence import Evidence, EvidenceId

Look = Callable[[str, Mapping[str, Any]], Awaitable[Evidence]]

ARGS_LIMIT = 4_000
"""Characters of one call's arguments; no look needs more."""
ECHO_LIMIT = 8_000
"""Characters of one reply's text, and of its arguments, that are sent back to the model; 1,500 tokens are fewer."""
CALLS_LIMIT = 32
"""Calls in one reply beyond which nobody means anything by them."""
LEAST_SHOWN = 200
"""Bytes of room below which nothing more is looked at."""
CALLS_AT_ONCE = 8
"""Calls of one reply that are answered; the rest is sent back."""


async def investigate(brief: Brief, *, model: Model, look: Look, limits: Limits, tools: Sequence[Tool[Any]]) -> Answer:
    """The model's work on one case. Never raises for the model's or the service's sake: see `Answer.failure`."""
    if not model.is_configured:
        return Answer(failure=Reason.NO_KEY)
    return await _Investigation(brief, model, look, limits, tools).run()


class _Investigation:
    def __init__(self, brief: Brief, model: Model, look: Look, limits: Limits, tools: Sequence[Tool[Any]]) -> None:
        self._brief, self._model, self._look, self._limits = brief, model, look, limits
        self._names = {schemas.wire_name(tool.name): tool.name for tool in tools}
        self._tools = [*offering.described(tools), schemas.read_evidence(), schemas.conclude(with_proposals=False)]
        self._system = prompts.system(brief.instructions)
        told = prompts.case(brief, room=prompts.room_beside(self._system, self._tools))
        self._messages: list[dict[str, Any]] = [_user({"type": "text", "text": told})]
        self._told = digest(brief.findings, brief.all_evidence)
        self._room = prompts.TALK
        self._known: dict[EvidenceId, Evidence] = {each.id: each for each in brief.all_evidence}
        self._own: dict[EvidenceId, Evidence] = {}
        self._asked: dict[bytes, Evidence] = {}
        self._usage = Usage()
        self._turns = 0
        self._looks = 0
        self._ends_at_s = asyncio.get_running_loop().time() + limits.seconds
        self._claims: tuple[Claim, ...] = ()
        self._dropped: tuple[Dropped, ...] = ()

    async def run(self) -> Answer:
        failure: Reason | None = None
        try:
            async with asyncio.timeout_at(self._ends_at_s):
                await self._turned()
        except ModelError as error:
            failure = error.reason
            self._usage += error.cost
        except TimeoutError:
            failure = Reason.BUDGET
        if not self._claims and failure is None:
            failure = Reason.NOT_BORNE_OUT if self._dropped else Reason.NO_CONCLUSION
        return Answer(
            claims=self._claims,
            evidence=tuple(self._own.values()),
            dropped=self._dropped,
            usage=self._usage + Usage(tool_calls=self._looks),
            failure=failure,
        )

    async def _turned(self) -> None:
        is_over = False
        while not is_over and self._turns < self._limits.model_calls:
            reply = await self._asked_model(forced=self._must_conclude)
            last = next((call for call in reply.calls if call.name == CONCLUDE), None)
            if last:
                is_over = await self._concluded(reply, last)
            elif reply.calls:
                self._said(_assistant(reply))
                self._said(_user(*await self._answered(reply.calls)))
            else:
                return await self._pressed(reply)
        return None

    @property
    def _must_conclude(self) -> bool:
        # One turn is kept for the conclusion; another for correcting it is welcome but not kept.
        is_last = self._turns >= self._limits.model_calls - 1
        return is_last or self._looks >= self._limits.tool_calls or self._room < LEAST_SHOWN

    async def _asked_model(self, *, forced: bool) -> Reply:
        self._turns += 1
        request = Request(
            system=self._system,
            tools=self._tools,
            messages=self._messages,
            forced=CONCLUDE if forced else None,
            known=self._told,
        )
        left_s = self._ends_at_s - asyncio.get_running_loop().time()
        reply, cost = await self._model.ask(request, within_s=left_s, is_good=self._is_good)
        self._usage += cost
        if len(reply.calls) > CALLS_LIMIT:
            raise ModelError(Reason.MALFORMED)
        if reply.stop in ("max_tokens", "model_context_window_exceeded"):
            raise ModelError(Reason.TRUNCATED)
        return reply

    def _is_good(self, reply: Reply) -> bool:
        """Whether it is worth keeping: a look into it brings the next turn, a conclusion something that holds."""
        last = next((call for call in reply.calls if call.name == CONCLUDE), None)
        if last is None:
            return bool(reply.calls) and reply.stop == "tool_use"
        return bool(self._checked(last)[1])

    def _checked(self, call: ToolCall) -> tuple[tuple[Claim, ...], tuple[Claim, ...], tuple[Dropped, ...]]:
        """The claims that were made, those that hold, and what does not."""
        given = citations.read((call.args or {}).get("claims"))
        return given, *citations.verified(given, self._known.values(), causes=self._brief.causes)

    async def _pressed(self, reply: Reply) -> None:
        """The model only talked: it is asked once to conclude in the agreed form."""
        if self._turns >= self._limits.model_calls:
            return
        nudge = _user({"type": "text", "text": "Conclude now, by calling `conclude`."})
        self._said(_assistant(reply), nudge)
        again = await self._asked_model(forced=True)
        last = next((call for call in again.calls if call.name == CONCLUDE), None)
        if last:
            await self._concluded(again, last)

    async def _concluded(self, reply: Reply, call: ToolCall) -> bool:
        """Whether the work is over: all that was said holds, or it was corrected once already."""
        is_correction = bool(self._dropped)
        given, kept, dropped = self._checked(call)
        self._usage += Usage(quality=Quality(claims=len(given), held=len(kept)))
        # What held before is not lost to a correction that holds less.
        if len(kept) >= len(self._claims):
            self._claims = kept
        self._dropped += dropped
        if is_correction or not dropped or self._turns >= self._limits.model_calls:
            return True
        results = [
            _result(
                each, prompts.correction(dropped) if each is call else "Not looked at: you concluded.", is_error=True
            )
            for each in reply.calls
        ]
        self._said(_assistant(reply), _user(*results))
        try:
            again = await self._asked_model(forced=True)
        except ModelError as error:
            # The first conclusion stands as far as it held; a failed correction takes nothing away.
            if not self._claims:
                raise
            self._usage += error.cost
            return True
        last = next((each for each in again.calls if each.name == CONCLUDE), None)
        return await self._concluded(again, last) if last else True

    def _said(self, *messages: dict[str, Any]) -> None:
        self._messages += messages
        self._room -= sum(prompts.size(each) for each in messages)

    async def _answered(self, calls: Sequence[ToolCall]) -> list[dict[str, Any]]:
        # What is left is shared by all that is shown at once; the rest of an excerpt can be read by its id.
        share = max(self._room, LEAST_SHOWN) // min(len(calls), CALLS_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._answer(number, call, share)) for number, call in enumerate(calls)]
        return [task.result() for task in tasks]

    async def _answer(self, number: int, call: ToolCall, room: int) -> dict[str, Any]:
        if number >= CALLS_AT_ONCE:
            return _result(call, f"At most {CALLS_AT_ONCE} calls at once.", is_error=True)
        if call.args is None or call.size > ARGS_LIMIT:
            return _result(call, f"Arguments are one JSON object of at most {ARGS_LIMIT} characters.", is_error=True)
        if call.name == schemas.READ_EVIDENCE:
            return self._read(call, call.args, room)
        name = self._names.get(call.name)
        if name is None:
            known = ", ".join(sorted(self._names))
            return _result(call, f"There is no such tool here. There are: {known}", is_error=True)
        return await self._looked(call, name, call.args, room)

    def _read(self, call: ToolCall, args: Mapping[str, Any], room: int) -> dict[str, Any]:
        wanted = args.get("id")
        found = self._known.get(EvidenceId(wanted)) if isinstance(wanted, str) else None
        if found is None:
            return _result(call, "There is no such evidence.", is_error=True)
        return _result(call, prompts.seen(found, room=room))

    async def _looked(self, call: ToolCall, name: str, args: Mapping[str, Any], room: int) -> dict[str, Any]:
        key = orjson.dumps([name, args], option=orjson.OPT_SORT_KEYS, default=str)
        if known := self._asked.get(key):
            return _result(call, f"Asked before; the answer is the same.\n{prompts.seen(known, room=room)}")
        if self._looks >= self._limits.tool_calls:
            return _result(call, "No looks are left. Conclude with what is there.", is_error=True)
        self._looks += 1
        evidence = await self._look(name, args)
        self._asked[key] = evidence
        self._known[evidence.id] = self._own[evidence.id] = evidence
        return _result(call, prompts.seen(evidence, room=room), is_error=evidence.is_gap)


def _user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def _assistant(reply: Reply) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": reply.text[:ECHO_LIMIT]}] if reply.text.strip() else []
    left = ECHO_LIMIT
    for call in reply.calls:
        # What was too long or no JSON is not sent back: it would be paid for again with every turn.
        is_told = call.args is not None and call.size <= min(left, ARGS_LIMIT if call.name != CONCLUDE else left)
        left -= call.size if is_told else 0
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": call.args if is_told else {}})
    return {"role": "assistant", "content": blocks or [{"type": "text", "text": "…"}]}


def _result(call: ToolCall, text: str, *, is_error: bool = False) -> dict[str, Any]:
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": call.id, "content": text}
    return {**result, "is_error": True} if is_error else result
