"""Buttons, menus and inputs as HTML; what a person does with them, the page's script sends to the control API."""

import json

from bot.workspace.page.emoji import replaced
from bot.workspace.page.markup import Html, tag
from bot.workspace.page.mrkdwn import mrkdwn, plain
from bot.workspace.payloads import Json, as_list, as_object, objects
from bot.workspace.team import Team

PICKED = {"users_select": "users", "conversations_select": "channels", "channels_select": "channels"}
TYPES = {
    "email_text_input": "email", "url_text_input": "url", "number_input": "number",
    "datepicker": "date", "timepicker": "time",
}  # fmt: skip


def text(team: Team, value: object) -> Html:
    """A text object."""
    content = as_object(value)
    words = str(content.get("text") or "")
    return mrkdwn(team, words) if content.get("type") == "mrkdwn" else plain(words)


def label(value: object) -> str:
    return replaced(str(as_object(value).get("text") or ""))


def element(team: Team, one: Json, *, block_id: str, state: Json | None = None) -> Html:
    """One element; `state` is what is chosen in it, in a view."""
    kind = str(one.get("type"))
    if kind == "image":
        return image(team, one, class_="thumb")
    if kind == "button":
        return _button(one, block_id)
    if kind == "feedback_buttons":
        sides = (("positive", "👍"), ("negative", "👎"))
        buttons = [_feedback(one, block_id, side, icon) for side, icon in sides]
        return tag("span", *buttons, class_="feedback")
    if kind == "icon_button":
        return tag(
            "button",
            "🗑" if one.get("icon") == "trash" else "◦",
            title=label(one.get("text")),
            class_="icon",
            **_sends(one, block_id),
        )
    if kind in {"radio_buttons", "checkboxes"}:
        return _choices(one, block_id, state)
    if kind.endswith("_select") or kind == "overflow":
        return _menu(team, one, block_id, state)
    return _input(one, state)


def image(team: Team, one: Json, *, class_: str) -> Html:
    """An image of this workspace's own files; one from elsewhere is named, not loaded."""
    alt, url = str(one.get("alt_text") or ""), str(one.get("image_url") or "")
    file = team.files.get(str(as_object(one.get("slack_file")).get("id") or ""))
    if file:
        url = f"/files/{file.id}/{file.name}"
    if url.startswith(("/files/", f"{team.base_url}/files/")):
        return tag("img", src=url, alt=alt, title=alt, class_=class_)
    return tag("span", f"🖼 {alt}", class_="alt", title=url)


def _sends(one: Json, block_id: str) -> dict[str, str | None]:
    confirm = as_object(one.get("confirm"))
    asked = {name: label(confirm.get(name)) for name in ("title", "text", "confirm", "deny")} if confirm else None
    return {
        "data_act": "click",
        "data_action": str(one.get("action_id")),
        "data_block": block_id,
        "data_value": str(one.get("value") or ""),
        "data_confirm": json.dumps(asked) if asked else None,
    }


def _button(one: Json, block_id: str) -> Html:
    url = str(one.get("url") or "")
    shown = {"title": url or None, "data_url": url if url.startswith(("http://", "https://")) else None}
    return tag(
        "button",
        label(one.get("text")),
        class_=f"button {one.get('style') or ''}".strip(),
        **shown,
        **_sends(one, block_id),
    )


def _feedback(one: Json, block_id: str, side: str, icon: str) -> Html:
    words = label(as_object(one.get(f"{side}_button")).get("text"))
    return tag("button", f"{icon} {words}", class_="quiet", **(_sends(one, block_id) | {"data_value": side}))


def _menu(team: Team, one: Json, block_id: str, state: Json | None) -> Html:
    options = objects(one.get("options")) + [
        option for group in objects(one.get("option_groups")) for option in objects(group.get("options"))
    ]
    pairs = [(str(option.get("value")), label(option.get("text"))) for option in options]
    kind = str(one["type"]).removeprefix("multi_")
    if PICKED.get(kind) == "users":
        pairs = [(person.id, f"@{person.name}") for person in team.people.by_id.values() if not person.is_bot]
    elif PICKED.get(kind) == "channels":
        pairs = [(channel.id, f"#{channel.name}") for channel in team.conversations.by_id.values() if channel.name]
    chosen = _chosen(state)
    first = tag("option", label(one.get("placeholder")) or ("⋯" if kind == "overflow" else "Choose…"), value="")
    shown = [tag("option", name, value=value, selected=value in chosen) for value, name in pairs]
    return tag(
        "select", first, *shown, name=str(one.get("action_id")), data_act="select",
        data_action=str(one.get("action_id")), data_block=block_id, multiple="multi_" in str(one["type"]),
    )  # fmt: skip


def _choices(one: Json, block_id: str, state: Json | None) -> Html:
    kind = "radio" if one["type"] == "radio_buttons" else "checkbox"
    chosen = _chosen(state)
    rows = [
        tag(
            "label",
            tag(
                "input", type=kind, name=str(one.get("action_id")), value=str(option.get("value")),
                checked=str(option.get("value")) in chosen, data_act="select",
                data_action=str(one.get("action_id")), data_block=block_id,
            ),
            " ", label(option.get("text")),
        )
        for option in objects(one.get("options"))
    ]  # fmt: skip
    return tag("span", *rows, class_="choices")


def _input(one: Json, state: Json | None) -> Html:
    kind = str(one.get("type"))
    value = next(iter(_chosen(state)), str(one.get("initial_value") or ""))
    name, hint = str(one.get("action_id")), label(one.get("placeholder"))
    if one.get("multiline") or kind == "rich_text_input":
        return tag("textarea", value, name=name, placeholder=hint, rows=4, maxlength=one.get("max_length"))
    if kind == "plain_text_input" or kind in TYPES:
        return tag("input", type=TYPES.get(kind, "text"), name=name, value=value, placeholder=hint)
    return tag("span", f"unknown element {kind!r}", class_="error")


def _chosen(state: Json | None) -> set[str]:
    found: set[str] = set()
    for key, value in (state or {}).items():
        if key == "type" or value is None:
            continue
        for one in as_list(value) or [value]:
            found.add(str(as_object(one).get("value") or one))
    return found
