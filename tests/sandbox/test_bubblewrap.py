"""Commands that try to get out of a real bubblewrap, and what each gets instead."""

import asyncio
import contextlib
import os
import platform
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from approvals.sandbox import lookups
from approvals.sandbox.bubblewrap import Bubblewrap
from approvals.sandbox.port import CUT, GIVEN, Command, Ended, Ran, SandboxUnavailable
from approvals.sandbox.seccomp import ENOSYS, EPERM, REFUSED
from tests.sandbox.running import perl, shell, within

HERE = Path(__file__).resolve()
NO_SUCH_FILE = "No such file or directory"


@contextlib.asynccontextmanager
async def listening() -> AsyncGenerator[tuple[int, list[bytes]]]:
    """A TCP server on this machine, and what it was sent."""
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], heard


# What a command gets


async def test_a_command_gives_its_output_and_its_exit_code(bubblewrap: Bubblewrap) -> None:
    ran = await bubblewrap.run(shell("echo out; echo err >&2; exit 3"))
    assert ran.seconds < 10
    assert ran == Ran(ended=Ended.EXITED, exit_code=3, stdout=ran.stdout, stderr=ran.stderr, seconds=ran.seconds)
    assert (ran.stdout, ran.stderr) == ("out\n", "err\n")


async def test_an_exit_code_that_is_no_signal_is_what_the_program_says(bubblewrap: Bubblewrap) -> None:
    ran = await bubblewrap.run(perl("die 'no'"))
    assert (ran.ended, ran.exit_code) == (Ended.EXITED, 255)


async def test_the_check_passes_where_commands_run(bubblewrap: Bubblewrap) -> None:
    await bubblewrap.check()


async def test_no_shell_reads_the_arguments(bubblewrap: Bubblewrap) -> None:
    words = ("$(id)", "`id`", "; id", "| id", "*", "a\nb", "\u202e")
    ran = await bubblewrap.run(perl("print join '|', map { unpack 'H*', $_ } @ARGV", *words))
    assert ran.stdout == "|".join(word.encode().hex() for word in words)


async def test_standard_input_is_empty_and_the_given_text_is_a_read_only_file(bubblewrap: Bubblewrap) -> None:
    ran = await bubblewrap.run(shell(f"cat; cat {GIVEN}; echo x > {GIVEN}", given="hello\n"))
    assert ran.stdout == "hello\n"
    assert "Read-only file system" in ran.stderr


async def test_a_program_that_is_not_installed_is_refused(bubblewrap: Bubblewrap) -> None:
    ran = await bubblewrap.run(Command(run_id="run-1", argv=("/usr/bin/not-there",)))
    assert ran.ended is Ended.REFUSED
    assert ran.stderr == "/usr/bin/not-there is not installed where the sandbox runs"


async def test_a_program_outside_of_the_programs_of_the_machine_is_refused(
    bubblewrap: Bubblewrap, open_folder: Path
) -> None:
    program = open_folder / "program"
    program.write_text("#!/bin/sh\necho ran")
    program.chmod(0o755)
    ran = await bubblewrap.run(Command(run_id="run-1", argv=(str(program),)))
    assert ran.ended is Ended.REFUSED


# The host's files, processes and environment


@pytest.mark.parametrize("path", ["/etc/passwd", "/etc/shadow", str(HERE), "/home", "/root", "/proc/1/environ", "/sys"])
async def test_b10_the_hosts_files_are_not_there(bubblewrap: Bubblewrap, path: str) -> None:
    ran = await bubblewrap.run(Command(run_id="run-1", argv=("/usr/bin/ls", "-d", path), network=True))
    assert ran.exit_code != 0
    assert NO_SUCH_FILE in ran.stderr


async def test_b10_a_secret_file_that_everybody_may_read_is_not_there(
    bubblewrap: Bubblewrap, open_folder: Path
) -> None:
    secret = open_folder / "secret"
    secret.write_text("canary-of-the-host")
    for link in (str(secret), f"/proc/self/root{secret}", f"/tmp/../..{secret}"):
        ran = await bubblewrap.run(shell(f"cat {link}; ln -s {secret} /tmp/link; cat /tmp/link"))
        assert ran.stdout == ""
        assert ran.stderr.count(NO_SUCH_FILE) >= 2


async def test_nothing_can_be_written_but_scratch(bubblewrap: Bubblewrap) -> None:
    places = ["/", "/usr/bin", "/usr/lib", "/dev", "/dev/shm", "/etc", "/given"]
    script = "".join(f"touch {place}/x && echo wrote {place}\n" for place in places)
    ran = await bubblewrap.run(shell(f"{script} touch /tmp/x && echo wrote scratch", given="", network=True))
    assert ran.stdout == "wrote scratch\n"


async def test_nothing_of_one_run_is_there_in_the_next(bubblewrap: Bubblewrap) -> None:
    await bubblewrap.run(shell("touch /tmp/left"))
    assert (await bubblewrap.run(shell("ls -A /tmp"))).stdout == ""


async def test_scratch_has_a_size(bubblewrap: Bubblewrap) -> None:
    script = "for i in 1 2 3 4; do head -c 1000000 /dev/zero > /tmp/$i || echo full; done"
    ran = await bubblewrap.run(shell(script, limits=within(15, scratch_bytes=2 * 2**20)))
    assert "full" in ran.stdout
    assert "No space left on device" in ran.stderr


async def test_the_environment_of_the_caller_is_not_there(
    bubblewrap: Bubblewrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCUM_CANARY", "canary-of-the-environment")
    ran = await bubblewrap.run(perl("print join ',', sort keys %ENV"))
    assert ran.stdout == "PWD"


async def test_no_descriptor_of_the_caller_is_open(bubblewrap: Bubblewrap, open_folder: Path) -> None:
    with (open_folder / "held").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        script = "for (3..63) { print qq($_ ) if open(my $f, '<&=', $_) && defined(fileno $f) && -e $f }"
        ran = await bubblewrap.run(perl(script, given="x", network=True))
    assert ran.stdout == ""


async def test_the_hosts_processes_cannot_be_signalled(bubblewrap: Bubblewrap) -> None:
    ran = await bubblewrap.run(perl(f"print kill(0, {os.getpid()}), kill(0, getppid()) ? '' : ' parent'"))
    assert ran.stdout.startswith("0")


async def test_a_command_is_nobody_and_has_no_capabilities(bubblewrap: Bubblewrap) -> None:
    # capget: a header of version and process, then two times effective, permitted, inheritable.
    number = {"x86_64": 125, "aarch64": 90}[platform.machine()]
    script = (
        "print qq($< $> ), $(, q( );"
        f"my $h = pack('LL', 0x20080522, 0); my $d = 'x' x 24; syscall({number}, $h, $d) and die $!;"
        "print join ' ', unpack('L6', $d)"
    )
    *people, _, _, _, _, _, _ = said = (await bubblewrap.run(perl(script))).stdout.split()
    assert set(people) == {"65534"}
    assert said[len(people) :] == ["0"] * 6


async def test_a_setuid_program_gives_no_more_rights(bubblewrap: Bubblewrap) -> None:
    # The system call prctl, with its question 39: whether new privileges are out of the question.
    number = {"x86_64": 157, "aarch64": 167}[platform.machine()]
    assert (await bubblewrap.run(perl(f"print syscall({number}, 39, 0, 0, 0, 0)"))).stdout == "1"


# The network


async def test_b10_without_the_network_no_tcp_server_is_reached(bubblewrap: Bubblewrap) -> None:
    async with listening() as (port, heard):
        script = f"use IO::Socket::INET; IO::Socket::INET->new('127.0.0.1:{port}') and print 'out' or print $!"
        ran = await bubblewrap.run(perl(script))
        assert ran.stdout in ("Network is unreachable", "Connection refused")
        assert heard == []


async def test_with_the_network_it_is_reached(bubblewrap: Bubblewrap) -> None:
    """So that the test before this one says something."""
    async with listening() as (port, heard):
        script = f"use IO::Socket::INET; my $s = IO::Socket::INET->new('127.0.0.1:{port}') or die; print $s 'hello'"
        ran = await bubblewrap.run(perl(script, network=True))
        assert ran.exit_code == 0
        assert heard == [b"hello"]


async def test_b10_without_the_network_no_datagram_gets_out(bubblewrap: Bubblewrap) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        port = server.getsockname()[1]
        send = (
            "use Socket; socket(my $s, PF_INET, SOCK_DGRAM, 0) or die;"
            f"for ('127.0.0.1', '192.0.2.1') {{ send($s, 'out', 0, pack_sockaddr_in({port}, inet_aton($_))) }}"
        )
        assert (await bubblewrap.run(perl(send))).exit_code == 0
        with pytest.raises(BlockingIOError):
            server.recv(10)
        await bubblewrap.run(perl(send, network=True))
        assert server.recv(10) == b"out"


@pytest.mark.parametrize("network", [False, True])
async def test_b10_local_sockets_of_the_host_are_out_of_reach_even_with_the_network(
    bubblewrap: Bubblewrap, network: bool, mark: str
) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{mark}")
        server.listen()
        script = (
            "use Socket; socket(my $s, PF_UNIX, SOCK_STREAM, 0) or print($!), exit;"
            "connect($s, pack_sockaddr_un(qq(\\0$ARGV[0]))) ? print 'out' : print $!"
        )
        ran = await bubblewrap.run(perl(script, mark, network=network))
        assert ran.stdout == "Address family not supported by protocol"


@pytest.mark.parametrize("family", [17, 38, 40], ids=["packet", "alg", "vsock"])
async def test_other_families_of_sockets_are_not_there(bubblewrap: Bubblewrap, family: int) -> None:
    script = f"socket(my $s, {family}, 2, 0) ? print 'open' : print $!"
    ran = await bubblewrap.run(perl(script, network=True))
    assert ran.stdout == "Address family not supported by protocol"


async def test_a_host_that_leads_to_this_machine_is_refused_before_anything_runs(bubblewrap: Bubblewrap) -> None:
    for host in ("localhost", "127.0.0.1"):
        ran = await bubblewrap.run(shell("echo ran", network=True, hosts=("192.0.2.1", host)))
        assert (ran.ended, ran.stdout) == (Ended.REFUSED, "")
        assert "'127.0.0.1' is this machine" in ran.stderr or "'::1' is this machine" in ran.stderr


async def test_a_name_that_nobody_knows_is_refused_with_what_the_resolver_says(bubblewrap: Bubblewrap) -> None:
    for host in ("nothing.invalid", "a" * 64 + ".invalid"):
        ran = await bubblewrap.run(shell("echo ran", network=True, hosts=(host,)))
        assert ran.ended is Ended.REFUSED
        assert "has no address from here" in ran.stderr


async def test_a_name_server_that_does_not_answer_holds_nothing_up(
    bubblewrap: Bubblewrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "LOOKUP_S", 0.0)
    ran = await bubblewrap.run(shell("echo ran", network=True, hosts=("example.org",)))
    assert "no name server says within 0 s where example.org is" in ran.stderr


async def test_a_command_is_held_to_the_addresses_that_were_judged(
    bubblewrap: Bubblewrap, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(host: str, *_: object, **__: object) -> list[tuple[object, ...]]:
        return [(2, 1, 6, "", ("192.0.2.7", 0)), (2, 1, 6, "", ("192.0.2.7", 0)), (2, 1, 6, "", ("192.0.2.8", 0))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", answer)
    command = Command(
        run_id="run-1",
        argv=("/usr/bin/getent", "ahostsv4", "shop.example."),
        network=True,
        hosts=("shop.example.", "192.0.2.9"),
    )
    ran = await bubblewrap.run(command)
    assert sorted({line.split()[0] for line in ran.stdout.splitlines()}) == ["192.0.2.7", "192.0.2.8"]


# System calls


async def test_each_refused_system_call_fails_and_the_machine_is_as_before(bubblewrap: Bubblewrap) -> None:
    at = ["x86_64", "aarch64"].index(platform.machine())
    numbers = [str(pair[at]) for pair in REFUSED.values() if pair[at] is not None]
    # With arguments that could do nothing, should the filter let one through: most would then say EBADF or EINVAL.
    script = "for (@ARGV) { $! = 0; syscall($_+0, -1, 0, 0, 0, 0); print $!+0, ' ' }"
    for some in (numbers[:40], numbers[40:]):
        assert (await bubblewrap.run(perl(script, *some))).stdout.split() == [str(EPERM)] * len(some)


async def test_no_namespace_can_be_made(bubblewrap: Bubblewrap) -> None:
    clone, unshare = {"x86_64": (56, 272), "aarch64": (220, 97)}[platform.machine()]
    calls = {f"{clone}, 0x10000011, 0, 0, 0, 0": EPERM, f"{unshare}, 0x10000000": EPERM, "435": ENOSYS}
    for call, error in calls.items():
        ran = await bubblewrap.run(perl(f"$! = 0; syscall({call}); print $!+0"))
        assert ran.stdout == str(error)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only this machine has a second table of system calls")
async def test_system_calls_of_another_table_kill(bubblewrap: Bubblewrap) -> None:
    ran = await bubblewrap.run(perl("syscall(0x40000000 + 39); print 'alive'"))
    assert (ran.ended, ran.stdout) == (Ended.KILLED, CUT)


async def test_nothing_can_be_typed_into_a_terminal(bubblewrap: Bubblewrap) -> None:
    ran = await bubblewrap.run(perl("my $c = 'x'; ioctl(STDIN, 0x5412, $c) or print $!+0"))
    assert ran.stdout == str(EPERM)


async def test_a_machine_without_a_filter_runs_nothing(bubblewrap: Bubblewrap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "sparc")
    with pytest.raises(SandboxUnavailable, match="no filter of system calls for 'sparc'"):
        await bubblewrap.check()
