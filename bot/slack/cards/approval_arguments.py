"""Arguments of actions as people read them before they approve: all of them. Pure."""

import json
from collections.abc import Sequence

from approvals.plan import Plan


def argued(items: Sequence[Plan]) -> str:
    """The arguments of all items, a line each, values in JSON; several items are numbered. For `text.exact`."""
    if len(items) == 1:
        return _lines(items[0], "") or "(none)"
    numbered = (
        f"{number}. {item.action.name} {item.action.target}\n{_lines(item, '   ')}"
        for number, item in enumerate(items, 1)
    )
    return "\n".join(one.rstrip("\n") for one in numbered)


def _lines(item: Plan, indent: str) -> str:
    return "\n".join(f"{indent}{name}: {_value(value)}" for name, value in item.action.arguments.items())


def _value(value: object) -> str:
    # In quotes and on one line: a blank at the end, a line break or a quote is seen.
    return json.dumps(value, ensure_ascii=False)
