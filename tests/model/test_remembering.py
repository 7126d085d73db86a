"""What was answered before is not asked again; what differs in one letter is."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from whenever import Instant

from agents.diagnosis import Diagnosis
from agents.model import prompts
from agents.model.answers import Answer, Brief
from agents.model.asking import Model
from agents.model.client import connect
from agents.model.explain import explain
from agents.model.failures import Reason
from agents.model.loop import investigate
from tests.anthropic_emulator.script import BreakOff, Call, Refuse, Say, Step, claim, concluding
from tests.anthropic_emulator.server import Emulator, serve
from tests.model.cases import EVENTS, LIMITS, OBJECTS, World, alert, brief, config, diagnosis, tools
from tools.caching import Cache, CacheError, MemoryCache
from tools.evidence import Evidence
from tools.redaction import hide, unhide

GOOD = concluding(claim("cart runs out of memory", (OBJECTS.id, "last=OOMKilled exit=137")))
POOR = concluding(claim("all is well", (OBJECTS.id, "healthy")))
LOOK = Say(calls=(Call("kubernetes__events", {"namespace": "shop"}),))


class Broken:
    """A cache that fails whenever it is asked."""

    async def get(self, key: str) -> tuple[bytes, Instant] | None:
        raise CacheError("away")

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        raise CacheError("away")


class Silent(Broken):
    """A cache that never answers."""

    async def get(self, key: str) -> tuple[bytes, Instant] | None:
        await asyncio.sleep(3_600)
        return None


class Garbled(MemoryCache):
    """A cache that gives back something else."""

    async def get(self, key: str) -> tuple[bytes, Instant] | None:
        return b'{"model": 3}', Instant.now()


def remembering(emulator: Emulator, cache: Cache | None = None, **changes: Any) -> AbstractAsyncContextManager[Model]:
    return connect(config(emulator, **changes), cache=cache or MemoryCache())


async def looked(told: Brief, model: Model, world: World | None = None) -> Answer:
    return await investigate(told, model=model, look=(world or World()).look, limits=LIMITS, tools=tools())


async def held(arrived: asyncio.Event, until: asyncio.Event, step: Step) -> Step:
    """A service that takes its time."""
    arrived.set()
    await until.wait()
    return step


async def test_the_same_explanation_is_asked_for_once_and_then_costs_nothing() -> None:
    async with serve([GOOD]) as emulator, remembering(emulator) as model:
        first = await explain(diagnosis(), model=model.for_session())
        second = await explain(diagnosis(), model=model.for_session())
    assert len(emulator.requests) == 1
    assert second.claims == first.claims != ()
    assert (first.usage.quality.cached, second.usage.quality.cached) == (0, 1)
    spent = second.usage
    assert (spent.model_calls, spent.input_tokens, spent.output_tokens, spent.usd) == (0, 0, 0, 0.0)
    assert spent.quality.claims == spent.quality.held == 1


async def test_a_whole_investigation_is_answered_from_before_while_its_looks_are_new() -> None:
    async with serve([LOOK, GOOD]) as emulator, remembering(emulator) as model:
        first = await looked(brief(), model)
        world = World()
        second = await looked(brief(), model.for_session(), world)
    assert second.claims == first.claims != ()
    assert [name for name, _ in world.asked] == ["kubernetes.events"]
    assert (second.usage.model_calls, second.usage.quality.cached) == (0, 2)


async def test_a_look_that_now_shows_something_else_is_told_to_the_model_anew() -> None:
    other = Evidence.found("kubernetes.events", EVENTS.query, EVENTS.excerpt.replace("BackOff", "Killing"))
    async with serve([LOOK, GOOD, GOOD]) as emulator, remembering(emulator) as model:
        await looked(brief(), model)
        second = await looked(brief(), model.for_session(), World({"kubernetes.events": other}))
    assert (second.usage.model_calls, second.usage.quality.cached) == (1, 1)
    assert "Killing" in str(emulator.requests[2]["messages"])


def _one_digit(told: Diagnosis, place: int) -> Diagnosis:
    lines = "\n".join(f"line {number} of a long log" for number in range(120))
    before = lines[:place] + "3" + lines[place + 1 :]
    log = Evidence.found("kubernetes.logs", "kubectl logs cart --previous", before)
    return replace(told, evidence=(*told.evidence, log))


@pytest.mark.parametrize("place", [5, 1_300, 2_500], ids=["shown", "in the middle, not shown", "at the end"])
async def test_one_digit_of_the_evidence_makes_another_request(place: int) -> None:
    told = _one_digit(diagnosis(), place)
    log = told.evidence[-1]
    changed = Evidence.found(log.tool, log.query, f"{log.excerpt[:place]}4{log.excerpt[place + 1 :]}")
    async with serve([GOOD, GOOD]) as emulator, remembering(emulator) as model:
        await explain(told, model=model.for_session())
        second = await explain(replace(told, evidence=(*told.evidence[:-1], changed)), model=model.for_session())
    assert len(emulator.requests) == 2
    assert second.usage.quality.cached == 0


def _worse(told: Diagnosis) -> Diagnosis:
    return replace(told, findings=(replace(told.findings[0], summary="cart was killed 15 times for exceeding 256Mi"),))


def _asked_otherwise(told: Diagnosis) -> Diagnosis:
    return replace(told, question="Why is cart slow?")


@pytest.mark.parametrize("changed", [_worse, _asked_otherwise], ids=["finding", "question"])
async def test_another_finding_or_question_is_another_request(changed: Callable[[Diagnosis], Diagnosis]) -> None:
    async with serve([GOOD, GOOD]) as emulator, remembering(emulator) as model:
        await explain(diagnosis(), model=model.for_session())
        await explain(changed(diagnosis()), model=model.for_session())
    assert len(emulator.requests) == 2


async def test_what_was_read_with_credentials_answers_nobody_who_has_others() -> None:
    async with serve([GOOD] * 3) as emulator, remembering(emulator) as model:
        for grant in ("", "req_1", "req_2", "req_1", ""):
            await explain(diagnosis(), model=model.for_session(grant=grant))
    assert len(emulator.requests) == 3


async def test_other_models_and_other_instructions_are_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = MemoryCache()
    async with serve([GOOD] * 3) as emulator:
        async with remembering(emulator, cache) as model:
            await explain(diagnosis(), model=model)
        async with remembering(emulator, cache, names=("claude-haiku-4-5",)) as model:
            await explain(diagnosis(), model=model)
        monkeypatch.setattr(prompts, "HOUSE_RULES", f"{prompts.HOUSE_RULES}\n- Be brief.")
        async with remembering(emulator, cache) as model:
            await explain(diagnosis(), model=model)
    assert len(emulator.requests) == 3


async def test_a_text_that_is_redacted_otherwise_is_another_request() -> None:
    # What is shown is redacted again on its way out, and so follows what is hidden at that moment.
    async with serve([GOOD] * 2) as emulator, remembering(emulator) as model:
        await looked(brief(alerts=(alert(summary="db is zanzibar-17 now"),)), model.for_session())
        hide("zanzibar-17")
        try:
            await looked(brief(alerts=(alert(summary="db is zanzibar-17 now"),)), model.for_session())
        finally:
            unhide("zanzibar-17")
    assert len(emulator.requests) == 2
    assert "zanzibar-17" in str(emulator.requests[0])
    assert "zanzibar-17" not in str(emulator.requests[1])


@pytest.mark.parametrize("cache", [Broken(), Silent(), Garbled()], ids=["fails", "never answers", "gives nonsense"])
async def test_a_cache_that_is_of_no_use_costs_the_saving_and_nothing_else(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.model.remembering.PATIENCE_S", 0.05)
    async with serve([GOOD] * 2) as emulator, remembering(emulator, cache) as model:
        for _ in range(2):
            assert (await explain(diagnosis(), model=model.for_session())).claims
    assert len(emulator.requests) == 2


@pytest.mark.parametrize(
    "poor",
    [POOR, Say("It is the memory."), Say(calls=(Call("conclude", '{"claims": '),)), BreakOff(GOOD, 3)],
    ids=["not borne out", "only talk", "no JSON", "cut"],
)
async def test_an_answer_that_was_of_no_use_is_not_kept(poor: Step) -> None:
    script = [*[poor] * (3 if isinstance(poor, BreakOff) else 1), GOOD]
    async with serve(script) as emulator, remembering(emulator, names=("claude-sonnet-4-5",)) as model:
        assert not (await explain(diagnosis(), model=model.for_session())).claims
        assert (await explain(diagnosis(), model=model.for_session())).claims


async def test_an_answer_with_something_secret_in_it_is_used_and_not_kept() -> None:
    leaky = Say("Use AKIAIOSFODNN7EXAMPLE.", GOOD.calls)
    async with serve([leaky, GOOD]) as emulator, remembering(emulator) as model:
        for _ in range(2):
            assert (await explain(diagnosis(), model=model.for_session())).claims
    assert len(emulator.requests) == 2


async def test_those_who_ask_the_same_at_once_share_one_request() -> None:
    arrived, may_answer = asyncio.Event(), asyncio.Event()

    async with serve(lambda _: held(arrived, may_answer, GOOD)) as emulator, remembering(emulator) as model:
        asking = [asyncio.create_task(explain(diagnosis(), model=model.for_session())) for _ in range(8)]
        await arrived.wait()
        may_answer.set()
        answers = await asyncio.gather(*asking)
    assert len(emulator.requests) == 1
    assert sorted(each.usage.quality.cached for each in answers) == [0, *[1] * 7]
    assert len({each.claims for each in answers}) == 1
    assert sum(each.usage.model_calls for each in answers) == 1


async def test_when_the_one_who_asks_gives_up_another_asks() -> None:
    arrived, never = asyncio.Event(), asyncio.Event()

    def script(_: object) -> Step | Awaitable[Step]:
        return GOOD if arrived.is_set() else held(arrived, never, GOOD)

    async with serve(script) as emulator, remembering(emulator) as model:
        first = asyncio.create_task(explain(diagnosis(), model=model.for_session()))
        await arrived.wait()
        second = asyncio.create_task(explain(diagnosis(), model=model.for_session()))
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).claims
        await asyncio.wait([first])
    assert len(emulator.requests) == 2


async def test_a_service_that_refuses_refuses_all_who_ask_the_same() -> None:
    arrived, may_answer = asyncio.Event(), asyncio.Event()
    no = Refuse(403, "permission_error")

    async with serve(lambda _: held(arrived, may_answer, no)) as emulator, remembering(emulator) as model:
        asking = [asyncio.create_task(explain(diagnosis(), model=model.for_session())) for _ in range(4)]
        await arrived.wait()
        may_answer.set()
        answers = await asyncio.gather(*asking)
    assert [each.failure for each in answers] == [Reason.AUTH] * 4
    assert len(emulator.requests) == 1


async def test_who_has_no_budget_left_still_gets_what_was_answered_before() -> None:
    async with serve([GOOD]) as emulator, remembering(emulator) as model:
        poor = model.for_session(replace((await explain(diagnosis(), model=model)).usage, usd=5.0))
        assert (await explain(diagnosis(), model=poor)).claims
        assert (await explain(_worse(diagnosis()), model=poor)).failure is Reason.BUDGET
