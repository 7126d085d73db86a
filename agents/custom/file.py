"""Reads files of custom checks; what is wrong in one refuses it, and says file, line, place and what was expected."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from agents.causes import catalogue
from agents.custom.checking import checks
from agents.custom.checks import Checks
from agents.custom.schema import CustomCheck, File
from approvals.plain_yaml import Document, NotPlain, Place, read_plain

LARGEST = 262_144
"""Bytes of one file."""
MOST_FILES = 200
MOST_TOLD = 20


class CustomCheckError(ValueError):
    """Checks that cannot be used; a line for each place that is wrong."""


def load(path: Path) -> Checks:
    """The checks of a folder's `*.yaml` and `*.yml` files, or of one file.

    Raises:
        CustomCheckError: when anything in it cannot be used: half of somebody's checks would look like all of them.
    """
    found: dict[str, tuple[Path, CustomCheck]] = {}
    wrong: list[str] = []
    for file in _files(path):
        try:
            document, read = _read(file)
        except CustomCheckError as error:
            wrong.append(str(error))
            continue
        for place, check in enumerate(read.checks):
            where = f"{file}: line {document.line(('checks', place, 'id'))}"
            if check.id in catalogue():
                wrong.append(f"{where}: the id {check.id!r} is one of Locum's own causes; expected another one")
            elif check.id in found:
                wrong.append(f"{where}: the id {check.id!r} stands in {found[check.id][0]} too")
            else:
                found[check.id] = file, check
    if wrong:
        raise CustomCheckError("\n".join(wrong[:MOST_TOLD]))
    return checks([check for _, check in found.values()])


def _files(path: Path) -> Sequence[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CustomCheckError(f"{path}: expected a folder with *.yaml files")
    files = sorted(each for each in path.iterdir() if each.suffix in (".yaml", ".yml") and each.is_file())
    if len(files) > MOST_FILES:
        raise CustomCheckError(f"{path}: {len(files)} files, at most {MOST_FILES} are read")
    return files


def _read(file: Path) -> tuple[Document, File]:
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except OSError as error:
        raise CustomCheckError(f"{file}: {error.strerror}") from error
    if len(content) > LARGEST:
        raise CustomCheckError(f"{file}: larger than {LARGEST} bytes")
    try:
        document = read_plain(content, decimals=True)
    except NotPlain as error:
        raise CustomCheckError(f"{file}: {error}") from error
    try:
        # Through JSON: strict validation takes a list for a tuple, and text for a member of a closed set, only so.
        return document, File.model_validate_json(orjson.dumps(document.value))
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False)
        raise CustomCheckError("\n".join(_lines(file, document, told))) from None


def _lines(file: Path, document: Document, told: Sequence[ErrorDetails]) -> Iterator[str]:
    words = {"extra_forbidden": "there is no such key here", "missing": "it is missing"}
    for each in told[:MOST_TOLD]:
        place: Place = each["loc"]
        what = words.get(each["type"], each["msg"].removeprefix("Value error, "))
        yield f"{file}: line {document.line(place)}: {'.'.join(map(str, place)) or 'the whole file'}: {what}"
