"""Everything in which a value could have been left: each gives its texts, one after the other, with their places."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from temporalio.client import Client
from temporalio.service import RPCError

from bot.incident import Incident
from bot.proving.recording import Kind, recorded
from bot.stores.connection import Store, asked
from bot.stores.ledger.ledger import Ledger

_BATCH = 20_000
"""Characters of lines that are looked through at once."""

Texts = AsyncIterator[tuple[str, str]]
"""(place, text)."""


class Unsearched(Exception):
    """A sink could not be searched; the message says why, or what to set."""


class Reads(Protocol):
    """Reads a thread in Slack."""

    async def thread(self, channel: str, thread_ts: str) -> list[dict[str, Any]]:
        """Every message of it, with all that belongs to it.

        Raises:
            Unsearched: when Slack does not give it.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sinks:
    """Where the traces of one incident are."""

    incident: Incident
    ledger: Ledger
    store: Store
    client: Client
    approvals: Client
    """Of the namespace in which approvals live."""
    slack: Reads | None
    record: Path | None

    def all(self) -> Mapping[str, Callable[[], Texts]]:
        """Each sink by its name."""
        return {
            "ledger": self._ledger_rows,
            "histories": self._histories,
            "redis": self._keys,
            "slack": self._messages,
            "model requests": lambda: self._recorded(Kind.MODEL),
            "logs": lambda: self._recorded(Kind.LOGS),
            "traces": lambda: self._recorded(Kind.TRACES),
        }

    async def _ledger_rows(self) -> Texts:
        for row in await self.ledger.requests(incident_id=self.incident.id, limit=100_000):
            yield f"request {row.id}", f"{row!r}\n{row.body.decode('utf-8', 'replace')}"
            for vote in await self.ledger.votes(row.id):
                yield f"vote on {row.id}", f"{vote!r}\n{vote.body.decode('utf-8', 'replace')}"
            if intent := await self.ledger.intent(row.id):
                yield f"intent of {row.id}", repr(intent)
            after = 0
            while entries := await self.ledger.entries(after=after, request_id=row.id):
                after = entries[-1].seq
                for entry in entries:
                    yield f"audit entry {entry.seq}", repr(entry)
        for lease in await self.ledger.open_leases():
            yield f"lease {lease.lease_id}", repr(lease)

    async def _histories(self) -> Texts:
        rows = await self.ledger.requests(incident_id=self.incident.id, limit=100_000)
        known = [(self.client, str(self.incident.id), True)]
        for row in rows:
            known += (self.approvals, f"approval-{row.id}", False), (self.client, f"look-again-{row.id}", False)
        for client, workflow_id, is_needed in known:
            try:
                runs = [run.run_id async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'")]
                if is_needed and not runs:
                    raise Unsearched(f"the history of {workflow_id} is gone: the namespace's retention is over")
                for run_id in runs:
                    history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
                    for event in history.events:
                        # As it is stored: the payloads in it are not encoded once more, as in JSON.
                        text = event.SerializeToString().decode("utf-8", "replace")
                        yield f"{workflow_id} event {event.event_id}", text
            except RPCError as error:
                raise Unsearched(f"the workflow service did not give {workflow_id}: {error.message}") from error

    async def _keys(self) -> Texts:
        """All that Locum keeps there, of whatever incident: a value that strays does not stay with its own."""
        async for key in self.store.scan_iter("locum:*", count=1_000):
            name = key.decode("utf-8", "replace")
            with asked("give what it holds"):
                values = await _values(self.store, key)
            for number, value in enumerate(values):
                yield f"{name} [{number}]", f"{name}\n{value.decode('utf-8', 'replace')}"

    async def _messages(self) -> Texts:
        place = self.incident.place
        if not place.thread_ts:
            return
        if self.slack is None:
            raise Unsearched("set slack.bot_token, so that the thread can be read")
        for message in await self.slack.thread(place.channel, place.thread_ts):
            yield f"message {message.get('ts')}", json.dumps(message, ensure_ascii=False)

    async def _recorded(self, kind: Kind) -> Texts:
        if self.record is None:
            raise Unsearched("set proof.record before the next incident: they are kept nowhere else")
        files = recorded(self.record, kind, self.incident.opened_at)
        if files is None:
            raise Unsearched(f"nothing in {self.record} is as old as the incident: recording began later")
        for file in files:
            with file.open(encoding="utf-8", errors="replace") as lines:
                first, batch, size = 1, list[str](), 0
                for number, line in enumerate(lines, start=1):
                    batch.append(line)
                    size += len(line)
                    if size >= _BATCH:
                        yield f"{file.name} lines {first}-{number}", "".join(batch)
                        first, batch, size = number + 1, [], 0
                if batch:
                    yield f"{file.name} from line {first}", "".join(batch)


async def _values(store: Store, key: bytes) -> list[bytes]:
    match (await store.type(key)).decode():
        case "string":
            found = await store.get(key)
            return [found] if found else []
        case "hash":
            return [part for pair in (await store.hgetall(key)).items() for part in pair]
        case "list":
            return list(await store.lrange(key, 0, -1))
        case "set":
            return list(await store.smembers(key))
        case "zset":
            return list(await store.zrange(key, 0, -1))
        case "stream":
            return [part for _, fields in await store.xrange(key) for pair in fields.items() for part in pair]
        case "none":
            return []
        case other:
            raise Unsearched(f"{key!r} is a {other}, which nobody here can read")
