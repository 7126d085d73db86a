"""A specialist is one YAML file: what it answers for, what it looks at, how the model is told to think.

Files lie in `agents/specialists/`, and in a folder of the user's by setting; the file's name is the specialist's name.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

SHIPPED = Path(__file__).parent / "specialists"
GENERALIST = "generalist"


class SpecialistError(ValueError):
    """A specialist's file cannot be used; the message names file, place and what was expected."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Matches(_Strict):
    """What speaks for this specialist. Words are whole words in lower case; a phrase may hold spaces."""

    names: dict[str, float] = {}
    """Words of alert names (split at capitals, dashes and underscores) and their weight."""
    words: dict[str, float] = {}
    """Words of summaries, descriptions and questions."""
    labels: dict[str, float] = {}
    """`name` or `name=value` of alert labels."""
    expressions: dict[str, float] = {}
    """Beginnings of metric names in the alert's expression."""


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
            data = yaml.safe_load(path.read_text())
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
