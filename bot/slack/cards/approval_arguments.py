"""Actions as people read them before they approve: what they do and all their arguments. Pure.

The texts are for `text.exact` and its kin, which show what is hidden in them.
"""

import json
from collections.abc import Sequence

from approvals.action import Action, kinds
from approvals.plan import Plan


def spoken(action: Action) -> str:
    """What the action does, in the catalogue's words; with everything in it that a redacted sentence would lack."""
    kind = kinds()[action.name]
    return kind.sentence(action.target, kind.arguments(action))


def argued(items: Sequence[Plan]) -> str:
    """The arguments of all items, a line each, values in JSON; several items are numbered."""
    if len(items) == 1:
        return lines(items[0].action) or "(none)"
    numbered = (
        f"{number}. {item.action.name} {item.action.target}\n{lines(item.action, '   ')}"
        for number, item in enumerate(items, 1)
    )
    return "\n".join(one.rstrip("\n") for one in numbered)


def lines(action: Action, indent: str = "") -> str:
    """The arguments of one action."""
    return "\n".join(f"{indent}{name}: {_value(value)}" for name, value in action.arguments.items())


def _value(value: object) -> str:
    # In quotes and on one line: a blank at the end, a line break or a quote is seen.
    return json.dumps(value, ensure_ascii=False)
