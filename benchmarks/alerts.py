"""Alerts as Alertmanager would post them, over few kept connections and with little work for whoever sends."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncGenerator

TOKEN = secrets.token_urlsafe(24)
POST_TIMEOUT_S = 10
IDLE_S = 2
"""Locum closes a connection that is idle for longer than this."""


def group(number: int) -> str:
    """A group key, of which each makes an incident of its own."""
    return f"{{}}:{{alertname=Load{number:05}}}"


def payload(key: str, number: int, *, channel: str) -> bytes:
    """One firing alert; its number makes it different from all others."""
    labels = {
        "alertname": f"Load{number:05}", "namespace": "shop", "service": "checkout", "severity": "critical",
        "channel": channel,
    }  # fmt: skip
    alert = {
        "status": "firing",
        "labels": labels,
        "annotations": {"summary": "checkout fails for its users"},
        "startsAt": "2026-03-14T10:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "",
        "fingerprint": f"{number:016x}",
    }
    return json.dumps({"version": "4", "groupKey": key, "truncatedAlerts": 0, "alerts": [alert]}).encode()


_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Webhook:
    """Locum's address for alerts."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._free: list[tuple[float, _Connection]] = []

    async def post(self, body: bytes) -> float:
        """Posts one payload; the seconds until it was accepted. Anything but 202 ends the measurement."""
        began = time.perf_counter()
        async with asyncio.timeout(POST_TIMEOUT_S), self._connection() as (reader, writer):
            writer.write(self._head(len(body)) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            answer = await reader.readexactly(int(length))
        if not head.startswith(b"HTTP/1.1 202"):
            raise SystemExit(f"the webhook did not accept an alert: {head!r} {answer!r}")
        return time.perf_counter() - began

    def _head(self, length: int) -> bytes:
        return (
            f"POST /alerts/alertmanager HTTP/1.1\r\nHost: {self._host}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncGenerator[_Connection]:
        while self._free:
            since, connection = self._free.pop()
            if time.monotonic() - since < IDLE_S:
                break
            connection[1].close()
        else:
            connection = await asyncio.open_connection(self._host, self._port)
        # Not given back after a failure, which ends the measurement anyway.
        yield connection
        self._free.append((time.monotonic(), connection))
