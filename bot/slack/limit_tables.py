"""Slack's limits as tables: which blocks and elements there are, where they may be shown, and how much fits into them.

Pure data; `limits` reads it.
"""

from dataclasses import dataclass
from enum import StrEnum

MAX_BLOCKS_MESSAGE = 50
MAX_BLOCKS_VIEW = 100
MAX_MESSAGE_TEXT = 40_000
"""`text` of a message without blocks. Slack cuts it there without a word."""
MAX_UPDATE_TEXT = 4_000
"""`text` beside blocks, and `text` of every update."""
MAX_MESSAGE_CHARACTERS = 10_000
"""All text in the blocks of one message. Ours: Slack's own limit is not documented and was seen from 11,341 on."""
MAX_MARKDOWN = 12_000
MAX_VIEW_BYTES = 250_000
MAX_CHARTS = 2
MAX_ID = 255
MAX_TABLE_COLUMNS = 20

PLAIN = ("plain_text",)
ANY_TEXT = ("plain_text", "mrkdwn")
TASK_STATES = ("pending", "in_progress", "complete", "error")
CELLS = ("raw_text", "raw_number", "rich_text")


class Surface(StrEnum):
    """Where blocks are shown; some types are allowed in one place only."""

    MESSAGE = "message"
    MODAL = "modal"
    HOME = "home"


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text object in a block or an element."""

    most: int
    kinds: tuple[str, ...] = ANY_TEXT
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class String:
    """A bare string in a block or an element."""

    most: int
    is_required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A list in a block or an element, by its number of items."""

    most: int
    least: int = 1
    is_required: bool = False


Rule = Text | String | Items

BLOCKS: dict[str, dict[str, Rule]] = {
    "section": {"text": Text(most=3_000), "fields": Items(most=10)},
    "header": {"text": Text(most=150, kinds=PLAIN, is_required=True)},
    "divider": {},
    "context": {"elements": Items(most=10, is_required=True)},
    "actions": {"elements": Items(most=25, is_required=True)},
    "context_actions": {"elements": Items(most=5, is_required=True)},
    "image": {
        "image_url": String(most=3_000),
        "alt_text": String(most=2_000, is_required=True),
        "title": Text(most=2_000, kinds=PLAIN),
    },
    "input": {
        "label": Text(most=2_000, kinds=PLAIN, is_required=True),
        "hint": Text(most=2_000, kinds=PLAIN),
    },
    "markdown": {"text": String(most=MAX_MARKDOWN, is_required=True)},
    "rich_text": {"elements": Items(most=1_000, is_required=True)},
    "alert": {"text": Text(most=3_000, is_required=True)},
    "container": {
        "title": Text(most=150, kinds=PLAIN),
        "subtitle": Text(most=150),
        "child_blocks": Items(most=10, is_required=True),
    },
    "plan": {"title": String(most=3_000, is_required=True), "tasks": Items(most=MAX_BLOCKS_MESSAGE, least=0)},
    "task_card": {"task_id": String(most=MAX_ID, is_required=True), "title": String(most=3_000, is_required=True)},
    "table": {"rows": Items(most=100, is_required=True), "column_settings": Items(most=MAX_TABLE_COLUMNS, least=0)},
    "data_table": {
        "rows": Items(most=101, least=2, is_required=True),
        "caption": String(most=3_000, is_required=True),
    },
    "data_visualization": {"title": String(most=50, is_required=True)},
}

SURFACES: dict[str, tuple[Surface, ...]] = {
    "alert": (Surface.MODAL,),
    "container": (Surface.MESSAGE,),
    "context_actions": (Surface.MESSAGE,),
    "markdown": (Surface.MESSAGE,),
    "plan": (Surface.MESSAGE,),
    "task_card": (Surface.MESSAGE,),
    "table": (Surface.MESSAGE, Surface.HOME),
    "data_table": (Surface.MESSAGE, Surface.HOME),
    "data_visualization": (Surface.MESSAGE, Surface.HOME),
}

CONTAINED = ("actions", "context", "divider", "header", "image", "input", "rich_text", "section", "table")
RICH_TEXT = ("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")

CHOICES = {"options": Items(most=10, is_required=True)}
MENU: dict[str, Rule] = {
    "placeholder": Text(most=150, kinds=PLAIN),
    "options": Items(most=100),
    "option_groups": Items(most=100),
}
TYPED: dict[str, Rule] = {"placeholder": Text(most=150, kinds=PLAIN)}

ELEMENTS: dict[str, dict[str, Rule]] = {
    "button": {
        "text": Text(most=75, kinds=PLAIN, is_required=True),
        "value": String(most=2_000),
        "url": String(most=3_000),
        "accessibility_label": String(most=75),
    },
    "icon_button": {
        "icon": String(most=75, is_required=True),
        "text": Text(most=75, kinds=PLAIN, is_required=True),
        "value": String(most=2_000),
    },
    "feedback_buttons": {},
    "overflow": {"options": Items(most=5, is_required=True)},
    "radio_buttons": {**CHOICES},
    "checkboxes": {**CHOICES},
    "image": {"alt_text": String(most=2_000, is_required=True), "image_url": String(most=3_000)},
    "plain_text_input": {**TYPED, "initial_value": String(most=3_000)},
    **dict.fromkeys(("static_select", "multi_static_select", "external_select", "multi_external_select"), MENU),
    **dict.fromkeys(("users_select", "conversations_select", "channels_select"), TYPED),
    **dict.fromkeys(("multi_users_select", "multi_conversations_select", "multi_channels_select"), TYPED),
    **dict.fromkeys(("datepicker", "timepicker", "datetimepicker", "number_input"), TYPED),
    **dict.fromkeys(("email_text_input", "url_text_input", "rich_text_input", "file_input"), TYPED),
}

ACTIONS = tuple(kind for kind in ELEMENTS if kind not in {"image", "feedback_buttons", "icon_button"})
OPTION: dict[str, Rule] = {
    "text": Text(most=75, is_required=True),
    "value": String(most=150),
    "description": Text(most=75),
}
CONFIRM: dict[str, Rule] = {
    "title": Text(most=100, kinds=PLAIN, is_required=True),
    "text": Text(most=300, is_required=True),
    "confirm": Text(most=30, kinds=PLAIN),
    "deny": Text(most=30, kinds=PLAIN),
}
