"""One MongoDB deployment, asked with read-only administrative commands."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from bson import Decimal128, Timestamp
from pymongo import AsyncMongoClient
from pymongo.errors import (
    AutoReconnect,
    ConfigurationError,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from whenever import Instant

from tools.errors import ToolError, ToolNoSource, ToolRefused, ToolRetry, ToolUnavailable

MAX_OPERATIONS = 1_000
MAX_PROFILED = 200
MAX_DATABASES = 20
_SYSTEM = ("admin", "local", "config")
_UNAUTHORIZED = (13, 18, 33, 8000)
_NO_SUCH_COMMAND = 59
_NO_REPLICATION = 76

Document = dict[str, Any]


class LiveMongoDB:
    """Implements the port `MongoDB` of `tools.world`. Its user needs the role `clusterMonitor`, and no other."""

    def __init__(self, name: str, uri: str, *, ca_file: str | None = None, timeout_s: float = 5.0) -> None:
        self.name = name
        self._uri = uri
        self._timeout_ms = round(timeout_s * 1000)
        self._ca_file = ca_file
        self._client: AsyncMongoClient[Document] | None = None

    async def aclose(self) -> None:
        """Closes the connections."""
        if self._client:
            await self._client.close()

    async def command(self, command: str) -> Mapping[str, Any]:
        """See `MongoDB.command`; replies as MongoDB writes them, times as ISO 8601.

        `currentOp` is `{"inprog": […]}`, active ones only · `oplog` is `{"first", "last"}` · `profile` is `{"sources",
        "entries": [{"ts", "op", "ns", "millis", "planSummary", "docsExamined", "keysExamined", "nreturned",
        "command"}]}` from the log and the profiler · a standalone's `replSetGetStatus` has `set` null.
        """
        takers = {
            "serverStatus": self._server_status,
            "replSetGetStatus": self._replication,
            "currentOp": self._operations,
            "oplog": self._oplog,
            "profile": self._slow,
            "connPoolStats": self._pools,
        }
        if command not in takers:
            raise ToolRetry(f"there is no command {command!r}; there are {', '.join(takers)}")
        try:
            return cast("Document", plain(await takers[command]()))
        except PyMongoError as error:
            raise self._meaning(command, error) from error
        except ValueError as error:
            # What the driver raises for an address with an impossible port.
            raise ToolNoSource(f"the address of MongoDB {self.name!r} cannot be used: check the setting") from error

    @property
    def _open(self) -> "AsyncMongoClient[Document]":
        # Here and not in the constructor: a client belongs to the running loop.
        if self._client is None:
            options: Document = {"tlsCAFile": self._ca_file} if self._ca_file else {}
            self._client = AsyncMongoClient(
                self._uri,
                appname="locum",
                # A set without a primary is what we most want to hear about.
                readPreference="primaryPreferred",
                serverSelectionTimeoutMS=self._timeout_ms,
                connectTimeoutMS=self._timeout_ms,
                socketTimeoutMS=self._timeout_ms,
                maxPoolSize=4,
                retryReads=False,
                **options,
            )
        return self._client

    async def _admin(self, command: Document, database: str = "admin") -> Document:
        client = self._open
        return await client[database].command(
            {**command, "maxTimeMS": self._timeout_ms}, read_preference=client.read_preference
        )

    async def _server_status(self) -> Document:
        return await self._admin({"serverStatus": 1, "metrics": 0, "locks": 0, "mirroredReads": 0})

    async def _replication(self) -> Document:
        try:
            return await self._admin({"replSetGetStatus": 1})
        except OperationFailure as error:
            if error.code == _NO_REPLICATION:
                return {"set": None, "members": []}
            raise

    async def _pools(self) -> Document:
        return await self._admin({"connPoolStats": 1})

    async def _operations(self) -> Document:
        pipeline = [{"$currentOp": {"allUsers": True}}, {"$match": {"active": True}}, {"$limit": MAX_OPERATIONS}]
        cursor = await self._open.admin.aggregate(pipeline, maxTimeMS=self._timeout_ms)
        return {"inprog": await cursor.to_list(MAX_OPERATIONS)}

    async def _oplog(self) -> Document:
        entries = self._open.local["oplog.rs"]
        found: list[datetime | None] = []
        for direction in (1, -1):
            one = await entries.find_one({}, {"ts": 1}, sort=[("$natural", direction)], max_time_ms=self._timeout_ms)
            found.append(one["ts"].as_datetime() if one else None)
        return {"first": found[0], "last": found[1]}

    async def _slow(self) -> Document:
        sources: list[str] = []
        entries: list[Document] = []
        why: PyMongoError | None = None
        try:
            logged = await self._admin({"getLog": "global"})
            entries += [entry for line in logged.get("log", []) if (entry := slow_query(line))]
            sources.append("log")
        except OperationFailure as error:
            why = error
        for database in await self._databases():
            if profiled := await self._profiled(database):
                entries += profiled
                sources.append(f"profiler of {database}")
        if why and not sources:
            raise why
        return {"sources": sources, "entries": entries}

    async def _databases(self) -> list[str]:
        try:
            reply = await self._admin({"listDatabases": 1, "nameOnly": True, "authorizedDatabases": True})
        except OperationFailure:
            return []
        names = [str(one["name"]) for one in reply.get("databases", [])]
        return [name for name in names if name not in _SYSTEM][:MAX_DATABASES]

    async def _profiled(self, database: str) -> list[Document]:
        """What the profiler kept; nothing where it is off or not ours to read, for it is off by default."""
        client = self._open
        try:
            level = await self._admin({"profile": -1}, database)
            if not level.get("was"):
                return []
            cursor = client[database]["system.profile"].find(sort=[("ts", -1)], limit=MAX_PROFILED)
            return await cursor.max_time_ms(self._timeout_ms).to_list(MAX_PROFILED)
        except OperationFailure as error:
            if error.code in (*_UNAUTHORIZED, _NO_SUCH_COMMAND):
                return []
            raise

    def _meaning(self, command: str, error: PyMongoError) -> ToolError:
        match error:
            case OperationFailure(code=code) if code in _UNAUTHORIZED:
                return ToolRefused(
                    f"MongoDB {self.name!r} refuses {command} (code {code}): its user needs the role clusterMonitor"
                )
            case OperationFailure(code=59):
                return ToolNoSource(f"MongoDB {self.name!r} does not know what {command} asks for (code 59)")
            case ConfigurationError():
                return ToolNoSource(f"the address of MongoDB {self.name!r} cannot be used: check the setting")
            case ExecutionTimeout() | NetworkTimeout():
                return ToolUnavailable(f"MongoDB {self.name!r} did not answer {command} in {self._timeout_ms} ms")
            case ServerSelectionTimeoutError() | AutoReconnect():
                return ToolUnavailable(f"MongoDB {self.name!r} cannot be reached: {_short(error)}")
            case _:
                return ToolUnavailable(f"MongoDB {self.name!r} fails at {command}: {_short(error)}")


def _short(error: PyMongoError) -> str:
    return re.split(r", full error|, Timeout: |, Topology Description", str(error))[0][:200]


def slow_query(line: str) -> Document | None:
    """The entry that a line of the server's log makes, in the form of the profiler's; `None` for other lines."""
    if "Slow query" not in line:
        return None
    try:
        document = orjson.loads(line)
        told = document["attr"]
        command: Document = told.get("command") or {}
        return {
            "ts": Instant.parse_iso(document["t"]["$date"]).format_iso(),
            "op": next(iter(command), told.get("type")),
            "ns": told.get("ns"),
            "millis": told.get("durationMillis"),
            "command": command,
            **{name: told.get(name) for name in ("planSummary", "docsExamined", "keysExamined", "nreturned")},
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        # A line that was cut at the log's own limit.
        return None


def plain(value: Any) -> Any:
    """BSON as plain JSON values: times as ISO 8601, binary data left out."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list):
        return [plain(part) for part in cast("list[Any]", value)]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, Decimal128):
        value = float(value.to_decimal())
    if isinstance(value, Timestamp):
        value = value.as_datetime()
    if isinstance(value, datetime):
        return str(Instant(value if value.tzinfo else value.replace(tzinfo=UTC)))
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int) and not isinstance(value, bool):
        # A 64-bit integer of BSON is a class of its own.
        return int(value)
    if value is None or isinstance(value, (bool, str)):
        return value
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)
