"""Traces: who calls whom, where the time goes; from recorded exports of OTLP/JSON."""

import gzip
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.causes import run
from agents.rules import origins
from agents.scene import Scene
from tests.rules.builders import NOW, case
from tools.caching import MemoryCache
from tools.entity import Entity
from tools.evidence import Outcome
from tools.looking import Looker
from tools.snapshot.opening import open_snapshot
from tools.traces.requests import counted
from tools.traces.spans import spans

END = NOW.timestamp()


def span(id: str, parent: str = "", *, at: float = 0.0, ms: float = 10, kind: int = 2, **more: Any) -> dict[str, Any]:  # noqa: A002
    """One span, so many seconds after the epoch."""
    start = round((at or END) * 1e9)
    found = {"spanId": id, "parentSpanId": parent, "kind": kind, "name": "x", **more}
    return {**found, "startTimeUnixNano": str(start), "endTimeUnixNano": str(start + round(ms * 1e6))}


def export(**services: list[dict[str, Any]]) -> dict[str, Any]:
    """One export of the spans of each service."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": name}}]},
                "scopeSpans": [{"spans": found}],
            }
            for name, found in services.items()
        ]
    }


def attribute(key: str, written: str) -> dict[str, Any]:
    return {"attributes": [{"key": key, "value": {"stringValue": written}}]}


def service(name: str) -> Entity:
    return Entity.of("service", "shop", name)


def test_a_child_span_of_another_service_is_a_call_and_its_failure_is_counted() -> None:
    known = export(
        web=[span("a", ms=100), span("b", "a", ms=80, kind=3)],
        cart=[span("c", "b", ms=70, status={"code": 2})],
    )
    found = counted(list(spans(known, "shop")))
    assert list(found.edges) == [(service("web"), service("cart"))]
    (edge,) = found.edges.values()
    assert (edge.seconds, edge.failed) == ([0.07], 1)
    assert {(each["entity"], each["signal"]) for each in found.series if each["signal"] == "error_ratio"} == {
        ("service/shop/web", "error_ratio"),
        ("service/shop/cart", "error_ratio"),
    }


def test_time_in_the_service_itself_is_what_its_calls_do_not_cover_even_side_by_side() -> None:
    at = END - 60
    known = export(
        web=[
            span("a", at=at, ms=100),
            span("b", "a", at=at + 0.01, ms=40, kind=3, **attribute("peer.service", "x")),
            span("c", "a", at=at + 0.03, ms=40, kind=3, **attribute("peer.service", "y")),
        ]
    )
    found = counted(list(spans(known, "shop")))
    assert abs(found.own_seconds[service("web")] - 0.04) < 1e-6


def test_what_sends_no_spans_is_known_by_its_callers() -> None:
    known = export(
        cart=[span("a"), span("b", "a", kind=3, **attribute("server.address", "pay.example")), span("c", "a", kind=3)]
    )
    found = counted(list(spans(known, "shop")))
    assert list(found.edges) == [(service("cart"), Entity.of("remote", "shop", "pay.example"))]
    sql = export(cart=[span("a"), span("b", "a", kind="SPAN_KIND_CLIENT", **attribute("db.system", "postgresql"))])  # type: ignore[arg-type]
    assert [callee.kind for _, callee in counted(list(spans(sql, "shop"))).edges] == ["database"]


def test_spans_that_cannot_be_are_left_out() -> None:
    backwards = {**span("b"), "endTimeUnixNano": "1"}
    known = export(web=[span(""), backwards, {"spanId": "c"}, {**span("d"), "startTimeUnixNano": True}, span("e")])
    assert [each.id for each in spans(known, "shop")] == ["e"]
    assert list(spans(export(**{"a/b": [span("e")]}), "shop")) == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["resourceSpans", "resource", "attributes", "key", "value", "stringValue", "scopeSpans", "spans"]
            )
            | st.sampled_from(["spanId", "parentSpanId", "startTimeUnixNano", "endTimeUnixNano", "status", "kind"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(_JSON, _JSON)
def test_whatever_stands_in_an_export_nothing_raises(document: Any, attributes: Any) -> None:
    counted(list(spans(document, "shop")))
    odd = {**span("a"), "attributes": attributes, "status": document, "kind": attributes}
    counted(list(spans(export(web=[odd, span("b", "a")]), "shop")))


def recorded(folder: Path) -> None:
    """Two hours in which web calls cart; in the last half hour cart takes six times as long."""
    every: dict[str, list[dict[str, Any]]] = {"web": [], "cart": []}
    for minute in range(120):
        at = END - (120 - minute) * 60
        ms = 300 if minute >= 90 else 50
        for place in range(3):
            name = f"{minute}-{place}"
            every["web"] += [
                span(f"w{name}", at=at, ms=ms + 20),
                span(f"k{name}", f"w{name}", at=at, ms=ms + 5, kind=3),
            ]
            every["cart"].append(span(f"c{name}", f"k{name}", at=at, ms=ms))
    (folder / "traces").mkdir(parents=True)
    with gzip.open(folder / "traces" / "spans.json.gz", "wt") as file:
        json.dump(export(**every), file)
    (folder / "snapshot.yaml").write_text(f"version: 1\ncaptured_at: '{NOW}'\ndefault_namespace: shop\n")


async def test_recorded_traces_alone_name_the_slow_callee(tmp_path: Path) -> None:
    recorded(tmp_path / "case")
    looker = Looker(await open_snapshot(tmp_path / "case"), cache=MemoryCache())
    looks = [await looker.look(name, {"minutes": 180}) for name in ("traces.calls", "traces.signals")]
    assert looks[0].excerpt.startswith("service/shop/web -> service/shop/cart: 360 calls")
    assert "service/shop/cart: 0.113 s a request in itself" in looks[1].excerpt
    scene = Scene.of(case("service/shop/web"), looks)
    checked = run([origins.self_time_high], scene)
    assert checked.failures == ()
    assert [str(each.entity) for each in checked.findings] == ["service/shop/cart"]


async def test_without_traces_the_tool_says_so(tmp_path: Path) -> None:
    (tmp_path / "signals").mkdir()
    looker = Looker(await open_snapshot(tmp_path), cache=MemoryCache())
    assert (await looker.look("traces.calls", {})).outcome is Outcome.NO_SOURCE
