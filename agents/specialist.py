"""A specialist is one YAML file: what it answers for, what it looks at, how the model is told to think.

Files lie in `agents/specialists/`, and in a folder of the user's by setting; the file's name is the specialist's name.
"""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

SHIPPED = Path(__file__).parent / "specialists"
GENERALIST = "generalist"
_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Of the C library where PyYAML has it: the lists of words take the other one a fifth of a second."""


class SpecialistError(ValueError):
    """A specialist's file cannot be used; the message names file, place and what was expected."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Matches(_Strict):
    """What speaks for this specialist: lists of words by how many points each is worth.

    Words are in lower case and singular; a phrase may hold spaces, which are not compared: `click house` is found in
    `ClickHouse`, `clickhouse` and `click-house`. Five points name the subject without a doubt, three mostly, one hints.
    """

    technologies: dict[float, tuple[str, ...]] = {}
    """What an alert can be about: products, components, kinds of objects."""
    symptoms: dict[float, tuple[str, ...]] = {}
    """What an alert can complain of, whatever it is about."""
    labels: dict[str, float] = {}
    """`name` or `name=value` of alert labels; they count as technologies do."""
    expressions: dict[str, float] = {}
    """Beginnings of metric names in the alert's expression; they count as technologies do."""

    @model_validator(mode="after")
    def _once(self) -> Self:
        lists = (*self.technologies.values(), *self.symptoms.values())
        counted = Counter(phrase.replace(" ", "") for phrases in lists for phrase in phrases)
        if twice := sorted(phrase for phrase, count in counted.items() if count > 1):
            raise ValueError(f"listed more than once (spaces do not count): {', '.join(twice)}")
        if shouted := sorted(phrase for phrase in counted if phrase != phrase.lower()):
            raise ValueError(f"not in lower case, and so never found: {', '.join(shouted)}")
        return self


class Limits(_Strict):
    """What one run of the model may use at most, for this specialist."""

    model_calls: int = Field(default=6, ge=1, le=30)
    tool_calls: int = Field(default=12, ge=0, le=100)
    seconds: float = Field(default=90, gt=0, le=600)


class Specialist(_Strict):
    """One specialist."""

    name: str
    description: str
    matches: Matches = Matches()
    areas: frozenset[str] = frozenset()
    """Areas of the catalogue of causes whose rules it runs."""
    tools: tuple[str, ...]
    """Tools that its model may call."""
    limits: Limits = Limits()
    instructions: str
    """What the model is told, beside the house rules."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """One file.

        Raises:
            SpecialistError: on broken YAML, unknown keys, unknown tools, or a name that is not the file's.
        """
        try:
            data = yaml.load(path.read_text(), Loader=_YAML)  # noqa: S506 - a safe loader
            made = cls.model_validate({**data, "name": path.stem} if isinstance(data, dict) else data)
        except yaml.YAMLError as error:
            raise SpecialistError(f"{path}: not YAML: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole file"
            raise SpecialistError(f"{path}: {place}: {first['msg']}") from error
        return made


@cache
def shipped() -> tuple[Specialist, ...]:
    """Those that come with Locum."""
    return read_all(SHIPPED)


def read_all(folder: Path) -> tuple[Specialist, ...]:
    """Every specialist of a folder, by name.

    Raises:
        SpecialistError: when one cannot be used, or there is no generalist to fall back on.
    """
    found = tuple(Specialist.read(path) for path in sorted(folder.glob("*.yaml")))
    if GENERALIST not in {each.name for each in found}:
        raise SpecialistError(f"{folder}: no {GENERALIST}.yaml; someone must take what nobody else matches")
    return found


def check_tools(specialists: Sequence[Specialist], known: Sequence[str]) -> None:
    """Refuses a specialist that names a tool that does not exist.

    Raises:
        SpecialistError: naming the specialist and the tool.
    """
    for specialist in specialists:
        for name in specialist.tools:
            if name not in known:
                raise SpecialistError(f"{specialist.name}: there is no tool {name!r}; known are {', '.join(known)}")
