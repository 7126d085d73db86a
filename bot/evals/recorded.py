"""Recorded cases with a known truth: where they lie, what is asked, what would have been right.

A case is a folder in the snapshot's format with `query.txt` and `expected.yaml` beside it. The truth is read here, for
the scoreboard; a diagnosis never sees it.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

SNAPSHOT = "snapshot.yaml"
QUESTION = "query.txt"
TRUTH = "expected.yaml"
HALVES = ("even", "odd")


class EvalError(ValueError):
    """The data cannot be scored; the message names the file and what was expected."""


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value or ()


Words = Annotated[tuple[str, ...], BeforeValidator(_several)]


class AnswerRule(BaseModel):
    """What the words of an answer must hold and must not, where a data set judges by words."""

    model_config = ConfigDict(frozen=True)

    category: str = ""
    required_keywords: Words = ()
    forbidden_keywords: Words = ()
    forbidden_categories: Words = ()


class Truth(BaseModel):
    """What is the matter in a case. Keys that scoring has no use for are passed over."""

    model_config = ConfigDict(frozen=True)

    entities: Words = ()
    """Any one of them is right; `kind/namespace/name`."""
    also: Words = ()
    """Near misses that a lenient score accepts."""
    cause: str = ""
    """An id of the catalogue of causes."""
    cause_dataset: str = ""
    """The data set's own name of the cause."""
    taxonomy: str = ""
    """The data set's category of the case."""
    healthy: bool = False
    answer: AnswerRule | None = None

    @classmethod
    def read(cls, file: Path) -> Self:
        """The truth of one file.

        Raises:
            EvalError: when it is not there, not YAML, or says nothing that could be scored.
        """
        try:
            data: Any = yaml.safe_load(file.read_text())
            made = cls.model_validate(data)
        except OSError as error:
            raise EvalError(f"{file}: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise EvalError(f"{file}: not YAML: {error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(part) for part in first["loc"]) or "the whole file"
            raise EvalError(f"{file}: {place}: {first['msg']}") from error
        if not (made.entities or made.healthy or made.answer):
            raise EvalError(f"{file}: says neither `entities` nor `healthy: true` nor `answer`; nothing can be scored")
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One case on disk, not read yet."""

    name: str
    """Its path below the folder that was given; the folder's own name for a single case."""
    folder: Path

    @property
    def half(self) -> str:
        """`even` or `odd`, by a hash of the folder's name: the same on every machine and in every order."""
        return HALVES[hashlib.sha256(self.folder.name.encode()).digest()[-1] % 2]

    @property
    def group(self) -> str:
        """The set that it belongs to: the path above it; empty where the given folder is the set."""
        return self.name.rpartition("/")[0]

    def question(self) -> str:
        """What is asked; empty where the snapshot's alerts ask."""
        file = self.folder / QUESTION
        return file.read_text().strip() if file.is_file() else ""


def cases(folder: Path) -> tuple[Recorded, ...]:
    """All cases of a folder, by name; it may be a case, a set of cases, or hold several sets.

    A folder with a truth or a question and no snapshot counts too: it is a broken case, not none.

    Raises:
        EvalError: when the folder is not there or holds no case.
    """
    if not folder.is_dir():
        raise EvalError(f"{folder}: no such folder")
    found: list[Recorded] = []
    for place, below, files in os.walk(folder):
        if {SNAPSHOT, QUESTION, TRUTH} & set(files):
            path = Path(place)
            name = path.relative_to(folder).as_posix() if path != folder else folder.resolve().name
            found.append(Recorded(name=name, folder=path))
            below.clear()
    if not found:
        raise EvalError(f"{folder}: no case in it; a case is a folder with {SNAPSHOT}, {QUESTION} and {TRUTH}")
    return tuple(sorted(found, key=lambda each: each.name))
