"""The panes of the page: who and where, the channel or App Home, the thread, the modal."""

from bot.workspace.conversations import Conversation, Kind
from bot.workspace.page.blocks import Blocks
from bot.workspace.page.elements import label
from bot.workspace.page.markup import EMPTY, Html, tag
from bot.workspace.page.messages import Messages
from bot.workspace.page.where import Where
from bot.workspace.payloads import Json, as_object, objects
from bot.workspace.people import Person
from bot.workspace.workspace import Workspace

SHOWN = 200
"""The latest messages of a pane; a page with thousands would be slow to follow."""


class Panes:
    """Draws what one person sees."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._team = workspace.team
        self._blocks = Blocks(workspace.team)
        self._messages = Messages(workspace.team)

    def page(self, where: Where) -> Html:
        """The body of the page."""
        thread = self._thread(where) if where.thread_ts else None
        main = tag(
            "main",
            self._title(where),
            self._home(where) if where.is_home else self._log(where),
            None if where.is_home else self._composer(where, "", self._hint(where)),
        )
        return tag(
            "body", self._rail(where), main, thread, tag("div", self._modal(where), id="modal"),
            tag("dialog", id="confirm"), tag("div", id="toast", role="status"),
            data_user=where.person.name, data_channel=where.conversation.id, data_thread=where.thread_ts,
            data_tab=("home" if where.is_home else "messages") if where.conversation.kind is Kind.IM else None,
            class_="with-thread" if where.thread_ts else None,
        )  # fmt: skip

    def _rail(self, where: Where) -> Html:
        people = [one for one in self._team.people.by_id.values() if not one.is_bot]
        options = [
            tag(
                "option",
                f"{one.name}{' (guest)' if one.is_guest else ''}",
                value=one.name,
                selected=one is where.person,
            )
            for one in people
        ]
        channels = [self._channel_link(where, one) for one in self._mine(where.person)]
        is_direct = where.conversation.kind is Kind.IM
        direct = tag(
            "a", tag("span", class_="dot"), self._team.bot.real_name, tag("small", "agent"),
            href=where.url(channel="dm", thread=""), class_="here" if is_direct else None,
        )  # fmt: skip
        return tag(
            "nav",
            tag("h1", tag("span", "L", class_="logo"), "Locum ", tag("small", "local workspace")),
            tag("label", "You are ", tag("select", *options, id="who")),
            tag("h2", "Channels"),
            *channels,
            tag("h2", "Apps"),
            direct,
            tag("p", "This workspace lives in memory on this machine. It is not Slack, and nothing leaves it."),
        )

    def _channel_link(self, where: Where, one: Conversation) -> Html:
        sign = "🔒" if one.kind is Kind.GROUP else "#"
        extra = tag("small", "archived" if one.is_archived else "shared") if one.is_archived or one.is_shared else None
        here = "here" if one is where.conversation else None
        return tag(
            "a",
            tag("span", sign, class_="sign"),
            one.name,
            extra,
            href=where.url(channel=one.name, thread=""),
            class_=here,
        )

    def _mine(self, person: Person) -> list[Conversation]:
        every = self._team.conversations.by_id.values()
        return [one for one in every if one.kind is not Kind.IM and person.id in one.members]

    def _title(self, where: Where) -> Html:
        one = where.conversation
        if one.kind is Kind.IM:
            tabs = (("Messages", "", not where.is_home), ("Home", "home", where.is_home))
            drawn = [
                tag("a", name, href=where.url(tab=tab, thread=""), class_="here" if is_here else None)
                for name, tab, is_here in tabs
            ]
            return tag("header", tag("h2", self._team.bot.real_name), tag("span", *drawn, class_="tabs"), id="title")
        count = tag("span", f"{len(one.members)} members", class_="muted")
        return tag("header", tag("h2", f"# {one.name}"), count, id="title")

    def _hint(self, where: Where) -> str:
        if where.conversation.kind is Kind.IM:
            return f"Message {self._team.bot.real_name}"
        return f"Message #{where.conversation.name}, @locum …, or /diagnose cart is slow"

    def _log(self, where: Where) -> Html:
        messages = self._workspace.messages(where.conversation.id, user=where.person.name)[-SHOWN:]
        empty = tag("p", "Nothing here yet.", class_="empty", id="empty") if not messages else None
        prompts = [
            tag("button", str(one["title"]), class_="button", data_prompt=str(one["message"]))
            for one in self._workspace.prompts(where.person.name)
        ]
        suggested = (
            tag("div", *prompts, class_="prompts", id="prompts")
            if prompts and where.conversation.kind is Kind.IM
            else None
        )
        return tag(
            "div", empty, self._messages.draw(where, messages, in_thread=False), suggested, id="log", class_="log"
        )

    def _home(self, where: Where) -> Html:
        home = self._workspace.home(where.person.name)
        body = (
            self._blocks.draw(objects(home["blocks"])) if home else tag("p", "The Home tab is empty.", class_="empty")
        )
        return tag("div", tag("div", body, class_="home", id="home-view"), id="log", class_="log")

    def _thread(self, where: Where) -> Html:
        messages = self._workspace.thread(where.conversation.id, where.thread_ts, user=where.person.name)
        session = self._team.sessions.by_thread.get((where.conversation.id, where.thread_ts))
        is_running = any(one.get("is_streaming") for one in messages)
        is_running = is_running or (session is not None and session.status == "processing")
        stop = tag("button", "■ Stop", class_="button danger", data_stop=True) if is_running else None
        name = session.title if session and session.title else "Thread"
        thinking = self._team.sessions.thinking(
            where.conversation.id, where.thread_ts, now_s=self._team.clock.seconds()
        )
        line = (
            tag("p", f"{self._team.bot.real_name} {thinking}", class_="thinking", id="thinking") if thinking else None
        )
        return tag(
            "aside",
            tag(
                "header",
                tag("h2", name),
                stop,
                tag("a", "✕", href=where.url(thread=""), title="Close"),
                id="thread-title",
            ),
            tag("div", *self._replied(where, messages), line, id="thread-log", class_="log"),
            self._composer(where, where.thread_ts, "Reply…"),
        )

    def _replied(self, where: Where, messages: list[Json]) -> list[Html]:
        count = len(messages) - 1
        words = "1 reply" if count == 1 else f"{count} replies"
        rule = tag("p", words, class_="rule", id="rule") if count else EMPTY
        rest = self._messages.draw(where, messages[1:], in_thread=True)
        return [self._messages.draw(where, messages[:1], in_thread=True), rule, rest]

    def _composer(self, where: Where, thread_ts: str, hint: str) -> Html:
        if where.conversation.is_archived:
            return tag("p", "This channel is archived.", class_="empty")
        box = tag("textarea", placeholder=hint, rows=1, aria_label=hint)
        send = tag("button", "Send", class_="button primary")
        return tag("form", box, send, class_="composer", data_thread=thread_ts)

    def _modal(self, where: Where) -> Html:
        view = self._workspace.modal(where.person.name)
        if view is None:
            return EMPTY
        errors = {str(key): str(value) for key, value in as_object(view["errors"]).items()}
        body = self._blocks.draw(objects(view["blocks"]), values=as_object(view["state"]["values"]), errors=errors)
        whole = tag("p", errors[""], class_="error") if "" in errors else None
        submit = tag("button", label(view["submit"]), class_="button primary") if view.get("submit") else None
        close = tag("button", label(view.get("close")) or "Close", type="button", class_="button", data_close=True)
        return tag(
            "form",
            tag(
                "header",
                tag("h2", label(view["title"])),
                tag("button", "✕", type="button", class_="icon", data_close=True),
            ),
            tag("div", body, whole, class_="view"),
            tag("footer", close, submit),
            data_hash=f"{view['hash']} {sorted(errors.items())}",
        )
