"""A Prometheus server, or whatever speaks its HTTP API (Thanos, Mimir, VictoriaMetrics)."""

import asyncio
import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from whenever import Instant

from tools.errors import ToolError, ToolRetry, ToolUnavailable
from tools.http.live import JsonSource
from tools.prometheus.signals import SIGNALS, Query, Signal
from tools.window import Window

MAX_POINTS = 300
"""Of one series; a finer step than this allows is made coarser."""
SIGNAL_POINTS = 120
MAX_SERIES = 5_000
TOGETHER = 6
"""Expressions of the catalogue that are evaluated at the same time."""
GIVE_UP = 6
"""Failed expressions after which no more are sent: a server in trouble is not asked forty times."""


class LivePrometheus:
    """Metrics and alerts of one server; implements the ports `Metrics` and `Alerts` of `tools.world`."""

    def __init__(
        self, url: str, *, headers: Mapping[str, str] | None = None, ca_file: str | None = None, timeout_s: float = 8.0
    ) -> None:
        self._timeout_s = timeout_s
        self._api = JsonSource("Prometheus", url, headers=headers or {}, ca_file=ca_file, timeout_s=timeout_s)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._api.aclose()

    async def signals(self, names: Sequence[str], namespace: str | None, window: Window) -> Sequence[Mapping[str, Any]]:
        """See `Metrics.signals`."""
        wanted = [_signal(name) for name in names] or list(SIGNALS.values())
        step_s = max(15.0, window.seconds / SIGNAL_POINTS)
        gate = asyncio.Semaphore(TOGETHER)
        unread: list[tuple[str, ToolError]] = []

        async def read(signal: Signal, query: Query) -> list[dict[str, Any]]:
            async with gate:
                if len(unread) >= GIVE_UP:
                    unread.append(
                        (f"{signal.name} of a {query.kind} was not asked for after others failed", unread[0][1])
                    )
                    return []
                try:
                    series = await self.range(query.written(namespace, max(300, round(2 * step_s))), window, step_s)
                except ToolError as error:
                    # One expression that a server cannot evaluate must not hide what all the others show.
                    unread.append((f"{signal.name} of a {query.kind} could not be read: {error}", error))
                    return []
            return [
                {"entity": str(entity), "signal": signal.name, "points": one["points"]}
                for one in series
                if (entity := query.entity(one["labels"]))
            ]

        # With a namespace only what belongs to it is asked for: a node's series belong to none.
        asked = [(s, q) for s in wanted for q in s.queries if q.is_namespaced or not namespace]
        async with asyncio.TaskGroup() as group:
            reads = [group.create_task(read(signal, query)) for signal, query in asked]
        found = list(
            {(one["entity"], one["signal"]): one for done in reads for one in reversed(done.result())}.values()
        )
        if unread and not found:
            raise unread[0][1]
        warnings = {"warnings": [why for why, _ in unread]} if unread else {}
        return [{**one, **warnings} for one in found]

    async def instant(self, promql: str, at: Instant) -> Sequence[Mapping[str, Any]]:
        """See `Metrics.instant`; values that are not numbers (NaN, infinities) are `None`."""
        kind, result, warnings = await self._query("/api/v1/query", {"query": promql, "time": str(at.timestamp())})
        if kind in ("scalar", "string"):
            result = cast("list[Any]", [{"metric": {}, "value": result}])
        elif kind == "matrix":
            raise ToolRetry("a range selector gives no instant vector: wrap it, as in rate(…[5m])")
        return [
            {
                "labels": one.get("metric", {}),
                "value": _number(one["value"][1]),
                "at": float(one["value"][0]),
                **warnings,
            }
            for one in result
            if "value" in one
        ]

    async def range(self, promql: str, window: Window, step_s: float) -> Sequence[Mapping[str, Any]]:
        """See `Metrics.range`; points that are not numbers (NaN, infinities) are left out."""
        params = {
            "query": promql,
            "start": str(window.start.timestamp()),
            "end": str(window.end.timestamp()),
            "step": str(max(step_s, window.seconds / MAX_POINTS, 1.0)),
        }
        _, result, warnings = await self._query("/api/v1/query_range", params)
        series = [
            {"labels": one.get("metric", {}), "points": _points(one.get("values", [])), **warnings} for one in result
        ]
        return [one for one in series if one["points"]]

    async def active(self) -> Sequence[Mapping[str, Any]]:
        """See `Alerts.active`: those that fire; what is only pending is not there yet."""
        document = await self._api.get("/api/v1/alerts", {})
        alerts = _list(_data(document).get("alerts"))
        return [
            {
                "status": "firing",
                "labels": alert.get("labels", {}),
                "annotations": alert.get("annotations", {}),
                "startsAt": alert.get("activeAt"),
                "endsAt": None,
            }
            for alert in alerts
            if alert.get("state") == "firing"
        ]

    async def _query(self, path: str, params: Mapping[str, str]) -> tuple[str, list[Any], dict[str, Any]]:
        document = await self._api.get(path, {**params, "timeout": f"{self._timeout_s:g}s"})
        data = _data(document)
        kind, result = str(data.get("resultType")), _list(data.get("result"))
        warnings = [str(warning) for warning in _list(document.get("warnings") or [])]
        # A partial answer of a federation that holds nothing is not the fact that there is nothing.
        if not result and any(not warning.startswith("PromQL") for warning in warnings):
            raise ToolUnavailable(f"Prometheus gives no data, and warns: {'; '.join(warnings)[:300]}")
        if len(result) > MAX_SERIES:
            raise ToolRetry(f"the query gives {len(result)} series: aggregate with `sum by (…)`, or use `topk(20, …)`")
        return kind, result, {"warnings": warnings} if warnings else {}


def _signal(name: str) -> Signal:
    if signal := SIGNALS.get(name):
        return signal
    near = difflib.get_close_matches(name, SIGNALS, n=3) or sorted(SIGNALS)
    raise ToolRetry(f"there is no signal {name!r}; there are {', '.join(near)}")


def _data(document: Mapping[str, Any]) -> Mapping[str, Any]:
    data = document.get("data")
    if document.get("status") != "success" or not isinstance(data, dict):
        raise ToolUnavailable(f"Prometheus answers {str(document.get('error') or 'without data')[:300]}")
    return cast("dict[str, Any]", data)


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise ToolUnavailable("Prometheus does not answer in the form that its API promises")
    return cast("list[Any]", value)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _points(values: Sequence[Sequence[Any]]) -> list[list[float]]:
    return [[float(at), value] for at, text in values if (value := _number(text)) is not None]
