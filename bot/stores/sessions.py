"""Sessions: what was asked, the case, the reports, the diagnosis, and the stream of progress."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from whenever import Instant

from agents.case import Case, SessionId
from agents.diagnosis import Diagnosis
from agents.progress import Event, Phase, PhaseBegan, from_json, to_json
from agents.report import Report
from bot.incident import IncidentId, Question
from bot.stores.codec import pack, unpack
from bot.stores.connection import KEEP_S, Store, asked

LONGEST_STREAM = 5_000
WAIT_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One question to one incident, as it was taken."""

    id: SessionId
    incident_id: IncidentId
    question: Question | None = None
    """`None`: the incident's alerts ask."""
    asked_at: Instant


class Sessions:
    """The sessions in Redis."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(self, session: Session) -> bool:
        """Makes the record where there is none; whether it made one."""
        with asked("open a session"):
            is_new = bool(await self._store.hsetnx(_key(session.id), "session", pack(session)))
            await self._store.hsetnx(_key(session.id), "status", "queued")
            await self._store.expire(_key(session.id), KEEP_S)
        return is_new

    async def get(self, session_id: SessionId) -> Session | None:
        """What was asked, of which incident."""
        with asked("read a session"):
            found = await self._store.hget(_key(session_id), "session")
        return unpack(Session, found) if found else None

    async def status(self, session_id: SessionId) -> str:
        """`queued`, `running`, `done`, `failed`; empty when there is no such session."""
        with asked("read a session"):
            found = await self._store.hget(_key(session_id), "status")
        return found.decode() if found else ""

    async def mark(self, session_id: SessionId, status: str) -> None:
        """Sets the status."""
        with asked("mark a session"):
            await self._store.hset(_key(session_id), "status", status)

    async def save_case(self, case: Case) -> None:
        """Keeps the case; it is the same for every specialist of the session."""
        await self._save(case.session_id, "case", pack(case))

    async def case(self, session_id: SessionId) -> Case | None:
        """The case, once it was made."""
        found = await self._load(session_id, "case")
        return unpack(Case, found) if found else None

    async def save_specialists(self, session_id: SessionId, names: Sequence[str]) -> None:
        """Keeps who was asked."""
        await self._save(session_id, "specialists", json.dumps(list(names)).encode())

    async def specialists(self, session_id: SessionId) -> tuple[str, ...]:
        """Who was asked."""
        found = await self._load(session_id, "specialists")
        return tuple(json.loads(found)) if found else ()

    async def save_report(self, session_id: SessionId, report: Report) -> None:
        """Keeps one specialist's report, over an earlier one of the same specialist."""
        with asked("store a report"):
            key = f"{_key(session_id)}:reports"
            await self._store.hset(key, report.specialist, pack(report))
            await self._store.expire(key, KEEP_S)

    async def reports(self, session_id: SessionId) -> tuple[Report, ...]:
        """All reports so far, by name of the specialist."""
        with asked("read reports"):
            found = await self._store.hgetall(f"{_key(session_id)}:reports")
        return tuple(unpack(Report, value) for _, value in sorted(found.items()))

    async def save_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Keeps the answer."""
        await self._save(diagnosis.session_id, "diagnosis", pack(diagnosis))

    async def diagnosis(self, session_id: SessionId) -> Diagnosis | None:
        """The answer, once there is one."""
        found = await self._load(session_id, "diagnosis")
        return unpack(Diagnosis, found) if found else None

    async def save_grant(self, session_id: SessionId, request_id: str, refusal: str) -> None:
        """The request whose approval lets it read with credentials, or why it goes on without; the newest counts."""
        await self._save(session_id, "grant", f"{request_id}\n{refusal}".encode())

    async def grant(self, session_id: SessionId) -> tuple[str, str]:
        """(request id, why it goes on without credentials); both empty when none were wanted."""
        found = await self._load(session_id, "grant")
        request_id, _, refusal = (found or b"").decode().partition("\n")
        return request_id, refusal

    async def tell(self, session_id: SessionId, *events: Event) -> None:
        """Adds to the stream of progress, in one trip to the store."""
        key = f"{_key(session_id)}:events"
        with asked("tell progress"):
            async with self._store.pipeline(transaction=True) as batch:
                for event in events:
                    batch.xadd(key, {"event": json.dumps(to_json(event))}, maxlen=LONGEST_STREAM)
                batch.expire(key, KEEP_S)
                await batch.execute()

    async def told(self, session_id: SessionId) -> tuple[Event, ...]:
        """All progress so far."""
        with asked("read progress"):
            found = await self._store.xrange(f"{_key(session_id)}:events")
        return tuple(from_json(json.loads(fields[b"event"])) for _, fields in found)

    async def events(self, session_id: SessionId, *, after: str = "0") -> AsyncIterator[tuple[str, Event]]:
        """(cursor, event) from `after` on, until the session is done; waits for those to come."""
        cursor = after
        while True:
            # Before reading: what is told before the end is then read before this ends.
            is_over = await self.status(session_id) in ("done", "failed", "")
            with asked("read progress"):
                found = await self._store.xread({f"{_key(session_id)}:events": cursor}, count=100, block=WAIT_MS)
            entries = [entry for _, each in found for entry in each] if found else []
            for key, fields in entries:
                cursor = key.decode()
                event = from_json(json.loads(fields[b"event"]))
                yield cursor, event
                if isinstance(event, PhaseBegan) and event.phase is Phase.DONE:
                    return
            if is_over and not entries:
                return

    async def _save(self, session_id: SessionId, name: str, value: bytes) -> None:
        with asked(f"store a session's {name}"):
            await self._store.hset(_key(session_id), name, value)

    async def _load(self, session_id: SessionId, name: str) -> bytes | None:
        with asked(f"read a session's {name}"):
            found: bytes | None = await self._store.hget(_key(session_id), name)
            return found


def _key(session_id: SessionId) -> str:
    return f"locum:session:{session_id}"
