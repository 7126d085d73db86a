"""Real servers for tests: on free ports of 127.0.0.1, data in a temporary folder, stopped also on failure."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Generator
from pathlib import Path

import pytest


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(url: str) -> bool:
    """Whether a GET of `url` gives a 200 within a second."""
    try:
        with urllib.request.urlopen(url, timeout=1) as reply:
            return reply.status == 200
    except OSError:
        return False


def need(binary: str, package: str) -> str:
    """The path of a server's binary; where it is missing the test is skipped, and in CI it fails."""
    if path := shutil.which(binary):
        return path
    why = f"{binary} is missing: apt-get install {package}"
    if os.environ.get("CI"):  # noqa: TID251
        pytest.fail(why)
    pytest.skip(why)


@contextlib.contextmanager
def running(
    argv: list[str | Path], log: Path, ready: Callable[[], bool], seconds: float = 30
) -> Generator[subprocess.Popen[bytes]]:
    """One server process, from ready to stopped."""
    # The kernel ends the server when the test run is killed; a fixture could not.
    guard = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    with log.open("wb") as out:
        process = subprocess.Popen([*guard, *map(str, argv)], stdout=out, stderr=out)
    try:
        end = time.monotonic() + seconds
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(log.read_text(errors="replace")[-2000:])
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()
