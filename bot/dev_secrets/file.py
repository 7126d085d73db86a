"""Reads the file of references and values that `locum dev secrets` serves. Its values go into no message."""

import json
import stat
from pathlib import Path
from typing import cast

import yaml

from approvals.credentials.reference import BadReference, Reference


class BadFile(Exception):
    """The file cannot be served; the message says what to do, and quotes none of it."""


def read(path: Path) -> dict[str, str]:
    """Values by reference: a mapping in YAML or JSON, or lines of `reference=value` in a file named `.env` or `*.env`.

    Raises:
        BadFile: when others may read it, or it is not of this form.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise BadFile(f"{str(path)!r} is not a file")
        if mode & 0o077:
            raise BadFile(f"others on this machine may use {str(path)!r}: chmod 600 it")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadFile(f"{str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise BadFile(f"{str(path)!r} is not text in UTF-8") from None
    pairs = _lines(text) if path.suffix == ".env" or path.name == ".env" else _mapping(path, text)
    return {_reference(key, number): _value(value, number) for number, (key, value) in enumerate(pairs, 1)}


def _lines(text: str) -> list[tuple[object, object]]:
    pairs: list[tuple[object, object]] = []
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#"):
            continue
        key, _, value = line.partition("=")
        pairs.append((key.strip(), _unquoted(value.strip())))
    return pairs


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"" else value


def _mapping(path: Path, text: str) -> list[tuple[object, object]]:
    try:
        document: object = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError):
        # Their messages quote the line.
        raise BadFile(f"{str(path)!r} is neither YAML nor JSON") from None
    if not isinstance(document, dict):
        raise BadFile(f"{str(path)!r} must be a mapping of references to values")
    return list(cast("dict[object, object]", document).items())


def _reference(key: object, number: int) -> str:
    try:
        return str(Reference.parse(str(key)))
    except BadReference as error:
        raise BadFile(f"entry {number}: {error}") from None


def _value(value: object, number: int) -> str:
    if not isinstance(value, str) or not value:
        raise BadFile(f"entry {number}: its value must be a text of at least one character; put it in quotes")
    return value
