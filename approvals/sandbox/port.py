"""What a sandbox is asked to run and what it says of it. The words only: nothing here starts a process.

SandboxError
├── SandboxUnavailable   nothing was run: the machine or the cluster cannot keep a command apart
├── AlreadyRan           a command of that run was started before; it is not started again
└── SandboxLost          it may have run, and nobody knows how it ended
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from tools.redaction import Redacted, redact

GIVEN = "/given/text"
"""Where a command finds the text that it was given: a read-only file, the same in every sandbox."""
SCRATCH = "/tmp"  # noqa: S108 - inside the sandbox, where it is the command's own
"""The only place where a command may write."""
MAX_ARGUMENTS = 64
MAX_ARGUMENT = 2_048
"""Characters of one argument."""
MAX_GIVEN = 32 * 1024
"""Bytes of the text that a command is given."""
CUT = "\n[cut: this is not all that the command said or would have said]"

_UNFINISHED = re.compile(r"(?<!\S)\S+\Z")


class SandboxError(Exception):
    """A command of which there is no result."""


class SandboxUnavailable(SandboxError):
    """Nothing was run; the message says what is missing. It is never run without a sandbox instead."""


class AlreadyRan(SandboxError):
    """This run was started before."""


class SandboxLost(SandboxError):
    """The command was started and how it ended is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one command may use."""

    wall_s: float = 15.0
    cpu_s: int = 10
    """Processor time of each process."""
    memory_bytes: int = 256 * 2**20
    """Address space of each process here; memory of all together in a cluster."""
    output_bytes: int = 64 * 1024
    """Of both outputs together."""
    scratch_bytes: int = 16 * 2**20
    processes: int = 16
    """At once. In a cluster the kubelet's own limit of processes holds instead."""

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) <= 0:
                raise ValueError(f"the limit {name} is {getattr(self, name)!r}; it must be more than 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One program with its arguments. No shell reads them."""

    run_id: str
    """Of the one run that this is; a sandbox that keeps names runs it once."""
    argv: tuple[str, ...]
    """The absolute path of the program, then its arguments."""
    given: str | None = None
    """What the program finds at `GIVEN`. Its standard input is always empty."""
    network: bool = False
    hosts: tuple[str, ...] = ()
    """Names and addresses that the arguments have it reach. None of them may lead to this machine or to metadata."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not self.run_id:
            raise ValueError("a command belongs to a run; its id is empty")
        if not self.argv or not re.fullmatch(r"(/[A-Za-z0-9_][A-Za-z0-9._+-]*)+", self.argv[0]):
            raise ValueError(f"a program is named by its absolute path, not {self.argv[:1]!r}")
        if len(self.argv) > MAX_ARGUMENTS or any(len(each) > MAX_ARGUMENT for each in self.argv):
            raise ValueError(f"a command has at most {MAX_ARGUMENTS} arguments of {MAX_ARGUMENT} characters")
        if any("\0" in each for each in (*self.argv, self.given or "")):
            raise ValueError("neither an argument nor what a command is given can hold a NUL")
        if self.given is not None and len(self.given.encode()) > MAX_GIVEN:
            raise ValueError(f"a command is given at most {MAX_GIVEN} bytes")
        if self.hosts and not self.network:
            raise ValueError(f"a command that reaches {', '.join(self.hosts)} needs the network")


class Ended(StrEnum):
    """How a run ended. Only EXITED speaks about what the program found."""

    EXITED = "EXITED"
    TIMED_OUT = "TIMED_OUT"
    KILLED = "KILLED"
    """By a signal: most often a limit of processor time or memory."""
    OUTPUT_CAPPED = "OUTPUT_CAPPED"
    """It said more than may be kept and was stopped."""
    REFUSED = "REFUSED"
    """It was not started, and `stderr` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One command that ended, with what it said, redacted."""

    ended: Ended
    exit_code: int | None
    """`None` unless it exited by itself."""
    stdout: Redacted
    """In a cluster both outputs, as the kubelet keeps them together. A cut is stated in the text."""
    stderr: Redacted
    seconds: float

    def __post_init__(self) -> None:
        if (self.exit_code is not None) is not (self.ended is Ended.EXITED):
            raise ValueError(f"a command that {self.ended} cannot have the exit code {self.exit_code!r}")


class Sandbox(Protocol):
    """Runs commands apart from its host's files and processes, and from the network unless the command has it."""

    async def check(self) -> None:
        """Returns when commands can be run.

        Raises:
            SandboxUnavailable: with what is missing.
        """
        ...

    async def run(self, command: Command) -> Ran:
        """Runs one command to its end, which a limit may bring. A cancelled run is stopped.

        Raises:
            SandboxUnavailable: nothing was run.
            AlreadyRan: this run was started before.
            SandboxLost: it may have run.
        """
        ...


def is_signal(exit_code: int) -> bool:
    """Whether an exit code says that a signal ended the command, as shells have it: the signal's number beyond 128."""
    return 128 < exit_code <= 128 + 64


def refused(reason: str) -> Ran:
    """A command that was not started."""
    return Ran(ended=Ended.REFUSED, exit_code=None, stdout=Redacted(""), stderr=redact(reason), seconds=0.0)


def spoken(output: bytes, *, cut: bool) -> Redacted:
    """What a command said, redacted; a cut is stated.

    A cut may have gone through a secret, and half of one is not recognised: what follows the last space is left out.
    """
    text = output.decode("utf-8", errors="replace")
    return Redacted(f"{redact(_UNFINISHED.sub('', text))}{CUT}") if cut else redact(text)
