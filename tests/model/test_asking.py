"""One question to the service and everything that goes wrong on the way: retries, other models, circuits, budgets."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from agents.model import circuits
from agents.model.asking import Model, Request
from agents.model.client import Config, connect
from agents.model.failures import ModelError, Reason
from agents.model.loop import investigate
from agents.report import Usage
from tests.anthropic_emulator.script import BreakOff, Refuse, Say, Step
from tests.anthropic_emulator.server import Emulator, serve
from tests.model.cases import LIMITS, World, brief, config, tools

HELLO = Say("Hello, this is a reply of some length.")
SONNET, HAIKU = "claude-sonnet-4-5", "claude-haiku-4-5"
REQUEST = Request(
    system="Be brief.",
    tools=[{"name": "conclude", "description": "End.", "input_schema": {"type": "object", "properties": {}}}],
    messages=[{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
)


async def failure(emulator: Emulator, *, within_s: float = 20, **changes: Any) -> ModelError:
    async with connect(config(emulator, **changes)) as model:
        with pytest.raises(ModelError) as caught:
            await model.ask(REQUEST, within_s=within_s)
    return caught.value


def models(emulator: Emulator) -> list[str]:
    return [body["model"] for body in emulator.requests]


async def test_a_streamed_reply_comes_whole_with_its_cost() -> None:
    async with serve([HELLO]) as emulator, connect(config(emulator)) as model:
        reply, cost = await model.ask(REQUEST, within_s=20)
        assert (reply.text, reply.stop, reply.model) == (HELLO.text, "end_turn", SONNET)
        assert cost.model_calls == 1
        assert cost.output_tokens == len(HELLO.text) // 4 + 1
        assert model.spent == cost
    assert not emulator.refusals


async def test_a_rate_limit_is_waited_out_as_long_as_the_service_asks() -> None:
    script = [Refuse(429, "rate_limit_error", retry_after="1"), HELLO]
    async with serve(script) as emulator, connect(config(emulator)) as model:
        reply, cost = await model.ask(REQUEST, within_s=20)
    assert reply.model == SONNET
    assert cost.model_calls == 2
    assert 0.95 < emulator.arrived_at_s[1] - emulator.arrived_at_s[0] < 3


async def test_a_rate_limit_longer_than_there_is_time_goes_to_the_next_model() -> None:
    script = [Refuse(429, "rate_limit_error", retry_after="3600"), HELLO]
    async with serve(script) as emulator, connect(config(emulator)) as model:
        reply, _ = await model.ask(REQUEST, within_s=5)
    assert reply.model == HAIKU


@pytest.mark.parametrize("status", [400, 429])
async def test_a_spend_limit_is_never_asked_again(status: int) -> None:
    kind = {400: "invalid_request_error", 429: "rate_limit_error"}[status]
    said = {400: "Your credit balance is too low to access the API", 429: "You have reached your spend limit"}[status]
    async with serve([Refuse(status, kind, said, retry_after="0")]) as emulator:
        assert (await failure(emulator)).reason is Reason.SPEND_LIMIT
    assert len(emulator.requests) == 1


async def test_an_overloaded_model_is_replaced_by_the_next() -> None:
    async with serve([Refuse(529, "overloaded_error"), HELLO]) as emulator, connect(config(emulator)) as model:
        reply, _ = await model.ask(REQUEST, within_s=20)
    assert reply.model == HAIKU
    assert models(emulator) == [SONNET, HAIKU]


async def test_a_question_is_asked_at_most_three_times() -> None:
    async with serve([Refuse(529, "overloaded_error")] * 9) as emulator:
        assert (await failure(emulator)).reason is Reason.OVERLOADED
    assert models(emulator) == [SONNET, HAIKU, HAIKU]


@pytest.mark.parametrize(
    ("broken", "model"),
    [
        (BreakOff(HELLO, 4, "closed"), SONNET),
        (BreakOff(HELLO, 4, "reset"), SONNET),
        (BreakOff(HELLO, 4, "garbage"), SONNET),
        (BreakOff(HELLO, 4, "overloaded_error"), HAIKU),
        (BreakOff(HELLO, 4, "api_error"), HAIKU),
        (Refuse(500, "api_error"), HAIKU),
        (Refuse(404, "not_found_error"), HAIKU),
    ],
    ids=["closed", "reset", "garbage", "overloaded-within", "error-within", "server-error", "no-such-model"],
)
async def test_what_breaks_once_is_answered_the_second_time(broken: Step, model: str) -> None:
    async with serve([broken, HELLO]) as emulator, connect(config(emulator)) as asked:
        reply, cost = await asked.ask(REQUEST, within_s=20)
    assert (reply.text, reply.model, cost.model_calls) == (HELLO.text, model, 2)


@pytest.mark.parametrize(
    ("step", "reason", "requests"),
    [
        (BreakOff(HELLO, 4, "closed"), Reason.CUT_STREAM, 3),
        (BreakOff(HELLO, 4, "reset"), Reason.CUT_STREAM, 3),
        (BreakOff(HELLO, 4, "garbage"), Reason.MALFORMED, 3),
        (Say(stop="refusal"), Reason.REFUSED, 1),
        (Refuse(400, "invalid_request_error"), Reason.BAD_REQUEST, 1),
        (Refuse(403, "permission_error"), Reason.AUTH, 1),
    ],
    ids=["closed", "reset", "garbage", "refusal", "bad-request", "forbidden"],
)
async def test_what_stays_broken_ends_with_its_reason(step: Step, reason: Reason, requests: int) -> None:
    async with serve([step] * 4) as emulator:
        caught = await failure(emulator, names=(SONNET,))
    assert (caught.reason, len(emulator.requests)) == (reason, requests)
    assert reason.sentence


async def test_a_silent_stream_ends_at_the_time_out_and_the_next_model_is_asked() -> None:
    script = [BreakOff(HELLO, 2, "stall"), HELLO]
    async with serve(script) as emulator, connect(config(emulator, timeout_s=0.5)) as model:
        reply, cost = await model.ask(REQUEST, within_s=20)
    assert reply.model == HAIKU
    assert cost.input_tokens > 0


async def test_a_wrong_key_is_told_and_stays_out_of_the_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serve([]) as emulator:
        caught = await failure(emulator, api_key="sk-ant-wrong-and-secret")
        assert "sk-ant-wrong-and-secret" not in repr(config(emulator, api_key="sk-ant-wrong-and-secret"))
    assert caught.reason is Reason.AUTH
    assert "sk-ant-wrong-and-secret" not in caplog.text + str(caught)


async def test_nobody_at_the_address_is_a_failed_connection(unused_tcp_port: int) -> None:
    emulator = Emulator([], url=f"http://127.0.0.1:{unused_tcp_port}")
    assert (await failure(emulator)).reason is Reason.CONNECTION


async def test_without_a_key_the_answer_says_that_rules_stand_alone() -> None:
    nowhere = Config(
        api_key=None, names=(SONNET,), timeout_s=1, max_usd=1, max_tokens=1_000, max_calls=1, max_seconds=1
    )
    async with connect(nowhere) as model:
        answer = await investigate(brief(), model=model, look=World().look, limits=LIMITS, tools=tools())
    assert answer.claims == ()
    assert answer.failure is Reason.NO_KEY
    assert "rules alone" in answer.sentence


async def test_a_circuit_opens_after_failures_in_a_row_and_closes_when_the_service_is_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(circuits, "REST_S", 0.3)
    well = False

    def script(body: Mapping[str, Any]) -> Step:
        return HELLO if well else Refuse(529, "overloaded_error", retry_after="0")

    async with serve(script) as emulator, connect(config(emulator, names=(SONNET,))) as model:
        for _ in range(2):
            with pytest.raises(ModelError):
                await model.ask(REQUEST, within_s=20)
        assert len(emulator.requests) == circuits.THRESHOLD
        with pytest.raises(ModelError) as caught:
            await model.for_session().ask(REQUEST, within_s=20)
        assert caught.value.reason is Reason.CIRCUIT_OPEN
        assert len(emulator.requests) == circuits.THRESHOLD
        well = True
        await asyncio.sleep(0.35)
        assert (await model.ask(REQUEST, within_s=20))[0].text == HELLO.text
        assert (await model.ask(REQUEST, within_s=20))[0].text == HELLO.text


@pytest.mark.parametrize(
    ("limit", "ceiling"),
    [
        ({"max_calls": 2}, "calls"),
        ({"max_tokens": 900}, "tokens"),
        ({"max_usd": 0.0104}, "usd"),
        ({"max_seconds": 0.2}, "seconds"),
    ],
    ids=["calls", "tokens", "usd", "seconds"],
)
async def test_each_budget_ends_the_asking_before_it_is_exceeded(limit: dict[str, Any], ceiling: str) -> None:
    async def ask_on(model: Model) -> None:
        for _ in range(50):
            await model.ask(REQUEST, within_s=20)
            await asyncio.sleep(0.03)

    long = Say("word " * 300)
    async with serve(lambda _: long) as emulator, connect(config(emulator, **limit)) as model:
        with pytest.raises(ModelError) as caught:
            await ask_on(model)
        assert caught.value.reason is Reason.BUDGET
        assert ceiling in str(caught.value)
        spent = model.spent
    allowed = config(emulator, **limit)
    assert 0 < spent.model_calls <= allowed.max_calls
    assert spent.input_tokens + spent.output_tokens <= allowed.max_tokens
    assert spent.usd <= allowed.max_usd


async def test_askers_side_by_side_do_not_exceed_the_budget_together() -> None:
    long = Say("word " * 300)
    async with serve(lambda _: long) as emulator, connect(config(emulator, max_calls=3)) as model:
        outcomes = await asyncio.gather(*(model.ask(REQUEST, within_s=20) for _ in range(8)), return_exceptions=True)
        assert model.spent.model_calls == 3
    assert sum(isinstance(each, ModelError) for each in outcomes) == 5
    assert len(emulator.requests) == 3


async def test_an_asker_that_gives_up_leaves_the_budget_to_the_others() -> None:
    script = [BreakOff(HELLO, 2, "stall"), HELLO]
    async with serve(script) as emulator, connect(config(emulator, max_tokens=2_500)) as model:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await model.ask(REQUEST, within_s=20)
        assert (await model.ask(REQUEST, within_s=20))[0].text == HELLO.text


async def test_a_session_that_goes_on_elsewhere_keeps_what_it_has_spent() -> None:
    async with serve([HELLO]) as emulator, connect(config(emulator)) as model:
        again = model.for_session(Usage(model_calls=12))
        with pytest.raises(ModelError) as caught:
            await again.ask(REQUEST, within_s=20)
        assert caught.value.reason is Reason.BUDGET
        assert (await model.for_session().ask(REQUEST, within_s=20))[0].text == HELLO.text


async def test_a_reply_that_is_cut_at_the_token_limit_says_so() -> None:
    async with serve([Say("word " * 4_000)]) as emulator, connect(config(emulator)) as model:
        answer = await investigate(brief(), model=model, look=World().look, limits=LIMITS, tools=tools())
    assert answer.failure is Reason.TRUNCATED
    assert answer.usage.output_tokens > 1_000
