"""Incidents: their alerts by fingerprint, their place in Slack, which group and which thread is whose."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from whenever import Instant

from agents.alert import Alert
from agents.case import SessionId
from agents.grouping import GroupKey
from agents.health import Verdict
from bot.incident import Incident, IncidentId, IncidentStatus, Place, Question
from bot.stores.codec import pack, unpack
from bot.stores.connection import KEEP_S, Store, asked

CARRIED = 50
"""Alerts that a record carries; the counts have the rest."""

# One step, so that two readers of the inbox never count one delivery twice nor mix two states of an alert.
_APPLY = """
if redis.call('SADD', KEYS[5], ARGV[2]) == 0 then return {0, 0, 0} end
local new, repeated, resolved = 0, 0, 0
for i = 3, #ARGV, 4 do
  local fingerprint, status, score, alert = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local was = redis.call('ZSCORE', KEYS[3], fingerprint)
  if status == 'firing' then
    if was then repeated = repeated + 1 else new = new + 1 end
    redis.call('ZREM', KEYS[4], fingerprint)
    redis.call('ZADD', KEYS[3], score, fingerprint)
  else
    if was then resolved = resolved + 1 end
    redis.call('ZREM', KEYS[3], fingerprint)
    redis.call('ZADD', KEYS[4], score, fingerprint)
  end
  redis.call('HSET', KEYS[2], fingerprint, alert)
end
redis.call('HINCRBY', KEYS[1], 'repeats', repeated)
-- A person said that it is over; something new says that it is not.
if new > 0 then redis.call('HDEL', KEYS[1], 'resolved') end
for i = 1, 5 do redis.call('EXPIRE', KEYS[i], tonumber(ARGV[1])) end
return {new, repeated, resolved}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a delivery changed in an incident."""

    new: int
    repeated: int
    resolved: int


class Incidents:
    """The incidents in Redis."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._apply = store.register_script(_APPLY)

    async def current(self, key: GroupKey) -> tuple[IncidentId | None, bool]:
        """The group's newest incident, if there was one, and whether it is open."""
        with asked("look up a group"):
            found = await self._store.get(_group(key))
            if found is None:
                return None, False
            incident_id = IncidentId(found.decode())
            opened, closed = await self._store.hmget(_key(incident_id), "opened_at", "closed")
            return incident_id, opened is not None and closed is None

    async def open(self, incident: Incident, *, group: GroupKey | None = None) -> None:
        """Makes the record where there is none; binds the group to it. The same call again changes nothing."""
        fields: dict[str, Any] = {
            "title": incident.title,
            "opened_at": str(incident.opened_at),
            "place": pack(incident.place),
            "is_digest": int(incident.is_digest),
        }
        if incident.question:
            fields["question"] = pack(incident.question)
        with asked("open an incident"):
            async with self._store.pipeline(transaction=True) as batch:
                for name, value in fields.items():
                    batch.hsetnx(_key(incident.id), name, value)
                batch.expire(_key(incident.id), KEEP_S)
                if group is not None:
                    batch.set(_group(group), incident.id, ex=3 * KEEP_S)
                if incident.place.thread_ts:
                    thread = _thread(incident.place.channel, incident.place.thread_ts)
                    batch.set(thread, incident.id, ex=3 * KEEP_S)
                await batch.execute()

    async def bind(self, incident_id: IncidentId, group: GroupKey) -> None:
        """Lets a group's alerts join this incident, as in a storm."""
        with asked("bind a group"):
            await self._store.set(_group(group), incident_id, ex=3 * KEEP_S)

    async def count_opening(self, channel: str, incident_id: IncidentId, *, now_s: float) -> None:
        """Remembers that a channel got a new incident."""
        with asked("count an incident"):
            async with self._store.pipeline(transaction=True) as batch:
                batch.zadd(f"locum:openings:{channel}", {incident_id: now_s}, nx=True)
                batch.zremrangebyscore(f"locum:openings:{channel}", 0, now_s - 60)
                batch.expire(f"locum:openings:{channel}", 120)
                await batch.execute()

    async def openings(self, channel: str, *, now_s: float) -> int:
        """Incidents that the channel got within the last minute."""
        with asked("count incidents"):
            found: int = await self._store.zcount(f"locum:openings:{channel}", now_s - 60, "+inf")
            return found

    async def apply(self, incident_id: IncidentId, entry: str, alerts: Sequence[Alert]) -> Applied:
        """Takes alerts of one delivery; the same `entry` again changes nothing."""
        key = _key(incident_id)
        arguments: list[Any] = [KEEP_S, entry]
        for alert in alerts:
            arguments += [alert.fingerprint, str(alert.status), alert.starts_at.timestamp(), pack(alert)]
        with asked("store alerts"):
            keys = [key, f"{key}:alerts", f"{key}:firing", f"{key}:gone", f"{key}:entries"]
            new, repeated, resolved = await self._apply(keys=keys, args=arguments)
        return Applied(new=new, repeated=repeated, resolved=resolved)

    async def get(self, incident_id: IncidentId) -> Incident | None:
        """The record as it is now."""
        key = _key(incident_id)
        with asked("read an incident"):
            async with self._store.pipeline(transaction=True) as batch:
                batch.hgetall(key)
                batch.zrevrange(f"{key}:firing", 0, CARRIED - 1)
                batch.zrevrange(f"{key}:gone", 0, CARRIED - 1)
                batch.zcard(f"{key}:firing")
                batch.hlen(f"{key}:alerts")
                batch.lrange(f"{key}:sessions", 0, -1)
                fields, firing, gone, firing_count, alert_count, sessions = await batch.execute()
            names = [*firing, *gone][:CARRIED]
            packed: list[bytes | None] = await self._store.hmget(f"{key}:alerts", names) if names else []
        if not fields:
            return None
        text = {name.decode(): value for name, value in fields.items()}
        return Incident(
            id=incident_id,
            title=text["title"].decode(),
            status=_status(text, alert_count, firing_count),
            opened_at=Instant.parse_iso(text["opened_at"].decode()),
            place=unpack(Place, text["place"]),
            question=unpack(Question, text["question"]) if "question" in text else None,
            alerts=tuple(unpack(Alert, each) for each in packed if each),
            alert_count=alert_count,
            firing_count=firing_count,
            repeats=int(text.get("repeats", 0)),
            is_digest=text["is_digest"] == b"1",
            verdict=Verdict(text["verdict"].decode()) if "verdict" in text else None,
            headline=text.get("headline", b"").decode(),
            sessions=tuple(SessionId(each.decode()) for each in sessions),
        )

    async def placed(self, incident_id: IncidentId, place: Place) -> None:
        """Remembers the thread."""
        with asked("store a thread"):
            async with self._store.pipeline(transaction=True) as batch:
                batch.hset(_key(incident_id), "place", pack(place))
                if place.thread_ts:
                    batch.set(_thread(place.channel, place.thread_ts), incident_id, ex=3 * KEEP_S)
                await batch.execute()

    async def of_thread(self, channel: str, thread_ts: str) -> IncidentId | None:
        """The incident whose thread this is."""
        with asked("look up a thread"):
            found = await self._store.get(_thread(channel, thread_ts))
        return IncidentId(found.decode()) if found else None

    async def concluded(self, incident_id: IncidentId, verdict: Verdict, headline: str) -> None:
        """Remembers the newest answer."""
        with asked("store a verdict"):
            await self._store.hset(_key(incident_id), mapping={"verdict": str(verdict), "headline": headline})

    async def add_session(self, incident_id: IncidentId, session_id: SessionId) -> None:
        """Adds a session, once."""
        key = f"{_key(incident_id)}:sessions"
        with asked("store a session"):
            if await self._store.lpos(key, session_id) is None:
                await self._store.rpush(key, session_id)
                await self._store.expire(key, KEEP_S)

    async def mark(self, incident_id: IncidentId, *, closed: bool | None = None, resolved: bool | None = None) -> None:
        """Sets or takes back that it is closed, or that a person called it resolved."""
        wanted = {"closed": closed, "resolved": resolved}
        with asked("mark an incident"):
            for name, value in wanted.items():
                if value is True:
                    await self._store.hset(_key(incident_id), name, 1)
                elif value is False:
                    await self._store.hdel(_key(incident_id), name)

    async def needs_signal(self, incident_id: IncidentId) -> bool:
        """Whether the workflow must be told of news: not when it was told and has not looked since."""
        key = f"{_key(incident_id)}:told"
        with asked("look at a signal"):
            if await self._store.get(key) == b"told":
                return False
            await self._store.set(key, b"telling", ex=3600)
            return True

    async def signalled(self, incident_id: IncidentId) -> None:
        """Remembers that the workflow was told, unless it looked in the meantime."""
        with asked("remember a signal"):
            await self._store.set(f"{_key(incident_id)}:told", b"told", xx=True, ex=60)

    async def look(self, incident_id: IncidentId) -> Incident | None:
        """The record, for the workflow: news that come after this need a new signal."""
        with asked("take news"):
            # Before reading: an alert stored in between is read, and told once more at worst.
            await self._store.delete(f"{_key(incident_id)}:told")
        return await self.get(incident_id)


def _status(text: dict[str, bytes], alert_count: int, firing_count: int) -> IncidentStatus:
    all_gone = alert_count > 0 and firing_count == 0
    return IncidentStatus.RESOLVED if all_gone or "resolved" in text else IncidentStatus.OPEN


def _key(incident_id: IncidentId) -> str:
    return f"locum:incident:{incident_id}"


def _group(key: GroupKey) -> str:
    return f"locum:group:{key}"


def _thread(channel: str, thread_ts: str) -> str:
    return f"locum:thread:{channel}:{thread_ts}"
