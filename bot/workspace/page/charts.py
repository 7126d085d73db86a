"""`data_visualization` blocks as plain SVG."""

from bot.workspace.page.markup import EMPTY, Html, join, tag
from bot.workspace.payloads import Json, as_list, as_object, objects

WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 560, 200, 46, 26, 24, 10


def chart(block: Json) -> Html:
    """One chart with its title and its legend."""
    body = as_object(block.get("chart"))
    drawn = _pie(objects(body.get("segments"))) if body.get("type") == "pie" else _series(body)
    title = str(block.get("title") or "")
    return tag("figure", tag("figcaption", title), drawn, class_="chart")


def _series(body: Json) -> Html:
    series = objects(body.get("series"))
    labels = [str(one) for one in as_list(as_object(body.get("axis_config")).get("categories"))]
    values = [[float(point["value"]) for point in objects(one.get("data"))] for one in series]
    top = max((value for line in values for value in line), default=0) or 1
    marks = (
        [_bars(values, top)]
        if body.get("type") == "bar"
        else [_line(line, top, number, is_area=body.get("type") == "area") for number, line in enumerate(values)]
    )
    svg = tag(
        "svg", _axis(top), _labels(labels, is_bar=body.get("type") == "bar"), *marks,
        viewBox=f"0 0 {WIDTH} {HEIGHT}", role="img",
    )  # fmt: skip
    names = [tag("span", tag("i", class_=f"c{number % 6}"), str(one.get("name"))) for number, one in enumerate(series)]
    return join((svg, tag("div", *names, class_="legend")))


def _x(index: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (index / (count - 1) if count > 1 else 0.5)


def _y(value: float, top: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top)


def _line(values: list[float], top: float, number: int, *, is_area: bool) -> Html:
    points = " ".join(f"{_x(index, len(values)):.1f},{_y(value, top):.1f}" for index, value in enumerate(values))
    line = tag("polyline", points=points, class_=f"line c{number % 6}")
    if not is_area or not values:
        return line
    floor = _y(0, top)
    around = f"{_x(0, len(values)):.1f},{floor:.1f} {points} {_x(len(values) - 1, len(values)):.1f},{floor:.1f}"
    return join((tag("polygon", points=around, class_=f"area c{number % 6}"), line))


def _bars(values: list[list[float]], top: float) -> Html:
    count = max((len(line) for line in values), default=0)
    if not count:
        return EMPTY
    slot = (WIDTH - LEFT - RIGHT) / count
    width = slot * 0.7 / len(values)
    bars = [
        tag(
            "rect",
            x=f"{LEFT + slot * index + slot * 0.15 + width * number:.1f}",
            y=f"{_y(value, top):.1f}",
            width=f"{width:.1f}",
            height=f"{_y(0, top) - _y(value, top):.1f}",
            rx=2,
            class_=f"bar c{number % 6}",
        )
        for number, line in enumerate(values)
        for index, value in enumerate(line)
    ]
    return join(bars)


def _axis(top: float) -> Html:
    parts: list[Html] = []
    for share in (0, 0.5, 1):
        y = _y(top * share, top)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=f"{y:.1f}", y2=f"{y:.1f}", class_="grid"))
        parts.append(tag("text", f"{top * share:g}", x=LEFT - 8, y=f"{y + 4:.1f}", class_="tick end"))
    return join(parts)


def _labels(labels: list[str], *, is_bar: bool) -> Html:
    count = len(labels)
    slot = (WIDTH - LEFT - RIGHT) / max(count, 1)
    every = max(1, count // 6)
    return join(
        tag(
            "text",
            label,
            x=f"{LEFT + slot * (index + 0.5) if is_bar else _x(index, count):.1f}",
            y=HEIGHT - 6,
            class_="tick mid",
        )
        for index, label in enumerate(labels)
        if index % every == 0
    )


def _pie(segments: list[Json]) -> Html:
    total = sum(float(one["value"]) for one in segments) or 1
    rows = [
        tag(
            "div",
            tag("span", str(one["label"]), class_="name"),
            tag(
                "span",
                tag("i", class_=f"c{number % 6}", style=f"width:{100 * float(one['value']) / total:.1f}%"),
                class_="track",
            ),
            tag("span", f"{100 * float(one['value']) / total:.0f} %", class_="share"),
            class_="slice",
        )
        for number, one in enumerate(segments)
    ]
    return tag("div", *rows, class_="slices")
