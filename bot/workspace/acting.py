"""What people and other apps do in the workspace; what Slack's client would not let them do raises `NotPossible`."""

from bot.workspace.conversations import Conversation
from bot.workspace.interactions import Interactions
from bot.workspace.messages import Message
from bot.workspace.payloads import Json
from bot.workspace.people import Person
from bot.workspace.refusals import NotPossible
from bot.workspace.streams import State
from bot.workspace.team import Team
from bot.workspace.typed import as_blocks, as_mrkdwn


class Acting:
    """The verbs of people in channels. People and channels are named by id or by name."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.interactions = Interactions(team)

    def post(self, user: str, channel: str, text: str, *, thread_ts: str = "") -> Json:
        """Type a message; `@locum`, `@ana` and `#alerts` become mentions."""
        person, conversation = self._member(user, channel)
        typed = as_mrkdwn(self.team, text)
        if not typed.strip():
            raise NotPossible("an empty message cannot be sent")
        message = Message(
            channel=conversation.id,
            ts=self.team.clock.ts(),
            text=typed,
            user=person.id,
            blocks=as_blocks(typed),
            thread_ts=self._root(conversation, thread_ts),
        )
        return _stored(self.team, self.team.publish(message))

    def alert(
        self,
        app: str,
        channel: str,
        text: str,
        *,
        attachments: list[Json] | None = None,
        blocks: list[Json] | None = None,
        thread_ts: str = "",
    ) -> Json:
        """Post as another app, such as one that reports alerts; it is made on first use."""
        sender, conversation = self.team.people.add_app(app), self._open(channel)
        message = Message(
            channel=conversation.id,
            ts=self.team.clock.ts(),
            text=text,
            subtype="bot_message",
            bot_id=sender.bot_id,
            app_id=sender.app_id,
            username=sender.name,
            attachments=attachments or [],
            blocks=blocks or [],
            thread_ts=self._root(conversation, thread_ts),
        )
        return _stored(self.team, self.team.publish(message))

    def edit(self, who: str, channel: str, ts: str, text: str, *, attachments: list[Json] | None = None) -> Json:
        """Change one's own message; `who` is a person or another app."""
        message = self._own(who, channel, ts)
        previous = self.team.messages.to_json(message)
        message.text = as_mrkdwn(self.team, text) if message.user else text
        message.blocks = as_blocks(message.text) if message.user else []
        message.attachments = message.attachments if attachments is None else attachments
        message.edited_at, message.edited_by = self.team.clock.ts(), message.user
        self.team.tell_changed(message, previous)
        return _stored(self.team, message)

    def delete(self, who: str, channel: str, ts: str) -> None:
        """Delete one's own message."""
        self.team.delete(self._own(who, channel, ts))

    def slash(self, user: str, channel: str, command: str, text: str = "", *, thread_ts: str = "") -> Json:
        """Type a slash command; `command` may carry its text. Returns the payload sent."""
        person, conversation = self._member(user, channel)
        name, _, rest = command.strip().partition(" ")
        if thread_ts:
            raise NotPossible(f"{name} cannot be used in a thread: Slack offers apps' commands in channels only")
        if name not in self.team.manifest.commands:
            raise NotPossible(f"{name!r} is not a valid command")
        return self.interactions.command(person, conversation, name, as_mrkdwn(self.team, text or rest.strip()))

    def shortcut(self, user: str, callback_id: str, channel: str, ts: str) -> Json:
        """Use a message shortcut."""
        person, conversation = self._member(user, channel)
        if callback_id not in dict(self.team.manifest.shortcuts):
            raise NotPossible(f"there is no shortcut {callback_id!r}")
        message = self.team.messages.find(conversation.id, ts)
        if message is None:
            raise NotPossible("the message is gone")
        return self.interactions.message_action(person, message, callback_id)

    def open_home(self, user: str) -> None:
        """Open the app's Home tab."""
        self._opened(user, "home")

    def open_messages(self, user: str) -> None:
        """Open the app's Messages tab, the agent's direct message."""
        self._opened(user, "messages")

    def stop(self, user: str, channel: str, thread_ts: str) -> Json:
        """Press Stop in a thread, which Slack shows while the session is processing or a stream is live."""
        person, conversation = self._member(user, channel)
        live = self.team.streams.live_in(conversation.id, thread_ts, now_s=self.team.clock.seconds())
        session = self.team.sessions.by_thread.get((conversation.id, thread_ts))
        if not live and (session is None or session.status != "processing"):
            raise NotPossible("nothing is running in this thread")
        for stream in live:
            stream.state = State.STOPPED_BY_USER
            message = self.team.messages.find(stream.channel, stream.ts)
            if message:
                message.is_streaming, message.blocks = False, stream.to_blocks()
        event: Json = {
            "type": "agent_session_stopped",
            "channel": conversation.id,
            "user": person.id,
            "thread_ts": thread_ts,
            "streaming_message_ts": [stream.ts for stream in live],
            "event_ts": self.team.clock.ts(),
        }
        self.team.emit("agent_session_stopped", event, conversation)
        self.team.changes.bump()
        return event

    def reload(self, user: str) -> None:
        """Reload the client: ephemerals are gone."""
        self.team.messages.forget_ephemerals(self.team.people.get(user).id)
        self.team.changes.bump()

    def uninstall(self) -> None:
        """Remove the app: its tokens stop working."""
        self.team.is_installed = False
        self.team.emit("tokens_revoked", {"type": "tokens_revoked", "tokens": {"bot": [self.team.bot.id], "oauth": []}})
        self.team.emit("app_uninstalled", {"type": "app_uninstalled"})

    def _opened(self, user: str, tab: str) -> None:
        person = self.team.people.get(user)
        event: Json = {
            "type": "app_home_opened",
            "user": person.id,
            "channel": self.team.direct(person.id).id,
            "tab": tab,
            "event_ts": self.team.clock.ts(),
        }
        if tab == "home" and (home := self.team.views.homes.get(person.id)):
            event["view"] = home.to_json(app_id=self.team.bot.app_id, bot_id=self.team.bot.bot_id)
        self.team.emit("app_home_opened", event)

    def _member(self, user: str, channel: str) -> tuple[Person, Conversation]:
        person = self.team.people.get(user)
        conversation = self.team.direct(person.id) if channel.lower() in {"@locum", "dm"} else self._open(channel)
        if person.id not in conversation.members:
            raise NotPossible(f"{person.name} is not in {conversation.name or conversation.id}")
        return person, conversation

    def _open(self, channel: str) -> Conversation:
        conversation = self.team.conversations.get(channel)
        if conversation.is_archived:
            raise NotPossible(f"{conversation.name} is archived")
        return conversation

    def _root(self, conversation: Conversation, thread_ts: str) -> str:
        if not thread_ts:
            return ""
        root = self.team.messages.find(conversation.id, thread_ts)
        if root is None:
            raise NotPossible("the thread is gone")
        return root.thread_ts or root.ts

    def _own(self, who: str, channel: str, ts: str) -> Message:
        person, app = self.team.people.find(who), self.team.people.apps.get(who)
        conversation = self.team.conversations.get(channel)
        message = self.team.messages.find(conversation.id, ts)
        mine = message and ((person and message.user == person.id) or (app and message.bot_id == app.bot_id))
        if message is None or not mine:
            raise NotPossible(f"{who!r} has no message {ts!r} in {channel!r}")
        return message


def _stored(team: Team, message: Message) -> Json:
    return team.messages.to_json(message) | {"channel": message.channel}
