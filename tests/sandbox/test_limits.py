"""How commands in a real bubblewrap are bounded and ended, what is kept of their words, and when none is run."""

import asyncio
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from approvals.sandbox.bubblewrap import Bubblewrap
from approvals.sandbox.port import CUT, Ended, SandboxUnavailable
from tests.sandbox.running import perl, shell, until_gone, until_there, within, wrapper

HERE = Path(__file__).resolve()


async def test_the_wall_limit_ends_all_descendants(bubblewrap: Bubblewrap, mark: str) -> None:
    # Detached, with its own session and without our pipes: only the namespace's end reaches it.
    script = "for (1..3) { if (fork == 0) { setpgrp; close STDOUT; close STDERR; sleep 600 } } sleep 600"
    task = asyncio.create_task(bubblewrap.run(perl(script, mark, limits=within(3))))
    await until_there(mark)
    ran = await task
    assert (ran.ended, ran.exit_code) == (Ended.TIMED_OUT, None)
    assert 2.9 < ran.seconds < 10
    await until_gone(mark)


async def test_descendants_end_with_the_command(bubblewrap: Bubblewrap, mark: str) -> None:
    script = "if (fork == 0) { setpgrp; sleep 600 } print 'done'"
    ran = await bubblewrap.run(perl(script, mark))
    assert (ran.ended, ran.exit_code, ran.stdout) == (Ended.EXITED, 0, "done")
    await until_gone(mark)


async def test_a_cancelled_run_is_ended(bubblewrap: Bubblewrap, mark: str) -> None:
    task = asyncio.create_task(bubblewrap.run(perl("fork; sleep 600", mark, limits=within(60))))
    await until_there(mark)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until_gone(mark)


async def test_a_command_dies_with_the_process_that_runs_it(bubblewrap: Bubblewrap, mark: str) -> None:
    script = """
        import asyncio, sys
        from approvals.sandbox.bubblewrap import Bubblewrap
        from approvals.sandbox.port import Command
        argv = ("/usr/bin/perl", "-e", "fork; sleep 600", sys.stdin.readline().strip())
        asyncio.run(Bubblewrap().run(Command(run_id="run-1", argv=argv)))
    """
    root = HERE.parents[2]
    parent = subprocess.Popen(  # noqa: ASYNC220 - it is to be killed without a word
        [sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, cwd=root
    )
    try:
        assert parent.stdin is not None
        parent.stdin.write(f"{mark}\n".encode())
        parent.stdin.close()
        await until_there(mark)
        parent.send_signal(signal.SIGKILL)
        await until_gone(mark)
    finally:
        parent.kill()
        parent.wait()


async def test_a_command_that_nobody_is_left_to_end_ends_with_its_time(
    bubblewrap: Bubblewrap, open_folder: Path, mark: str
) -> None:
    """As when the process that runs it dies before bubblewrap has bound itself to it."""
    script = "exec '/usr/bin/bwrap', grep { $_ ne '--die-with-parent' } @ARGV"
    unbound = wrapper(open_folder, script)
    task = asyncio.create_task(unbound.run(perl("fork; sleep 600", mark, limits=within(2))))
    await until_there(mark)
    assert (await task).ended is Ended.TIMED_OUT
    await until_gone(mark)


async def test_a_fork_bomb_is_bounded(bubblewrap: Bubblewrap, mark: str) -> None:
    script = "my $n = 1; while (1) { my $p = fork; defined $p or print(qq($n $!)), exit; $p or sleep 600; $n++ }"
    ran = await bubblewrap.run(perl(script, mark, limits=within(15, processes=12)))
    assert ran.stdout == "12 Resource temporarily unavailable"
    await until_gone(mark)


async def test_memory_is_bounded(bubblewrap: Bubblewrap) -> None:
    take = "my $x = 'x' x ({} * 2**20); print 'had it'"
    assert (await bubblewrap.run(perl(take.format(20), limits=within(15, memory_bytes=128 * 2**20)))).stdout == "had it"
    ran = await bubblewrap.run(perl(take.format(256), limits=within(15, memory_bytes=128 * 2**20)))
    assert ran.exit_code != 0
    assert "Out of memory" in ran.stderr


async def test_processor_time_is_bounded(bubblewrap: Bubblewrap) -> None:
    ran = await bubblewrap.run(perl("1 while 1", limits=within(30, cpu_s=1)))
    assert (ran.ended, ran.exit_code) == (Ended.KILLED, None)
    assert ran.seconds < 15


async def test_a_flood_of_output_is_capped_and_stopped(bubblewrap: Bubblewrap, mark: str) -> None:
    script = "while (1) { print STDOUT qq(word\\n); print STDERR qq(word\\n) }"
    ran = await bubblewrap.run(perl(script, mark, limits=within(30, output_bytes=10_000)))
    assert ran.ended is Ended.OUTPUT_CAPPED
    assert 5_000 < len(ran.stdout) + len(ran.stderr) < 10_000 + 2 * len(CUT) + 1
    assert ran.stdout.endswith(CUT)
    await until_gone(mark)


async def test_output_up_to_the_cap_is_whole(bubblewrap: Bubblewrap) -> None:
    ran = await bubblewrap.run(perl("print 'x' x 1000", limits=within(15, output_bytes=1000)))
    assert (ran.ended, ran.stdout) == (Ended.EXITED, "x" * 1000)


# What it says


async def test_a_secret_in_the_output_is_redacted(bubblewrap: Bubblewrap) -> None:
    ran = await bubblewrap.run(shell("echo postgres://app:hunter2hunter2@db/shop; echo password=hunter2hunter2 >&2"))
    assert "hunter2" not in ran.stdout + ran.stderr
    assert "[redacted:" in ran.stdout
    assert "[redacted:" in ran.stderr


async def test_half_a_secret_at_the_cut_is_left_out(bubblewrap: Bubblewrap) -> None:
    token = "ghp_" + "a1B2" * 9
    ran = await bubblewrap.run(shell(f"echo see {token}; sleep 60", limits=within(15, output_bytes=20)))
    assert (ran.ended, ran.stdout) == (Ended.OUTPUT_CAPPED, f"see {CUT}")


async def test_bytes_that_are_no_text_are_shown_as_such(bubblewrap: Bubblewrap) -> None:
    assert (await bubblewrap.run(perl("print qq(a\\xff\\xfeb\\e[31m)"))).stdout == "a\ufffd\ufffdb"


# Where there is no sandbox


async def test_without_bubblewrap_nothing_runs(open_folder: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="is missing: apt-get install bubblewrap"):
        await Bubblewrap(bwrap=open_folder / "bwrap").check()


async def test_a_bubblewrap_that_may_not_be_started_runs_nothing(open_folder: Path) -> None:
    program = open_folder / "bwrap"
    program.write_text("no program")
    with pytest.raises(SandboxUnavailable, match="cannot be started"):
        await Bubblewrap(bwrap=program).check()


async def test_where_namespaces_are_forbidden_nothing_runs_and_the_reason_is_said(
    bubblewrap: Bubblewrap, open_folder: Path
) -> None:
    # A user namespace in which no further ones may be made, as hardened machines have it.
    script = (
        "exec '/usr/bin/bwrap', '--unshare-user', '--disable-userns', '--bind', '/', '/', '--', '/usr/bin/bwrap', @ARGV"
    )
    with pytest.raises(SandboxUnavailable, match=r"(?s)bwrap: .*Programs are not run without a sandbox"):
        await wrapper(open_folder, script).run(shell("echo ran"))


async def test_a_bubblewrap_that_reports_nothing_is_not_believed(open_folder: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="bwrap failed"):
        await wrapper(open_folder, "exit 0").check()


async def test_a_program_that_fails_in_the_sandbox_fails_the_check(bubblewrap: Bubblewrap, open_folder: Path) -> None:
    with pytest.raises(SandboxUnavailable, match="did not succeed in the sandbox: EXITED"):
        await wrapper(open_folder, "pop @ARGV; exec '/usr/bin/bwrap', @ARGV, '/usr/bin/false'").check()


async def test_a_bubblewrap_that_is_killed_leaves_no_exit_code(open_folder: Path) -> None:
    ran = await wrapper(open_folder, "kill 9, $$").run(shell("echo ran"))
    assert (ran.ended, ran.exit_code) == (Ended.KILLED, None)
