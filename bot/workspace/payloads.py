"""Reading and writing the JSON of the platform without losing the type checker."""

import copy
import json
import secrets
from collections.abc import Iterator
from typing import Any, cast

Json = dict[str, Any]


def as_object(value: Any) -> Json:
    """`value` when it is a JSON object, else an empty one."""
    return cast("Json", value) if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """`value` when it is a JSON array, else an empty one."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def objects(value: Any) -> list[Json]:
    """The objects in a JSON array."""
    return [as_object(one) for one in as_list(value)]


def decoded(value: Any) -> Any:
    """`value`, parsed where it is JSON in a string: clients send blocks, views and files either way."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def is_true(value: Any) -> bool:
    """Whether a flag is set, in JSON or in a form."""
    return value is True or str(value).lower() in {"1", "true"}


def with_ids(blocks: list[Any]) -> list[Json]:
    """A copy in which every block has a `block_id` and every element an `action_id`, as Slack fills them in."""
    filled = [as_object(block) for block in copy.deepcopy(blocks)]
    for block in filled:
        block.setdefault("block_id", secrets.token_urlsafe(4)[:5])
        for child in objects(block.get("child_blocks")):
            child.setdefault("block_id", secrets.token_urlsafe(4)[:5])
        for element in elements_of(block):
            if element.get("type") != "image":
                element.setdefault("action_id", secrets.token_urlsafe(4)[:5])
    return filled


def elements_of(block: Json) -> Iterator[Json]:
    """The elements in one block that a person can use."""
    kind = block.get("type")
    if kind in {"actions", "context_actions"}:
        yield from objects(block.get("elements"))
    elif kind == "section" and block.get("accessory"):
        yield as_object(block["accessory"])
    elif kind == "input":
        yield as_object(block.get("element"))
    elif kind == "container":
        for child in objects(block.get("child_blocks")):
            yield from elements_of(child)
