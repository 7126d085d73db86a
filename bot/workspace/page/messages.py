"""Messages as HTML: author, words or blocks, attachments, files, reactions, the way into the thread."""

from bot.workspace.page.blocks import Blocks
from bot.workspace.page.emoji import named
from bot.workspace.page.markup import EMPTY, Html, join, tag
from bot.workspace.page.mrkdwn import clock_time, link, mrkdwn
from bot.workspace.page.where import Where
from bot.workspace.payloads import Json, as_list, objects
from bot.workspace.team import Team

TOGETHER_S = 300


class Messages:
    """Draws the messages of one workspace."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self._blocks = Blocks(team)

    def draw(self, where: Where, messages: list[Json], *, in_thread: bool) -> Html:
        """Messages one under the other, those of one author in a row together."""
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


def _follows(before: Json | None, one: Json) -> bool:
    """Whether a message belongs under the one before it, without a byline of its own."""
    if before is None or one.get("is_ephemeral") or before.get("is_ephemeral") or before.get("reply_count"):
        return False
    same = before.get("user") == one.get("user") and before.get("bot_id") == one.get("bot_id")
    return same and float(one["ts"]) - float(before["ts"]) < TOGETHER_S
