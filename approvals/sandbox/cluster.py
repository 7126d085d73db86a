"""Runs commands as Jobs in a cluster. It refuses where no network policy keeps them apart."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from approvals.sandbox.isolation import why_open
from approvals.sandbox.job import End, Place, is_running, job_name, labels, manifest, read_end, why_pending, why_stuck
from approvals.sandbox.port import AlreadyRan, Command, Ended, Ran, SandboxLost, SandboxUnavailable, spoken
from tools.kubernetes.fields import text
from tools.redaction import redact

PAUSE_S = 0.5
"""Between two looks at a Job's pod."""


_NO_POD: Mapping[str, Any] = {}


class Jobs(Protocol):
    """The Jobs of one namespace. What does not succeed raises `SandboxUnavailable`."""

    async def policies(self) -> Sequence[Mapping[str, Any]]:
        """The namespace's network policies."""
        ...

    async def create(self, job: Mapping[str, Any]) -> bool:
        """Whether it was created; not if there is one of that name.

        Raises:
            SandboxLost: nobody knows whether it was.
        """
        ...

    async def pods(self, job: str) -> Sequence[Mapping[str, Any]]:
        """The pods that belong to a Job."""
        ...

    async def log(self, pod: str, limit_bytes: int) -> bytes:
        """What the pod said, from its beginning."""
        ...

    async def delete(self, job: str) -> None:
        """Takes a Job away, with its pods."""
        ...


class JobSandbox:
    """Implements the port `Sandbox` for a cluster."""

    def __init__(self, jobs: Jobs, place: Place) -> None:
        self._jobs = jobs
        self._place = place

    async def check(self) -> None:
        """See `Sandbox.check`: whether policies keep commands apart, those with the network and those without."""
        for network in (False, True):
            await self._keep_apart(Command(run_id="check", argv=("/usr/bin/true",), network=network))

    async def run(self, command: Command) -> Ran:
        """See `Sandbox.run`. Both outputs come as one, in the order in which the kubelet had them."""
        await self._keep_apart(command)
        name = job_name(command.run_id)
        try:
            is_first = await self._jobs.create(manifest(command, self._place))
        except (SandboxLost, asyncio.CancelledError):
            await self._take_away(name)
            raise
        if not is_first:
            raise AlreadyRan(f"the Job {name} of the run {command.run_id!r} was created before")
        try:
            pod, end, seconds = await self._ended(name, command.limits.wall_s)
            said = await self._said(pod, end, command.limits.output_bytes + 1)
        finally:
            await self._take_away(name)
        # One byte more was read than is kept, to see whether there was more.
        cut = len(said) > command.limits.output_bytes or end.ended is not Ended.EXITED
        return Ran(
            ended=end.ended,
            exit_code=end.exit_code,
            stdout=spoken(said[: command.limits.output_bytes], cut=cut),
            stderr=redact(end.message),
            seconds=seconds,
        )

    async def _keep_apart(self, command: Command) -> None:
        reason = why_open(await self._jobs.policies(), labels(command), network=command.network)
        if reason is not None:
            raise SandboxUnavailable(f"in the namespace {self._place.namespace!r} {reason}")

    async def _ended(self, name: str, wall_s: float) -> tuple[str, End, float]:
        """The name of a Job's pod, how its command ended, and how long it ran."""
        clock = asyncio.get_running_loop().time
        stops_at, began, seen = clock() + self._place.start_s, clock(), "no pod"
        is_started = False
        while True:
            try:
                pod = await self._pod(name)
            except SandboxUnavailable as e:
                # One look that fails says nothing about the command.
                pod, seen = _NO_POD, str(e)
            if end := read_end(pod):
                return text(pod, "metadata", "name"), end, round(clock() - began, 3)
            if reason := why_stuck(pod):
                raise SandboxUnavailable(f"the pod of the Job {name} cannot start: {reason}")
            if is_running(pod) and not is_started:
                is_started, began, stops_at = True, clock(), clock() + wall_s
            if clock() >= stops_at:
                if is_running(pod):
                    return text(pod, "metadata", "name"), End(ended=Ended.TIMED_OUT), round(clock() - began, 3)
                raise SandboxLost(f"the Job {name} did not end in time and is taken away; {why_pending(pod) or seen}")
            await asyncio.sleep(PAUSE_S)

    async def _pod(self, job: str) -> Mapping[str, Any]:
        """The pod of a Job, the first if Kubernetes has started two."""
        pods = sorted(await self._jobs.pods(job), key=lambda pod: text(pod, "metadata", "creationTimestamp"))
        return next(iter(pods), _NO_POD)

    async def _said(self, pod: str, end: End, limit_bytes: int) -> bytes:
        if end.ended is Ended.REFUSED:
            return b""
        try:
            return await self._jobs.log(pod, limit_bytes)
        except SandboxUnavailable as e:
            raise SandboxLost(f"the command {end.ended}, and what it said cannot be read: {e}") from e

    async def _take_away(self, job: str) -> None:
        # Where it cannot be taken away, its deadline ends it and its time to live takes it away.
        with contextlib.suppress(SandboxUnavailable):
            await self._jobs.delete(job)
