"""Processes to be killed: gateways and runners as they ship, over strict fakes of Slack and of the target.

    python -m tests.attack.victim FOLDER --temporal ADDRESS --redis URL {gateway,runner}...

One supervisor starts each of them, and starts it again when it dies. Each notes in `FOLDER/trace` where it is. A file
`FOLDER/doom/REQUEST` names a point; whoever comes to that point with that request kills itself there, once.
"""

import argparse
import asyncio
import ctypes
import functools
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import temporalio.client
import temporalio.worker
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from approvals.action import Action
from approvals.audit import Draft
from approvals.people import Account
from approvals.plan import Outcome, Plan, Receipt, TargetChanged
from approvals.policy_file import PolicyFile
from bot.stores.connection import connect
from bot.stores.incidents import Incidents
from bot.stores.ledger.database import Database
from bot.stores.ledger.ledger import Ledger
from bot.stores.sessions import Sessions
from bot.workflows import service, workers
from bot.workflows.actions import Actions
from bot.workflows.approving import Approvals
from bot.workflows.gateway import Gateway, Requests
from bot.workflows.proposing import Proposing
from tests.approvals.house import People, Wall
from tools.redaction import redact

GATEWAY, RUNNER = "gateway", "runner"
NAMESPACE = "locum"
READY = "ready"
RUNNER_POINTS = (
    "before-prepare", "after-prepare", "before-execute", "before-claim", "after-claim", "before-effect", "after-effect",
    "before-settle", "after-settle", "after-execute",
)  # fmt: skip
"""Where a runner can be killed, in their order; `after-execute` is right before it answers."""
GATEWAY_POINTS = (
    "before-seal", "after-seal", "before-identify", "after-identify", "before-note", "after-note", "before-draw",
    "after-draw", "before-recheck", "during-recheck", "after-recheck", "before-outcome", "after-outcome",
)  # fmt: skip
"""The first note is of a counted vote, the first drawing after it has that vote."""
INSIDE = frozenset({"after-claim", "after-effect", "after-settle"})
"""Of those that are after something, the ones with more to come."""
LONGEST_PAUSE_S = 0.04
_PR_SET_PDEATHSIG = 1


class Points:
    """Where this process is."""

    def __init__(self, folder: Path) -> None:
        self._doom = folder / "doom"
        self._trace = os.open(folder / "trace", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._rng = random.Random(os.getpid())

    def reached(self, name: str, request_id: str = "-") -> None:
        """Notes it; the last that is done, where that request is doomed there."""
        os.write(self._trace, f"{os.getpid()} {name} {request_id}\n".encode())
        doom = self._doom / request_id
        try:
            if doom.read_text() != name:
                return
            # Whoever takes the file away is the one that dies.
            doom.unlink()
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    async def lingered(self, name: str, request_id: str) -> None:
        """As `reached`, with a while before and after it: others kill too."""
        await asyncio.sleep(self._rng.uniform(0, LONGEST_PAUSE_S))
        self.reached(name, request_id)
        await asyncio.sleep(self._rng.uniform(0, LONGEST_PAUSE_S))


class Traced(temporalio.client.Interceptor, temporalio.worker.Interceptor):
    """Notes the beginning and the end of every activity."""

    def __init__(self, points: Points) -> None:
        self._points = points

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Between(next, self._points)


class _Between(ActivityInboundInterceptor):
    def __init__(self, inner: ActivityInboundInterceptor, points: Points) -> None:
        super().__init__(inner)
        self._points = points

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        name, request_id = activity.info().activity_type, _request_id()
        self._points.reached(f"before-{name}", request_id)
        result = await super().execute_activity(input)
        self._points.reached(f"after-{name}", request_id)
        return result


def _request_id() -> str:
    return (activity.info().workflow_id or "").removeprefix("approval-")


class TracedLedger(Ledger):
    """The ledger, with a while before and after what decides that something is done once."""

    def __init__(self, database: Database, points: Points) -> None:
        super().__init__(database)
        self._points = points

    async def claim(self, request_id: str, digest: str, owner: str, *drafts: Draft) -> bool:
        await self._points.lingered("before-claim", request_id)
        is_first = await super().claim(request_id, digest, owner, *drafts)
        await self._points.lingered("after-claim", request_id)
        return is_first

    async def settle(self, request_id: str, outcome: str, *drafts: Draft) -> bool:
        await self._points.lingered("before-settle", request_id)
        is_news = await super().settle(request_id, outcome, *drafts)
        await self._points.lingered("after-settle", request_id)
        return is_news


class Target:
    """What is changed is a line in a file, on the disk before anything else happens; implements `Runner`."""

    name = "kubernetes"

    def __init__(self, folder: Path, points: Points) -> None:
        self._effects = os.open(folder / "effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._points = points

    async def plan(self, action: Action) -> Plan:
        return Plan(
            action=action, fingerprint={"uid": "u-1"}, diff=redact("- a\n+ b"), blast_radius=redact("2 pods."),
            dry_run="server", undo=None,
        )  # fmt: skip

    async def execute(
        self,
        action: Action,
        *,
        fingerprint: Mapping[str, str | int],
        key: str,
        is_wanted: Callable[[], Awaitable[bool]],
    ) -> Receipt:
        assert fingerprint == {"uid": "u-1"}
        if not await is_wanted():
            raise TargetChanged(f"{action.target}: it was called off")
        await self._points.lingered("before-effect", _request_id())
        os.write(self._effects, f"{key}\n".encode())
        os.fsync(self._effects)
        await self._points.lingered("after-effect", _request_id())
        return Receipt(outcome=Outcome.SUCCEEDED, detail=redact("It was restarted."))


class Slack(People):
    """The people; whoever dies while it is asked once more dies in here."""

    def __init__(self, points: Points) -> None:
        super().__init__()
        self._points = points

    async def account(self, user_id: str) -> Account:
        found = await super().account(user_id)
        if activity.info().activity_type == "recheck":
            self._points.reached("during-recheck", _request_id())
        return found


async def _work(role: str, folder: Path, address: str, redis_url: str) -> None:
    points = Points(folder)
    config = (await service.connect(address, namespace=NAMESPACE, tls=False)).config()
    config["interceptors"] = [Traced(points)]
    client = temporalio.client.Client(**config)
    database = Database(f"sqlite:///{folder / 'ledger.db'}")
    await database.open(create=True)
    ledger = TracedLedger(database, points)
    policies = PolicyFile(folder / "policy.yaml")
    if role == RUNNER:
        target = Target(folder, points)
        working = (workers.runner_worker(client, Actions(ledger=ledger, policies=policies, runners=[target])),)
    else:
        working = _gateway(client, ledger, policies, redis_url, Slack(points))
    async with asyncio.TaskGroup() as tasks:
        for each in working:
            tasks.create_task(each.run())
        points.reached(READY)


def _gateway(
    client: temporalio.client.Client, ledger: Ledger, policies: PolicyFile, redis_url: str, people: Slack
) -> tuple[workers.Worker, ...]:
    store = connect(redis_url)
    proposing = Proposing(
        ledger=ledger, sessions=Sessions(store), policies=policies, directory=people, approvals=Approvals(client)
    )
    gateway = Gateway(
        ledger=ledger, requests=Requests(ledger, Incidents(store), policies), policies=policies, directory=people,
        cards=Wall(), workflows=service.Workflows(client, quiet_s=3600, has_approvals=True), proposing=proposing,
    )  # fmt: skip
    return workers.gateway_workers(client, client, gateway=gateway, proposing=proposing)


def _begun(role: str, work: Callable[[], Awaitable[None]], log: Path) -> int:
    """A new process for a role; its id."""
    parent = os.getpid()
    if pid := os.fork():
        sys.stdout.write(f"began {role} {pid}\n")
        sys.stdout.flush()
        return pid
    # Of a supervisor that was killed nothing may stay behind.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    out = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)

    async def working() -> None:
        await work()

    try:
        asyncio.run(working())
    except BaseException:  # noqa: BLE001 - the outer edge of a forked process, which must never go on as its parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(1)


def supervise(roles: Sequence[str], work: Callable[[str], Awaitable[None]], log: Path) -> None:
    """Keeps one process for each role alive, for ever; tells on stdout who began and who ended how."""

    def begun(role: str) -> int:
        return _begun(role, functools.partial(work, role), log)

    alive = {begun(role): role for role in roles}
    while True:
        pid, status = os.wait()
        role = alive.pop(pid)
        sys.stdout.write(f"ended {role} {pid} {os.waitstatus_to_exitcode(status)}\n")
        if not os.WIFSIGNALED(status):
            time.sleep(0.5)
        alive[begun(role)] = role


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.attack.victim", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--temporal", required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("roles", nargs="+", choices=(GATEWAY, RUNNER))
    given = parser.parse_args()

    async def work(role: str) -> None:
        await _work(role, given.folder, given.temporal, given.redis)

    supervise(given.roles, work, given.folder / "victims.log")


if __name__ == "__main__":
    _main()
