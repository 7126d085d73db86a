"""A whole Locum with a model that behaves well, badly, or not at all: one verdict, rightly marked, nothing invented."""

import itertools
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from pydantic import SecretStr

from agents.model.failures import Reason
from bot.setting_groups import Model
from tests.anthropic_emulator.script import BreakOff, Call, Refuse, Say, Step, claim, concluding
from tests.anthropic_emulator.server import Emulator, serve
from tests.e2e.answers import PROVEN, proven, quotes
from tests.e2e.house import House, at_work, mode

pytestmark = pytest.mark.asyncio(loop_scope="module")

SONNET, HAIKU = "claude-sonnet-4-5", "claude-haiku-4-5"
WHY = "@locum why does checkout fail for customers"
_numbers = itertools.count(1)
"""What was asked before is answered from before; so nobody asks the same twice."""
INVENTED = "zanzibar"
"""In everything that no evidence bears out."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def emulator() -> AsyncGenerator[Emulator]:
    async with serve(()) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, emulator: Emulator) -> AsyncGenerator[House]:
    async with at_work(tmp_path_factory.mktemp("locum"), model=_model(emulator, timeout_s=2)) as found:
        yield found


@dataclass(slots=True)
class Talk:
    """One thread in which the model plays what a test wants."""

    house: House
    emulator: Emulator
    room: str
    root: str = ""
    times: int = 0

    async def ask(self, script: Callable[[Mapping[str, Any]], Step]) -> tuple[str, str]:
        """Who worded the next conclusion, and all words of the thread."""
        self.emulator.script = script
        asked = self.house.workspace.post("ana", self.room, f"{WHY} of group {next(_numbers)}", thread_ts=self.root)
        self.root, self.times = self.root or asked["ts"], self.times + 1
        concluded = await self.house.concluded(self.room, self.root, self.times)
        return mode(concluded), self.house.everything(self.room, self.root)


@pytest.fixture
def talk(house: House, emulator: Emulator) -> Iterator[Talk]:
    emulator.requests.clear()
    emulator.arrived_at_s.clear()
    yield Talk(house, emulator, house.new())
    # Nothing that Locum sent was such that the service would have refused it.
    assert emulator.refusals == []


async def test_several_turns_with_parallel_looks_end_in_one_verdict_in_the_model_s_words(
    talk: Talk, emulator: Emulator
) -> None:
    looks = (Call("metrics__signals", {"namespace": "shop"}), Call("history__changes", {}))

    def script(body: Mapping[str, Any]) -> Step:
        turn = len(body["messages"]) // 2
        offered = {each["name"] for each in body["tools"]}
        if _is_explaining(body) or turn >= 2:
            return proven(body)
        return (
            Say("I look.", tuple(each for each in looks if each.name in offered))
            if turn == 0
            else Say(calls=(Call("read_evidence", {"id": quotes(body)[0][0]}),))
        )

    by, words = await talk.ask(script)
    assert by == "model"
    assert PROVEN in words
    results = [part["type"] for part in emulator.requests[1]["messages"][-1]["content"]]
    assert results.count("tool_result") >= 2
    assert len(emulator.requests) >= 4


async def test_a_rate_limit_is_waited_out_and_the_model_words_the_verdict(talk: Talk, emulator: Emulator) -> None:
    def script(body: Mapping[str, Any]) -> Step:
        is_first = len(emulator.requests) == 1
        return Refuse(429, "rate_limit_error", retry_after="1") if is_first else proven(body)

    by, words = await talk.ask(script)
    assert (by, PROVEN in words) == ("model", True)
    assert emulator.arrived_at_s[1] - emulator.arrived_at_s[0] >= 0.95


async def test_an_overloaded_or_silent_model_is_replaced_by_the_next(talk: Talk, emulator: Emulator) -> None:
    def script(body: Mapping[str, Any]) -> Step:
        if body["model"] == HAIKU:
            return proven(body)
        return BreakOff(Say("x"), 1, "stall") if _is_explaining(body) else Refuse(529, "overloaded_error")

    by, words = await talk.ask(script)
    assert (by, PROVEN in words) == ("model", True)
    assert {body["model"] for body in emulator.requests} == {SONNET, HAIKU}


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (Refuse(529, "overloaded_error"), Reason.OVERLOADED),
        (BreakOff(Say(f"It is {INVENTED} " * 9), 6, "closed"), Reason.CUT_STREAM),
        (Say(f"I will not talk about {INVENTED}.", stop="refusal"), Reason.REFUSED),
        (Say(f"It is {INVENTED}."), Reason.NO_CONCLUSION),
    ],
    ids=["overloaded everywhere", "every stream is cut", "it refuses", "it only talks"],
)
async def test_without_an_answer_the_rules_verdict_stands_until_the_model_is_back(
    talk: Talk, step: Step, why: Reason
) -> None:
    by, words = await talk.ask(lambda body: step)
    assert by == "rules"
    assert "deployment/shop/checkout" in words
    assert why.sentence in words
    assert INVENTED not in words
    back = Refuse(404, "not_found_error")
    by, words = await talk.ask(lambda body: proven(body) if body["model"] == HAIKU else back)
    assert (by, PROVEN in words) == ("model", True)


async def test_a_model_that_never_answers_in_time_costs_the_words_and_not_the_verdict(
    tmp_path: Path, emulator: Emulator
) -> None:
    # In a house of its own: after so many failures a model is left in peace for a while.
    async with at_work(tmp_path, model=_model(emulator, timeout_s=0.4)) as house:
        talk = Talk(house, emulator, house.new())
        by, words = await talk.ask(lambda body: BreakOff(Say(f"It is {INVENTED}"), 3, "stall"))
        assert by == "rules"
        assert Reason.TIMED_OUT.sentence in words
        assert INVENTED not in words


async def test_invented_citations_are_shown_nowhere(talk: Talk) -> None:
    by, words = await talk.ask(lambda body: concluding(*_inventions(body)))
    assert by == "rules"
    assert INVENTED not in words


async def test_among_invented_citations_the_one_that_holds_is_kept(talk: Talk) -> None:
    def script(body: Mapping[str, Any]) -> Step:
        return concluding(*_inventions(body), claim(PROVEN, quotes(body)[0]))

    by, words = await talk.ask(script)
    assert (by, PROVEN in words) == ("model", True)
    assert INVENTED not in words


def _model(emulator: Emulator, *, timeout_s: float) -> Model:
    key = SecretStr(emulator.key)
    return Model(api_key=key, base_url=emulator.url, names=(SONNET, HAIKU), timeout_s=timeout_s)


def _is_explaining(body: Mapping[str, Any]) -> bool:
    return any("proposals" in each["input_schema"]["properties"] for each in body["tools"])


def _inventions(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A quote that is not in the evidence, evidence that is not there, and a claim about nothing."""
    shown = quotes(body)[0][0]
    return [
        claim(f"{INVENTED} by a false quote", (shown, f"{INVENTED} is full")),
        claim(f"{INVENTED} by false evidence", ("ev_0000000000", f"{INVENTED} left")),
        claim(f"{INVENTED} without proof"),
    ]
