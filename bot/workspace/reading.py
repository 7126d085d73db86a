"""What there is to see: by people on their screens, and by tests behind the scenes."""

from collections.abc import Iterator

from bot.workspace.messages import Message
from bot.workspace.payloads import Json
from bot.workspace.team import Call, Team


class Reading:
    """The verbs that change nothing. Everything is given as JSON, as Slack's API would show it."""

    def __init__(self, team: Team) -> None:
        self._team = team

    def messages(self, channel: str, *, user: str = "", thread_ts: str = "") -> list[Json]:
        """A channel's messages, or those of one thread, oldest first; with `user` as this person sees them.

        A person sees their own ephemerals (`is_ephemeral`) and nothing of a private channel they are not in.
        """
        conversation = self._team.direct(self._team.people.get(user).id) if channel == "dm" else None
        conversation = conversation or self._team.conversations.get(channel)
        person = self._team.people.get(user) if user else None
        if person and conversation.kind != "channel" and person.id not in conversation.members:
            return []
        found = list(self._stored(conversation.id, thread_ts))
        if person:
            found += [
                one
                for one in self._team.messages.ephemerals_for(person.id, conversation.id)
                if (one.thread_ts == thread_ts if thread_ts else not one.thread_ts)
            ]
        return [_on_screen(self._team, one) for one in sorted(found, key=lambda one: float(one.ts))]

    def thread(self, channel: str, thread_ts: str, *, user: str = "") -> list[Json]:
        """One thread with the message that it hangs on."""
        return self.messages(channel, user=user, thread_ts=thread_ts)

    def ephemerals(self, user: str) -> list[Json]:
        """Every ephemeral on this person's screen."""
        person = self._team.people.get(user)
        mine = [one for one in self._team.messages.ephemerals.values() if one.only_for == person.id]
        return [_on_screen(self._team, one) for one in mine]

    def modal(self, user: str) -> Json | None:
        """The modal on top of this person's screen, with what the app said is wrong in it under `errors`."""
        view = self._team.views.top(self._team.people.get(user).id)
        if view is None:
            return None
        return view.to_json(app_id=self._team.bot.app_id, bot_id=self._team.bot.bot_id) | {"errors": view.errors}

    def home(self, user: str) -> Json | None:
        """This person's App Home."""
        view = self._team.views.homes.get(self._team.people.get(user).id)
        return view.to_json(app_id=self._team.bot.app_id, bot_id=self._team.bot.bot_id) if view else None

    def prompts(self, user: str) -> list[Json]:
        """The suggested prompts in this person's Messages tab."""
        return self._team.sessions.prompts.get(self._team.direct(self._team.people.get(user).id).id, [])

    def streams(self) -> list[Json]:
        """Every stream with its state."""
        for stream in self._team.streams.by_message.values():
            self._team.streams.is_live(stream.channel, stream.ts, now_s=self._team.clock.seconds())
        return [
            {
                "channel": one.channel,
                "ts": one.ts,
                "thread_ts": one.thread_ts,
                "state": str(one.state),
                "text": one.text,
                "tasks": list(one.tasks.values()),
            }
            for one in self._team.streams.by_message.values()
        ]

    def sessions(self) -> list[Json]:
        """Every agent session: status, title, and the thinking line while it is shown."""
        now_s = self._team.clock.seconds()
        return [
            {
                "channel": one.channel,
                "thread_ts": one.thread_ts,
                "status": one.status,
                "title": one.title,
                "thinking": self._team.sessions.thinking(one.channel, one.thread_ts, now_s=now_s),
            }
            for one in self._team.sessions.by_thread.values()
        ]

    def files(self) -> list[Json]:
        """Every shared file."""
        return [one.to_json(self._team.base_url) for one in self._team.files.values() if one.is_complete]

    def calls(self, method: str = "") -> list[Call]:
        """Every call of the Web API, with its body and answer."""
        return [one for one in self._team.calls if not method or one.method == method]

    @property
    def violations(self) -> list[str]:
        """Every rule of Slack that the app broke."""
        return [str(one) for one in self._team.violations.found]

    def _stored(self, channel: str, thread_ts: str) -> Iterator[Message]:
        if not thread_ts:
            yield from self._team.messages.roots(channel)
            return
        if root := self._team.messages.find(channel, thread_ts):
            yield root
        yield from self._team.messages.replies(channel, thread_ts)


def _on_screen(team: Team, message: Message) -> Json:
    shown = team.messages.to_json(message, with_metadata=True) | {"channel": message.channel}
    if message.only_for:
        shown |= {"is_ephemeral": True, "only_for": message.only_for}
    if team.streams.is_live(message.channel, message.ts, now_s=team.clock.seconds()):
        shown["is_streaming"] = True
    return shown
