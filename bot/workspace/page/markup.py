"""HTML that is escaped unless it is known to be HTML."""

import html
from collections.abc import Iterable


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


EMPTY = Html("")
VOID = ("br", "hr", "img", "input", "circle", "line", "path", "rect", "polyline", "polygon")


def tag(name: str, /, *children: "str | Html | None", **attributes: "str | int | float | bool | None") -> Html:
    """One element; plain strings in it are escaped, `None` is left out. `class_` is `class`, `data_x` is `data-x`."""
    shown = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if name in VOID:
        return Html(f"<{name}{shown}>" if name in {"br", "hr", "img", "input"} else f"<{name}{shown}/>")
    return Html(f"<{name}{shown}>{join(children)}</{name}>")


def join(children: "Iterable[str | Html | None]") -> Html:
    """Children one after the other."""
    return Html("".join(one if isinstance(one, Html) else html.escape(one) for one in children if one is not None))
