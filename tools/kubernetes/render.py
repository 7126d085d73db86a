"""Compact YAML of the named parts of an object, for rules to cite. Pure: no client, no clock."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import yaml

from tools.kubernetes.fields import mapping
from tools.kubernetes.fields import value as field

_STEP = re.compile(r"(?P<key>(?:\\.|[^.\[\]])+)?(?P<all>\[\*\])?(?P<index>\[\d+\])?(?:\.|$)")
_ABSENT: Any = object()


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        # The same object twice is to be read twice, not as `*id001`.
        return True


def dump(content: Any) -> str:
    """YAML with the keys in their own order."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=160, default_flow_style=False)


def excerpt(obj: Mapping[str, Any], *paths: str) -> str:
    r"""The named parts of an object, with `apiVersion`, `kind`, name and namespace on top.

    A path is written `spec.template.spec.containers[*].readinessProbe`, with `[0]` for one item and `\.` for a dot
    inside a key. List items keep their `name`, so that a reader knows whose part it is. What is absent is left out.
    """
    known = mapping(obj, "metadata")
    shown: dict[str, Any] = {key: obj[key] for key in ("apiVersion", "kind") if key in obj}
    shown["metadata"] = {key: known[key] for key in ("name", "namespace") if key in known}
    for path in paths:
        part = _pick(obj, tuple(_steps(path)))
        if part is not _ABSENT:
            shown = _merge(shown, part)
    return dump(shown)


def _steps(path: str) -> Iterator[str | int]:
    at = 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None or not (step["key"] or step["all"] or step["index"]):
            raise ValueError(f"{path!r} is no path: expected keys with dots between, such as spec.containers[*].image")
        if step["key"]:
            yield step["key"].replace("\\.", ".")
        if step["all"]:
            yield "*"
        if step["index"]:
            yield int(step["index"][1:-1])
        at = step.end()


def _pick(value: Any, steps: tuple[str | int, ...]) -> Any:
    """The part of `value` that lies on the path, in the shape of the whole."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(value, list):
        listed = cast("list[Any]", value)
        if step == "*":
            chosen = listed
        elif isinstance(step, int):
            chosen = listed[step : step + 1]
        else:
            return _ABSENT
        parts = [_named(item, part) for item in chosen if (part := _pick(item, rest)) is not _ABSENT]
        return parts or _ABSENT
    if not isinstance(value, Mapping) or not isinstance(step, str):
        return _ABSENT
    inner = _pick(cast("Mapping[str, Any]", value).get(step, _ABSENT), rest)
    return _ABSENT if inner is _ABSENT else {step: inner}


def _named(item: Any, part: Any) -> Any:
    if not isinstance(item, Mapping) or not isinstance(part, Mapping):
        return part
    whole, chosen = cast("Mapping[str, Any]", item), cast("Mapping[str, Any]", part)
    return {"name": whole["name"], **chosen} if "name" in whole and "name" not in chosen else dict(chosen)


def _merge(left: Any, right: Any) -> Any:
    if isinstance(left, dict) and isinstance(right, Mapping):
        merged = dict(cast("dict[str, Any]", left))
        for key, value in cast("Mapping[str, Any]", right).items():
            merged[key] = _merge(merged[key], value) if key in merged else value
        return merged
    if isinstance(left, list) and isinstance(right, list):
        return _merge_lists(cast("list[Any]", left), cast("list[Any]", right))
    return right


def _merge_lists(ours: list[Any], theirs: list[Any]) -> list[Any]:
    merged = list(ours)
    places = {named: place for place, item in enumerate(ours) if isinstance(named := field(item, "name"), str)}
    for place, item in enumerate(theirs):
        named = field(item, "name")
        if isinstance(named, str) and named in places:
            merged[places[named]] = _merge(merged[places[named]], item)
        elif named is None and len(ours) == len(theirs):
            merged[place] = _merge(merged[place], item)
        else:
            merged.append(item)
    return merged
