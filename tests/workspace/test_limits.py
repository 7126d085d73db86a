from collections.abc import Callable
from typing import Any

import pytest

from bot.slack.limits import Surface, validate_blocks, validate_message, validate_view

Json = dict[str, Any]

TASK: Json = {"type": "task_card", "task_id": "1", "title": "x"}
RICH: Json = {"type": "rich_text", "elements": [{"type": "rich_text_section"}]}


def shown(value: object) -> str | None:
    """What a case is called: its problem, or its block's type."""
    return value if isinstance(value, str) else None


def plain(length: int) -> Json:
    return {"type": "plain_text", "text": "x" * length}


def words(length: int) -> Json:
    return {"type": "mrkdwn", "text": "x" * length}


def section(accessory: Json | None = None) -> Json:
    return {"type": "section", "text": words(1)} | ({"accessory": accessory} if accessory else {})


def button(**fields: Any) -> Json:
    return {"type": "button", "text": plain(1), **fields}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def confirming(**fields: Any) -> Json:
    return actions(button(confirm={"title": plain(1), "text": words(1), **fields}))


def menu(**option: Any) -> Json:
    return actions({"type": "static_select", "options": [{"text": plain(1), "value": "v", **option}]})


def options(count: int, kind: str) -> Json:
    return actions({"type": kind, "options": [{"text": plain(1), "value": str(number)} for number in range(count)]})


def feedback(length: int, value: int = 1) -> Json:
    one = {"text": plain(length), "value": "v" * value}
    return {
        "type": "context_actions",
        "elements": [{"type": "feedback_buttons", "positive_button": one, "negative_button": one}],
    }


def field(element: Json, **fields: Any) -> Json:
    return {"type": "input", "label": plain(1), "element": element, **fields}


def cells(rows: int, columns: int, **table: Any) -> Json:
    return {"rows": [[{"type": "raw_text", "text": "x"}] * columns for _ in range(rows)], **table}


def data_table(rows: int, columns: int) -> Json:
    return {"type": "data_table", "caption": "c", **cells(rows, columns)}


def chart(*, title: int = 1, series: int = 1, points: int = 1, label: int = 3) -> Json:
    labels = [f"{number:02d}".rjust(label, "x") for number in range(points)]
    lines = [{"name": str(number), "data": [{"label": one, "value": 1} for one in labels]} for number in range(series)]
    body = {"type": "line", "series": lines, "axis_config": {"categories": labels}}
    return {"type": "data_visualization", "title": "t" * title, "chart": body}


def container(children: int, title: int = 1) -> Json:
    return {"type": "container", "title": plain(title), "child_blocks": [{"type": "divider"}] * children}


LIMITS: list[tuple[str, int, Callable[[int], Json]]] = [
    ("section text", 3_000, lambda n: {"type": "section", "text": words(n)}),
    ("section fields", 10, lambda n: {"type": "section", "fields": [words(1)] * n}),
    ("one field", 2_000, lambda n: {"type": "section", "fields": [words(n)]}),
    ("header", 150, lambda n: {"type": "header", "text": plain(n)}),
    ("context elements", 10, lambda n: {"type": "context", "elements": [words(1)] * n}),
    ("actions", 25, lambda n: actions(*[button()] * n)),
    ("button text", 75, lambda n: actions(button(text=plain(n)))),
    ("button value", 2_000, lambda n: actions(button(value="v" * n))),
    ("button url", 3_000, lambda n: actions(button(url="u" * n))),
    ("accessory text", 75, lambda n: section(button(text=plain(n)))),
    ("action id", 255, lambda n: actions(button(action_id="a" * n))),
    ("block id", 255, lambda n: {"type": "divider", "block_id": "b" * n}),
    ("confirm title", 100, lambda n: confirming(title=plain(n))),
    ("confirm text", 300, lambda n: confirming(text=words(n))),
    ("confirm button", 30, lambda n: confirming(confirm=plain(n))),
    ("deny button", 30, lambda n: confirming(deny=plain(n))),
    ("option text", 75, lambda n: menu(text=plain(n))),
    ("option value", 150, lambda n: menu(value="v" * n)),
    ("menu options", 100, lambda n: options(n, "static_select")),
    ("overflow options", 5, lambda n: options(n, "overflow")),
    ("radio options", 10, lambda n: options(n, "radio_buttons")),
    ("feedback elements", 5, lambda n: {**feedback(1), "elements": feedback(1)["elements"] * n}),
    ("feedback text", 75, feedback),
    ("feedback value", 2_000, lambda n: feedback(1, n)),
    ("image alt text", 2_000, lambda n: {"type": "image", "image_url": "https://x", "alt_text": "x" * n}),
    ("table rows", 100, lambda n: {"type": "table", **cells(n, 1)}),
    ("table columns", 20, lambda n: {"type": "table", **cells(1, n)}),
    ("data table rows", 101, lambda n: data_table(n, 1)),
    ("data table columns", 20, lambda n: data_table(2, n)),
    ("chart title", 50, lambda n: chart(title=n)),
    ("chart series", 6, lambda n: chart(series=n)),
    ("chart points", 20, lambda n: chart(points=n)),
    ("chart labels", 20, lambda n: chart(label=n)),
    ("container children", 10, container),
    ("container title", 150, lambda n: container(1, n)),
]


@pytest.mark.parametrize(("most", "build"), [pytest.param(*rest, id=name) for name, *rest in LIMITS])
def test_a_block_at_its_limit_passes_and_one_past_it_does_not(most: int, build: Callable[[int], Json]) -> None:
    assert validate_blocks([build(most)], Surface.MESSAGE) == []
    problems = validate_blocks([build(most + 1)], Surface.MESSAGE)
    assert problems
    assert all(problem.startswith("blocks[0]") for problem in problems)
    assert str(most + 1) in problems[0]


@pytest.mark.parametrize(("surface", "most"), [(Surface.MESSAGE, 50), (Surface.MODAL, 100), (Surface.HOME, 100)])
def test_a_surface_takes_so_many_blocks(surface: Surface, most: int) -> None:
    assert validate_blocks([{"type": "divider"}] * most, surface) == []
    assert validate_blocks([{"type": "divider"}] * (most + 1), surface) == [
        f"blocks: {most + 1} blocks, at most {most}"
    ]


def test_a_problem_names_the_block_and_both_numbers() -> None:
    blocks = [{"type": "divider"}] * 3 + [{"type": "section", "text": words(3_104)}]
    assert validate_blocks(blocks, Surface.MESSAGE) == ["blocks[3].text: 3104 characters, at most 3000"]


def test_all_text_of_a_message_stays_under_ten_thousand_characters() -> None:
    blocks = [{"type": "section", "text": words(2_500)}] * 4
    assert validate_blocks(blocks, Surface.MESSAGE) == []
    one_more = [*blocks, {"type": "context", "elements": [words(1)]}]
    assert "10001 characters of text in all" in validate_blocks(one_more, Surface.MESSAGE)[0]
    assert validate_blocks(one_more, Surface.HOME) == []


def test_markdown_is_limited_in_total() -> None:
    problems = validate_blocks(
        [{"type": "markdown", "text": "x" * 6_001}, {"type": "markdown", "text": "x" * 6_000}], Surface.MESSAGE
    )
    assert any("12001 characters of markdown in all" in problem for problem in problems)


def test_a_message_has_two_charts_at_most() -> None:
    assert validate_blocks([chart()] * 2, Surface.MESSAGE) == []
    assert validate_blocks([chart()] * 3, Surface.MESSAGE) == ["blocks: 3 charts, at most 2"]


@pytest.mark.parametrize(
    ("block", "allowed"),
    [
        ({"type": "alert", "text": words(1)}, {Surface.MODAL}),
        (container(1), {Surface.MESSAGE}),
        ({"type": "markdown", "text": "x"}, {Surface.MESSAGE}),
        ({"type": "plan", "title": "x"}, {Surface.MESSAGE}),
        ({"type": "task_card", "task_id": "1", "title": "x", "status": "complete"}, {Surface.MESSAGE}),
        (feedback(1), {Surface.MESSAGE}),
        ({"type": "table", **cells(1, 1)}, {Surface.MESSAGE, Surface.HOME}),
        (data_table(2, 1), {Surface.MESSAGE, Surface.HOME}),
        (chart(), {Surface.MESSAGE, Surface.HOME}),
        (section(), set(Surface)),
    ],
    ids=shown,
)
def test_a_block_is_allowed_on_its_surfaces_only(block: Json, allowed: set[Surface]) -> None:
    assert {surface for surface in Surface if not validate_blocks([block], surface)} == allowed


def test_ids_are_unique_in_a_message_but_inputs_of_a_modal_may_share_an_action_id() -> None:
    twice = [actions(button(action_id="a")), actions(button(action_id="a"))]
    assert validate_blocks(twice, Surface.MESSAGE) == ["blocks[1].elements[0].action_id: 'a' is not unique"]
    same_block = [{"type": "divider", "block_id": "b"}] * 2
    assert validate_blocks(same_block, Surface.MESSAGE) == ["blocks[1].block_id: 'b' is not unique"]
    inputs = [field({"type": "plain_text_input", "action_id": "value"}) for _ in range(2)]
    assert validate_blocks(inputs, Surface.MODAL) == []


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ({"type": "poem"}, "unknown type 'poem'"),
        ({"type": "section"}, "needs text or fields"),
        ({"type": "section", "text": words(0)}, "text is missing or empty"),
        ({"type": "header", "text": words(1)}, "expected plain_text"),
        (actions(), "0 items"),
        (actions({"type": "slider"}), "unknown type 'slider'"),
        (actions({"type": "feedback_buttons"}), "not allowed here"),
        (actions({"type": "static_select"}), "needs options or option_groups"),
        ({"type": "image", "alt_text": "x"}, "needs image_url or slack_file"),
        ({**TASK, "status": "pending"}, "inside a plan only"),
        ({**TASK, "status": "done"}, "is none of"),
        ({**TASK, "status": "error", "details": "why"}, "must be one rich_text"),
        ({"type": "plan", "title": "x", "tasks": [{"type": "section"}]}, "is no task_card"),
        (data_table(1, 1), "1 items, from 2 to 101"),
        ({"type": "data_table", **cells(2, 1)}, "caption: missing"),
        ({**data_table(2, 1), "rows": [[RICH]] * 2}, "a header cell is plain"),
        ({"type": "table", "rows": [[{"type": "text", "text": "x"}]]}, "unknown cell type"),
        ({"type": "table", "rows": [[{"type": "raw_text", "text": ""}]]}, "rows[0][0].text: missing"),
        ({"type": "table", "rows": [[{"type": "raw_number", "text": "5", "value": "5"}]]}, "'5' is no number"),
        ({**container(1), "child_blocks": [{"type": "plan", "title": "x"}]}, "not allowed in a container"),
        ({"type": "data_visualization", "title": "x", "chart": {"type": "radar"}}, "is no chart"),
        ({"type": "rich_text", "elements": [{"type": "rich_text_song"}]}, "unknown type"),
    ],
    ids=shown,
)  # fmt: skip
def test_what_slack_does_not_know_is_refused(block: Json, problem: str) -> None:
    problems = validate_blocks([block], Surface.MESSAGE)
    assert any(problem in one for one in problems), problems


def test_a_pending_task_is_fine_inside_a_plan() -> None:
    plan = {"type": "plan", "title": "x", "tasks": [{"task_id": "1", "title": "y", "status": "pending"}]}
    assert validate_blocks([plan], Surface.MESSAGE) == []


def test_chart_points_match_the_categories_and_are_numbers() -> None:
    block = chart(points=2)
    block["chart"]["axis_config"]["categories"] = ["other", "labels"]
    block["chart"]["series"][0]["data"][0]["value"] = "many"
    problems = validate_blocks([block], Surface.MESSAGE)
    assert any("labels differ" in one for one in problems)
    assert any("'many' is no number" in one for one in problems)


def test_a_message_needs_text_that_fits() -> None:
    blocks = [{"type": "divider"}]
    assert validate_message({"text": "x" * 4_000, "blocks": blocks}) == []
    assert validate_message({"text": "x" * 4_001, "blocks": blocks}) == ["text: 4001 characters, at most 4000"]
    assert "missing beside blocks" in validate_message({"blocks": blocks})[0]
    assert validate_message({}) == ["text: a message needs text or blocks"]
    assert validate_message({"text": "x" * 40_000}) == []
    assert validate_message({"text": "x" * 40_001}) == ["text: 40001 characters, at most 40000"]
    assert validate_message({"text": "x" * 4_000}, is_update=True) == []
    assert validate_message({"text": "x" * 4_001}, is_update=True) == ["text: 4001 characters, at most 4000"]
    assert validate_message({"markdown_text": "x" * 12_001}) == ["markdown_text: 12001 characters, at most 12000"]


def modal(**fields: Any) -> Json:
    return {"type": "modal", "title": plain(1), "blocks": [section()], **fields}


MODALS: list[tuple[str, int, Callable[[int], Json]]] = [
    ("title", 24, lambda n: modal(title=plain(n))),
    ("submit", 24, lambda n: modal(submit=plain(n))),
    ("close", 24, lambda n: modal(close=plain(n))),
    ("private_metadata", 3_000, lambda n: modal(private_metadata="m" * n)),
    ("callback_id", 255, lambda n: modal(callback_id="c" * n)),
]


@pytest.mark.parametrize(("most", "build"), [pytest.param(*rest, id=name) for name, *rest in MODALS])
def test_a_modal_at_its_limit_passes_and_one_past_it_does_not(most: int, build: Callable[[int], Json]) -> None:
    assert validate_view(build(most)) == []
    assert f"{most + 1} characters, at most {most}" in validate_view(build(most + 1))[0]


def test_a_modal_with_inputs_needs_a_submit_button() -> None:
    view = modal(blocks=[field({"type": "plain_text_input", "action_id": "a"})])
    assert validate_view(view) == ["submit: missing, and the view has inputs"]
    assert validate_view(view | {"submit": plain(1)}) == []


def test_a_view_is_a_modal_or_a_home_of_limited_size() -> None:
    assert validate_view({"type": "poster"}) == ["type: 'poster' is no view, expected 'modal' or 'home'"]
    assert validate_view({"type": "home", "blocks": [section()]}) == []
    assert validate_view({"type": "home"}) == ["blocks: missing"]
    heavy = [{"type": "section", "fields": [words(2_000)] * 10}] * 13
    assert any("bytes, at most 250000" in one for one in validate_view({"type": "home", "blocks": heavy}))
