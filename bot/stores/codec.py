"""Domain values to bytes and back, by their own types. The whole data of a look is never stored, only its excerpt."""

from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from agents.report import Report

T = TypeVar("T")


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def pack(value: object) -> bytes:
    """JSON of a domain dataclass."""
    if isinstance(value, Report):
        value = replace(value, evidence=tuple(replace(each, data=None) for each in value.evidence))
    return _adapter(type(value)).dump_json(value)


def unpack(kind: type[T], data: bytes) -> T:
    """The value that `pack` wrote.

    Raises:
        pydantic.ValidationError: when the bytes are not such a value.
    """
    made: T = _adapter(kind).validate_json(data)
    return made
