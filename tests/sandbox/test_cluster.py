"""Jobs from creation to their end, told by written pods: nothing here runs a container."""

import asyncio
import re

import pytest

from approvals.sandbox.cluster import JobSandbox
from approvals.sandbox.job import job_name
from approvals.sandbox.port import (
    CUT,
    AlreadyRan,
    Command,
    Ended,
    Limits,
    Ran,
    Sandbox,
    SandboxLost,
    SandboxUnavailable,
)
from tests.sandbox.jobs import PLACE, TROUBLE, WrittenJobs, pod, policy

NAME = job_name("run-1")
PENDING = pod("Pending")
RUNNING = pod("Running", running={"startedAt": "2026-01-01T00:00:00Z"})
DONE = pod("Succeeded", terminated={"exitCode": 0, "reason": "Completed"})


def command(**fields: float) -> Command:
    limits = Limits(wall_s=fields.get("wall_s", 5.0), output_bytes=int(fields.get("output_bytes", 1000)))
    return Command(run_id="run-1", argv=("/usr/bin/dig", "-q", "example.org"), limits=limits)


async def run(jobs: WrittenJobs, asked: Command | None = None) -> Ran:
    sandbox: Sandbox = JobSandbox(jobs, PLACE)
    return await sandbox.run(asked or command())


async def test_a_job_is_followed_to_its_end_and_taken_away() -> None:
    jobs = WrittenJobs([], [PENDING], [RUNNING], [DONE], said=b"password=hunter2hunter2 found\n")
    ran = await run(jobs)
    assert (ran.ended, ran.exit_code, ran.stderr) == (Ended.EXITED, 0, "")
    assert re.fullmatch(r"password=\[redacted:[^\]]+\] found\n", ran.stdout)
    assert list(jobs.created) == jobs.deleted == [NAME]
    assert jobs.asked_for == [("pod-1", 1001)]


async def test_of_two_pods_the_first_is_the_one() -> None:
    later = pod("Failed", name="pod-2", at="2026-01-01T00:00:09Z", terminated={"exitCode": 1})
    jobs = WrittenJobs([later, DONE])
    assert (await run(jobs)).exit_code == 0
    assert jobs.asked_for == [("pod-1", 1001)]


async def test_more_output_than_may_be_kept_is_cut_and_says_so() -> None:
    ran = await run(WrittenJobs([DONE], said=b"one two three"), command(output_bytes=9))
    assert (ran.ended, ran.stdout) == (Ended.EXITED, f"one two {CUT}")
    assert (await run(WrittenJobs([DONE], said=b"one two"), command(output_bytes=7))).stdout == "one two"


async def test_a_command_that_runs_beyond_its_time_is_taken_away() -> None:
    jobs = WrittenJobs([RUNNING], said=b"so far half")
    ran = await run(jobs, command(wall_s=0.1))
    assert (ran.ended, ran.exit_code, ran.stdout) == (Ended.TIMED_OUT, None, f"so far {CUT}")
    assert jobs.deleted == [NAME]


async def test_a_program_that_the_image_lacks_is_refused_and_has_said_nothing() -> None:
    failed = pod("Failed", terminated={"exitCode": 128, "reason": "StartError", "message": "dig: not found"})
    jobs = WrittenJobs([failed])
    ran = await run(jobs)
    assert (ran.ended, ran.stderr) == (Ended.REFUSED, "dig: not found")
    assert jobs.asked_for == []


async def test_an_image_that_cannot_be_pulled_ran_nothing() -> None:
    jobs = WrittenJobs([pod("Pending", waiting={"reason": "ErrImagePull", "message": "denied"})])
    with pytest.raises(SandboxUnavailable, match="cannot start: ErrImagePull: denied"):
        await run(jobs)
    assert jobs.deleted == [NAME]


async def test_a19_a_pod_that_does_not_start_in_time_is_lost_not_failed() -> None:
    unplaced = {**PENDING, "status": {"conditions": [{"type": "PodScheduled", "message": "0/3 nodes"}]}}
    with pytest.raises(SandboxLost, match="did not end in time and is taken away; 0/3 nodes"):
        await run(WrittenJobs([unplaced]))


async def test_a19_an_api_that_goes_silent_is_lost_and_one_bad_look_is_not() -> None:
    with pytest.raises(SandboxLost, match="the API server cannot be reached"):
        await run(WrittenJobs(TROUBLE))
    assert (await run(WrittenJobs(TROUBLE, [DONE]))).ended is Ended.EXITED


async def test_a19_a_log_that_cannot_be_read_is_lost() -> None:
    jobs = WrittenJobs([DONE], said=TROUBLE)
    with pytest.raises(SandboxLost, match="what it said cannot be read"):
        await run(jobs)
    assert jobs.deleted == [NAME]


async def test_a_job_that_cannot_be_taken_away_has_still_ended() -> None:
    jobs = WrittenJobs([DONE])
    jobs.delete_error = TROUBLE
    assert (await run(jobs)).ended is Ended.EXITED


async def test_a21_a_second_job_of_one_run_is_refused_and_the_first_left_alone() -> None:
    jobs = WrittenJobs([DONE])
    jobs.created[NAME] = {}
    with pytest.raises(AlreadyRan, match="was created before"):
        await run(jobs)
    assert jobs.deleted == []


async def test_a19_a_creation_without_an_answer_is_lost_and_what_may_be_there_taken_away() -> None:
    jobs = WrittenJobs([DONE])
    jobs.create_error = SandboxLost("no answer")
    with pytest.raises(SandboxLost):
        await run(jobs)
    assert jobs.deleted == [NAME]


async def test_a_cancelled_run_takes_its_job_away() -> None:
    jobs = WrittenJobs([RUNNING])
    task = asyncio.create_task(run(jobs))
    await asyncio.wait_for(jobs.is_created.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert jobs.deleted == [NAME]


async def test_b10_without_a_policy_that_keeps_it_apart_nothing_is_created() -> None:
    jobs = WrittenJobs([DONE])
    for allowed in ([], [policy("of another", {"app": "other"})]):
        jobs.allowed = allowed
        with pytest.raises(SandboxUnavailable, match="in the namespace 'locum-sandbox' no NetworkPolicy"):
            await run(jobs)
        with pytest.raises(SandboxUnavailable):
            await JobSandbox(jobs, PLACE).check()
    assert jobs.created == {}


async def test_the_check_passes_where_policies_keep_commands_apart() -> None:
    jobs = WrittenJobs([DONE])
    await JobSandbox(jobs, PLACE).check()
    assert jobs.created == {}
