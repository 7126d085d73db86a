"""Blocks as HTML. A type that is not known here is shown as an error, never skipped."""

from bot.workspace.page.charts import chart
from bot.workspace.page.elements import element, image, label, text
from bot.workspace.page.emoji import named
from bot.workspace.page.markup import EMPTY, Html, join, tag
from bot.workspace.page.mrkdwn import link, markdown, plain
from bot.workspace.payloads import Json, as_list, as_object, objects
from bot.workspace.team import Team

ICONS = {"pending": "○", "in_progress": "", "complete": "✓", "error": "✕"}
STYLES = {"bold": "b", "italic": "i", "strike": "s", "code": "code"}
LEVELS = {"info": "ℹ️", "warning": "⚠️", "error": "⛔", "success": "✅"}  # noqa: RUF001


class Blocks:
    """Draws the blocks of one workspace."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self._drawers = {
            "section": self._section,
            "context": self._context,
            "actions": self._actions,
            "context_actions": self._actions,
            "rich_text": self.rich_text,
            "plan": self._plan,
            "task_card": self._task,
            "table": self._table,
            "data_table": self._table,
            "container": self._container,
            "alert": self._alert,
            "image": self._image,
        }

    def draw(self, blocks: list[Json], *, values: Json | None = None, errors: dict[str, str] | None = None) -> Html:
        """Blocks in order; in a view with the `values` typed so far and the `errors` of the last submission."""
        return join(self._block(block, values or {}, errors or {}) for block in blocks)

    def _block(self, block: Json, values: Json, errors: dict[str, str]) -> Html:
        kind = str(block.get("type"))
        if kind == "divider":
            return tag("hr")
        if kind == "header":
            return tag("h3", label(block.get("text")))
        if kind == "markdown":
            return tag("div", markdown(str(block.get("text") or "")), class_="markdown")
        if kind == "data_visualization":
            return chart(block)
        if kind == "input":
            return self._input(block, values, errors)
        if drawer := self._drawers.get(kind):
            return drawer(block)
        return tag("div", f"unknown block type {kind!r}", class_="error")

    def _section(self, block: Json) -> Html:
        fields = [tag("div", text(self._team, one)) for one in objects(block.get("fields"))]
        body = tag(
            "div",
            tag("div", text(self._team, block["text"])) if block.get("text") else None,
            tag("div", *fields, class_="fields") if fields else None,
            class_="words",
        )
        accessory = as_object(block.get("accessory"))
        side = tag("div", element(self._team, accessory, block_id=_id(block)), class_="side") if accessory else None
        return tag("div", body, side, class_="section")

    def _context(self, block: Json) -> Html:
        parts = [
            image(self._team, one, class_="tiny") if one.get("type") == "image" else tag("span", text(self._team, one))
            for one in objects(block.get("elements"))
        ]
        return tag("div", *parts, class_="context")

    def _actions(self, block: Json) -> Html:
        drawn = [element(self._team, one, block_id=_id(block)) for one in objects(block.get("elements"))]
        return tag("div", *drawn, class_="actions")

    def _input(self, block: Json, values: Json, errors: dict[str, str]) -> Html:
        one = as_object(block.get("element"))
        state = as_object(as_object(values.get(_id(block))).get(str(one.get("action_id"))))
        optional = tag("span", " (optional)", class_="muted") if block.get("optional") else None
        error = errors.get(_id(block))
        return tag(
            "label",
            tag("span", label(block.get("label")), optional, class_="label"),
            element(self._team, one, block_id=_id(block), state=state),
            tag("span", label(block["hint"]), class_="muted") if block.get("hint") else None,
            tag("span", error, class_="error") if error else None,
            class_="input",
        )

    def _image(self, block: Json) -> Html:
        title = tag("figcaption", label(block["title"])) if block.get("title") else None
        return tag("figure", title, image(self._team, block, class_="picture"))

    def _alert(self, block: Json) -> Html:
        level = str(block.get("level") or "default")
        return tag("div", LEVELS.get(level, "•"), " ", text(self._team, block.get("text")), class_=f"alert {level}")

    def _container(self, block: Json) -> Html:
        title = label(block.get("title")) if block.get("title") else None
        head = tag("summary", title or self.rich_text(as_object(block.get("rich_text_title"))))
        subtitle = tag("div", text(self._team, block["subtitle"]), class_="muted") if block.get("subtitle") else None
        body = self.draw(objects(block.get("child_blocks")))
        is_open = not (block.get("is_collapsible") and block.get("default_collapsed"))
        return tag("details", head, subtitle, body, class_="container", open=is_open)

    def _plan(self, block: Json) -> Html:
        tasks = objects(block.get("tasks"))
        done = sum(one.get("status") in {"complete", "error"} for one in tasks)
        count = tag("span", f"{done}/{len(tasks)}", class_="muted")
        head = tag("summary", tag("b", str(block.get("title"))), " ", count)
        return tag("details", head, *(self._task(one) for one in tasks), class_="plan", open=True)

    def _task(self, block: Json) -> Html:
        status = str(block.get("status"))
        details = [
            tag("div", self.rich_text(as_object(block[name])), class_="muted")
            for name in ("details", "output")
            if block.get(name)
        ]
        sources = [
            link(str(one.get("url")), str(one.get("text") or one.get("url"))) for one in objects(block.get("sources"))
        ]
        return tag(
            "div",
            tag("span", ICONS.get(status, "?"), class_=f"status {status}", title=status.replace("_", " ")),
            tag(
                "div",
                tag("span", str(block.get("title")), class_="title"),
                *details,
                tag("div", *sources, class_="sources") if sources else None,
            ),
            class_="task",
        )

    def _table(self, block: Json) -> Html:
        rows = [[self._cell(as_object(cell)) for cell in row] for row in map(as_list, as_list(block.get("rows")))]
        has_head = bool(rows)
        head = tag("tr", *(tag("th", cell) for cell in rows[0])) if has_head else EMPTY
        body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows[1:]]
        caption = tag("caption", str(block["caption"])) if block.get("caption") else None
        table = tag("table", caption, tag("thead", head), tag("tbody", *body))
        return tag("div", table, class_="scroll")

    def _cell(self, cell: Json) -> Html:
        if cell.get("type") == "rich_text":
            return self.rich_text(cell)
        return plain(str(cell.get("text") or ""))

    def rich_text(self, block: Json) -> Html:
        """A rich_text block."""
        return tag("div", *(self._rich(one) for one in objects(block.get("elements"))), class_="rich")

    def _rich(self, one: Json) -> Html:
        inner = join(self._inline(part) for part in objects(one.get("elements")))
        match one.get("type"):
            case "rich_text_preformatted":
                return tag("pre", tag("code", inner))
            case "rich_text_quote":
                return tag("blockquote", inner)
            case "rich_text_list":
                items = [tag("li", self._rich(part)) for part in objects(one.get("elements"))]
                return tag("ol" if one.get("style") == "ordered" else "ul", *items)
            case "rich_text_section":
                return tag("div", inner)
            case kind:
                return tag("span", f"unknown rich text {kind!r}", class_="error")

    def _inline(self, one: Json) -> Html:
        drawn = self._leaf(one)
        for style, name in STYLES.items():
            if as_object(one.get("style")).get(style):
                drawn = tag(name, drawn)
        return drawn

    def _leaf(self, one: Json) -> Html:
        match one.get("type"):
            case "text":
                return plain(str(one.get("text") or ""))
            case "link":
                return link(str(one.get("url")), str(one.get("text") or one.get("url")))
            case "user":
                person = self._team.people.by_id.get(str(one.get("user_id")))
                return tag("span", f"@{person.real_name if person else one.get('user_id')}", class_="mention")
            case "channel":
                channel = self._team.conversations.by_id.get(str(one.get("channel_id")))
                return tag("span", f"#{channel.name if channel else one.get('channel_id')}", class_="mention")
            case "emoji":
                return plain(named(str(one.get("name"))))
            case "date" | "broadcast" | "usergroup":
                return plain(str(one.get("fallback") or f"@{one.get('range') or one.get('usergroup_id')}"))
            case kind:
                return tag("span", f"unknown rich text {kind!r}", class_="error")


def _id(block: Json) -> str:
    return str(block.get("block_id") or "")
