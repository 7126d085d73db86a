"""How the arguments of a diagnostic are read: which flags, with which values, and what else. Pure.

Everything is spelled out: a flag stands alone and its value is the next argument, nothing is abbreviated or joined, and
whatever is not named is refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from approvals.sandbox.hosts import why_not
from approvals.sandbox.port import Limits


class NotAllowed(ValueError):
    """An argument that the grammar does not have; the message says what it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What one value may be."""

    what: str
    shape: re.Pattern[str]
    """Of the whole value. Groups whose names begin with `host` are hosts that it has the program reach."""
    numbers: tuple[int, int] | None = None
    """The lowest and the highest that the group `number` may be."""

    def hosts(self, text: str) -> list[str]:
        """The hosts in a value.

        Raises:
            NotAllowed: it is no such value.
        """
        match = self.shape.fullmatch(text)
        if match is None:
            raise NotAllowed(f"{text!r} is not {self.what}")
        found = match.groupdict()
        if self.numbers and found["number"] and not self.numbers[0] <= int(found["number"]) <= self.numbers[1]:
            raise NotAllowed(f"{text!r} is not {self.what}")
        hosts = [host for name, host in found.items() if name.startswith("host") and host]
        for host in hosts:
            if reason := why_not(host):
                raise NotAllowed(reason)
        return hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One flag. Without a kind it has no value."""

    kind: Kind | None = None
    default: str | None = None
    """Given to the program when the flag is not."""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """One argument that is no flag."""

    kind: Kind
    flag: str | None = None
    """The program's own flag for it, which is put before it, so that it cannot be read as anything else."""
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program, or one subcommand of it, as far as it may be used."""

    words: tuple[str, ...]
    """What a command begins with: the name, and the subcommand if there is one."""
    about: str
    fixed: tuple[str, ...] = ()
    """Arguments that it always has. A command may repeat them."""
    flags: Mapping[str, Flag] = field(default_factory=dict[str, Flag])
    operands: tuple[Operand, ...] = ()
    separator: bool = False
    """Whether `--` is put before the operands."""
    network: bool = True
    given: re.Pattern[str] | None = None
    """The shape of the text that it reads, where it reads one."""
    limits: Limits = field(default_factory=Limits)

    @property
    def path(self) -> str:
        return f"/usr/bin/{self.words[0]}"

    @property
    def usage(self) -> str:
        """Its grammar on one line."""
        flags = [f"{name} ({flag.kind.what})" if flag.kind else name for name, flag in self.flags.items()]
        return f"{' '.join(self.words)} takes {', then '.join([', '.join(flags), *self._operands()]).strip(', ')}"

    def _operands(self) -> Iterator[str]:
        return (f"{operand.kind.what}{' if wanted' if operand.optional else ''}" for operand in self.operands)

    def read(self, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
        """The arguments as the program gets them, and the hosts in them.

        Raises:
            NotAllowed: with what would be.
        """
        hosts: list[str] = []
        rest = list(arguments)
        given = dict(self._flags(rest, hosts))
        missing = [name for name, flag in self.flags.items() if flag.required and name not in given]
        if missing:
            raise NotAllowed(f"{' '.join(self.words)} needs {missing[0]}")
        flags: list[str] = []
        for name, flag in self.flags.items():
            value = given.get(name, flag.default)
            flags += [name, value] if value else [name] * (name in given)
        operands = list(self._operand(rest, hosts))
        separator = ["--"] if self.separator else []
        return [*self.words[1:], *self.fixed, *flags, *separator, *operands], hosts

    def _flags(self, rest: list[str], hosts: list[str]) -> Iterator[tuple[str, str | None]]:
        """Takes the flags off the front, each at most once."""
        seen: set[str] = set()
        while rest and (rest[0] in self.flags or rest[0] in self.fixed):
            name = rest.pop(0)
            if name in seen:
                raise NotAllowed(f"{name} is given twice")
            seen.add(name)
            if name not in self.flags:
                continue
            kind = self.flags[name].kind
            if kind is None:
                yield name, None
                continue
            if not rest:
                raise NotAllowed(f"{name} needs {kind.what} as the next argument")
            hosts += kind.hosts(rest[0])
            yield name, rest.pop(0)

    def _operand(self, rest: list[str], hosts: list[str]) -> Iterator[str]:
        """Takes the operands, until nothing is left."""
        for operand in self.operands:
            if operand.optional and not (rest and operand.kind.shape.fullmatch(rest[0])):
                continue
            if not rest:
                raise NotAllowed(f"{' '.join(self.words)} needs {operand.kind.what}")
            hosts += operand.kind.hosts(rest[0])
            if operand.flag:
                yield operand.flag
            yield rest.pop(0)
        if rest:
            raise NotAllowed(f"{rest[0]!r} is too much; {self.usage}; flags come first, each value as its own argument")
