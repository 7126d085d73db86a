"""Runs commands on this machine in namespaces of their own, set up by bubblewrap. There is no way around it here.

A command sees the programs and libraries of this machine read-only, an empty scratch folder, and nothing else: no
settings, no home, no processes, no environment, no network. One that has the network has this machine's, with what
names and certificates need.
"""

import asyncio
import contextlib
import os
import platform
from collections.abc import Generator
from pathlib import Path
from typing import Any

import orjson

from approvals.sandbox import seccomp
from approvals.sandbox.lookups import Astray, addresses, hosts_file
from approvals.sandbox.port import GIVEN, Command, Ended, Ran, SandboxUnavailable, is_signal, refused, spoken
from approvals.sandbox.walls import NOBODY, installed, limited, walls
from tools.redaction import redact

BWRAP = Path("/usr/bin/bwrap")
_FORBIDDEN = (
    "Programs are not run without a sandbox. The kernel, AppArmor or the container may forbid user namespaces: see "
    "user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns"
)


class Bubblewrap:
    """Implements the port `Sandbox` for one machine."""

    def __init__(self, *, bwrap: Path = BWRAP) -> None:
        self._bwrap = bwrap

    async def check(self) -> None:
        """See `Sandbox.check`: runs a program that does nothing."""
        ran = await self.run(Command(run_id="check", argv=("/usr/bin/true",)))
        if ran.exit_code != 0:
            raise SandboxUnavailable(f"a program that does nothing did not succeed in the sandbox: {ran.ended}")

    async def run(self, command: Command) -> Ran:
        """See `Sandbox.run`. It runs again whenever it is asked to: whoever asks remembers."""
        program = installed(command.argv[0])
        if program is None:
            return refused(f"{command.argv[0]} is not installed where the sandbox runs")
        try:
            found = await addresses(command.hosts)
        except Astray as e:
            return refused(str(e))
        machine = platform.machine()
        if machine not in seccomp.MACHINES:
            raise SandboxUnavailable(f"there is no filter of system calls for {machine!r}")
        contents = {} if command.given is None else {GIVEN: command.given}
        if command.network:
            contents |= hosts_file(found)
        with contextlib.ExitStack() as stack:
            files = {path: stack.enter_context(_memory(text.encode())) for path, text in contents.items()}
            filtering = stack.enter_context(_memory(seccomp.program(machine)))
            status, report = stack.enter_context(_pipe())
            argv = (
                *(str(self._bwrap), "--seccomp", str(filtering), "--json-status-fd", str(report)),
                *walls(command, files),
                *("--", *limited(command.limits), str(program), *command.argv[1:]),
            )
            return await _watched(await _started(argv, (*files.values(), filtering, report)), command, status)


class _Room:
    """How much may still be said."""

    def __init__(self, size: int) -> None:
        self._left = size

    async def keep(self, stream: asyncio.StreamReader, kept: bytearray) -> None:
        while chunk := await stream.read(32 * 1024):
            some = chunk[: self._left]
            kept += some
            self._left -= len(some)
            if len(some) < len(chunk):
                raise _Full


class _Full(Exception):
    """More was said than may be kept."""


async def _watched(process: asyncio.subprocess.Process, command: Command, status: int) -> Ran:
    """What becomes of a started command, which ends in here, whatever happens."""
    clock = asyncio.get_running_loop().time
    began, ended = clock(), Ended.EXITED
    outputs, room = (bytearray(), bytearray()), _Room(command.limits.output_bytes)
    streams = [each for each in (process.stdout, process.stderr) if each is not None]
    try:
        async with asyncio.timeout(command.limits.wall_s), asyncio.TaskGroup() as group:
            for stream, kept in zip(streams, outputs, strict=True):
                group.create_task(room.keep(stream, kept))
            await process.wait()
    except* _Full:
        ended = Ended.OUTPUT_CAPPED
    except* TimeoutError:
        ended = Ended.TIMED_OUT
    finally:
        # With bubblewrap dies the first process of the namespace, and with that all the others.
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        for stream in streams:
            while await stream.read(32 * 1024):
                pass
        await process.wait()
    code = None
    if ended is Ended.EXITED:
        code = _exit_code(status, process, outputs[1])
        if code is None or is_signal(code):
            ended, code = Ended.KILLED, None
    stdout, stderr = (spoken(bytes(each), cut=ended is not Ended.EXITED) for each in outputs)
    return Ran(ended=ended, exit_code=code, stdout=stdout, stderr=stderr, seconds=round(clock() - began, 3))


def _exit_code(status: int, process: asyncio.subprocess.Process, stderr: bytearray) -> int | None:
    """What the command exited with; `None` when bubblewrap itself was killed.

    Bubblewrap reports it only of a command that it has started: without a report, what it says is why it could not.
    """
    with contextlib.suppress(BlockingIOError):
        for line in os.read(status, 4096).splitlines():
            report = orjson.loads(line)
            if "exit-code" in report:
                return int(report["exit-code"])
    if process.returncode is not None and process.returncode < 0:
        return None
    raise SandboxUnavailable(f"{redact(stderr.decode(errors='replace'))[:300].strip() or 'bwrap failed'}. {_FORBIDDEN}")


async def _started(argv: tuple[str, ...], kept: tuple[int, ...]) -> asyncio.subprocess.Process:
    # To root the kernel's limit of processes does not apply, and outside of the sandbox nobody has less to lose.
    nobody: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            # Ours holds credentials.
            env={},
            cwd="/",
            pass_fds=kept,
            start_new_session=True,
            **nobody,
        )
    except FileNotFoundError as e:
        raise SandboxUnavailable(f"{argv[0]} is missing: apt-get install bubblewrap") from e
    except OSError as e:
        raise SandboxUnavailable(f"{argv[0]} cannot be started: {e}. {_FORBIDDEN}") from e


@contextlib.contextmanager
def _memory(content: bytes) -> Generator[int]:
    """A file in memory, to be read from its beginning."""
    descriptor = os.memfd_create("sandbox")
    try:
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _pipe() -> Generator[tuple[int, int]]:
    """The end to read from, which never waits, and the end to write to."""
    ends = os.pipe()
    try:
        os.set_blocking(ends[0], False)
        yield ends
    finally:
        for end in ends:
            os.close(end)
