"""A Loki server."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from whenever import Instant

from tools.errors import ToolUnavailable
from tools.http.live import JsonSource
from tools.window import Window

POINTS = 100
"""Of one series of a metric query."""


class LiveLoki:
    """Log lines of one server; implements the port `Logs` of `tools.world`."""

    def __init__(
        self,
        url: str,
        *,
        tenant: str | None = None,
        headers: Mapping[str, str] | None = None,
        ca_file: str | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        sent = dict(headers or {})
        if tenant:
            sent["X-Scope-OrgID"] = tenant
        self._api = JsonSource("Loki", url, headers=sent, ca_file=ca_file, timeout_s=timeout_s)

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._api.aclose()

    async def lines(
        self, namespace: str | None, pod: str | None, contains: str | None, window: Window, limit: int
    ) -> Sequence[Mapping[str, Any]]:
        """See `Logs.lines`."""
        return await self.query(selector(namespace, pod, contains), window, limit)

    async def query(self, logql: str, window: Window, limit: int) -> Sequence[Mapping[str, Any]]:
        """See `Logs.query`: lines newest last, or `{"labels", "points"}` of a metric query."""
        params = {
            "query": logql,
            "start": str(window.start.timestamp(unit="nanosecond")),
            "end": str(window.end.timestamp(unit="nanosecond")),
            "limit": str(limit),
            # The newest ones, when there are more than `limit`.
            "direction": "backward",
            "step": f"{max(1.0, window.seconds / POINTS):.0f}",
        }
        document = await self._api.get("/loki/api/v1/query_range", params)
        data = document.get("data")
        if document.get("status") != "success" or not isinstance(data, dict):
            raise ToolUnavailable("Loki does not answer in the form that its API promises")
        kind, result = _result(cast("dict[str, Any]", data))
        try:
            if kind == "streams":
                return _lines(result, limit)
            return [{"labels": one["metric"], "points": _points(one["values"])} for one in result]
        except (KeyError, TypeError, ValueError) as error:
            raise ToolUnavailable("Loki does not answer in the form that its API promises") from error


def selector(namespace: str | None, pod: str | None, contains: str | None) -> str:
    """LogQL for these lines; what callers give stays inside its quotes."""
    matchers = [f"namespace={_quoted(namespace)}" if namespace else 'namespace=~".+"']
    if pod and pod.endswith("*"):
        matchers.append(f"pod=~{_quoted(_literal(pod[:-1]) + '.*')}")
    elif pod:
        matchers.append(f"pod={_quoted(pod)}")
    return f"{{{', '.join(matchers)}}}" + (f" |= {_quoted(contains)}" if contains else "")


def _quoted(text: str) -> str:
    # A Go string literal: JSON's escapes are a subset of Go's.
    return json.dumps(text, ensure_ascii=False)


def _literal(text: str) -> str:
    # Not re.escape: it escapes characters that Go's regular expressions refuse to see escaped.
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


def _result(data: Mapping[str, Any]) -> tuple[str, list[Any]]:
    kind, result = data.get("resultType"), data.get("result")
    if kind not in ("streams", "matrix") or not isinstance(result, list):
        raise ToolUnavailable(f"Loki answers with {str(kind)[:40]!r}, expected streams or a matrix")
    return kind, cast("list[Any]", result)


def _lines(streams: Sequence[Mapping[str, Any]], limit: int) -> list[Mapping[str, Any]]:
    found: list[tuple[int, Mapping[str, Any]]] = []
    for stream in streams:
        labels: Mapping[str, str] = stream["stream"]
        for value in stream["values"]:
            at_ns = int(value[0])
            line = {
                "at": str(Instant.from_timestamp(at_ns, unit="nanosecond")),
                "namespace": labels.get("namespace", ""),
                "pod": labels.get("pod", ""),
                "container": labels.get("container", ""),
                "line": str(value[1]),
            }
            found.append((at_ns, line))
    found.sort(key=lambda pair: pair[0])
    return [line for _, line in found[-limit:]]


def _points(values: Sequence[Sequence[Any]]) -> list[list[float]]:
    points = [[float(at), float(text)] for at, text in values]
    return [point for point in points if math.isfinite(point[1])]
