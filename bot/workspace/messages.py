"""Messages, threads and ephemerals: what is stored, and how the API shows it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.workspace.payloads import Json
from bot.workspace.refusals import Refused


@dataclass(slots=True, kw_only=True)
class Message:
    """One message in a conversation, or an ephemeral one for a single person."""

    channel: str
    ts: str
    text: str
    user: str = ""
    bot_id: str = ""
    app_id: str = ""
    username: str = ""
    subtype: str = ""
    thread_ts: str = ""
    """Of a reply: the ts of the message that the thread hangs on."""
    blocks: list[Json] = field(default_factory=list[Json])
    attachments: list[Json] = field(default_factory=list[Json])
    files: list[Json] = field(default_factory=list[Json])
    metadata: Json | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    edited_at: str = ""
    edited_by: str = ""
    only_for: str = ""
    """Of an ephemeral: the one person who sees it."""
    is_broadcast: bool = False
    is_streaming: bool = False

    @property
    def is_reply(self) -> bool:
        return bool(self.thread_ts) and self.thread_ts != self.ts


class Messages:
    """Every message by channel and ts, and the ephemerals that are still on somebody's screen."""

    def __init__(self) -> None:
        self._channels: dict[str, dict[str, Message]] = {}
        self._threads: dict[tuple[str, str], list[Message]] = {}
        self.ephemerals: dict[tuple[str, str], Message] = {}

    def add(self, message: Message) -> Message:
        self._channels.setdefault(message.channel, {})[message.ts] = message
        if message.is_reply:
            self._threads.setdefault((message.channel, message.thread_ts), []).append(message)
        return message

    def add_ephemeral(self, message: Message) -> Message:
        self.ephemerals[message.channel, message.ts] = message
        return message

    def find(self, channel: str, ts: str) -> Message | None:
        return self._channels.get(channel, {}).get(ts)

    def require(self, channel: str, ts: str, code: str = "message_not_found") -> Message:
        """The message, else the app's call is refused; an ephemeral cannot be found this way, as in Slack."""
        if message := self.find(channel, ts):
            return message
        raise Refused(code)

    def remove(self, message: Message) -> None:
        self._channels[message.channel].pop(message.ts, None)
        thread = self._threads.get((message.channel, message.thread_ts), [])
        if message in thread:
            thread.remove(message)

    def roots(self, channel: str) -> list[Message]:
        """What the channel shows outside threads, oldest first."""
        return [one for one in self._channels.get(channel, {}).values() if not one.is_reply or one.is_broadcast]

    def replies(self, channel: str, ts: str) -> list[Message]:
        return self._threads.get((channel, ts), [])

    def in_channel(self, channel: str) -> Iterable[Message]:
        return self._channels.get(channel, {}).values()

    def ephemerals_for(self, user: str, channel: str) -> list[Message]:
        return [one for one in self.ephemerals.values() if one.only_for == user and one.channel == channel]

    def forget_ephemerals(self, user: str) -> None:
        """What a reload of the client does."""
        self.ephemerals = {key: one for key, one in self.ephemerals.items() if one.only_for != user}

    def to_json(self, message: Message, *, with_metadata: bool = False) -> Json:
        """The message object, with its thread's numbers when it is the head of one."""
        shown = _body(message)
        if message.thread_ts:
            shown["thread_ts"] = message.thread_ts
        if message.is_reply:
            root = self.find(message.channel, message.thread_ts)
            shown["parent_user_id"] = root.user if root else ""
        elif replies := self.replies(message.channel, message.ts):
            users = list(dict.fromkeys(reply.user or reply.bot_id for reply in replies))
            shown |= {
                "thread_ts": message.ts,
                "reply_count": len(replies),
                "reply_users": users[:5],
                "reply_users_count": len(users),
                "latest_reply": replies[-1].ts,
            }
        if message.metadata and with_metadata:
            shown["metadata"] = message.metadata
        return shown


def _body(message: Message) -> Json:
    shown: Json = {"type": "message", "ts": message.ts, "text": message.text}
    optional: Json = {
        "subtype": message.subtype,
        "user": message.user,
        "bot_id": message.bot_id,
        "app_id": message.app_id,
        "username": message.username,
        "blocks": message.blocks,
        "attachments": message.attachments,
        "files": message.files,
    }
    shown |= {name: value for name, value in optional.items() if value}
    if message.reactions:
        shown["reactions"] = [
            {"name": name, "users": users, "count": len(users)} for name, users in message.reactions.items()
        ]
    if message.edited_at:
        shown["edited"] = {"user": message.edited_by, "ts": message.edited_at}
    return shown
