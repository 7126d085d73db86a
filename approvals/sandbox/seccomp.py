"""The system calls that a sandboxed command cannot make, as a program for the kernel's packet filter. Pure.

The kernel runs the program at each system call: it refuses those that change what the command can see, load code into
the kernel, read other processes, or have a history of holes and no use to a diagnostic. Namespaces, dropped
capabilities and read-only binds hold without it; it keeps the kernel's own surface small.
"""

import struct
from collections.abc import Sequence

EPERM, ENOSYS, EAFNOSUPPORT = 1, 38, 97

# linux/seccomp.h
ALLOW, KILL_PROCESS, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
# The fields of struct seccomp_data; of an argument the low half, as both machines are little-endian.
_NUMBER, _MACHINE, _FIRST, _SECOND = 0, 4, 16, 24
# linux/bpf_common.h: what one instruction does.
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The names that the kernel gives machines, and what it calls them in a filter (linux/audit.h)."""
_OTHER_TABLE = 0x40000000
"""On x86_64, system calls from here on are those of another table (x32) with other numbers."""

NEW_NAMESPACES = 0x7E020000
"""The flags of clone that make a namespace (linux/sched.h)."""
FAMILIES = (2, 10, 16)
"""Sockets are IPv4, IPv6 or netlink. Others, local ones above all, reach beyond a network namespace that is shared."""
TERMINAL_INPUT = (0x5412, 0x541C)
"""TIOCSTI and TIOCLINUX type into the terminal of whoever started us."""

REFUSED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    # what is mounted, and files by handle
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    # namespaces
    "unshare": (272, 97),
    "setns": (308, 268),
    # programs in the kernel, and its busiest sources of holes
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "fanotify_init": (300, 262),
    "lookup_dcookie": (212, 18),
    "vmsplice": (278, 75),
    "personality": (135, 92),
    "uselib": (134, None),
    "modify_ldt": (154, None),
    # the kernel's keys
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # the machine itself
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "syslog": (103, 116),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "vhangup": (153, 58),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    # memory that counts towards no limit of ours
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "shmget": (29, 194),
    "mq_open": (240, 180),
}
"""System calls that fail with EPERM, each with its number on x86_64 and on aarch64 where it has one."""

CLONE, CLONE3, SOCKET, IOCTL = (56, 220), (435, 435), (41, 198), (16, 29)
"""System calls whose arguments decide, with the same two numbers."""

_Step = tuple[int, int, int, int]
"""What to do, how many steps to skip if it holds and if not, and with what value."""


def program(machine: str) -> bytes:
    """The filter for a machine, one of `MACHINES`, as the kernel takes it."""
    at = list(MACHINES).index(machine)
    steps: list[_Step] = [
        (LOAD, 0, 0, _MACHINE),
        # Numbers mean other calls in another table; whoever changes the table is after that.
        (EQUAL, 1, 0, MACHINES[machine]),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, _NUMBER),
        (AT_LEAST, 0, 1, _OTHER_TABLE),
        (RETURN, 0, 0, KILL_PROCESS),
    ]
    for number in (numbers[at] for numbers in REFUSED.values()):
        if number is not None:
            steps += _only(number, [_fails(EPERM)])
    # Its flags lie in memory, which a filter cannot read; the C library falls back to clone.
    steps += _only(CLONE3[at], [_fails(ENOSYS)])
    steps += _only(CLONE[at], [(LOAD, 0, 0, _FIRST), (ANY_BIT, 0, 1, NEW_NAMESPACES), _fails(EPERM), _allows()])
    known = [(EQUAL, len(FAMILIES) - place, 0, family) for place, family in enumerate(FAMILIES)]
    steps += _only(SOCKET[at], [(LOAD, 0, 0, _FIRST), *known, _fails(EAFNOSUPPORT), _allows()])
    typing = [(EQUAL, len(TERMINAL_INPUT) - place, 0, request) for place, request in enumerate(TERMINAL_INPUT)]
    steps += _only(IOCTL[at], [(LOAD, 0, 0, _SECOND), *typing, _allows(), _fails(EPERM)])
    steps.append(_allows())
    return b"".join(struct.pack("<HBBI", *step) for step in steps)


def _only(number: int, steps: Sequence[_Step]) -> list[_Step]:
    """Steps that end in a decision, taken when the system call has that number."""
    return [(EQUAL, 0, len(steps), number), *steps]


def _fails(error: int) -> _Step:
    return (RETURN, 0, 0, _ERRNO | error)


def _allows() -> _Step:
    return (RETURN, 0, 0, ALLOW)
