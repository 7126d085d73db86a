"""The log tools, against a strict HTTP fake of Loki: no package has a real one."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from whenever import Instant

from tests.servers import free_port
from tools.caching import MemoryCache
from tools.evidence import Evidence, Outcome
from tools.loki.live import LiveLoki, selector
from tools.looking import Looker
from tools.world import World

NOW = Instant.from_utc(2026, 1, 1, 12)
NOW_NS = NOW.timestamp(unit="nanosecond")
_MATCHERS = re.compile(r'^\{(?:\w+=~?"(?:[^"\\]|\\.)*"(?:, )?)+\}(?: \|= "(?:[^"\\]|\\.)*")?$')


class FakeLoki:
    """Keeps lines by stream; takes only the parameters and the selectors that Loki takes."""

    def __init__(self) -> None:
        self.streams: list[tuple[dict[str, str], list[tuple[int, str]]]] = []
        self.asked: list[web.Request] = []
        self.url = ""
        self.reply: web.Response | dict[str, Any] | None = None

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request)
        asked = request.query
        if request.headers.get("X-Scope-OrgID") != "shop-team":
            return web.Response(status=401, text="no org id")
        if set(asked) != {"query", "start", "end", "limit", "direction", "step"} or asked["direction"] != "backward":
            return web.Response(status=400, text="bad parameters")
        if isinstance(self.reply, web.Response):
            return self.reply
        if self.reply:
            return web.json_response(self.reply)
        if not _MATCHERS.match(asked["query"]):
            return web.Response(status=400, text="parse error at line 1, col 3: syntax error: unexpected IDENTIFIER")
        start, end, left = int(asked["start"]), int(asked["end"]), int(asked["limit"])
        result: list[dict[str, Any]] = []
        for labels, lines in self.streams:
            values = [[str(at), line] for at, line in sorted(lines, reverse=True) if start <= at <= end][:left]
            left -= len(values)
            if values:
                result.append({"stream": labels, "values": values})
        return web.json_response({"status": "success", "data": {"resultType": "streams", "result": result}})


@pytest.fixture
async def loki() -> AsyncIterator[tuple[FakeLoki, World]]:
    fake = FakeLoki()
    app = web.Application()
    app.router.add_get("/loki/api/v1/query_range", fake.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    fake.url = f"http://127.0.0.1:{port}"
    source = LiveLoki(fake.url, tenant="shop-team")
    yield fake, World(name="test", captured_at=NOW, logs=source)
    await source.aclose()
    await runner.cleanup()


Setup = tuple[FakeLoki, World]


async def look(world: World, tool: str, **args: Any) -> Evidence:
    return await Looker(world, cache=MemoryCache()).look(tool, args)


def stream(pod: str, *lines: tuple[int, str]) -> tuple[dict[str, str], list[tuple[int, str]]]:
    labels = {"namespace": "shop", "pod": pod, "container": "app"}
    return labels, [(NOW_NS - seconds * 10**9, line) for seconds, line in lines]


async def test_lines_of_all_pods_come_in_the_order_of_time(loki: Setup) -> None:
    loki[0].streams = [stream("cart-1", (30, "b"), (10, "d")), stream("cart-2", (40, "a"), (20, "c"))]
    evidence = await look(loki[1], "logs.lines", namespace="shop", pod="cart-*")
    assert [one["line"] for one in evidence.data] == ["a", "b", "c", "d"]
    assert evidence.data[0] == {
        "at": "2026-01-01T11:59:20Z",
        "namespace": "shop",
        "pod": "cart-2",
        "container": "app",
        "line": "a",
    }
    assert loki[0].asked[0].query["query"] == '{namespace="shop", pod=~"cart-.*"}'
    assert evidence.excerpt.splitlines()[0] == "2026-01-01T11:59:20Z shop/cart-2/app a"
    assert evidence.query == "lines namespace='shop' pod='cart-*' limit=200"


async def test_lines_outside_of_the_minutes_are_not_there_and_none_is_empty(loki: Setup) -> None:
    loki[0].streams = [stream("cart-1", (600, "old"))]
    assert (await look(loki[1], "logs.lines", minutes=5)).outcome is Outcome.EMPTY
    assert (await look(loki[1], "logs.lines", minutes=11)).outcome is Outcome.FOUND


async def test_what_a_caller_gives_cannot_leave_its_quotes(loki: Setup) -> None:
    text = 'x"} | json | line_format "{{.secret}}` \\ \n'
    await look(loki[1], "logs.lines", namespace='a"} or {b="', contains=text)
    sent = loki[0].asked[0].query["query"]
    assert _MATCHERS.match(sent)
    assert sent.count(" |= ") == 1
    assert selector("shop", "a.b+*", None) == '{namespace="shop", pod=~"a\\\\.b\\\\+.*"}'
    assert selector(None, None, None) == '{namespace=~".+"}'


async def test_too_many_lines_keep_the_newest_and_those_of_trouble_and_say_what_is_missing(loki: Setup) -> None:
    noise = [(seconds, f"GET /health took {seconds} ms and was answered as always") for seconds in range(1, 199)]
    loki[0].streams = [stream("cart-1", *noise, (199, "FATAL: connection refused by db"))]
    evidence = await look(loki[1], "logs.lines", namespace="shop")
    assert len(evidence.excerpt) <= 4_000
    assert "FATAL: connection refused by db" in evidence.excerpt
    assert "took 1 ms" in evidence.excerpt
    assert re.search(r"\[… \d+ lines left out …\]", evidence.excerpt)
    assert evidence.excerpt.startswith("shop/cart-1/app:")
    limited = await look(loki[1], "logs.lines", namespace="shop", limit=3)
    assert [one["line"].split()[3] for one in limited.data] == ["3", "2", "1"]
    assert "there may be more" in limited.excerpt


async def test_a_metric_query_gives_series(loki: Setup) -> None:
    series = {"metric": {"pod": "cart-1"}, "values": [[1.0, "2"], [2.0, "NaN"], [3.0, "9"]]}
    loki[0].reply = {"status": "success", "data": {"resultType": "matrix", "result": [series]}}
    evidence = await look(loki[1], "loki.query", logql='sum by (pod) (count_over_time({namespace="shop"}[1m]))')
    assert evidence.data == [{"labels": {"pod": "cart-1"}, "points": [[1.0, 2.0], [3.0, 9.0]]}]
    assert evidence.excerpt == '{pod="cart-1"}: first 2, last 9, min 2, max 9, 2 points'


async def test_a_query_that_loki_cannot_read_is_an_error_with_its_words(loki: Setup) -> None:
    evidence = await look(loki[1], "loki.query", logql="{oops")
    assert evidence.outcome is Outcome.ERROR
    assert "syntax error" in evidence.why


@pytest.mark.parametrize(
    ("status", "body", "outcome", "said"),
    [
        (403, "denied", Outcome.ERROR, "Refused"),
        (404, "", Outcome.NO_SOURCE, "address"),
        (429, "too many outstanding requests", Outcome.ERROR, "too many outstanding"),
        (500, "", Outcome.ERROR, "500"),
        (200, '{"status":"success","data":{"resultType":"streams","result":[{}]}}', Outcome.ERROR, "form"),
        (200, '{"status":"success","data":{"resultType":"vector","result":[]}}', Outcome.ERROR, "vector"),
    ],
    ids=["403", "404", "429", "500", "broken", "other"],
)
async def test_each_answer_that_is_none_is_a_gap(
    loki: Setup, status: int, body: str, outcome: Outcome, said: str
) -> None:
    loki[0].reply = web.Response(status=status, text=body)
    evidence = await look(loki[1], "logs.lines", namespace="shop")
    assert evidence.outcome is outcome
    assert said in evidence.why


async def test_a_wrong_tenant_is_refused_and_no_loki_is_no_source(loki: Setup) -> None:
    loki[0].streams = [stream("cart-1", (1, "x"))]
    other = LiveLoki(loki[0].url, tenant="other")
    evidence = await look(World(name="t", captured_at=NOW, logs=other), "logs.lines")
    assert evidence.outcome is Outcome.ERROR
    assert "no org id" in evidence.why
    await other.aclose()
    assert (await look(World(name="none"), "logs.lines")).outcome is Outcome.NO_SOURCE
    assert (await look(World(name="none"), "loki.query", logql='{a="b"}')).outcome is Outcome.NO_SOURCE
