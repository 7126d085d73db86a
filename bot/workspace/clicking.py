"""Using what the app shows: buttons, menus, modals. Only what is on the person's screen now can be used."""

from collections.abc import Iterator
from dataclasses import dataclass

from bot.workspace.interactions import Interactions
from bot.workspace.messages import Message
from bot.workspace.payloads import Json, as_list, as_object, elements_of, objects
from bot.workspace.people import Person
from bot.workspace.refusals import NotPossible
from bot.workspace.team import Team
from bot.workspace.views import View, filled_state

MAX_TYPED = 3_000
"""Characters that a text input takes where the app does not say less."""
MENUS = ("static_select", "overflow", "radio_buttons", "users_select", "channels_select", "conversations_select")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One element on a person's screen."""

    where: Message | View
    block: Json
    element: Json


class Clicking:
    """The verbs of people on blocks."""

    def __init__(self, team: Team, interactions: Interactions) -> None:
        self._team = team
        self._interactions = interactions

    def click(
        self,
        user: str,
        action_id: str,
        *,
        channel: str = "",
        ts: str = "",
        block_id: str = "",
        value: str = "",
        confirm: bool = True,
    ) -> Json | None:
        """Press a button and answer its `confirm`; the payload sent, or None when the person said no.

        Where the action id is on the screen more than once, the message, the block or the value says which is meant.
        For feedback buttons `value` is `positive` or `negative`.
        """
        person = self._team.people.get(user)
        shown = self._only(person, action_id, channel=channel, ts=ts, block_id=block_id, value=value)
        if shown.element["type"] not in {"button", "icon_button", "feedback_buttons"}:
            raise NotPossible(f"{action_id!r} is a {shown.element['type']}, not a button")
        if shown.element.get("confirm") and not confirm:
            return None
        return self._interactions.actions(person, shown.where, self._action(shown, _pressed(shown.element, value)))

    def select(
        self,
        user: str,
        action_id: str,
        value: str | list[str],
        *,
        channel: str = "",
        ts: str = "",
        block_id: str = "",
    ) -> Json:
        """Choose in a menu, a radio group, check boxes or a date picker outside a modal's inputs."""
        person = self._team.people.get(user)
        shown = self._only(person, action_id, channel=channel, ts=ts, block_id=block_id, value="")
        chosen = _chosen(shown.element, value)
        if isinstance(shown.where, View):
            shown.where.values.setdefault(str(shown.block["block_id"]), {})[action_id] = chosen
        return self._interactions.actions(person, shown.where, self._action(shown, chosen))

    def submit(self, user: str, values: dict[str, str | list[str]] | None = None) -> Json:
        """Fill in the open modal by action id or block id, and press its submit button."""
        person, view = self._modal(user)
        if not view.body.get("submit"):
            raise NotPossible("the modal has no submit button")
        left = dict(values or {})
        view.errors = {}
        for block in objects(view.body["blocks"]):
            if block.get("type") == "input":
                self._fill(view, block, left)
        if left:
            raise NotPossible(f"the modal has no inputs {sorted(left)!r}")
        self._team.changes.bump()
        return self._interactions.submission(person, view)

    def close(self, user: str) -> None:
        """Close the open modal with its cross, which closes the whole stack."""
        person, view = self._modal(user)
        self._team.views.clear(person.id)
        self._interactions.closed(person, view, is_cleared=True)
        self._team.changes.bump()

    def _fill(self, view: View, block: Json, left: dict[str, str | list[str]]) -> None:
        element, block_id = as_object(block["element"]), str(block["block_id"])
        action_id = str(element["action_id"])
        state = view.values.setdefault(block_id, {})
        for name in (action_id, block_id):
            if name in left:
                state[action_id] = filled_state(element, left.pop(name))
        entered = [value for key, value in as_object(state.get(action_id)).items() if key != "type"]
        _check_length(element, str(entered[0] or "") if entered else "")
        if not block.get("optional") and not any(entered):
            raise NotPossible(f"the input {action_id!r} is required")

    def _modal(self, user: str) -> tuple[Person, View]:
        person = self._team.people.get(user)
        view = self._team.views.top(person.id)
        if view is None:
            raise NotPossible(f"{person.name} has no modal open")
        return person, view

    def _only(self, person: Person, action_id: str, *, channel: str, ts: str, block_id: str, value: str) -> Shown:
        conversation = self._team.conversations.find(channel) if channel else None
        found = [
            one
            for one in self._on_screen(person)
            if one.element.get("action_id") == action_id
            and (not block_id or one.block.get("block_id") == block_id)
            and (not ts or getattr(one.where, "ts", "") == ts)
            and (not conversation or getattr(one.where, "channel", "") == conversation.id)
        ]
        if len(found) > 1 and value:
            found = [one for one in found if one.element.get("value") == value] or found
        if not found:
            raise NotPossible(f"{person.name} sees no {action_id!r}")
        if len(found) > 1:
            raise NotPossible(f"{person.name} sees {action_id!r} {len(found)} times: say in which message")
        return found[0]

    def _on_screen(self, person: Person) -> Iterator[Shown]:
        view = self._team.views.top(person.id)
        # A modal lies over everything else.
        if view is not None:
            yield from _elements(view, as_list(view.body["blocks"]))
            return
        if home := self._team.views.homes.get(person.id):
            yield from _elements(home, as_list(home.body["blocks"]))
        for conversation in self._team.conversations.by_id.values():
            if person.id not in conversation.members:
                continue
            for message in self._team.messages.in_channel(conversation.id):
                yield from _elements(message, message.blocks)
            for message in self._team.messages.ephemerals_for(person.id, conversation.id):
                yield from _elements(message, message.blocks)

    def _action(self, shown: Shown, state: Json) -> Json:
        return {
            "action_id": shown.element["action_id"],
            "block_id": shown.block["block_id"],
            "type": shown.element["type"],
            "action_ts": self._team.clock.ts(),
            **state,
        }


def _elements(where: Message | View, blocks: list[Json]) -> Iterator[Shown]:
    for block in blocks:
        for element in elements_of(block):
            yield Shown(where=where, block=block, element=element)


def _pressed(element: Json, value: str) -> Json:
    if element["type"] == "feedback_buttons":
        for name in ("positive", "negative"):
            button = as_object(element[f"{name}_button"])
            if value in {name, button.get("value")}:
                return {"text": button["text"], "value": button["value"]}
        raise NotPossible(f"feedback is 'positive' or 'negative', not {value!r}")
    return {key: element[key] for key in ("text", "value", "url", "style") if key in element}


def _check_length(element: Json, typed: str) -> None:
    """Slack's client does not send less or more than the input takes."""
    least, most = int(element.get("min_length") or 0), int(element.get("max_length") or MAX_TYPED)
    if element["type"] == "plain_text_input" and typed and not least <= len(typed) <= most:
        raise NotPossible(f"{element['action_id']!r} takes from {least} to {most} characters, not {len(typed)}")


def _chosen(element: Json, value: str | list[str]) -> Json:
    if element["type"] not in MENUS and not str(element["type"]).endswith(("checkboxes", "picker", "_select")):
        raise NotPossible(f"{element['action_id']!r} is a {element['type']}, nothing to choose from")
    if element["type"] == "overflow":
        return {"selected_option": filled_state({**element, "type": "static_select"}, value)["selected_option"]}
    return filled_state(element, value)
