"""Malformed and unauthorised requests at every door of a running `locum bot`, over real connections.

The process is the one that ships, with real Valkey and Temporal, Slack over signed HTTP, and a request that waits for
a decision. Afterwards everything that could have been accepted is counted: nothing may have been.
"""

import asyncio
import collections
import contextlib
import json
import os
import random
import re
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
from whenever import Instant, TimeDelta

from agents.case import SessionId
from bot.demo.show import INCIDENTS
from bot.embedded import servers
from bot.incident import IncidentId
from bot.requests import request_body
from bot.settings import Settings
from bot.stores.connection import Store, connect
from bot.stores.inbox import STREAM, UNREADABLE
from bot.stores.ledger.ledger import Ledger, open_ledger
from bot.stores.ledger.rows import RequestRow
from bot.stores.sessions import Session, Sessions
from bot.workflows import service
from bot.workspace.server import Workspace, serve
from tests.attack import replaying
from tests.attack.counts import Counts
from tests.attack.garbage import Door, Shot, shot
from tests.attack.vendors import TOPIC
from tests.blocks import requests as sample
from tests.servers import free_port

CONNECTIONS = 32
PATIENCE_S = 20
GROWTH_BYTES = 24 << 20
"""What the process may have grown by since a tenth of the requests was answered; an arena or two of the allocator."""
POLICY = Path(INCIDENTS).parent / "policy.yaml"
SESSION = SessionId("ses_0123456789abcdef")
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
_TRACE = re.compile(rb"Traceback|File \\?\"|\.py\b|\"exception\"|site-packages")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One `locum bot`, and everything that it could have put something into."""

    door: Door
    port: int
    process: psutil.Process
    log: Path
    store: Store
    temporal: service.Client
    ledger: Ledger
    workspace: Workspace

    async def holdings(self) -> dict[str, Any]:
        """All that was ever accepted."""
        keys = {key async for key in self.store.scan_iter(count=1_000)} - {UNREADABLE.encode()}
        stream = await self.store.xinfo_stream(STREAM)
        row = await self.ledger.request(self.door.request_id)
        head = await self.ledger.head()
        return {
            "keys": keys,
            "delivered": stream["entries-added"],
            "requests": len(await self.ledger.requests()),
            "state": row.state if row else "",
            "votes": len(await self.ledger.votes(self.door.request_id)),
            "audit": head.seq if head else 0,
            "workflows": (await self.temporal.count_workflows()).count,
            "messages": len(self.workspace.messages("alerts")),
        }


@dataclass
class Heard:
    """What came back."""

    statuses: collections.Counter[int] = field(default_factory=collections.Counter[int])
    left: int = 0
    """Requests that were broken off by the client, and closed."""
    wrong: list[str] = field(default_factory=list[str])

    def note(self, each: Shot, status: int, body: bytes) -> None:
        """One answer; 0 is none."""
        self.statuses[status] += 1
        if status == 0 and each.leaves:
            self.left += 1
        elif not 400 <= status < 500:
            self.wrong.append(f"{each.endpoint} ({each.kind}): {status} {body[:200]!r} to {each.data[:400]!r}")
        elif _TRACE.search(body):
            self.wrong.append(f"{each.endpoint} ({each.kind}): innards in {body[:400]!r}")


async def run(*, requests: int, say: Callable[[str], None], seed: int = 0) -> Counts:
    """Replays a genuine click, then sends so many malformed and unauthorised requests."""
    return await replaying.run(say=say) + await fire(requests=requests, say=say, seed=seed)


async def fire(*, requests: int, say: Callable[[str], None], seed: int) -> Counts:
    """Sends so many requests, no two alike, and looks at what they left behind."""
    async with standing() as target:
        shots = _shots(requests, target.door, seed)
        heard = Heard()
        before = await target.holdings()
        began = time.monotonic()
        await _fire(target, shots, max(requests // 10, 1), heard)
        warm = target.process.memory_info().rss
        await _fire(target, shots, requests, heard)
        seconds = time.monotonic() - began
        grown = target.process.memory_info().rss - warm
        accepted = _differences(before, await target.holdings())
        logged = _trouble(target.log)
        is_alive = target.process.is_running() and await _is_well(target)
    wrong = [*heard.wrong, *logged, *([] if is_alive else ["the process is not well afterwards"])]
    if grown > GROWTH_BYTES:
        wrong.append(f"the process has grown by {grown >> 20} MiB")
    for each in (*wrong[:20], *accepted):
        say(f"malformed: {each}")
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(heard.statuses.items()) if status)
    say(
        f"malformed: {heard.statuses.total()} requests, {requests / seconds:.0f} a second; {statuses}; "
        f"{heard.left} broken off by the client; memory {warm >> 20} MiB {grown / 2**20:+.1f}"
    )
    return Counts(malformed=heard.statuses.total(), tracebacks=len(wrong), unapproved=len(accepted))


async def _fire(target: Target, shots: Iterator[Shot], most: int, heard: Heard) -> None:
    """Sends until so many were answered altogether."""
    missing = most - heard.statuses.total()
    queue = iter(range(missing))
    async with asyncio.TaskGroup() as group:
        for _ in range(min(CONNECTIONS, missing)):
            group.create_task(_client(target.port, (next(shots) for _ in queue), heard))


def _shots(count: int, door: Door, seed: int) -> Iterator[Shot]:
    seen: set[int] = set()
    number = 0
    while len(seen) < count:
        made = shot(random.Random(f"{seed}:{number}"), door)
        number += 1
        if (mark := hash((made.data, made.late))) not in seen:
            seen.add(mark)
            yield made


# --- the client: as few manners as HTTP allows


async def _client(port: int, shots: Iterator[Shot], heard: Heard) -> None:
    line: _Line | None = None
    for each in shots:
        try:
            async with asyncio.timeout(PATIENCE_S):
                was_open = line is not None
                line = line or await _Line.open(port)
                status, body, stays = await line.ask(each)
                if status == 0 and was_open:
                    # The server had closed the connection before it saw this request.
                    line.close()
                    line = await _Line.open(port)
                    status, body, stays = await line.ask(each)
                heard.note(each, status, body)
        except TimeoutError:
            heard.note(each, -1, b"no answer")
            stays = False
        if line and not stays:
            line.close()
            line = None
    if line:
        line.close()


class _Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> "_Line":
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))

    def close(self) -> None:
        self._writer.transport.abort()

    async def ask(self, each: Shot) -> tuple[int, bytes, bool]:
        """(status, body, whether the connection may be used again); status 0: closed without an answer."""
        try:
            self._writer.write(each.data)
            if each.leaves:
                self._writer.write_eof()
            return await self._answer(each)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return 0, b"", False

    async def _answer(self, each: Shot) -> tuple[int, bytes, bool]:
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        if head.startswith(b"http/1.1 100 "):
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        status = int(head.split(b" ", 2)[1])
        if each.late:
            self._writer.write(each.late)
        stays = b"\r\nconnection: close" not in head and not each.late and not each.leaves
        if each.data.startswith(b"HEAD "):
            return status, b"", stays
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        if length:
            return status, await self._reader.readexactly(int(length[1])), stays
        # Events and answers to what is no HTTP end with the connection; an event stream would be one answer too many.
        return status, await self._reader.read(4_096), False


# --- the process


@contextlib.asynccontextmanager
async def standing() -> AsyncGenerator[Target]:
    """One `locum bot` with everything that it needs."""
    with tempfile.TemporaryDirectory(prefix="locum-attack-") as name:
        folder = Path(name)
        ledger_url = f"sqlite:///{folder / 'ledger.db'}"
        async with (
            serve() as workspace,
            servers.running(Settings(data_dir=folder / "servers")) as endpoints,
            open_ledger(ledger_url) as ledger,
        ):
            store = connect(endpoints.redis_url)
            request_id = await _waiting(store, ledger)
            port = free_port()
            door = Door(
                host=f"127.0.0.1:{port}",
                alert_token=secrets.token_urlsafe(24),
                user="sender",
                password=secrets.token_urlsafe(24),
                tokens={scope: secrets.token_urlsafe(24) for scope in ("diagnose", "status", "metrics", "approve")},
                session_id=SESSION,
                request_id=request_id,
                signing_secret=workspace.signing_secret,
            )
            settings = _settings(door, workspace, endpoints, folder=folder, ledger_url=ledger_url, port=port)
            (folder / "locum.yaml").write_text(json.dumps(settings))
            async with _process(folder) as process:
                client = await service.connect(endpoints.temporal_address, namespace="locum", tls=False)
                target = Target(
                    door=door, port=port, process=process, log=folder / "log", store=store, temporal=client,
                    ledger=ledger, workspace=workspace,
                )  # fmt: skip
                await _ready(target)
                yield target
            await store.aclose()


def _settings(
    door: Door, workspace: Workspace, endpoints: servers.Endpoints, *, folder: Path, ledger_url: str, port: int
) -> dict[str, Any]:
    tokens = [{"principal": name, "token": token, "scopes": [name]} for name, token in door.tokens.items()]
    return {
        "data_dir": str(folder / "data"),
        "snapshot": str(INCIDENTS),
        "http": {"port": port, "tokens": tokens},
        "alerts": {
            "alertmanager": {"tokens": [door.alert_token]},
            "generic": {"username": door.user, "passwords": [door.password]},
            **{name: {"secrets": [door.signing_secret]} for name in ("grafana", "pagerduty", "sentry")},
            "cloudwatch": {"topics": [TOPIC]},
        },
        "redis": {"url": endpoints.redis_url},
        "temporal": {"address": endpoints.temporal_address},
        "ledger": {"url": ledger_url},
        "approvals": {"policy": str(POLICY)},
        "slack": {
            "bot_token": workspace.bot_token,
            "signing_secret": workspace.signing_secret,
            "api_url": workspace.api_url,
            "mode": "http",
        },
    }


async def _waiting(store: Store, ledger: Ledger) -> str:
    """A session, and a request in it that waits for somebody."""
    asked_at = Instant.now()
    await Sessions(store).open(Session(id=SESSION, incident_id=IncidentId("inc_1"), asked_at=asked_at))
    terms = sample.terms(expires_at=asked_at + TimeDelta(hours=24))
    request = replace(sample.request(agreed=terms), session_id=SESSION, created_at=asked_at)
    row = RequestRow(
        id=request.id, merge_key="attack", incident_id="inc_1", session_id=SESSION, requester="locum", state="pending",
        body=request_body(request), digest=request.digest, created_at=asked_at, updated_at=asked_at,
    )  # fmt: skip
    await ledger.open_request(row)
    return request.id


@contextlib.asynccontextmanager
async def _process(folder: Path) -> AsyncGenerator[psutil.Process]:
    kept = {name: value for name, value in os.environ.items() if name in _KEPT}  # noqa: TID251
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from bot.cli import main; main()", "bot",
            env={**kept, "LOCUM_CONFIG": str(folder / "locum.yaml")}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield psutil.Process(process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(30):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready(target: Target) -> None:
    end = time.monotonic() + PATIENCE_S
    while not (await _is_well(target) and await target.store.exists(STREAM)):
        if time.monotonic() > end or not target.process.is_running():
            raise RuntimeError(f"locum bot did not start: {target.log.read_text(errors='replace')[-2_000:]}")
        await asyncio.sleep(0.1)


async def _is_well(target: Target) -> bool:
    asked = (
        f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.door.tokens['metrics']}\r\n\r\n".encode()
    )
    try:
        async with asyncio.timeout(10):
            line = await _Line.open(target.port)
            status, _, _ = await line.ask(Shot(endpoint="", kind="", data=asked))
            line.close()
    except (OSError, TimeoutError):
        return False
    return status == 200


def _differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    found: list[str] = []
    for name, value in before.items():
        if name == "keys" and (new := after[name] - value):
            found.append(f"accepted: {len(new)} keys were made, such as {sorted(new)[0]!r}")
        elif name != "keys" and after[name] != value:
            found.append(f"accepted: {name} were {value!r}, now {after[name]!r}")
    return found


def _trouble(log: Path) -> list[str]:
    """Exceptions and errors in the log, each once."""
    lines = log.read_bytes().splitlines()
    found = [line for line in lines if b"Traceback" in line or b'"level": "error"' in line or b'"exception"' in line]
    # Equal but for their time.
    unlike = {re.sub(rb'"timestamp": "[^"]*"|0x[0-9a-f]+|fd=\d+', b"", line)[:6_000] for line in found}
    return [f"in the log, {len(found)} in all: {line.decode(errors='replace')}" for line in sorted(unlike)[:20]]


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000

    def write(line: str) -> None:
        """A line for whoever runs it."""
        sys.stdout.write(f"{line}\n")

    result = asyncio.run(run(requests=count, say=write))
    sys.stdout.write(f"{result}\n")
    sys.exit(0 if result.is_clean else 1)
