"""The panes of the page: who and where, the channel or App Home, the thread, the modal."""

from dataclasses import dataclass
from urllib.parse import urlencode

from bot.workspace.conversations import Conversation, Kind
from bot.workspace.page.blocks import Blocks
from bot.workspace.page.elements import label
from bot.workspace.page.emoji import named
from bot.workspace.page.markup import EMPTY, Html, join, tag
from bot.workspace.page.mrkdwn import clock_time, link, mrkdwn
from bot.workspace.payloads import Json, as_list, as_object, objects
from bot.workspace.people import Person
from bot.workspace.workspace import Workspace

TOGETHER_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What one person looks at."""

    person: Person
    conversation: Conversation
    thread_ts: str = ""
    is_home: bool = False

    def url(self, **changes: str) -> str:
        """The address of this view with something else in it."""
        is_direct = self.conversation.kind is Kind.IM
        query = {"as": self.person.name, "channel": "dm" if is_direct else self.conversation.name}
        query |= {"thread": self.thread_ts} | changes
        return f"/?{urlencode({key: value for key, value in query.items() if value})}"


class Panes:
    """Draws what one person sees."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._team = workspace.team
        self._blocks = Blocks(workspace.team)

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
        messages = self._workspace.messages(where.conversation.id, user=where.person.name)
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
        return tag("div", empty, self._messages(where, messages, in_thread=False), suggested, id="log", class_="log")

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
            tag("div", self._messages(where, messages, in_thread=True), line, id="thread-log", class_="log"),
            self._composer(where, where.thread_ts, "Reply…"),
        )

    def _composer(self, where: Where, thread_ts: str, hint: str) -> Html:
        if where.conversation.is_archived:
            return tag("p", "This channel is archived.", class_="empty")
        box = tag("textarea", placeholder=hint, rows=1, aria_label=hint)
        send = tag("button", "Send", class_="button primary")
        return tag("form", box, send, class_="composer", data_thread=thread_ts)

    def _messages(self, where: Where, messages: list[Json], *, in_thread: bool) -> Html:
        drawn: list[Html] = []
        before: Json | None = None
        for one in messages:
            drawn.append(self._message(where, one, in_thread=in_thread, is_next=_follows(before, one)))
            before = one
        return join(drawn)

    def _message(self, where: Where, one: Json, *, in_thread: bool, is_next: bool) -> Html:
        is_private = bool(one.get("is_ephemeral"))
        classes = ["message", "next" if is_next else "", "ephemeral" if is_private else ""]
        private = tag("div", "👁 Only visible to you", class_="private") if is_private else None
        return tag(
            "article",
            None if is_next else self._avatar(one),
            tag(
                "div",
                private,
                None if is_next else self._byline(one),
                self._content(one),
                self._reactions(one),
                None if in_thread else self._replies(where, one),
                class_="body",
            ),
            None if is_private else self._tools(where, one, in_thread=in_thread),
            id=f"{'t' if in_thread else 'm'}-{one['ts']}",
            class_=" ".join(name for name in classes if name),
            data_ts=str(one["ts"]),
        )

    def _avatar(self, one: Json) -> Html:
        name = self._name(one)
        kind = "bot" if one.get("bot_id") == self._team.bot.bot_id else f"a{sum(map(ord, name)) % 6}"
        return tag("span", name[:1].upper(), class_=f"avatar {kind}")

    def _byline(self, one: Json) -> Html:
        app = tag("span", "APP", class_="badge") if one.get("bot_id") else None
        time = tag("time", clock_time(one["ts"]), title=clock_time(one["ts"], "%d %b %Y %H:%M:%S"))
        return tag("div", tag("b", self._name(one)), app, time, class_="byline")

    def _name(self, one: Json) -> str:
        person = self._team.people.by_id.get(str(one.get("user", "")))
        return person.real_name if person else str(one.get("username") or one.get("bot_id") or "Slackbot")

    def _content(self, one: Json) -> Html:
        blocks = objects(one.get("blocks"))
        words = self._blocks.draw(blocks) if blocks else mrkdwn(self._team, str(one.get("text") or ""))
        files = [self._file(file) for file in objects(one.get("files"))]
        edited = tag("small", "(edited)", class_="muted") if one.get("edited") else None
        live = tag("span", class_="caret") if one.get("is_streaming") else None
        attached = [self._attachment(part) for part in objects(one.get("attachments"))]
        return tag("div", words, live, edited, *attached, *files, class_="content")

    def _attachment(self, one: Json) -> Html:
        color = str(one.get("color") or "")
        shade = {"danger": "bad", "warning": "warn", "good": "good"}.get(color, "")
        title, url = str(one.get("title") or ""), str(one.get("title_link") or "")
        fields = [
            tag(
                "div",
                tag("b", str(field.get("title") or "")),
                tag("br"),
                mrkdwn(self._team, str(field.get("value") or "")),
            )
            for field in objects(one.get("fields"))
        ]
        text = str(one.get("text") or (one.get("fallback") or "" if not one.get("blocks") and not title else ""))
        return tag(
            "div",
            mrkdwn(self._team, str(one["pretext"])) if one.get("pretext") else None,
            tag("b", link(url, title) if url else title) if title else None,
            tag("div", mrkdwn(self._team, text)) if text else None,
            tag("div", *fields, class_="fields") if fields else None,
            self._blocks.draw(objects(one.get("blocks"))),
            class_=f"attachment {shade}".strip(),
        )

    def _file(self, file: Json) -> Html:
        url, name = f"/files/{file['id']}/{file['name']}", str(file["title"])
        if name.endswith((".png", ".jpg", ".gif")) or str(file["name"]).endswith((".png", ".jpg", ".gif")):
            return tag("a", tag("img", src=url, alt=str(file.get("alt_txt") or name), class_="picture"), href=url)
        return tag("a", f"📄 {name} ", tag("small", f"{file['size']} bytes"), href=url, class_="file")

    def _reactions(self, one: Json) -> Html:
        drawn = [
            tag("span", f"{named(str(each['name']))} {each['count']}", class_="reaction")
            for each in objects(one.get("reactions"))
        ]
        return tag("div", *drawn, class_="reactions") if drawn else EMPTY

    def _replies(self, where: Where, one: Json) -> Html:
        if not one.get("reply_count"):
            return EMPTY
        count = int(one["reply_count"])
        words = "1 reply" if count == 1 else f"{count} replies"
        faces = [self._avatar({"user": who, "bot_id": self._bot(who)}) for who in as_list(one["reply_users"])]
        last = tag("span", f"last at {clock_time(one['latest_reply'])}", class_="muted")
        return tag("a", *faces, tag("b", words), last, href=where.url(thread=one["ts"]), class_="replies")

    def _bot(self, who: str) -> str:
        person = self._team.people.by_id.get(who)
        return person.bot_id if person else who

    def _tools(self, where: Where, one: Json, *, in_thread: bool) -> Html:
        shortcuts = [
            tag("button", name, data_shortcut=callback_id) for callback_id, name in self._team.manifest.shortcuts
        ]
        reply = None if in_thread else tag("a", "Reply", href=where.url(thread=str(one.get("thread_ts") or one["ts"])))
        return tag("div", reply, *shortcuts, class_="tools")

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


def _follows(before: Json | None, one: Json) -> bool:
    """Whether a message belongs under the one before it, without a byline of its own."""
    if before is None or one.get("is_ephemeral") or before.get("is_ephemeral") or before.get("reply_count"):
        return False
    same = before.get("user") == one.get("user") and before.get("bot_id") == one.get("bot_id")
    return same and float(one["ts"]) - float(before["ts"]) < TOGETHER_S
