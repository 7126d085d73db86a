"""The policy as a file. It is read and checked as a whole, and nothing in Locum writes it.

A file that is missing, or wrong in any place, refuses everything: an earlier or a partial policy never stands in.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from approvals.plain_yaml import Document, NotPlain, Place, read_plain
from approvals.policy_checks import contradictions
from approvals.policy_schema import Policy, Unusable

LARGEST = 1_048_576
"""Bytes of a policy file."""
MOST_TOLD = 20


class PolicyError(ValueError):
    """The policy cannot be used; the message names file, line, place and what was expected."""


def load(path: Path) -> Policy:
    """The policy of a file.

    Raises:
        PolicyError: when it is missing, cannot be read, or is wrong in any place.
    """
    return _parse(_bytes(path), path)


class PolicyFile:
    """One policy file, looked at again for each decision, so that a change holds from the next one on."""

    def __init__(self, path: Path) -> None:
        """`path`: read at the first decision, not now."""
        self._path = path
        self._content: bytes | None = None
        self._policy: Policy | Unusable = Unusable(why=f"{path}: not read yet")

    async def current(self) -> Policy | Unusable:
        """The policy as the file is now; whatever is wrong with it refuses everything, an earlier one never counts."""
        try:
            content = await asyncio.to_thread(_bytes, self._path)
            # The bytes decide and not the file's time: two edits within one tick of the clock have the same.
            if content != self._content:
                self._policy = _parse(content, self._path)
                self._content = content
        except PolicyError as error:
            self._content = None
            self._policy = Unusable(why=str(error))
        return self._policy


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}; without a policy everything is refused") from error
    if len(content) > LARGEST:
        raise PolicyError(f"{path}: larger than {LARGEST} bytes; expected a policy")
    return content


def _parse(content: bytes, path: Path) -> Policy:
    try:
        document = read_plain(content)
    except NotPlain as error:
        raise PolicyError(f"{path}: {error}") from error
    try:
        # Through JSON: strict validation takes a list for a tuple, and text for a member of a closed set, only so.
        policy = Policy.model_validate_json(orjson.dumps(document.value))
    except ValidationError as error:
        told = [(each["loc"], _said(each)) for each in error.errors(include_url=False, include_input=False)]
        raise PolicyError(_lines(path, document, told)) from None
    if found := list(contradictions(policy)):
        raise PolicyError(_lines(path, document, found))
    return policy


def _said(error: ErrorDetails) -> str:
    words = {"extra_forbidden": "there is no such key here", "missing": "it is missing"}
    return words.get(error["type"], error["msg"].removeprefix("Value error, "))


def _lines(path: Path, document: Document, found: Sequence[tuple[Place, str]]) -> str:
    return "\n".join(
        f"{path}: line {document.line(place)}: {'.'.join(map(str, place)) or 'the whole file'}: {what}"
        for place, what in found[:MOST_TOLD]
    )
