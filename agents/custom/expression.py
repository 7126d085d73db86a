"""JMESPath expressions of users, evaluated in bounded work. Pure.

The language has no loops, but pipes can double what they are given again and again; so every step and every size is
counted, and an expression that needs too many ends the same way on every machine.
"""

import warnings
from collections.abc import Sequence
from typing import Any, cast

import jmespath
from jmespath import exceptions, visitor

LONGEST = 1_000
"""Characters of an expression."""
DEEPEST = 100
"""Levels of its syntax tree; the parser itself follows them on the stack."""
MOST_STEPS = 50_000
"""Nodes that are visited for one object: a pod of fifty containers takes some hundreds."""
MOST_VALUES = 20_000
"""Members of one list, or characters of one text, that a step may make."""


class BadExpression(ValueError):
    """It cannot be used; the message says why, as JMESPath's own parser has it."""


class ExpressionFailed(Exception):
    """It could not be evaluated on one object: a type does not fit, or it needs too much work."""


class Expression:
    """One expression, parsed once."""

    def __init__(self, text: str) -> None:
        """Parses it.

        Raises:
            BadExpression: when it is no JMESPath, or larger than any check needs.
        """
        if len(text) > LONGEST:
            raise BadExpression(f"has {len(text)} characters, at most {LONGEST} are read")
        if sum(text.count(each) for each in "([{!") > DEEPEST:
            raise BadExpression(f"opens more than {DEEPEST} brackets")
        try:
            with warnings.catch_warnings():
                # A literal in backquotes that is no JSON: the library would take it for text, and say so to nobody.
                warnings.simplefilter("error", PendingDeprecationWarning)
                self._parsed = jmespath.compile(text)
        except (exceptions.JMESPathError, PendingDeprecationWarning, ValueError, RecursionError) as error:
            raise BadExpression(f"no JMESPath: {_first_line(error)}") from error
        self._check_functions(self._parsed.parsed)
        if _depth(self._parsed.parsed) > DEEPEST:
            raise BadExpression(f"is nested deeper than {DEEPEST} levels")

    def on(self, obj: Any) -> Any:
        """Its value for one object.

        Raises:
            ExpressionFailed: when it has none there.
        """
        try:
            return _Counting().visit(self._parsed.parsed, obj)
        except (exceptions.JMESPathError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ExpressionFailed(_first_line(error)) from error

    def holds(self, obj: Any) -> bool:
        """Whether its value for one object is true, as JMESPath has it: neither empty, nor false, nor null.

        Raises:
            ExpressionFailed: see `on`.
        """
        value = self.on(obj)
        return value not in (None, False, "", [], {})

    @staticmethod
    def _check_functions(node: Any) -> None:
        for each in _nodes(node):
            if each.get("type") == "function_expression" and each.get("value") not in _functions():
                raise BadExpression(f"there is no function {each.get('value')!r}")


class _Counting(visitor.TreeInterpreter):
    """Evaluates, and counts."""

    def __init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        self._steps = 0

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise ExpressionFailed(f"needs more than {MOST_STEPS} steps")
        value = super().visit(node, *args, **kwargs)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if isinstance(value, (list, str)) and len(cast("Sequence[Any]", value)) > MOST_VALUES:
            raise ExpressionFailed(f"makes a value of more than {MOST_VALUES} parts")
        return cast("Any", value)


def _functions() -> frozenset[str]:
    from jmespath import functions

    return frozenset(cast("dict[str, Any]", functions.Functions.FUNCTION_TABLE))  # pyright: ignore[reportUnknownMemberType]


def _nodes(node: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    waiting = [node]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            known = cast("dict[str, Any]", each)
            found.append(known)
            waiting.extend(cast("list[Any]", known.get("children") or ()))
    return found


def _depth(node: Any) -> int:
    deepest, waiting = 0, [(node, 1)]
    while waiting:
        each, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(each, dict):
            children = cast("list[Any]", cast("dict[str, Any]", each).get("children") or ())
            waiting.extend((child, depth + 1) for child in children)
    return deepest


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
