"""The workspace itself: everything in it, and the events that a change in it sends to the app."""

import random
import re
import secrets
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from whenever import Instant

from bot.workspace.changes import Changes
from bot.workspace.clock import Clock
from bot.workspace.conversations import Conversation, Conversations, Kind
from bot.workspace.delivery import KEPT, Deliveries, Delivery
from bot.workspace.delivery import Kind as Envelope
from bot.workspace.faults import Faults
from bot.workspace.files import StoredFile
from bot.workspace.manifest import Manifest
from bot.workspace.messages import Message, Messages
from bot.workspace.payloads import Json
from bot.workspace.people import TEAM_ID, People, Person
from bot.workspace.refusals import Violations
from bot.workspace.sessions import Sessions
from bot.workspace.streams import Streams
from bot.workspace.tiers import Tiers
from bot.workspace.triggers import Triggers
from bot.workspace.views import Views

BOT_USER, BOT_ID, APP_ID = "U0LOCUMBOT", "B0LOCUMBOT", "A0LOCUMAPP"
MENTION = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a Web API method, with its body and its answer."""

    at: Instant
    method: str
    body: Json
    answer: Json
    status: int = 200


@dataclass(slots=True)
class Team:
    """One workspace with one installed app."""

    manifest: Manifest
    clock: Clock = field(default_factory=Clock)
    changes: Changes = field(default_factory=Changes)
    people: People = field(default_factory=People)
    conversations: Conversations = field(default_factory=Conversations)
    messages: Messages = field(default_factory=Messages)
    streams: Streams = field(default_factory=Streams)
    views: Views = field(default_factory=Views)
    triggers: Triggers = field(default_factory=Triggers)
    sessions: Sessions = field(default_factory=Sessions)
    tiers: Tiers = field(default_factory=Tiers)
    faults: Faults = field(default_factory=Faults)
    violations: Violations = field(default_factory=Violations)
    files: dict[str, StoredFile] = field(default_factory=dict[str, StoredFile])
    calls: deque[Call] = field(default_factory=lambda: deque[Call](maxlen=KEPT))
    is_installed: bool = True
    enterprise_id: str = ""
    """Of the organisation that the workspace belongs to, on Enterprise Grid."""
    open_socket: Callable[[], str] | None = None
    """The URL of a new socket; None where the app is called over HTTP instead."""
    base_url: str = ""
    bot_token: str = field(default_factory=lambda: f"xoxb-{secrets.token_hex(6)}-{secrets.token_hex(12)}")
    app_token: str = field(default_factory=lambda: f"xapp-1-{APP_ID}-{secrets.token_hex(16)}")
    signing_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    bot: Person = field(init=False)
    deliveries: Deliveries = field(init=False)

    def __post_init__(self) -> None:
        self.bot = self.people.add_bot(name=self.manifest.name, user_id=BOT_USER, bot_id=BOT_ID, app_id=APP_ID)
        self.deliveries = Deliveries(self.clock, self.faults, self.violations, self.changes)

    def broke(self, where: str, rule: str) -> None:
        """Record a rule that the app broke."""
        self.violations.add(self.clock.now(), where, rule)

    def direct(self, user_id: str) -> Conversation:
        return self.conversations.direct(user_id, self.bot.id, created=int(self.clock.seconds()))

    def from_bot(self, channel: str, text: str, **parts: Any) -> Message:
        """A message of the app, not stored yet."""
        return Message(
            channel=channel,
            ts=self.clock.ts(),
            text=text,
            user=self.bot.id,
            bot_id=self.bot.bot_id,
            app_id=self.bot.app_id,
            **parts,
        )

    def publish(self, message: Message) -> Message:
        """Store a message and tell the app about it, twice where it is mentioned."""
        self.messages.add(message)
        conversation = self.conversations.by_id[message.channel]
        event = self._message_event(message, conversation)
        events = [event]
        if (
            self.bot.id in MENTION.findall(message.text)
            and conversation.kind is not Kind.IM
            and message.user != self.bot.id
        ):
            mention = {key: value for key, value in event.items() if key not in {"channel_type", "subtype"}}
            events.append({**mention, "type": "app_mention"})
        # Slack promises no order between the two.
        random.shuffle(events)
        for one in events:
            if one["type"] == "app_mention":
                self.emit("app_mention", one, conversation)
            else:
                self._emit_message(conversation, one)
        self.changes.bump()
        return message

    def tell_changed(self, message: Message, previous: Json) -> None:
        """Send `message_changed`."""
        conversation = self.conversations.by_id[message.channel]
        ts = self.clock.ts()
        event: Json = {
            "type": "message",
            "subtype": "message_changed",
            "channel": message.channel,
            "channel_type": conversation.kind,
            "hidden": True,
            "ts": ts,
            "event_ts": ts,
            "message": self.messages.to_json(message),
            "previous_message": previous,
        }
        self._emit_message(conversation, event)
        self.changes.bump()

    def delete(self, message: Message) -> None:
        """Remove a message and send `message_deleted`."""
        previous = self.messages.to_json(message)
        self.messages.remove(message)
        conversation = self.conversations.by_id[message.channel]
        ts = self.clock.ts()
        event: Json = {
            "type": "message",
            "subtype": "message_deleted",
            "channel": message.channel,
            "channel_type": conversation.kind,
            "hidden": True,
            "deleted_ts": message.ts,
            "ts": ts,
            "event_ts": ts,
            "previous_message": previous,
        }
        self._emit_message(conversation, event)
        self.changes.bump()

    def emit(self, subscription: str, event: Json, conversation: Conversation | None = None) -> Delivery | None:
        """Send an event to the app, if it subscribed to it and is where it happened."""
        if subscription not in self.manifest.events:
            return None
        if conversation and self.bot.id not in conversation.members:
            return None
        payload: Json = {
            "token": "local",
            "team_id": TEAM_ID,
            "api_app_id": APP_ID,
            "event": event,
            "type": "event_callback",
            "event_id": f"Ev{secrets.token_hex(5).upper()}",
            "event_time": int(self.clock.seconds()),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": TEAM_ID,
                    "user_id": self.bot.id,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": bool(conversation and conversation.is_shared),
        }
        return self.deliveries.send(Envelope.EVENT, str(event["type"]), payload)

    def _message_event(self, message: Message, conversation: Conversation) -> Json:
        sender = self.people.by_id.get(message.user)
        event = self.messages.to_json(message) | {
            "channel": message.channel,
            "channel_type": conversation.kind,
            "event_ts": message.ts,
        }
        if sender:
            event["team"] = sender.team_id
            if sender.team_id != TEAM_ID:
                event["user_team"] = sender.team_id
        if message.files and not message.subtype:
            event["subtype"] = "file_share"
        return event

    def _emit_message(self, conversation: Conversation, event: Json) -> None:
        plural = {Kind.CHANNEL: "message.channels", Kind.GROUP: "message.groups", Kind.IM: "message.im"}
        self.emit(plural[conversation.kind], event, conversation)
