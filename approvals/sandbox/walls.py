"""What bubblewrap is told: the namespaces, all that is in them, and the limits. It starts nothing."""

from pathlib import Path

from approvals.sandbox.port import SCRATCH, Command, Limits

NOBODY = 65534
"""Whom a command runs as."""
OPEN_FILES = 64
ORPHAN_S = 1.0
"""That a command may run beyond its time when nobody is left to end it."""
_PROGRAMS = ("/usr/bin", "/usr/lib", "/usr/lib64")
_FOR_NETWORK = ("/etc/resolv.conf", "/etc/ssl/certs", "/usr/share/ca-certificates")


def walls(command: Command, files: dict[str, int]) -> list[str]:
    """The namespaces, and all that is in them; `files` are read-only there, each from a descriptor."""
    # The first goes on without a user namespace where there can be none; with the second it does not.
    told = [
        "--unshare-all",
        "--unshare-user",
        "--die-with-parent",
        "--as-pid-1",
        "--new-session",
        "--cap-drop",
        "ALL",
        "--clearenv",
    ]
    told += ["--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "sandbox"]
    for folder in _PROGRAMS:
        told += ["--ro-bind-try", folder, folder, "--symlink", folder[1:], folder.removeprefix("/usr")]
    if command.network:
        told.append("--share-net")
        for path in _FOR_NETWORK:
            told += ["--ro-bind-try", path, path]
    for path, descriptor in files.items():
        told += ["--ro-bind-data", str(descriptor), path]
    told += ["--dev", "/dev", "--size", str(command.limits.scratch_bytes), "--tmpfs", SCRATCH, "--chdir", SCRATCH]
    # Both are in memory and without a size of their own.
    return [*told, "--remount-ro", "/dev", "--remount-ro", "/"]


def limited(limits: Limits) -> list[str]:
    """The programs that set the limits and become the command.

    They do so inside: there the kernel counts the processes of this namespace alone.
    """
    return [
        "/usr/bin/prlimit",
        f"--cpu={limits.cpu_s}",
        f"--as={limits.memory_bytes}",
        f"--fsize={limits.scratch_bytes}",
        # One more: the clock.
        f"--nproc={limits.processes + 1}",
        f"--nofile={OPEN_FILES}",
        "--core=0",
        "--",
        # Whoever started us keeps the time. Should that die in the moment before bubblewrap has bound itself to it,
        # nobody else would. It is the namespace's first process: with it end all the others.
        "/usr/bin/timeout",
        "--foreground",
        "--signal=KILL",
        str(limits.wall_s + ORPHAN_S),
    ]


def installed(program: str) -> Path | None:
    """Where a program is, without links: those of /etc/alternatives are not there in the sandbox."""
    path = Path(program).resolve()
    return path if path.is_file() and any(path.is_relative_to(folder) for folder in _PROGRAMS) else None
