"""The Prometheus tools, against a real Prometheus; and against a server that misbehaves where a real one will not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from whenever import Instant

from tests.servers import free_port
from tools.caching import MemoryCache
from tools.errors import ToolError, ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable
from tools.evidence import Evidence, Outcome
from tools.looking import Looker
from tools.prometheus.live import LivePrometheus
from tools.prometheus.signals import SIGNALS
from tools.window import Window
from tools.world import World


async def look(world: World, tool: str, **args: Any) -> Evidence:
    return await Looker(world, cache=MemoryCache()).look(tool, args)


def last(evidence: Evidence, entity: str, signal: str) -> float:
    (found,) = [one for one in evidence.data if one["entity"] == entity and one["signal"] == signal]
    return found["points"][-1][1]


async def test_an_instant_query_gives_each_series_the_largest_first(world: World) -> None:
    evidence = await look(world, "prometheus.query", promql="container_memory_working_set_bytes")
    assert evidence.outcome is Outcome.FOUND
    assert evidence.query == "container_memory_working_set_bytes"
    assert [one["labels"]["pod"] for one in evidence.data] == ["cart-1", "idle-1"]
    assert evidence.excerpt.splitlines()[0].startswith("190000000 container_memory_working_set_bytes{")


async def test_scalars_have_a_value_and_numbers_that_are_none_are_said(world: World) -> None:
    assert (await look(world, "prometheus.query", promql="2 * 21")).data[0]["value"] == 42
    odd = await look(world, "prometheus.query", promql='odd_ratio{a="2"}')
    assert odd.outcome is Outcome.FOUND
    assert odd.data[0]["value"] is None
    assert odd.excerpt.startswith("not a number")


async def test_no_matching_series_is_empty_and_a_wrong_query_is_an_error(world: World) -> None:
    assert (await look(world, "prometheus.query", promql="nothing_like_this")).outcome is Outcome.EMPTY
    for promql in ("sum(", "container_memory_working_set_bytes[5m]", "label_replace(up, '', '', '', '(')"):
        wrong = await look(world, "prometheus.query", promql=promql)
        assert wrong.outcome is Outcome.ERROR, promql
        assert "arguments cannot be used" in wrong.why
    parse = await look(world, "prometheus.range", promql="sum(")
    assert "parse error" in parse.why


async def test_a_range_says_when_it_was_least_and_most_and_stays_within_its_points(world: World) -> None:
    evidence = await look(world, "prometheus.range", promql="container_memory_working_set_bytes", minutes=60, step_s=1)
    assert evidence.window is not None
    assert evidence.window.end == world.captured_at
    (cart,) = [one for one in evidence.data if one["labels"]["pod"] == "cart-1"]
    assert 100 < len(cart["points"]) <= 301
    assert "min 100000000 at" in evidence.excerpt.splitlines()[0]
    assert "max 190000000 at" in evidence.excerpt.splitlines()[0]


async def test_infinities_are_left_out_of_a_range(world: World) -> None:
    evidence = await look(world, "prometheus.range", promql="odd_ratio", minutes=30, step_s=15)
    assert [one["labels"]["a"] for one in evidence.data] == ["1"]
    assert {value for _, value in evidence.data[0]["points"]} == {1.0}


async def test_signals_name_the_entity_and_the_most_changed_series_comes_first(world: World) -> None:
    evidence = await look(world, "metrics.signals", minutes=55)
    assert evidence.outcome is Outcome.FOUND
    assert last(evidence, "pod/shop/cart-1", "memory_utilization_ratio") == pytest.approx(0.95)
    assert last(evidence, "pod/shop/cart-1", "cpu_cores") == pytest.approx(0.5, rel=0.01)
    assert last(evidence, "pod/shop/cart-1", "cpu_utilization_ratio") == pytest.approx(0.25, rel=0.01)
    assert last(evidence, "pod/shop/cart-1", "cpu_throttled_ratio") == pytest.approx(0.3, rel=0.01)
    assert last(evidence, "persistentvolumeclaim/shop/data-db-0", "disk_utilization_ratio") == pytest.approx(0.9)
    assert last(evidence, "node//node-a", "disk_utilization_ratio") == pytest.approx(0.95)
    assert last(evidence, "service/shop/api", "error_ratio") == pytest.approx(0.1, rel=0.02)
    assert last(evidence, "service/shop/api", "requests_per_second") == pytest.approx(100 / 15, rel=0.02)
    assert last(evidence, "deployment/shop/cart", "replicas_ready") == 1
    assert last(evidence, "deployment/shop/cart", "replicas_desired") == 2
    first_three = "\n".join(evidence.excerpt.splitlines()[:4])
    assert "service/shop/api error_ratio: last 0.1, min 0" in first_three
    assert "pod/shop/idle-1" not in first_three


async def test_a_service_that_never_failed_has_an_error_ratio_of_zero(world: World) -> None:
    evidence = await look(world, "metrics.signals", signals=["error_ratio"], minutes=30)
    assert last(evidence, "service/shop/web", "error_ratio") == 0


async def test_a_machine_that_was_just_added_is_not_called_busy(world: World) -> None:
    evidence = await look(world, "metrics.signals", signals=["cpu_utilization_ratio"], minutes=1)
    assert last(evidence, "node//node-b", "cpu_utilization_ratio") == pytest.approx(0.25, rel=0.01)


async def test_signals_of_a_namespace_leave_the_others_out(world: World) -> None:
    shop = await look(world, "metrics.signals", namespace="shop", minutes=30)
    assert {one["entity"].split("/")[1] for one in shop.data} == {"shop"}
    other = await look(world, "metrics.signals", namespace="other", signals=["restarts_total"])
    assert [one["entity"] for one in other.data] == ["pod/other/x-1"]
    none = await look(world, "metrics.signals", namespace='no"such', minutes=30)
    assert none.outcome is Outcome.EMPTY


async def test_a_signal_that_is_not_in_the_catalogue_is_an_error_with_the_near_names(world: World) -> None:
    wrong = await look(world, "metrics.signals", signals=["memory_utilisation_ratio"])
    assert wrong.outcome is Outcome.ERROR
    assert "memory_utilization_ratio" in wrong.why


async def test_every_expression_of_the_catalogue_is_one_that_prometheus_can_evaluate(
    prometheus: LivePrometheus, ends_at: Instant
) -> None:
    for signal in SIGNALS.values():
        for query in signal.queries:
            for namespace in (None, "shop"):
                await prometheus.instant(query.written(namespace, 300), ends_at)


async def test_only_alerts_that_fire_are_active(world: World) -> None:
    async with asyncio.timeout(15):
        # A first evaluation by the server is an event that only asking shows.
        while (evidence := await look(world, "alerts.active")).outcome is Outcome.EMPTY:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert [one["labels"]["alertname"] for one in evidence.data] == ["AlwaysHere"]
    assert evidence.data[0]["status"] == "firing"
    assert "AlwaysHere [critical]" in evidence.excerpt
    assert "it is here" in evidence.excerpt


async def test_no_prometheus_is_no_source_and_a_silent_one_an_error() -> None:
    for tool, args in (("prometheus.query", {"promql": "up"}), ("alerts.active", {}), ("metrics.signals", {})):
        assert (await look(World(name="live"), tool, **args)).outcome is Outcome.NO_SOURCE
    gone = LivePrometheus(f"http://127.0.0.1:{free_port()}")
    world = World(name="gone", captured_at=Instant.now(), metrics=gone, alerts=gone)
    for tool, args in (("prometheus.query", {"promql": "up"}), ("alerts.active", {}), ("metrics.signals", {})):
        silent = await look(world, tool, **args)
        assert silent.outcome is Outcome.ERROR
        assert "cannot be reached" in silent.why
    await gone.aclose()


Serve = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[LivePrometheus]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts an HTTP server that answers as the test says, and a Prometheus client for it."""
    runners: list[web.AppRunner] = []
    sources: list[LivePrometheus] = []

    async def served(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> LivePrometheus:
        app = web.Application()
        app.router.add_get("/{path:.*}", handler)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        runners.append(runner)
        sources.append(
            LivePrometheus(f"http://127.0.0.1:{port}/", headers={"Authorization": "Bearer t"}, timeout_s=0.5)
        )
        return sources[-1]

    yield served
    for source in sources:
        await source.aclose()
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (
            400,
            '{"status":"error","errorType":"bad_data","error":"no such function"}',
            ToolRetry,
            "no such function",
        ),
        (422, '{"status":"error","errorType":"execution","error":"many-to-many"}', ToolRetry, "many-to-many"),
        (401, "", ToolRefused, "401"),
        (403, "RBAC: denied", ToolRefused, "RBAC: denied"),
        (404, "404 page not found", ToolNoSource, "address"),
        (302, "", ToolUnavailable, "302"),
        (429, "", ToolUnavailable, "429"),
        (503, '{"status":"error","errorType":"timeout","error":"query timed out"}', ToolUnavailable, "timed out"),
        (200, "<html>", ToolUnavailable, "JSON"),
        (200, "[]", ToolUnavailable, "JSON object"),
        (200, '{"status":"success"}', ToolUnavailable, "without data"),
        (200, '{"status":"success","data":{"resultType":"vector","result":{}}}', ToolUnavailable, "form"),
    ],
    ids=["400", "422", "401", "403", "404", "302", "429", "503", "html", "list", "no-data", "no-result"],
)
async def test_each_answer_that_is_none_is_told_apart(
    serve: Serve, status: int, body: str, error: type[ToolError], said: str
) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer t"
        return web.Response(status=status, text=body, headers={"Retry-After": "7", "Location": "http://127.0.0.1:1/"})

    source = await serve(handler)
    with pytest.raises(error, match=said) as raised:
        await source.instant("up", Instant.now())
    if isinstance(raised.value, ToolUnavailable):
        assert raised.value.retry_after_s == (None if status == 200 else 7)


async def test_a_server_that_hangs_is_unavailable(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    source = await serve(handler)
    with pytest.raises(ToolUnavailable, match="did not answer within"):
        await source.instant("up", Instant.now())


def vector(*values: str, warnings: tuple[str, ...] = ()) -> dict[str, Any]:
    result = [{"metric": {"n": str(at)}, "value": [1, value]} for at, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, "warnings": list(warnings)}


async def test_a_partial_answer_without_data_is_unknown_and_with_data_keeps_its_warning(serve: Serve) -> None:
    replies = [vector(warnings=("store b is down",)), vector("1", warnings=("store b is down",))]

    async def handler(request: web.Request) -> web.Response:
        return web.json_response(replies.pop(0))

    source = await serve(handler)
    with pytest.raises(ToolUnavailable, match="store b is down"):
        await source.instant("up", Instant.now())
    world = World(name="partial", captured_at=Instant.now(), metrics=source)
    assert "WARNING: store b is down" in (await look(world, "prometheus.query", promql="up")).excerpt


async def test_many_series_are_cut_with_the_cut_stated_and_too_many_are_sent_back(serve: Serve) -> None:
    replies = [vector(*["1"] * 60), vector(*["1"] * 5001)]

    async def handler(request: web.Request) -> web.Response:
        return web.json_response(replies.pop(0))

    source = await serve(handler)
    world = World(name="large", captured_at=Instant.now(), metrics=source)
    evidence = await look(world, "prometheus.query", promql="up")
    assert len(evidence.data) == 60
    assert "10 more of 60 series" in evidence.excerpt
    with pytest.raises(ToolRetry, match="5001 series"):
        await source.instant("up", Instant.now())


async def test_one_signal_that_cannot_be_read_hides_no_other_and_is_named(serve: Serve) -> None:
    async def handler(request: web.Request) -> web.Response:
        if "restarts" in request.query["query"]:
            return web.json_response({"status": "error", "error": "many-to-many"}, status=422)
        series = {"metric": {"namespace": "shop", "deployment": "cart"}, "values": [[1, "1"], [2, "1"]]}
        result = [series] if "kube_deployment" in request.query["query"] else []
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})

    world = World(name="odd", captured_at=Instant.now(), metrics=await serve(handler))
    evidence = await look(world, "metrics.signals", signals=["restarts_total", "replicas_ready"])
    assert evidence.outcome is Outcome.FOUND
    assert "NOT SEEN: restarts_total of a pod could not be read" in evidence.excerpt
    alone = await look(world, "metrics.signals", signals=["restarts_total"])
    assert alone.outcome is Outcome.ERROR


async def test_a_window_of_weeks_is_read_in_coarser_steps(prometheus: LivePrometheus, ends_at: Instant) -> None:
    found = await prometheus.range("vector(1)", Window.ending(ends_at, minutes=43_200), 15)
    assert len(found[0]["points"]) <= 301
