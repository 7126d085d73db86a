"""Imports a package without running the `__init__` of its folders, for a library that is far wider than its use.

The anthropic SDK defines about 2,700 modules of types and imports them all, which costs seconds of CPU; a client that
posts messages needs a tenth of them. Here a folder's names are looked up when somebody asks for them, as PEP 562
allows a package to do by itself; and modules that only describe dicts for type checkers give `dict` for each name.
"""

import importlib
import re
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

_EXPORT = re.compile(r"^from \.([\w.]+) import (\([^)]*\)|.*)$", re.MULTILINE)


@contextmanager
def lean(
    package: str, *, folders: Sequence[str], dicts: re.Pattern[str], optional: Sequence[str] = ()
) -> Generator[None]:
    """Within: the package itself and all that begins with one of `folders` fill themselves on demand.

    In modules of `folders` whose whole name `dicts` matches, every name is `dict`. Modules in `optional` are reported
    as not installed. A package that is already imported stays as it is.
    """
    if package in sys.modules:
        yield
        return
    finder = _Finder(package, tuple(folders), dicts, frozenset(optional))
    sys.meta_path.insert(0, finder)
    try:
        yield
    except (ImportError, AttributeError, TypeError):
        # Half a package must not stay behind for whoever imports it as usual.
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]
        raise
    finally:
        finder.is_over = True


class _Finder(MetaPathFinder):
    def __init__(
        self, package: str, folders: tuple[str, ...], dicts: re.Pattern[str], optional: frozenset[str]
    ) -> None:
        self._package, self._folders, self._dicts, self._optional = package, folders, dicts, optional
        self.is_over = False
        """Folders stay lazy when they are first met later; what is optional may be imported by others then."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> Any:
        if fullname in self._optional and not self.is_over:
            raise ModuleNotFoundError(f"{fullname} is left out", name=fullname)
        if fullname != self._package and not fullname.startswith(self._folders):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.submodule_search_locations is not None:
            spec.loader = _OnDemand()
        elif spec is not None and self._dicts.fullmatch(fullname):
            spec.loader = _AllDicts()
        return spec


class _OnDemand(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Folder(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing runs: names are looked up later."""


class _AllDicts(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Dicts(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing runs: every name is `dict`."""


class _Dicts(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return dict


class _Folder(ModuleType):
    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if spec is None or name.startswith("__"):
            raise AttributeError(name)
        exports: dict[str, tuple[str, str]] | None = self.__dict__.get("_exports")
        if exports is None:
            exports = self.__dict__["_exports"] = _exports(Path(spec.origin or "").read_text())
        if name in exports:
            module, attribute = exports[name]
            value = getattr(importlib.import_module(f"{spec.name}.{module}"), attribute)
            setattr(self, name, value)
            return value
        try:
            return importlib.import_module(f"{spec.name}.{name}")
        except ModuleNotFoundError as error:
            raise AttributeError(f"module {spec.name!r} has no attribute {name!r}") from error


def _exports(source: str) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for module, names in _EXPORT.findall(source):
        for words in (part.split() for part in names.strip("()").split(",")):
            if words:
                found[words[-1]] = (module, words[0])
    return found
