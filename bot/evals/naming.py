"""What others call a cause, by one table beside this module. For the scoreboard only: no diagnosis reads it."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from agents.causes import catalogue
from bot.evals.recorded import Truth

TABLE = Path(__file__).with_name("cause_names.yaml")
UNKNOWN = "unknown"
"""OpenSRE's category of an answer that names no cause."""


class Names(BaseModel):
    """The whole table."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    same_as: Mapping[str, frozenset[str]]
    """A data set's cause and the ids of our catalogue that say the same."""
    category_of_area: Mapping[str, str]
    category_of_cause: Mapping[str, str]
    """Overrules the area's."""


@cache
def names() -> Names:
    """The table."""
    return Names.model_validate(yaml.safe_load(TABLE.read_text()))


def right_causes(truth: Truth) -> frozenset[str]:
    """The ids of our catalogue that are right; empty where the truth names no cause or one that the table lacks."""
    return frozenset({truth.cause}) if truth.cause else names().same_as.get(truth.cause_dataset, frozenset())


def category(cause: str) -> str:
    """OpenSRE's category of one of our causes."""
    if cause in names().category_of_cause:
        return names().category_of_cause[cause]
    known = catalogue().get(cause)  # pyright: ignore[reportArgumentType, reportCallIssue]
    return names().category_of_area.get(known.area, UNKNOWN) if known else UNKNOWN
