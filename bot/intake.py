"""From the inbox to incidents: reads deliveries, stores alerts, tells the workflows. May be killed at any line.

An entry leaves the inbox only after its alerts are stored and its workflows are told; doing it again changes nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog
from whenever import Instant

from agents.alert import Alert, AlertStatus
from agents.grouping import GroupKey, channel_of, digest_key, group_key, incident_id, is_storm, title_of
from bot.incident import Incident, IncidentId, IncidentStatus, Place
from bot.settings import Settings
from bot.stores.connection import StoreError
from bot.stores.inbox import Entry, Inbox
from bot.stores.incidents import Applied, Incidents
from bot.telemetry import metrics
from bot.telemetry.traces import span
from bot.workflows.service import WorkflowsAway

MOST = 500
"""Deliveries of one round."""
WAIT_MS = 1_000
AT_ONCE = 16
"""Writes to the store that are under way at the same time; it makes them durable together."""
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0

_log = structlog.get_logger("locum.intake")

_PerEntry = Mapping[str, Sequence[Alert]]


class Tells(Protocol):
    """Who wakes the incidents' workflows."""

    async def alerts_changed(self, incident_id: IncidentId) -> None:
        """Tells an incident's workflow of news, starting it where there is none."""
        ...


class Intake:
    """One reader of the inbox."""

    def __init__(
        self, settings: Settings, *, inbox: Inbox, incidents: Incidents, workflows: Tells, reader: str
    ) -> None:
        """`reader`: this process's name, the same after a restart, so that it finds what it had taken."""
        self._rules = tuple((rule.labels, rule.channel) for rule in settings.slack.channels)
        self._channel = settings.slack.channel if settings.slack.bot_token else ""
        self._storm_limit = settings.alerts.storm_incidents
        self._inbox = inbox
        self._incidents = incidents
        self._workflows = workflows
        self._reader = reader
        self._telling = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Works until it is cancelled; a store or a workflow service that is away is waited for."""
        pause = _FIRST_PAUSE_S
        while True:
            try:
                await self._inbox.open()
                await self.take(await self._inbox.held(self._reader))
                while True:
                    await self.take(await self._inbox.read(self._reader, most=MOST, wait_ms=WAIT_MS))
                    pause = _FIRST_PAUSE_S
            except (StoreError, WorkflowsAway) as error:
                _log.warning("intake waits", reason=str(error), pause_s=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)

    async def take(self, entries: list[Entry]) -> None:
        """Works on entries of the inbox and takes them out of it.

        Raises:
            StoreError: when the store is away; the entries stay.
            WorkflowsAway: when no workflow could be told; the entries stay.
        """
        if not entries:
            return
        with span("intake", deliveries=len(entries)):
            work = await self._sorted(entries)
            # Side by side: to wake a workflow takes a while when many are at work, and must not hold up the next one.
            ended = await asyncio.gather(*(self._store(*each) for each in work.items()), return_exceptions=True)
            if failed := [each for each in ended if each is not None]:
                raise failed[0]
            await self._inbox.done(entries)

    async def _sorted(self, entries: Sequence[Entry]) -> Mapping[IncidentId, _PerEntry]:
        work: dict[IncidentId, dict[str, list[Alert]]] = defaultdict(lambda: defaultdict(list))
        targets: dict[GroupKey, IncidentId] = {}
        for entry in entries:
            for key, alerts in _groups(entry.delivery.alerts).items():
                if key not in targets:
                    found = await self._target(key, alerts, received_s=entry.delivery.received_s)
                    if found is None:
                        continue
                    targets[key] = found
                work[targets[key]][entry.id] += alerts
        return work

    async def _target(self, key: GroupKey, alerts: Sequence[Alert], *, received_s: float) -> IncidentId | None:
        """The incident that these alerts join; `None` for news of the end of something that nobody knows."""
        current, is_open = await self._incidents.current(key)
        if current is not None and is_open:
            return current
        firing = [alert for alert in alerts if alert.status is AlertStatus.FIRING]
        if not firing:
            return None
        channel = channel_of(firing[0].labels, self._rules, self._channel) if self._channel else ""
        now_s = Instant.now().timestamp()
        if is_storm(await self._incidents.openings(channel, now_s=now_s), limit=self._storm_limit):
            return await self._digest(key, channel, received_s)
        made = await self._open(key, current or "", title_of(firing), channel, received_s, is_digest=False)
        await self._incidents.count_opening(channel, made, now_s=now_s)
        return made

    async def _digest(self, key: GroupKey, channel: str, received_s: float) -> IncidentId:
        digests = digest_key(channel)
        digest, is_open = await self._incidents.current(digests)
        if digest is None or not is_open:
            digest = await self._open(digests, digest or "", "Many alerts at once", channel, received_s, is_digest=True)
        await self._incidents.bind(digest, key)
        return digest

    async def _open(
        self, key: GroupKey, previous: str, title: str, channel: str, received_s: float, *, is_digest: bool
    ) -> IncidentId:
        made = IncidentId(incident_id(key, previous))
        incident = Incident(
            id=made,
            title=title,
            status=IncidentStatus.OPEN,
            opened_at=Instant.from_timestamp(round(received_s * 1000), unit="millisecond"),
            place=Place(channel=channel),
            is_digest=is_digest,
        )
        await self._incidents.open(incident, group=key)
        metrics.INCIDENTS_OPENED.labels(kind="digest" if is_digest else "alerts").inc()
        _log.info("incident opened", incident_id=made, is_digest=is_digest)
        return made

    async def _store(self, target: IncidentId, per_entry: _PerEntry) -> None:
        gate = asyncio.Semaphore(AT_ONCE)

        async def apply(entry: str, alerts: Sequence[Alert]) -> Applied:
            async with gate:
                return await self._incidents.apply(target, entry, alerts)

        repeated = 0
        if len(per_entry) == 1 or len({a.fingerprint for each in per_entry.values() for a in each}) < sum(
            map(len, per_entry.values())
        ):
            # The same alert more than once: the last word is the last delivery's.
            applied = [await self._incidents.apply(target, entry, alerts) for entry, alerts in per_entry.items()]
        else:
            applied = await asyncio.gather(*(apply(entry, alerts) for entry, alerts in per_entry.items()))
        repeated = sum(each.repeated for each in applied)
        if repeated:
            source = next(iter(per_entry.values()))[0].source
            metrics.ALERTS_REPEATED.labels(source=source).inc(repeated)
        async with self._telling:
            # Also when nothing changed: whoever stored it may have been killed before telling.
            if await self._incidents.needs_signal(target):
                await self._workflows.alerts_changed(target)
                await self._incidents.signalled(target)


def _groups(alerts: Sequence[Alert]) -> Mapping[GroupKey, list[Alert]]:
    found: dict[GroupKey, list[Alert]] = defaultdict(list)
    for alert in alerts:
        found[group_key(alert)].append(alert)
    return found
