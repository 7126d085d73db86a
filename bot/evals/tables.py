"""Figures as a text that people read. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

_DEPTHS = ("a1", "a3", "a5")


def render(figures: Mapping[str, Any]) -> str:
    """The rca scoreboard as text."""
    parts = [_head(figures)]
    for key in ("by_set", "by_category"):
        if figures[key]:
            parts.append(_table(key.removeprefix("by_"), figures[key]))
    for why in dict.fromkeys(each["why"] for each in figures["broken"]):
        names = [each["case"] for each in figures["broken"] if each["why"] == why]
        parts.append(f"broken, {len(names)}: {why}\n  {', '.join(names)}")
    if figures["unmapped_causes"]:
        parts.append(f"causes without a name of ours, counted as misses: {', '.join(figures['unmapped_causes'])}")
    return "\n\n".join(parts) + "\n"


def _head(figures: Mapping[str, Any]) -> str:
    rows = [("", *_DEPTHS)]
    if "rules" in figures:
        rows += [(f"{key}, rules", *_shares(figures["rules"][key])) for key in ("object", "object_cause")]
    rows += [(key.replace("_", " + "), *_shares(figures[key])) for key in ("object", "object_cause")]
    said = [f"{figures['cases']} cases ({len(figures['broken'])} broken), {figures['mode']}", "", *aligned(rows), ""]
    said.append(f"state right {percent(figures['state_accuracy'])}")
    said.append(f"false alarms {figures['false_alarms']} of {figures['healthy']} healthy cases")
    said.append(f"sure and wrong {figures['confirmed_wrong']}, unsupported claims {figures['unsupported_claims']}")
    if answers := figures.get("answers"):
        said.append(f"answers right in words {answers['right']} of {answers['cases']}")
    said.append(f"seconds (median) {figures['seconds_median']}")
    if tokens := figures.get("tokens_per_case"):
        said.append(f"a case: {tokens['input']} + {tokens['output']} tokens, {figures['usd_per_case']} dollars")
    return "\n".join(said)


def _table(name: str, groups: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [(name, "cases", *(f"object {each}" for each in _DEPTHS), "+ cause a1", "state")]
    for group, figures in groups.items():
        shares = (*_shares(figures["object"]), percent(figures["object_cause"]["a1"]))
        rows.append((group, str(figures["cases"]), *shares, percent(figures["state_accuracy"])))
    return "\n".join(aligned(rows))


def classes(figures: Mapping[str, Any]) -> str:
    """The scoreboard of the router as text."""
    rows: list[tuple[str, ...]] = [("class", "alerts", "precision", "recall", "F1", "goes to")]
    for name, each in figures["per_class"].items():
        gone = ", ".join(f"{to} {count}" for to, count in figures["confusion"][name].items() if to != name)
        shares = [percent(each[key]) for key in ("precision", "recall", "f1")]
        rows.append((name, str(each["alerts"]), *shares, gone))
    calibration = figures["calibration"]
    bins = [("score", "alerts", "says", "is right")]
    for each in calibration["bins"]:
        bins.append((f"{each['from']:.1f}", str(each["alerts"]), percent(each["score"]), percent(each["right"])))
    head = (
        f"{figures['alerts']} alerts, {figures['mode']}: accuracy {percent(figures['accuracy'])}, "
        f"macro-F1 {percent(figures['macro_f1'])}, abstained {figures['abstained']}, "
        f"right one among those who lead {percent(figures['right_among_leaders'])}"
    )
    error = f"expected calibration error {percent(calibration['expected_error'])}"
    return "\n".join([head, "", *aligned(rows), "", error, *aligned(bins)]) + "\n"


def _shares(depths: Mapping[str, float | None]) -> tuple[str, ...]:
    return tuple(percent(depths[each]) for each in _DEPTHS)


def percent(share: float | None) -> str:
    """A share to three digits, or a dash where there is none."""
    return "-" if share is None else f"{share:.3f}"


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows whose columns stand below each other."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
