"""The points of a time series, kept compactly: sixteen bytes each, shared between slices. Pure."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, cast, overload

Numbers = Sequence[float]
YEAR_10000 = 253_402_300_800.0
"""Unix seconds that no calendar shows any more."""
LARGEST = 1e30
"""No measurement of anything is larger; sums of squares of such numbers are still finite."""


class Points(Sequence[tuple[float, float]]):
    """(Unix seconds, value) in the order of time; each is one that can be. Slices share the memory of the whole."""

    __slots__ = ("times", "values")

    def __init__(self, times: Numbers, values: Numbers) -> None:
        """Takes both as they are: of the same length, in the order of time, finite."""
        self.times = times
        self.values = values

    @classmethod
    def of(cls, pairs: Iterable[Any]) -> Self:
        """Of whatever a source gave: what is no time and a number that can be is left out, the rest is put in order."""
        known = [point for pair in pairs if (point := _point(pair))]
        known.sort(key=lambda each: each[0])
        return cls(array("d", (at for at, _ in known)), array("d", (value for _, value in known)))

    @classmethod
    def sharing(cls, times: "array[float]", values: "array[float]", low: int, high: int) -> Self:
        """The points from `low` up to `high` of arrays that nobody appends to any more."""
        return cls(cast("Numbers", memoryview(times)[low:high]), cast("Numbers", memoryview(values)[low:high]))

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return zip(self.times, self.values, strict=True)

    def __eq__(self, other: object) -> bool:
        """Equal to whatever holds the same pairs, such as the lists that live sources give."""
        if not isinstance(other, Points | list):
            return NotImplemented
        pairs = cast("Sequence[Any]", other)
        return len(self) == len(pairs) and all(list(one) == list(two) for one, two in zip(self, pairs, strict=True))

    __hash__ = None  # pyright: ignore[reportAssignmentType] - equal by what they hold, which is much

    @overload
    def __getitem__(self, place: int) -> tuple[float, float]: ...
    @overload
    def __getitem__(self, place: slice) -> "Points": ...
    def __getitem__(self, place: int | slice) -> "tuple[float, float] | Points":
        if isinstance(place, slice):
            return Points(self.times[place], self.values[place])
        return self.times[place], self.values[place]

    def __repr__(self) -> str:
        return f"Points({list(self)!r})"

    def before(self, at: float) -> "Points":
        """What lies before that moment."""
        return self[: bisect_left(self.times, at)]

    def since(self, at: float) -> "Points":
        """What lies at or after that moment."""
        return self[bisect_left(self.times, at) :]


def _point(pair: Any) -> tuple[float, float] | None:
    if not isinstance(pair, list | tuple) or len(cast("Sequence[Any]", pair)) != 2:
        return None
    numbers = cast("Sequence[Any]", pair)
    if not all(isinstance(each, int | float) for each in numbers):
        return None
    try:
        at, value = float(numbers[0]), float(numbers[1])
    except OverflowError:
        return None
    return (at, value) if 0 <= at < YEAR_10000 and abs(value) <= LARGEST else None
