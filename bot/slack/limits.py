"""What Slack refuses in blocks, messages and views, said before Slack says it.

Pure: no Slack, no clock. The bot asks here before each send and the local workspace asks here before it accepts; the
numbers are in `limit_tables`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from bot.slack.limit_tables import (
    ACTIONS,
    BLOCKS,
    CELLS,
    CONFIRM,
    CONTAINED,
    ELEMENTS,
    MAX_BLOCKS_MESSAGE,
    MAX_BLOCKS_VIEW,
    MAX_CHARTS,
    MAX_ID,
    MAX_MARKDOWN,
    MAX_MESSAGE_CHARACTERS,
    MAX_MESSAGE_TEXT,
    MAX_TABLE_COLUMNS,
    MAX_UPDATE_TEXT,
    MAX_VIEW_BYTES,
    OPTION,
    PLAIN,
    RICH_TEXT,
    SURFACES,
    TASK_STATES,
    Items,
    Rule,
    String,
    Surface,
    Text,
)


def validate_blocks(blocks: Sequence[Mapping[str, Any]], surface: Surface) -> list[str]:
    """What Slack would refuse in `blocks` on this surface, each problem with its path; empty when nothing."""
    report = _Report(surface=surface)
    most = MAX_BLOCKS_MESSAGE if surface is Surface.MESSAGE else MAX_BLOCKS_VIEW
    if len(blocks) > most:
        report.add("blocks", f"{len(blocks)} blocks, at most {most}")
    for number, block in enumerate(blocks):
        _check_block(report, f"blocks[{number}]", _object(block))
    _check_totals(report)
    return report.problems


def validate_message(payload: Mapping[str, Any], *, is_update: bool = False) -> list[str]:
    """What Slack would refuse, or show badly, in the arguments of a message."""
    problems: list[str] = []
    text = str(payload.get("text") or "")
    blocks = _list(payload.get("blocks"))
    if blocks and not text.strip():
        problems.append("text: missing beside blocks, so notifications and screen readers have nothing to say")
    if not blocks and not text.strip() and not payload.get("attachments") and not payload.get("markdown_text"):
        problems.append("text: a message needs text or blocks")
    most = MAX_UPDATE_TEXT if blocks or is_update else MAX_MESSAGE_TEXT
    _limit(problems, "text", len(text), most)
    _limit(problems, "markdown_text", len(str(payload.get("markdown_text") or "")), MAX_MARKDOWN)
    if payload.get("markdown_text") and (text or blocks):
        problems.append("markdown_text: cannot be sent together with text or blocks")
    return problems + validate_blocks(blocks, Surface.MESSAGE)


def validate_view(view: Mapping[str, Any]) -> list[str]:
    """What Slack would refuse in a modal or an App Home."""
    kind = view.get("type")
    if kind not in {"modal", "home"}:
        return [f"type: {kind!r} is no view, expected 'modal' or 'home'"]
    surface = Surface.MODAL if kind == "modal" else Surface.HOME
    report = _Report(surface=surface)
    blocks = _list(view.get("blocks"))
    if not isinstance(view.get("blocks"), list):
        report.add("blocks", "missing")
    if surface is Surface.MODAL:
        _check_fields(report, "", view, {"title": Text(most=24, kinds=PLAIN, is_required=True)})
        _check_fields(report, "", view, {name: Text(most=24, kinds=PLAIN) for name in ("submit", "close")})
        if not view.get("submit") and any(_object(block).get("type") == "input" for block in blocks):
            report.add("submit", "missing, and the view has inputs")
    _check_fields(report, "", view, {"private_metadata": String(most=3_000), "callback_id": String(most=MAX_ID)})
    size = len(json.dumps(view, ensure_ascii=False).encode())
    if size > MAX_VIEW_BYTES:
        report.add("view", f"{size} bytes, at most {MAX_VIEW_BYTES}")
    return report.problems + validate_blocks(blocks, surface)


@dataclass(slots=True, kw_only=True)
class _Report:
    """The problems found so far, and what counts over all blocks together."""

    surface: Surface
    problems: list[str] = field(default_factory=list[str])
    ids: set[str] = field(default_factory=set[str])
    characters: int = 0
    markdown: int = 0
    charts: int = 0

    def add(self, path: str, problem: str) -> None:
        self.problems.append(f"{path.strip('.')}: {problem}")

    def count(self, text: str) -> None:
        self.characters += len(text)

    def unique(self, path: str, name: str, scope: str) -> None:
        """Whether an id is short enough and not taken; `scope` is what it must be unique in."""
        if len(name) > MAX_ID:
            self.add(path, f"{len(name)} characters, at most {MAX_ID}")
        if (key := f"{scope}\n{name}") in self.ids:
            self.add(path, f"{name!r} is not unique")
        self.ids.add(key)


def _check_totals(report: _Report) -> None:
    if report.surface is Surface.MESSAGE and report.characters > MAX_MESSAGE_CHARACTERS:
        report.add("blocks", f"{report.characters} characters of text in all, at most {MAX_MESSAGE_CHARACTERS}")
    if report.markdown > MAX_MARKDOWN:
        report.add("blocks", f"{report.markdown} characters of markdown in all, at most {MAX_MARKDOWN}")
    if report.charts > MAX_CHARTS:
        report.add("blocks", f"{report.charts} charts, at most {MAX_CHARTS}")


def _check_block(report: _Report, path: str, block: Mapping[str, Any], *, parent: str = "") -> None:
    kind = block.get("type")
    rules = BLOCKS.get(str(kind))
    if rules is None:
        report.add(path, f"unknown type {kind!r}")
        return
    surfaces = SURFACES.get(str(kind), tuple(Surface))
    if report.surface not in surfaces:
        report.add(path, f"{kind} is not allowed in a {report.surface}")
    if block_id := block.get("block_id"):
        report.unique(f"{path}.block_id", str(block_id), "block_id")
    _check_fields(report, path, block, rules)
    if checker := _CHECKERS.get(str(kind)):
        checker(report, path, block)
    if kind == "task_card" and block.get("status") == "pending" and parent != "plan":
        report.add(f"{path}.status", "'pending' is allowed inside a plan only")


def _check_section(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    if not block.get("text") and not block.get("fields"):
        report.add(path, "needs text or fields")
    for number, text in enumerate(_list(block.get("fields"))):
        _check_text(report, f"{path}.fields[{number}]", text, Text(most=2_000))
    if accessory := block.get("accessory"):
        allowed = ("image", *(kind for kind in ACTIONS if "input" not in kind))
        _check_element(report, f"{path}.accessory", _object(accessory), allowed, _scope(path, block))


def _check_context(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    for number, raw in enumerate(_list(block.get("elements"))):
        element, where = _object(raw), f"{path}.elements[{number}]"
        if element.get("type") == "image":
            _check_element(report, where, element, ("image",), path)
        else:
            _check_text(report, where, element, Text(most=3_000))


def _check_actions(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    allowed = ("feedback_buttons", "icon_button") if block.get("type") == "context_actions" else ACTIONS
    for number, element in enumerate(_list(block.get("elements"))):
        _check_element(report, f"{path}.elements[{number}]", _object(element), allowed, _scope(path, block))


def _check_input(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    allowed = tuple(kind for kind in ACTIONS if kind not in {"button", "overflow"})
    _check_element(report, f"{path}.element", _object(block.get("element")), allowed, _scope(path, block))


def _check_image(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    if bool(block.get("image_url")) == bool(block.get("slack_file")):
        report.add(path, "needs image_url or slack_file, and not both")


def _check_markdown(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    report.markdown += len(str(block.get("text") or ""))


def _check_rich_text(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    for number, raw in enumerate(_list(block.get("elements"))):
        element = _object(raw)
        if element.get("type") not in RICH_TEXT:
            report.add(f"{path}.elements[{number}]", f"unknown type {element.get('type')!r}")
        _count_rich_text(report, element)


def _count_rich_text(report: _Report, element: Mapping[str, Any]) -> None:
    report.count(str(element.get("text") or element.get("url") or ""))
    for inner in _list(element.get("elements")):
        _count_rich_text(report, _object(inner))


def _check_container(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    if not block.get("title") and not block.get("rich_text_title"):
        report.add(path, "needs title or rich_text_title")
    for number, raw in enumerate(_list(block.get("child_blocks"))):
        child, where = _object(raw), f"{path}.child_blocks[{number}]"
        if child.get("type") in BLOCKS and child.get("type") not in CONTAINED:
            report.add(where, f"{child.get('type')} is not allowed in a container")
        _check_block(report, where, child, parent="container")


def _check_plan(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    for number, raw in enumerate(_list(block.get("tasks"))):
        task, where = _object(raw), f"{path}.tasks[{number}]"
        if task.get("type", "task_card") != "task_card":
            report.add(where, f"{task.get('type')!r} is no task_card")
            continue
        _check_block(report, where, {"type": "task_card", **task}, parent="plan")


def _check_task(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    if block.get("status") not in TASK_STATES:
        report.add(f"{path}.status", f"{block.get('status')!r} is none of {', '.join(TASK_STATES)}")
    for name in ("details", "output"):
        if (value := block.get(name)) is None:
            continue
        if _object(value).get("type") != "rich_text":
            report.add(f"{path}.{name}", "must be one rich_text")
        else:
            _check_block(report, f"{path}.{name}", _object(value))
    for number, source in enumerate(_list(block.get("sources"))):
        _check_fields(
            report, f"{path}.sources[{number}]", _object(source), {"url": String(most=3_000, is_required=True)}
        )


def _check_table(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    for number, raw in enumerate(_list(block.get("rows"))):
        row, where = _list(raw), f"{path}.rows[{number}]"
        if not 1 <= len(row) <= MAX_TABLE_COLUMNS:
            report.add(where, f"{len(row)} cells, from 1 to {MAX_TABLE_COLUMNS}")
        for column, cell in enumerate(row):
            _check_cell(report, f"{where}[{column}]", _object(cell))
            if block.get("type") == "data_table" and number == 0 and _object(cell).get("type") != "raw_text":
                report.add(f"{where}[{column}]", "a header cell is plain: raw_text")


def _check_cell(report: _Report, path: str, cell: Mapping[str, Any]) -> None:
    if cell.get("type") == "rich_text":
        _check_block(report, path, cell)
    elif cell.get("type") not in CELLS:
        report.add(path, f"unknown cell type {cell.get('type')!r}")
    else:
        _check_fields(report, path, cell, {"text": String(most=MAX_MESSAGE_CHARACTERS, is_required=True)})
        if cell.get("type") == "raw_number":
            _check_number(report, path, cell)


def _check_number(report: _Report, path: str, owner: Mapping[str, Any]) -> None:
    value = owner.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float):
        report.add(f"{path}.value", f"{value!r} is no number")


def _check_chart(report: _Report, path: str, block: Mapping[str, Any]) -> None:
    report.charts += 1
    chart = _object(block.get("chart"))
    if chart.get("type") not in {"line", "bar", "area", "pie"}:
        report.add(f"{path}.chart.type", f"{chart.get('type')!r} is no chart")
        return
    if chart.get("type") == "pie":
        _check_points(report, f"{path}.chart.segments", _list(chart.get("segments")))
        return
    series = _list(chart.get("series"))
    if not 1 <= len(series) <= 6:
        report.add(f"{path}.chart.series", f"{len(series)} series, from 1 to 6")
    names = [str(_object(one).get("name") or "") for one in series]
    if len(set(names)) != len(names):
        report.add(f"{path}.chart.series", "names are not unique")
    categories = [str(one) for one in _list(_object(chart.get("axis_config")).get("categories"))]
    for number, one in enumerate(series):
        where, points = f"{path}.chart.series[{number}]", _list(_object(one).get("data"))
        _check_fields(report, where, _object(one), {"name": String(most=20, is_required=True)})
        _check_points(report, f"{where}.data", points)
        if [str(_object(point).get("label")) for point in points] != categories:
            report.add(f"{where}.data", "labels differ from axis_config.categories")


def _check_points(report: _Report, path: str, points: list[Any]) -> None:
    if not 1 <= len(points) <= 20:
        report.add(path, f"{len(points)} points, from 1 to 20")
    for number, raw in enumerate(points):
        point, where = _object(raw), f"{path}[{number}]"
        _check_fields(report, where, point, {"label": String(most=20, is_required=True)})
        _check_number(report, where, point)


_CHECKERS: dict[str, Callable[[_Report, str, Mapping[str, Any]], None]] = {
    "section": _check_section,
    "context": _check_context,
    "actions": _check_actions,
    "context_actions": _check_actions,
    "input": _check_input,
    "image": _check_image,
    "markdown": _check_markdown,
    "rich_text": _check_rich_text,
    "container": _check_container,
    "plan": _check_plan,
    "task_card": _check_task,
    "table": _check_table,
    "data_table": _check_table,
    "data_visualization": _check_chart,
}


def _check_element(
    report: _Report, path: str, element: Mapping[str, Any], allowed: tuple[str, ...], scope: str
) -> None:
    kind = str(element.get("type"))
    if kind not in allowed:
        report.add(
            path, f"unknown type {element.get('type')!r}" if kind not in ELEMENTS else f"{kind} is not allowed here"
        )
        return
    _check_fields(report, path, element, ELEMENTS[kind])
    if action_id := element.get("action_id"):
        report.unique(f"{path}.action_id", str(action_id), scope)
    if confirm := element.get("confirm"):
        _check_fields(report, f"{path}.confirm", _object(confirm), CONFIRM)
    if kind == "feedback_buttons":
        for name in ("positive_button", "negative_button"):
            rules: dict[str, Rule] = {
                "text": Text(most=75, kinds=PLAIN, is_required=True),
                "value": String(most=2_000, is_required=True),
            }
            _check_fields(report, f"{path}.{name}", _object(element.get(name)), rules)
    if kind.endswith("static_select") and bool(element.get("options")) == bool(element.get("option_groups")):
        report.add(path, "needs options or option_groups, and not both")
    _check_options(report, path, element)


def _check_options(report: _Report, path: str, element: Mapping[str, Any]) -> None:
    for number, option in enumerate(_list(element.get("options"))):
        _check_fields(report, f"{path}.options[{number}]", _object(option), OPTION)
    for number, raw in enumerate(_list(element.get("option_groups"))):
        group, where = _object(raw), f"{path}.option_groups[{number}]"
        _check_fields(report, where, group, {"label": Text(most=75, kinds=PLAIN), "options": Items(most=100)})
        _check_options(report, where, {"options": group.get("options")})


def _check_fields(report: _Report, path: str, owner: Mapping[str, Any], rules: Mapping[str, Rule]) -> None:
    for name, rule in rules.items():
        value, where = owner.get(name), f"{path}.{name}"
        if value is None:
            if rule.is_required:
                report.add(where, "missing")
        elif isinstance(rule, Text):
            _check_text(report, where, value, rule)
        elif isinstance(rule, String):
            _check_string(report, where, value, rule)
        elif not isinstance(value, list) or not rule.least <= len(_list(value)) <= rule.most:
            report.add(where, f"{len(_list(value))} items, from {rule.least} to {rule.most}")


def _check_text(report: _Report, path: str, value: Any, rule: Text) -> None:
    text = _object(value)
    if text.get("type") not in rule.kinds:
        report.add(f"{path}.type", f"{text.get('type')!r}, expected {' or '.join(rule.kinds)}")
    words = text.get("text")
    if not isinstance(words, str) or not words:
        report.add(path, "text is missing or empty")
        return
    _limit(report.problems, path.strip("."), len(words), rule.most)
    report.count(words)


def _check_string(report: _Report, path: str, value: Any, rule: String) -> None:
    if not isinstance(value, str) or (rule.is_required and not value):
        report.add(path, "missing or no string")
        return
    _limit(report.problems, path.strip("."), len(value), rule.most)
    if path.endswith((".text", ".title", ".caption", ".label", ".name")):
        report.count(value)


def _scope(path: str, block: Mapping[str, Any]) -> str:
    # The state of a view is keyed by block and then action; everywhere else the action_id alone names the click.
    return f"action_id {path}" if block.get("type") == "input" else "action_id"


def _limit(problems: list[str], path: str, length: int, most: int) -> None:
    if length > most:
        problems.append(f"{path}: {length} characters, at most {most}")


def _object(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list | tuple) else []
