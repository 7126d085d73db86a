"""The filter of system calls, run by a small interpreter of the kernel's filter language, for each machine."""

import re
import struct
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from approvals.sandbox import seccomp
from approvals.sandbox.seccomp import ALLOW, EAFNOSUPPORT, ENOSYS, EPERM, KILL_PROCESS, MACHINES, REFUSED

FAILS = 0x00050000
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


def decide(program: bytes, *, number: int, machine: int, first: int = 0, second: int = 0) -> int:
    """What the kernel would do with a system call."""
    data = struct.pack("<IIQ6Q", number, machine, 0, first, second, 0, 0, 0, 0)
    steps = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    at, loaded = 0, 0
    while True:
        what, holds, fails, value = steps[at]
        if what == seccomp.RETURN:
            return value
        if what == seccomp.LOAD:
            loaded = struct.unpack_from("<I", data, value)[0]
            at += 1
            continue
        true = {
            seccomp.EQUAL: loaded == value,
            seccomp.AT_LEAST: loaded >= value,
            seccomp.ANY_BIT: bool(loaded & value),
        }[what]
        at += 1 + (holds if true else fails)


@pytest.mark.parametrize("machine", MACHINES)
def test_each_refused_call_fails_on_each_machine(machine: str) -> None:
    program, at = seccomp.program(machine), list(MACHINES).index(machine)
    numbers = [numbers[at] for numbers in REFUSED.values() if numbers[at] is not None]
    assert len(numbers) > 55
    for number in numbers:
        assert number is not None
        assert decide(program, number=number, machine=MACHINES[machine]) == FAILS | EPERM


@pytest.mark.parametrize("machine", MACHINES)
@given(number=st.one_of(st.integers(0, 500), st.integers(0, 2**32 - 1)))
@example(number=0x40000000)
@example(number=0x3FFFFFFF)
@settings(max_examples=200)
def test_other_calls_pass_and_those_of_other_tables_kill(machine: str, number: int) -> None:
    at = list(MACHINES).index(machine)
    # Of those that are judged by their arguments, a socket of family 0 fails and a clone without flags passes.
    judged = {seccomp.CLONE3[at], seccomp.SOCKET[at], *(pair[at] for pair in REFUSED.values())}
    decision = decide(seccomp.program(machine), number=number, machine=MACHINES[machine])
    if number >= 0x40000000:
        assert decision == KILL_PROCESS
    else:
        assert (decision == ALLOW) is (number not in judged)


@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_decide_where_a_call_is_needed(machine: str) -> None:
    program, at, table = seccomp.program(machine), list(MACHINES).index(machine), MACHINES[machine]
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert decide(program, number=seccomp.CLONE[at], machine=table, first=flag | 17) == FAILS | EPERM
    assert decide(program, number=seccomp.CLONE[at], machine=table, first=0x01200011) == ALLOW
    assert decide(program, number=seccomp.CLONE3[at], machine=table) == FAILS | ENOSYS
    opened = {
        family
        for family in range(64)
        if decide(program, number=seccomp.SOCKET[at], machine=table, first=family) == ALLOW
    }
    assert opened == {2, 10, 16}
    assert decide(program, number=seccomp.SOCKET[at], machine=table, first=1) == FAILS | EAFNOSUPPORT
    for request in (0x5412, 0x541C):
        # The kernel looks at 32 bits only, and so do we.
        assert decide(program, number=seccomp.IOCTL[at], machine=table, second=request | 1 << 32) == FAILS | EPERM
    assert decide(program, number=seccomp.IOCTL[at], machine=table, second=0x5413) == ALLOW


def test_another_machines_calls_kill() -> None:
    assert decide(seccomp.program("x86_64"), number=0, machine=0x40000003) == KILL_PROCESS
    assert decide(seccomp.program("x86_64"), number=0, machine=MACHINES["aarch64"]) == KILL_PROCESS


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_the_kernels_own(machine: str) -> None:
    if not HEADERS[machine].is_file():
        pytest.skip("the kernel's headers are missing: apt-get install linux-libc-dev")
    defined = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    kernels = {name: int(number) for name, number in defined}
    at = list(MACHINES).index(machine)
    known = REFUSED | {
        "clone": seccomp.CLONE, "clone3": seccomp.CLONE3, "socket": seccomp.SOCKET, "ioctl": seccomp.IOCTL,
    }  # fmt: skip
    assert {name: pair[at] for name, pair in known.items()} == {name: kernels.get(name) for name in known}
