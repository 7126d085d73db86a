"""Reads CSV tables, row by row, and notes what is wrong with them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tools.snapshot.folder import Folder


class Rows:
    """The rows of a table that has the expected columns, in whatever order; broken ones are noted once."""

    def __init__(self, folder: Folder, path: Path, area: str, lines: Iterable[str], columns: Sequence[str]) -> None:
        self._folder = folder
        self._path = path
        self._area = area
        self._lines = lines
        self._columns = columns
        self._rejected = 0
        self._first = ""

    def __iter__(self) -> Iterator[tuple[int, Sequence[str]]]:
        import csv

        reader = csv.reader(self._lines)
        line = 1
        try:
            header = [cell.strip().lower() for cell in next(reader, list[str]())]
            if any(column not in header for column in self._columns):
                self.reject(1, f"expected the columns {','.join(self._columns)}, found {','.join(header)[:200]!r}")
                return
            places = [header.index(column) for column in self._columns]
            straight = places == list(range(len(header)))
            for cells in reader:
                line = reader.line_num
                if len(cells) == len(header):
                    yield line, cells if straight else [cells[place] for place in places]
                elif cells:
                    self.reject(line, f"{len(cells)} cells instead of {len(header)}")
        except csv.Error as e:
            self.reject(line + 1, str(e))

    def reject(self, line: int, why: str) -> None:
        """Counts a row that cannot be read."""
        self._rejected += 1
        self._first = self._first or f"{self._folder.said(self._path)} line {line}: {why}"

    def report(self) -> None:
        """Notes what was rejected."""
        if self._rejected:
            more = f"; {self._rejected} rows of the file were left out" if self._rejected > 1 else ""
            self._folder.gaps.add(self._area, self._first + more)
