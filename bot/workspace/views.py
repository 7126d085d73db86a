"""Modals and App Homes: who has which open, and what is typed into them."""

import secrets
from dataclasses import dataclass, field

from bot.workspace.payloads import Json, as_object, objects, with_ids
from bot.workspace.people import TEAM_ID
from bot.workspace.refusals import Refused

MAX_STACK = 3


@dataclass(slots=True, kw_only=True)
class View:
    """One modal or App Home."""

    id: str
    user: str
    body: Json
    """As the app sent it, with ids filled in."""
    hash: str
    root_id: str
    previous_id: str = ""
    values: Json = field(default_factory=dict[str, object])
    errors: dict[str, str] = field(default_factory=dict[str, str])
    """By block id: what the app said is wrong with the last submission."""

    def to_json(self, *, app_id: str, bot_id: str) -> Json:
        optional = {name: self.body.get(name) for name in ("title", "submit", "close")}
        return {
            "id": self.id,
            "team_id": TEAM_ID,
            "type": self.body["type"],
            "blocks": self.body["blocks"],
            "private_metadata": self.body.get("private_metadata", ""),
            "callback_id": self.body.get("callback_id", ""),
            "external_id": self.body.get("external_id", ""),
            "clear_on_close": bool(self.body.get("clear_on_close")),
            "notify_on_close": bool(self.body.get("notify_on_close")),
            "state": {"values": self.values},
            "hash": self.hash,
            "previous_view_id": self.previous_id or None,
            "root_view_id": self.root_id,
            "app_id": app_id,
            "app_installed_team_id": TEAM_ID,
            "bot_id": bot_id,
            **optional,
        }


class Views:
    """The stack of modals of each person, and their App Home."""

    def __init__(self) -> None:
        self.stacks: dict[str, list[View]] = {}
        self.homes: dict[str, View] = {}

    def open(self, user: str, body: Json) -> View:
        view = _new(user, body)
        self.stacks[user] = [view]
        return view

    def push(self, user: str, body: Json) -> View:
        stack = self.stacks.get(user, [])
        if not stack:
            raise Refused("not_found", problems=["no modal is open to push onto"])
        if len(stack) >= MAX_STACK:
            raise Refused("push_limit_reached")
        view = _new(user, body, root=stack[0].root_id, previous=stack[-1].id)
        stack.append(view)
        return view

    def replace(self, view: View, body: Json) -> View:
        """New content for an open view; what is typed stays where block and action ids stay."""
        view.body, view.hash, view.errors = _filled(body), _hash(), {}
        view.values = _initial(view.body) | {
            block_id: values for block_id, values in view.values.items() if block_id in _block_ids(view.body)
        }
        return view

    def publish(self, user: str, body: Json) -> View:
        if home := self.homes.get(user):
            return self.replace(home, body)
        self.homes[user] = _new(user, body)
        return self.homes[user]

    def find(self, *, view_id: str = "", external_id: str = "") -> View | None:
        everything = [*self.homes.values(), *(view for stack in self.stacks.values() for view in stack)]
        for view in everything:
            if (view_id and view.id == view_id) or (external_id and view.body.get("external_id") == external_id):
                return view
        return None

    def top(self, user: str) -> View | None:
        stack = self.stacks.get(user)
        return stack[-1] if stack else None

    def pop(self, user: str) -> None:
        self.stacks.get(user, []).pop()

    def clear(self, user: str) -> None:
        self.stacks.pop(user, None)


def _new(user: str, body: Json, *, root: str = "", previous: str = "") -> View:
    view_id = f"V0{secrets.token_hex(5).upper()}"
    filled = _filled(body)
    return View(
        id=view_id,
        user=user,
        body=filled,
        hash=_hash(),
        root_id=root or view_id,
        previous_id=previous,
        values=_initial(filled),
    )


def _filled(body: Json) -> Json:
    return {**body, "blocks": with_ids(body["blocks"])}


def _hash() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.token_urlsafe(6)}"


def _block_ids(body: Json) -> set[str]:
    return {str(block["block_id"]) for block in objects(body["blocks"])}


def _initial(body: Json) -> Json:
    values: Json = {}
    for block in objects(body["blocks"]):
        if block.get("type") == "input":
            element = as_object(block.get("element"))
            values[str(block["block_id"])] = {str(element["action_id"]): initial_state(element)}
    return values


def initial_state(element: Json) -> Json:
    """The state of an element that nobody touched."""
    kind = str(element["type"])
    fields = {
        "static_select": ("selected_option", "initial_option"),
        "radio_buttons": ("selected_option", "initial_option"),
        "checkboxes": ("selected_options", "initial_options"),
        "multi_static_select": ("selected_options", "initial_options"),
        "users_select": ("selected_user", "initial_user"),
        "channels_select": ("selected_channel", "initial_channel"),
        "conversations_select": ("selected_conversation", "initial_conversation"),
        "datepicker": ("selected_date", "initial_date"),
        "timepicker": ("selected_time", "initial_time"),
        "datetimepicker": ("selected_date_time", "initial_date_time"),
    }
    name, initial = fields.get(kind, ("value", "initial_value"))
    return {"type": kind, name: element.get(initial, [] if name.endswith("s") else None)}


def filled_state(element: Json, value: str | list[str]) -> Json:
    """The state of an element after a person chose or typed `value`."""
    state = initial_state(element)
    name = next(key for key in state if key != "type")
    chosen = [value] if isinstance(value, str) else value
    if name == "selected_option":
        state[name] = option(element, chosen[0])
    elif name == "selected_options":
        state[name] = [option(element, one) for one in chosen]
    elif name == "selected_date_time":
        state[name] = int(chosen[0])
    else:
        state[name] = chosen[0]
    return state


def option(element: Json, value: str) -> Json:
    """The option of a menu with this value or this label."""
    groups = objects(element.get("option_groups"))
    options = objects(element.get("options")) + [one for group in groups for one in objects(group.get("options"))]
    for one in options:
        if value in {one.get("value"), as_object(one.get("text")).get("text")}:
            return one
    raise LookupError(f"{element.get('action_id')!r} has no option {value!r}")
