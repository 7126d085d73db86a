"""Runs a server that ends with the process that wanted it, even when that process is killed.

Run as a script: `tether.py PARENT_PID COMMAND…`. Imports nothing of Locum, so that it starts in milliseconds.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 0.2


def become(parent: int, argv: list[str]) -> None:
    """Turns this process into the server; the kernel ends it with its parent (Linux)."""
    # SIGKILL, not SIGTERM: a server that takes its time to stop would still hold the data when the next one opens it.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before the kernel was asked to watch it.
    if os.getppid() == parent:
        os.execv(argv[0], argv)  # noqa: S606


def _end(server: subprocess.Popen[bytes]) -> None:
    signal.signal(signal.SIGTERM, lambda _number, _frame: server.terminate())


def watch(parent: int, argv: list[str]) -> int:
    """Runs the server as a child and ends it when the parent is gone (systems without parent-death signals)."""
    server = subprocess.Popen(argv)  # noqa: S603
    _end(server)
    while os.getppid() == parent:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return server.wait(_LOOK_EVERY_S)
        time.sleep(0)
    server.kill()
    return server.wait()


if __name__ == "__main__":
    if sys.platform == "linux":
        become(int(sys.argv[1]), sys.argv[2:])
        sys.exit("the parent is gone")
    sys.exit(watch(int(sys.argv[1]), sys.argv[2:]))
