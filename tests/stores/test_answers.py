"""The model's answers on a real Valkey: shared by processes, kept for a day, and no loss when it is away."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.diagnosis import Confidence, Mode
from agents.model.client import connect
from agents.model.explain import explain
from agents.model.remembering import KEPT_S
from agents.report import Quality, Usage
from bot.stores.connection import Store
from bot.stores.connection import connect as connect_store
from bot.stores.marks import RedisCache
from bot.stores.sessions import Sessions
from tests.anthropic_emulator.script import claim, concluding
from tests.anthropic_emulator.server import serve
from tests.model.cases import EVENTS, OBJECTS, config, diagnosis

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = concluding(claim("cart runs out of memory", (OBJECTS.id, "last=OOMKilled exit=137")))


async def test_an_answer_serves_every_process_that_shares_the_store(store: Store) -> None:
    async with serve([GOOD]) as emulator:
        async with connect(config(emulator), cache=RedisCache(store)) as one:
            first = await explain(diagnosis(), model=one)
        async with connect(config(emulator), cache=RedisCache(store)) as other:
            second = await explain(diagnosis(), model=other)
    assert len(emulator.requests) == 1
    assert second.claims == first.claims != ()
    assert (second.usage.model_calls, second.usage.quality.cached) == (0, 1)


async def test_an_answer_is_kept_for_a_day_and_holds_nothing_of_what_was_asked(store: Store) -> None:
    async with serve([GOOD]) as emulator, connect(config(emulator), cache=RedisCache(store)) as model:
        await explain(diagnosis(), model=model)
    (name,) = await store.keys("locum:cache:answer/*")
    assert 0 < await store.ttl(name) <= KEPT_S
    kept = await store.get(name)
    assert b"OOMKilled" in kept
    assert b"BackOff" not in kept


async def test_without_the_store_the_model_is_asked(tmp_path: Path) -> None:
    gone = connect_store(f"unix://{tmp_path}/nobody.sock")
    try:
        async with serve([GOOD] * 2) as emulator, connect(config(emulator), cache=RedisCache(gone)) as model:
            for _ in range(2):
                assert (await explain(diagnosis(), model=model.for_session())).claims
    finally:
        await gone.aclose()
    assert len(emulator.requests) == 2


async def test_what_a_session_s_answers_were_good_for_is_kept_with_its_diagnosis(store: Store) -> None:
    quality = Quality(cached=1, claims=5, held=4, refutations=1, tie_breaks=1)
    told = diagnosis()
    doubted = replace(
        told.hypotheses[0], confidence=Confidence.LIKELY, contradicted_by=(EVENTS.id,), doubts=("It is not so.",)
    )
    usage = Usage(model_calls=2, input_tokens=6_000, output_tokens=200, usd=0.02, quality=quality)
    kept = replace(told, hypotheses=(doubted,), mode=Mode.MODEL, usage=usage)
    sessions = Sessions(store)
    await sessions.save_diagnosis(kept)
    found = await sessions.diagnosis(kept.session_id)
    assert found is not None
    assert found == kept
    assert found.to_json()["usage"]["answers"] == {
        "cached": 1,
        "claims": 5,
        "claims_held": 4,
        "refutations": 1,
        "tie_breaks": 1,
    }
    assert "answers" not in told.to_json()["usage"]
