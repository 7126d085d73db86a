"""The caller of tools: what becomes of every way in which a look can end."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
import structlog
from pydantic import Field
from whenever import Instant

from tools import looking
from tools.caching import CacheError, MemoryCache
from tools.catalogue import Args, Reading, Tool, catalogue
from tools.errors import ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable
from tools.evidence import Outcome
from tools.looking import Look, Looker, Progress
from tools.world import World

LIVE = World(name="live")
SNAPSHOT = World(name="recorded", captured_at=Instant.from_utc(2026, 1, 1))
Answer = Callable[[], Awaitable[Reading] | Reading]


class WantedArgs(Args):
    about: str = "x"
    minutes: int = Field(5, ge=1)


class Source:
    """Counts how often it is asked, and answers as its script says; the last answer stays."""

    def __init__(self, *script: Reading | Exception) -> None:
        self.script = list(script)
        self.asked = 0
        self.release = asyncio.Event()
        self.release.set()

    async def run(self, world: World, args: WantedArgs) -> Reading:
        """Says what is. Second sentence of the same paragraph."""
        self.asked += 1
        await self.release.wait()
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


FOUND = Reading(query="up", text="up 1", data=[{"value": 1}])


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Source]:
    """Puts one tool named `test.source` in the place of the catalogue."""

    def plugged(*script: Reading | Exception, timeout_s: float = 5.0) -> Source:
        source = Source(*script)
        made = Tool(name="test.source", args=WantedArgs, run=source.run, timeout_s=timeout_s, ttl_s=30)
        monkeypatch.setattr(looking, "catalogue", lambda: {"test.source": made})
        return source

    return plugged


def looker(world: World = LIVE, **kwargs: Any) -> Looker:
    return Looker(world, cache=kwargs.pop("cache", None) or MemoryCache(), **kwargs)


async def test_what_a_source_holds_is_found_and_nothing_is_empty(plug: Callable[..., Source]) -> None:
    plug(FOUND, Reading(query="up", text="", data=[]))
    found = await looker().look("test.source", {})
    empty = await looker().look("test.source", {})
    assert (found.outcome, found.excerpt, found.query, found.data) == (Outcome.FOUND, "up 1", "up", [{"value": 1}])
    assert (empty.outcome, empty.excerpt, empty.why) == (Outcome.EMPTY, "", "")


@pytest.mark.parametrize(
    ("error", "outcome", "asked", "said"),
    [
        (ToolNoSource("no Prometheus here: set its address"), Outcome.NO_SOURCE, 1, "set its address"),
        (ToolRetry("no such label"), Outcome.ERROR, 1, "arguments cannot be used: no such label"),
        (ToolRefused("needs the role clusterMonitor"), Outcome.ERROR, 1, "clusterMonitor. Asking again is useless"),
        (ToolUnavailable("it answers 503"), Outcome.ERROR, 3, "says nothing about the thing asked about"),
        (ZeroDivisionError("secret detail"), Outcome.ERROR, 1, "the tool 'test.source' itself failed"),
    ],
    ids=["no-source", "retry", "refused", "unavailable", "bug"],
)
async def test_every_failure_is_a_gap_that_says_why_and_only_silence_is_asked_again(
    plug: Callable[..., Source], error: Exception, outcome: Outcome, asked: int, said: str
) -> None:
    source = plug(error)
    evidence = await looker().look("test.source", {"about": "cart"})
    assert evidence.outcome is outcome
    assert said in evidence.why
    assert "secret detail" not in evidence.why
    assert evidence.query == 'test.source {"about":"cart"}'
    assert source.asked == asked


async def test_a_source_that_comes_back_is_found(plug: Callable[..., Source]) -> None:
    source = plug(ToolUnavailable("it answers 503", retry_after_s=0.0), FOUND)
    assert (await looker().look("test.source", {})).outcome is Outcome.FOUND
    assert source.asked == 2


async def test_a_source_that_asks_for_more_time_than_there_is_is_not_asked_again(plug: Callable[..., Source]) -> None:
    source = plug(ToolUnavailable("busy", retry_after_s=60))
    evidence = await looker().look("test.source", {})
    assert evidence.outcome is Outcome.ERROR
    assert evidence.why.startswith("busy")
    assert source.asked == 1


async def test_a_source_that_never_answers_is_unknown_not_empty(plug: Callable[..., Source]) -> None:
    plug(FOUND, timeout_s=0.05).release.clear()
    evidence = await looker().look("test.source", {})
    assert evidence.outcome is Outcome.ERROR
    assert "no answer within 0.05 s" in evidence.why


async def test_wrong_arguments_and_wrong_names_are_errors_that_name_what_is_meant() -> None:
    wrong = await looker().look("host.usage", {"minute": 5})
    assert wrong.outcome is Outcome.ERROR
    assert "argument 'minute'" in wrong.why
    value = await looker().look("logs.lines", {"minutes": 0})
    assert "argument 'minutes'" in value.why
    assert "'0'" in value.why
    unknown = await looker().look("prometheus.quer", {})
    assert unknown.outcome is Outcome.ERROR
    assert "did you mean 'prometheus.query'" in unknown.why


async def test_callers_at_the_same_time_share_one_read(plug: Callable[..., Source]) -> None:
    source = plug(FOUND)
    source.release.clear()
    one = looker()
    looks = [asyncio.create_task(one.look("test.source", {"minutes": 5})) for _ in range(5)]
    other = asyncio.create_task(one.look("test.source", {"minutes": 6}))
    await asyncio.sleep(0.01)
    source.release.set()
    answers = await asyncio.gather(*looks, other)
    assert source.asked == 2
    assert one.calls == 2
    assert len({answer.id for answer in answers}) == 1


async def test_a_caller_that_gives_up_does_not_take_the_answer_from_the_others(plug: Callable[..., Source]) -> None:
    source = plug(FOUND)
    source.release.clear()
    one = looker()
    first, second = (asyncio.create_task(one.look("test.source", {})) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0)
    source.release.set()
    assert (await second).outcome is Outcome.FOUND
    assert first.cancelled()


async def test_when_all_callers_give_up_the_read_ends_and_the_next_one_reads_anew(plug: Callable[..., Source]) -> None:
    source = plug(FOUND)
    source.release.clear()
    seen: list[Look] = []
    one = looker(on_look=seen.append)
    only = asyncio.create_task(one.look("test.source", {}))
    await asyncio.sleep(0.01)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    assert [look.state for look in seen] == [Progress.STARTED, Progress.ENDED]
    source.release.set()
    assert (await one.look("test.source", {})).outcome is Outcome.FOUND
    assert source.asked == 2


async def test_a_second_look_comes_from_the_cache_with_its_age_and_without_secrets(plug: Callable[..., Source]) -> None:
    cache = MemoryCache()
    container = {"env": [{"name": "DB_PASSWORD", "value": "hunter22"}], "image": "shop/cart:1"}
    source = plug(Reading(query="q", text="password=hunter22", data={"container": container, "token": "t0psecret"}))
    first = await looker(cache=cache).look("test.source", {})
    await asyncio.sleep(0.02)
    second = await looker(cache=cache).look("test.source", {"minutes": 5})
    assert source.asked == 1
    assert second.id == first.id
    assert first.age_s == 0
    assert 0 < second.age_s < 5
    assert second.data["container"]["image"] == "shop/cart:1"
    kept = [value.value for value in cache._kept.values()]  # pyright: ignore[reportPrivateUsage]
    assert len(kept) == 1
    assert not any(secret in kept[0] for secret in (b"hunter22", b"t0psecret"))


async def test_failures_are_not_cached_and_worlds_do_not_share_answers(plug: Callable[..., Source]) -> None:
    cache = MemoryCache()
    source = plug(ToolRefused("no"), FOUND)
    assert (await looker(cache=cache).look("test.source", {})).is_gap
    assert not (await looker(cache=cache).look("test.source", {})).is_gap
    assert source.asked == 2
    await looker(World(name="other"), cache=cache).look("test.source", {})
    assert source.asked == 3


async def test_a_snapshot_is_read_once_and_never_through_the_cache(plug: Callable[..., Source]) -> None:
    source = plug(FOUND)
    one = looker(SNAPSHOT, cache=UntouchableCache())
    first, second = await one.look("test.source", {}), await one.look("test.source", {"minutes": 5})
    assert first is second
    assert source.asked == 1


class UntouchableCache:
    async def get(self, key: str) -> tuple[bytes, Instant] | None:
        raise AssertionError("must not be asked")

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        raise AssertionError("must not be asked")


class BrokenCache:
    async def get(self, key: str) -> tuple[bytes, Instant] | None:
        raise CacheError("connection lost")

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        raise CacheError("connection lost")


class DamagedCache:
    async def get(self, key: str) -> tuple[bytes, Instant] | None:
        return b'{"query": 1', Instant.now()

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        pass


@pytest.mark.parametrize("cache", [BrokenCache(), DamagedCache()], ids=["broken", "damaged"])
async def test_a_cache_that_fails_never_fails_a_look(
    plug: Callable[..., Source], cache: BrokenCache | DamagedCache
) -> None:
    plug(FOUND)
    assert (await looker(cache=cache).look("test.source", {})).outcome is Outcome.FOUND


async def test_progress_tells_start_and_end_of_each_look(plug: Callable[..., Source]) -> None:
    plug(FOUND, ToolRefused("no"))
    seen: list[Look] = []
    one = looker(on_look=seen.append)
    evidence = await one.look("test.source", {"about": "cart"})
    await one.look("test.source", {"about": "y" * 200})
    assert [(look.number, look.state, look.outcome) for look in seen] == [
        (1, Progress.STARTED, None),
        (1, Progress.ENDED, Outcome.FOUND),
        (2, Progress.STARTED, None),
        (2, Progress.ENDED, Outcome.ERROR),
    ]
    assert seen[1].evidence_id == evidence.id
    assert seen[1].seconds is not None
    assert seen[0].summary == "about=cart"
    assert len(seen[2].summary) == 120


async def test_looks_are_spaced_over_all_investigations_of_the_process(
    plug: Callable[..., Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.retrying.LOOKS_PER_SECOND", 2)
    source = plug(FOUND, timeout_s=0.1)
    # Waiting for one's turn is not the source's silence.
    outcomes = [(await looker().look("test.source", {})).outcome for _ in range(3)]
    assert outcomes == [Outcome.FOUND] * 3
    monkeypatch.setattr("tools.retrying.PATIENCE_S", 0.05)
    late = await looker().look("test.source", {})
    assert late.outcome is Outcome.ERROR
    assert "it was not asked" in late.why
    assert source.asked == 3


async def test_data_that_cannot_be_kept_is_shown_all_the_same(plug: Callable[..., Source]) -> None:
    plug(Reading(query="q", text="seen", data={"odd": object()}))
    assert (await looker().look("test.source", {})).outcome is Outcome.FOUND


async def test_a_tool_that_breaks_is_logged_by_its_place_and_without_secrets(plug: Callable[..., Source]) -> None:
    plug(ZeroDivisionError("cannot log in with password=hunter22"))
    with structlog.testing.capture_logs() as logs:
        await looker().look("test.source", {})
    (entry,) = logs
    assert (entry["event"], entry["error"]) == ("tool_failed", "ZeroDivisionError")
    assert "test_looking.py" in entry["where"]
    assert "hunter22" not in str(entry)
    assert "exc_info" not in entry


async def test_memory_forgets_the_oldest_when_full_and_everything_in_time() -> None:
    cache = MemoryCache(limit_bytes=10)
    await cache.put("a", b"12345", 60)
    await cache.put("b", b"12345", 60)
    await cache.get("a")
    await cache.put("c", b"12345", 60)
    assert await cache.get("b") is None
    assert await cache.get("a") is not None
    await cache.put("a", b"1", 0.01)
    await asyncio.sleep(0.02)
    assert await cache.get("a") is None
    await cache.put("large", b"x" * 11, 60)
    assert await cache.get("large") is None


def test_every_tool_tells_the_model_what_it_is_for_and_what_it_does_not_say() -> None:
    for tool in catalogue().values():
        first, _, second = tool.doc.partition("\n\n")
        assert first.endswith("."), tool.name
        assert second.endswith("."), tool.name
        assert all(len(line) <= 120 for line in tool.doc.splitlines())
        schema: Mapping[str, Any] = tool.args.model_json_schema()
        assert schema["additionalProperties"] is False
