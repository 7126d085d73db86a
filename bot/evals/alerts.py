"""How often an alert reaches the right specialist: the product's own router over alerts whose class is known.

The specialist that leads is the class; nobody leading is an error like any other.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from whenever import Instant

from agents.alert import Alert, AlertStatus, fingerprint
from agents.case import Case, Scope, SessionId
from agents.clues import clues
from agents.model.asking import Model
from agents.model.choosing_specialists import choose
from agents.routing import Routing, route
from agents.specialist import Specialist
from bot.evals.recorded import EvalError
from tools.caching import Cache, MemoryCache
from tools.window import Window

NOBODY = "abstained"
"""Stands in the confusion for alerts that no specialist is sure of."""
BINS = 10
"""Of the reliability table; ten of equal width are the usual choice (Guo et al., On Calibration, ICML 2017)."""
_LABEL = re.compile(r"\$labels\.(\w+)")


class Labelled(BaseModel):
    """One line: an alert rule and the class that it belongs to. Keys that scoring has no use for are passed over."""

    model_config = ConfigDict(frozen=True)

    id: str = ""
    alertname: str
    expr: str = ""
    severity: str = ""
    summary: str = ""
    description: str = ""
    labels: dict[str, str] = {}
    right: str = Field(alias="class", min_length=1)

    def alert(self, *, is_masked: bool) -> Alert:
        """The rule as an alert that fires.

        Args:
            is_masked: leaves the annotations only, as if a stranger had named the rule and its metrics.
        """
        annotations = {"summary": self.summary, "description": self.description}
        # What the text would be filled with when the rule fires comes from labels that the alert then has.
        implied = dict.fromkeys(_LABEL.findall(f"{self.summary} {self.description}"), "")
        labels = implied if is_masked else {**implied, **self.labels, "alertname": self.alertname}
        return Alert(
            source="recorded",
            status=AlertStatus.FIRING,
            labels=labels,
            annotations=annotations,
            starts_at=Instant.from_timestamp(0),
            fingerprint=fingerprint(labels),
            url="" if is_masked else f"http://prometheus/graph?{urlencode({'g0.expr': self.expr})}",
        )


def read(file: Path) -> tuple[Labelled, ...]:
    """All alerts of a file of JSON lines.

    Raises:
        EvalError: when the file is not there or empty, or for the first line that cannot be used, with its number.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        raise EvalError(f"{file}: {error.strerror}") from error
    found = tuple(_line(file, number, line) for number, line in enumerate(lines, 1) if line.strip())
    if not found:
        raise EvalError(f"{file}: no alert in it; expected one JSON object a line")
    return found


def _line(file: Path, number: int, line: bytes) -> Labelled:
    try:
        return Labelled.model_validate(orjson.loads(line))
    except orjson.JSONDecodeError as error:
        raise EvalError(f"{file}, line {number}: not JSON: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole line"
        raise EvalError(f"{file}, line {number}: {place}: {first['msg']}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """One alert and where it went."""

    row: Labelled
    alert: Alert
    routing: Routing

    @property
    def given(self) -> str:
        """The specialist that leads, or `NOBODY`."""
        return NOBODY if self.routing.abstained else self.routing.leaders[0]

    @property
    def is_right(self) -> bool:
        """Whether the right one leads."""
        return self.given == self.row.right

    def to_json(self) -> dict[str, Any]:
        """One line of the file for analysis."""
        row = {"id": self.row.id, "alertname": self.row.alertname, "right": self.row.right}
        return {**row, "given": self.given, "is_right": self.is_right, **self.routing.to_json()}


def classified(
    rows: Iterable[Labelled], specialists: Sequence[Specialist], *, is_masked: bool
) -> tuple[Classified, ...]:
    """Routes every alert by itself, as the product would."""
    alerts = [(row, row.alert(is_masked=is_masked)) for row in rows]
    return tuple(
        Classified(row=row, alert=alert, routing=route(clues("", [alert]), specialists)) for row, alert in alerts
    )


async def advised(
    found: Sequence[Classified], specialists: Sequence[Specialist], *, model: Model
) -> tuple[Classified, ...]:
    """The same alerts, with the model's choice where the rules are sure of nobody; each with a budget of its own."""
    cache = MemoryCache()
    return tuple([await _advised(each, specialists, model=model.for_session(), cache=cache) for each in found])


async def _advised(one: Classified, specialists: Sequence[Specialist], *, model: Model, cache: Cache) -> Classified:
    if not one.routing.abstained:
        return one
    alert, at = one.alert, one.alert.starts_at
    named = f"{alert.labels['alertname']}: " if "alertname" in alert.labels else ""
    case = Case(
        session_id=SessionId("ses_eval"),
        question=named + ". ".join(each for each in alert.annotations.values() if each),
        alerts=(alert,),
        scope=Scope(window=Window(start=at, end=at)),
        asked_at=at,
    )
    choice = await choose(case, specialists, model=model, cache=cache)
    return replace(one, routing=route(clues("", [alert]), specialists, chosen=choice.names))


def figures(found: Sequence[Classified]) -> dict[str, Any]:
    """The scoreboard of all alerts. Macro-F1 is over the classes that are right somewhere."""
    classes = sorted({each.row.right for each in found})
    per_class = {name: _per_class(name, found) for name in classes}
    confusion = {name: Counter(each.given for each in found if each.row.right == name) for name in classes}
    return {
        "alerts": len(found),
        "accuracy": round(sum(each.is_right for each in found) / len(found), 4),
        "macro_f1": round(sum(each["f1"] for each in per_class.values()) / len(classes), 4),
        "per_class": per_class,
        "confusion": {name: dict(sorted(row.items())) for name, row in confusion.items()},
        "abstained": sum(each.given == NOBODY for each in found),
        "led_by_several": sum(len(each.routing.leaders) > 1 for each in found),
        "right_among_leaders": round(sum(each.row.right in each.routing.leaders for each in found) / len(found), 4),
        "calibration": calibration(found),
    }


def _per_class(name: str, found: Sequence[Classified]) -> dict[str, Any]:
    of_class = [each for each in found if each.row.right == name]
    given = [each for each in found if each.given == name]
    hits = sum(each.is_right for each in given)
    precision, recall = hits / len(given) if given else 0.0, hits / len(of_class)
    f1 = 2 * precision * recall / (precision + recall) if hits else 0.0
    shares = {"precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4)}
    return {**shares, "alerts": len(of_class)}


def calibration(found: Iterable[Classified]) -> dict[str, Any]:
    """How far the leader's score is from the share of alerts that it is right about.

    The expected calibration error is the mean distance over the bins, weighted by their alerts; alerts that nobody is
    sure of are left out, for nobody claims anything about them.
    """
    claims = [(each.routing.specialists[0].score, each.is_right) for each in found if not each.routing.abstained]
    filled: dict[int, list[tuple[float, bool]]] = {}
    for score, hit in claims:
        filled.setdefault(min(int(score * BINS), BINS - 1), []).append((score, hit))
    bins: list[dict[str, Any]] = []
    error = 0.0
    for at, inside in sorted(filled.items()):
        said = sum(score for score, _ in inside) / len(inside)
        right = sum(hit for _, hit in inside) / len(inside)
        error += abs(said - right) * len(inside) / len(claims)
        bins.append({"from": at / BINS, "alerts": len(inside), "score": round(said, 4), "right": round(right, 4)})
    return {"expected_error": round(error, 4), "bins": bins}
