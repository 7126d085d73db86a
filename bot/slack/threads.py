"""An incident's thread in Slack, redrawn from the record. Everything here may be retried and happens once."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from agents.case import SessionId
from agents.diagnosis import Diagnosis
from agents.progress import Event
from bot.incident import Incident, IncidentStatus, Place
from bot.setting_groups import Slack
from bot.slack.blocks import Message
from bot.slack.calls import connect
from bot.slack.cards import lines
from bot.slack.cards.conclusion import conclusion
from bot.slack.cards.root import all_resolved, root
from bot.slack.channels import Channels
from bot.slack.lanes import Priority
from bot.slack.narration import Narration
from bot.slack.once import Marks, Once
from bot.slack.sending import Sender


class SlackThreads:
    """What the workflow's activities do in Slack. An incident without a channel is answered elsewhere: nothing is sent.

    Every method raises `bot.slack.calls.Refused` when Slack says no (a person must act, such as invite Locum) and
    `bot.slack.calls.Unavailable` when it does not answer (the same call again is safe and right).
    """

    def __init__(self, sender: Sender, channels: Channels, marks: Marks) -> None:
        self._sender = sender
        self._channels = channels
        self._marks = marks
        self._once = Once(sender, marks)

    async def open(self, incident: Incident) -> Place:
        """The incident's thread; its root is posted when there is none yet."""
        if not incident.place.channel:
            return incident.place
        place = replace(incident.place, channel=await self._channels.resolve(incident.place.channel))
        if place.thread_ts:
            return place
        return replace(
            place, thread_ts=await self._once.post(f"root:{incident.id}", place, root(incident), Priority.FIRST)
        )

    async def refresh(self, incident: Incident) -> None:
        """Redraws the root, when it is ours; says once in the thread when everything resolved."""
        place = await self.open(incident)
        if not place.channel:
            return
        if _owns_root(incident):
            await self._sender.update(place, place.thread_ts, root(incident), Priority.STATE)
        if incident.status is IncidentStatus.RESOLVED and incident.alerts:
            # One line for each time that it resolved: an incident may fire again and resolve again.
            ended = max((str(one.ends_at) for one in incident.alerts if one.ends_at), default="")
            payload = {"incident_id": incident.id, "resolved": ended}
            await self._reply(
                f"resolved:{incident.id}:{ended}", place, all_resolved(incident), "locum_resolved", payload
            )

    async def narrate(
        self, incident: Incident, session_id: SessionId, events: AsyncIterator[tuple[str, Event]]
    ) -> None:
        """Shows the session's progress in the thread until the events end."""
        place = await self.open(incident)
        if not place.channel:
            async for _ in events:
                pass
            return
        # Slack streams to a person; an alert, and a program, has nobody who would read along.
        asked = incident.question
        recipient = asked.asked_by if asked and asked.place else ""
        await Narration(self._sender, self._marks, place, session_id, recipient).tell(events)

    async def conclude(self, incident: Incident, session_id: SessionId, diagnosis: Diagnosis) -> None:
        """Posts the session's conclusion, in as many replies as it takes; each exactly once."""
        place = await self.open(incident)
        if not place.channel:
            return
        messages = conclusion(diagnosis, is_follow_up=session_id in incident.sessions[1:])
        for number, message in enumerate(messages, 1):
            payload = {"session_id": session_id, "part": number}
            await self._reply(f"conclusion:{session_id}:{number}", place, message, "locum_conclusion", payload)

    async def apologise(self, incident: Incident, session_id: SessionId, reason: str) -> None:
        """Says once why the session has no conclusion."""
        place = await self.open(incident)
        if place.channel:
            payload = {"session_id": session_id}
            await self._reply(f"apology:{session_id}", place, lines.apology(reason), "locum_apology", payload)

    async def close(self) -> None:
        """Lets the connections go."""
        await self._sender.calls.close()

    async def _reply(
        self, key: str, place: Place, message: Message, event_type: str, payload: Mapping[str, object]
    ) -> None:
        metadata = {"event_type": event_type, "event_payload": payload}
        await self._once.post(key, place, replace(message, metadata=metadata), Priority.ANSWER)


def connected(settings: Slack, marks: Marks) -> SlackThreads:
    """Threads in the Slack of the settings.

    Raises:
        ValueError: when no bot token is set.
    """
    calls = connect(settings)
    return SlackThreads(Sender(calls), Channels(calls), marks)


def _owns_root(incident: Incident) -> bool:
    # A question asked in a message has that message, somebody else's, as the root of its thread.
    asked = incident.question.place if incident.question else None
    return asked is None or not asked.thread_ts
