"""The small areas of a snapshot: alerts, probes, changes, call pairs, databases' replies, the host."""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote

from tools.entity import Entity
from tools.errors import ToolNoSource
from tools.postgres.shapes import shape
from tools.snapshot.folder import MAX_TABLE_BYTES, Folder, text
from tools.snapshot.tables import Rows
from tools.snapshot.times import moment
from tools.window import Window

Record = Mapping[str, Any]

COMMANDS = ("serverStatus", "replSetGetStatus", "currentOp", "oplog", "profile", "connPoolStats")
"""What is recorded of a MongoDB deployment."""


class SnapshotAlerts:
    """The alerts that were recorded."""

    def __init__(self, alerts: Sequence[Record]) -> None:
        self._alerts = alerts

    async def active(self) -> Sequence[Record]:
        """Recorded alerts, the resolved ones included: their status says so."""
        return self._alerts


class SnapshotNetwork:
    """The probes that were recorded."""

    def __init__(self, probes: Sequence[Record]) -> None:
        self._probes = probes

    async def probe(self, kind: str, target: str) -> Record:
        """The recorded probe of that kind and target; a snapshot cannot take a new one."""
        for probe in reversed(self._probes):
            if probe.get("probe") == kind and probe.get("target") == target:
                return probe
        raise ToolNoSource(f"no {kind} probe of {target!r} was recorded, and a snapshot cannot take one")

    async def recorded(self) -> Sequence[Record]:
        """All recorded probes."""
        return self._probes


class SnapshotHistory:
    """The recorded changes and call pairs."""

    def __init__(self, changes: Sequence[Record] | None, calls: Sequence[tuple[str, str]] | None) -> None:
        self._changes = changes
        self._calls = calls

    async def changes(self, window: Window | None) -> Sequence[Record]:
        """Recorded changes of the window; one without a readable time could have been at any."""
        if self._changes is None:
            raise ToolNoSource("no changes were captured in this snapshot: add changes/*.json")
        if window is None:
            return self._changes
        return [change for change in self._changes if (at := moment(change.get("at"))) is None or at in window]

    async def calls(self) -> Sequence[tuple[str, str]]:
        """Recorded pairs of caller and callee."""
        if self._calls is None:
            raise ToolNoSource("no call graph was captured in this snapshot: add topology.csv")
        return self._calls


class SnapshotMongoDB:
    """Recorded replies of one MongoDB deployment."""

    def __init__(self, name: str, replies: Mapping[str, Any]) -> None:
        self.name = name
        self._replies = replies

    async def command(self, command: str) -> Record:
        """The recorded reply."""
        reply = self._replies.get(command)
        if not isinstance(reply, dict):
            raise ToolNoSource(f"the reply of {self.name} to {command!r} was not captured in this snapshot")
        return cast("Record", reply)


class SnapshotPostgres:
    """Recorded rows of one PostgreSQL deployment."""

    def __init__(self, name: str, rows: Mapping[str, Any]) -> None:
        self.name = name
        self._rows = rows

    async def query(self, what: str) -> Sequence[Record]:
        """The recorded rows."""
        rows = self._rows.get(what)
        if not isinstance(rows, list):
            raise ToolNoSource(f"what {self.name} answers to {what!r} was not captured in this snapshot")
        return [_bare(cast("Record", row)) for row in cast("list[Any]", rows) if isinstance(row, dict)]


class SnapshotRedis:
    """Recorded replies of one Redis deployment."""

    def __init__(self, name: str, replies: Mapping[str, Any]) -> None:
        self.name = name
        self._replies = replies

    async def command(self, command: str) -> Record:
        """The recorded reply."""
        reply = self._replies.get(command)
        if not isinstance(reply, dict):
            raise ToolNoSource(f"the reply of {self.name} to {command!r} was not captured in this snapshot")
        return cast("Record", reply)


class SnapshotHost:
    """The recorded machine."""

    def __init__(self, usage: Record) -> None:
        self._usage = usage

    async def usage(self) -> Record:
        """Recorded usage."""
        return self._usage


def read_alerts(folder: Folder) -> SnapshotAlerts | None:
    """Alertmanager webhook payloads."""
    if not folder.holds("alerts"):
        return None
    found: list[Record] = []
    for path in folder.files("alerts", "alerts", (".json",), deep=False):
        for payload in folder.documents(path, "alerts"):
            alerts = cast("dict[str, Any]", payload).get("alerts") if isinstance(payload, dict) else None
            if not isinstance(alerts, list):
                folder.gaps.add("alerts", f"{folder.said(path)}: expected a webhook payload with a list under 'alerts'")
                continue
            kept = [alert for alert in cast("list[Any]", alerts) if _is_alert(alert)]
            if len(kept) < len(cast("list[Any]", alerts)):
                folder.gaps.add("alerts", f"{folder.said(path)}: an alert without labels was left out")
            found.extend({"status": "firing", "annotations": {}, **alert} for alert in kept)
    return SnapshotAlerts(found)


def read_network(folder: Folder) -> SnapshotNetwork | None:
    """Recorded probes."""
    probes = _lists(folder, "probes", ("probe", "target", "ok"))
    return None if probes is None else SnapshotNetwork(probes)


def read_history(folder: Folder) -> SnapshotHistory | None:
    """Recorded changes and call pairs."""
    changes = _lists(folder, "changes", ("kind", "entity", "summary"))
    calls = _read_calls(folder)
    return None if changes is None and calls is None else SnapshotHistory(changes, calls)


def read_mongodb(folder: Folder) -> tuple[SnapshotMongoDB, ...]:
    """One file a deployment: the reply to each command."""
    found: list[SnapshotMongoDB] = []
    for path in folder.files("mongodb", "mongodb", (".json",), deep=False):
        for replies in folder.documents(path, "mongodb"):
            if isinstance(replies, dict):
                found.append(SnapshotMongoDB(unquote(path.stem), cast("dict[str, Any]", replies)))
            else:
                folder.gaps.add("mongodb", f"{folder.said(path)}: expected an object of replies by command")
    return tuple(found)


def read_postgres(folder: Folder) -> tuple[SnapshotPostgres, ...]:
    """One file a deployment: the rows of each query."""
    found: list[SnapshotPostgres] = []
    for path in folder.files("postgres", "postgres", (".json",), deep=False):
        for rows in folder.documents(path, "postgres"):
            if isinstance(rows, dict):
                found.append(SnapshotPostgres(unquote(path.stem), cast("dict[str, Any]", rows)))
            else:
                folder.gaps.add("postgres", f"{folder.said(path)}: expected an object of rows by query")
    return tuple(found)


def read_redis(folder: Folder) -> tuple[SnapshotRedis, ...]:
    """One file a deployment: the reply to each command."""
    found: list[SnapshotRedis] = []
    for path in folder.files("redis", "redis", (".json",), deep=False):
        for replies in folder.documents(path, "redis"):
            if isinstance(replies, dict):
                found.append(SnapshotRedis(unquote(path.stem), cast("dict[str, Any]", replies)))
            else:
                folder.gaps.add("redis", f"{folder.said(path)}: expected an object of replies by command")
    return tuple(found)


def read_host(folder: Folder) -> SnapshotHost | None:
    """Usage of the machine that the snapshot was recorded on."""
    for path in folder.files("host", "host", ("usage.json",), deep=False):
        for usage in folder.documents(path, "host"):
            if isinstance(usage, dict):
                return SnapshotHost(cast("Record", usage))
            folder.gaps.add("host", f"{folder.said(path)}: expected an object")
    return None


def _read_calls(folder: Folder) -> Sequence[tuple[str, str]] | None:
    path = folder.root / "topology.csv"
    if not path.is_file():
        return None
    if not folder.is_inside(path):
        folder.gaps.add("topology", "topology.csv: a link that leaves the snapshot, not followed")
        return None
    content = folder.read(path, "topology", limit=MAX_TABLE_BYTES)
    if content is None:
        return None
    rows = Rows(folder, path, "topology", text(content).splitlines(), ("caller", "callee"))
    found: dict[tuple[str, str], None] = {}
    for line, (caller, callee) in rows:
        try:
            found[str(Entity.parse(caller)), str(Entity.parse(callee))] = None
        except ValueError as e:
            rows.reject(line, str(e))
    rows.report()
    return list(found)


def _lists(folder: Folder, area: str, keys: tuple[str, ...]) -> Sequence[Record] | None:
    """The records of all files of an area, each a list of objects that have `keys`."""
    if not folder.holds(area):
        return None
    found: list[Record] = []
    for path in folder.files(area, area, (".json",), deep=False):
        for document in folder.documents(path, area):
            if not isinstance(document, list):
                folder.gaps.add(area, f"{folder.said(path)}: expected a list")
                continue
            records = cast("list[Any]", document)
            kept = [
                cast("Record", record)
                for record in records
                if isinstance(record, dict) and all(key in record for key in keys)
            ]
            if len(kept) < len(records):
                missing = len(records) - len(kept)
                folder.gaps.add(area, f"{folder.said(path)}: {missing} records without {', '.join(keys)} were left out")
            found.extend(kept)
    return found


def _bare(row: Record) -> Record:
    """Without literals of SQL, which whoever filled the folder may have left in."""
    query = row.get("query")
    return {**row, "query": shape(query)} if isinstance(query, str) else row


def _is_alert(alert: Any) -> bool:
    return isinstance(alert, dict) and isinstance(cast("dict[str, Any]", alert).get("labels"), dict)
