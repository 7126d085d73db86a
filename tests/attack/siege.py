"""Real gateways, runners, a Temporal and a Valkey as processes, with requests on their way through them; for killing.

What was really changed is read from the target's file, and what entitled it from the audit, with a list of people of
its own.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from temporalio.client import Client
from temporalio.service import RPCError

from approvals.audit import Broken, Entry, Intact, Kind, Verification
from approvals.ballot import Choice, Counted, State
from approvals.policy_file import PolicyFile
from approvals.request import RequestId
from bot.embedded.child import Child
from bot.embedded.servers import Endpoints, running
from bot.gate import Click, GateClosed
from bot.incident import IncidentId
from bot.settings import Settings
from bot.stores.connection import connect
from bot.stores.incidents import Incidents
from bot.stores.ledger.errors import LedgerError
from bot.stores.ledger.ledger import Ledger, open_ledger
from bot.stores.ledger.rows import PROPOSED, REFUSED
from bot.stores.marks import RedisSeen
from bot.stores.sessions import Sessions
from bot.workflows import service
from bot.workflows.approving import Approvals, workflow_id
from bot.workflows.gate import TemporalGate
from bot.workflows.gateway import Requests
from bot.workflows.proposing import Proposing
from bot.workflows.service import WorkflowsAway
from tests.approvals.house import ANA, ANA_TOO, BEN, CLEO, POLICY, People, proposal, restart
from tests.attack.counts import Counts
from tests.attack.victim import INSIDE, NAMESPACE, READY

PRINCIPALS = {ANA: "ana", ANA_TOO: "ana", BEN: "ben", CLEO: "cleo"}
"""Who may approve; whoever else does is nobody."""
LOOK_EVERY_S = 0.25
ENDS = frozenset({*(state for state in State if state.is_terminal), REFUSED})
HONEST = frozenset({State.SUCCEEDED, State.UNKNOWN})
"""What may be said of a request that did change something."""


@dataclass
class Victims:
    """The processes of `tests.attack.victim`, as their supervisor tells of them."""

    process: asyncio.subprocess.Process
    trace: Path
    count: int
    roles: dict[int, str] = field(default_factory=dict[int, str])
    """Of those that live."""
    where: dict[int, str] = field(default_factory=dict[int, str])
    """The last point of each process."""
    passed: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Points and the requests that came to them."""
    steps: int = 0
    """Points that were passed, by all."""
    killed: int = 0
    killed_at: Counter[str] = field(default_factory=Counter[str])
    fell: list[str] = field(default_factory=list[str])
    """Those that ended in another way, which none should."""
    _read: int = 0

    async def listen(self) -> None:
        """Follows what the supervisor tells, for ever."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            match line.decode().split():
                case ["began", role, pid]:
                    self.roles[int(pid)] = role
                case ["ended", role, pid, code]:
                    self._ended(role, int(pid), int(code))
                case _:
                    self.fell.append(line.decode())

    def _ended(self, role: str, pid: int, code: int) -> None:
        self.look()
        self.roles.pop(pid)
        if code == -signal.SIGKILL:
            self.killed += 1
            self.killed_at[f"{role} {self.where.pop(pid, 'its start')}"] += 1
        else:
            self.fell.append(f"{role} ended with {code}")

    def look(self) -> set[tuple[str, str]]:
        """Reads where all of them are; what was passed so far."""
        if not self.trace.exists():
            return self.passed
        with self.trace.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self.steps += 1
                pid, point, request_id = line.decode().split()
                self.where[int(pid)] = point
                self.passed.add((point, request_id))
        return self.passed

    def are_complete(self) -> bool:
        """Whether each that was killed is at work again."""
        self.look()
        return len(self.roles) == self.count and self.roles.keys() <= self.where.keys()

    def ready(self, role: str, *, busy: bool = False) -> list[int]:
        """Those that work, or that are in the middle of something."""
        self.look()
        found = [pid for pid, its in self.roles.items() if its == role and pid in self.where]
        return [pid for pid in found if not (busy and _is_idle(self.where[pid]))]


def _is_idle(point: str) -> bool:
    return point == READY or (point.startswith("after-") and point not in INSIDE)


@dataclass(kw_only=True)
class Siege:
    """All of it, with handles to what is asked, killed and looked at."""

    folder: Path
    client: Client
    ledger: Ledger
    proposing: Proposing
    approvals: Approvals
    gate: TemporalGate
    servers: dict[str, Child]
    victims: Victims

    async def ask(self, name: str) -> str:
        """Proposes until it stands; the request's id."""
        wanted = replace(proposal(restart(name)), watched=())
        while True:
            with contextlib.suppress(WorkflowsAway, LedgerError):
                return await self.proposing.open(wanted, IncidentId(f"inc_{name}"), f"ses_{name}")
            await asyncio.sleep(LOOK_EVERY_S)

    async def asked(self, name: str) -> str:
        """As `ask`, and waits until it can be decided, or is over."""
        request_id = await self.ask(name)
        await self.until(request_id, lambda state: state != PROPOSED)
        return request_id

    async def drawn(self, *request_ids: str) -> None:
        """Waits until people see them."""
        await seen(lambda: {("after-draw", each) for each in request_ids} <= self.victims.look())

    async def died(self, *request_ids: str) -> None:
        """Waits until somebody died of each of them, and whoever died is there again."""
        await seen(lambda: not any((self.folder / "doom" / each).exists() for each in request_ids))
        await seen(self.victims.are_complete)

    async def click(self, request_id: str, account: str, choice: Choice = Choice.APPROVE) -> Counted:
        """Clicks until there is an answer of the ballot, as people do who are told to click again."""
        while True:
            click = Click(
                request_id=RequestId(request_id), account=account, via="slack", choice=choice,
                key=secrets.token_hex(16), reason="no" if choice is Choice.DENY else "",
            )  # fmt: skip
            while True:
                # The same click again: whether it was recorded when its answer did not come in time, nobody knows.
                with contextlib.suppress(GateClosed, TimeoutError):
                    answer = await self.gate.vote(click)
                    break
                await asyncio.sleep(LOOK_EVERY_S)
            if "click again" not in answer.text and "not ready" not in answer.text:
                return answer.counted
            await asyncio.sleep(LOOK_EVERY_S)

    async def until(self, request_id: str, is_it: Callable[[str], bool]) -> str:
        """Waits until the ledger has it in such a state."""
        while True:
            with contextlib.suppress(LedgerError):
                row = await self.ledger.request(request_id)
                assert row is not None
                if is_it(row.state):
                    return row.state
            await asyncio.sleep(LOOK_EVERY_S)

    async def over(self, request_id: str) -> str:
        """Waits for the very end of a request and of its workflow; the state in which it ended."""
        state = await self.until(request_id, lambda state: state in ENDS)
        while True:
            with contextlib.suppress(RPCError, TimeoutError):
                async with asyncio.timeout(20):
                    await self.client.get_workflow_handle(workflow_id(request_id)).result()
                return state
            await asyncio.sleep(LOOK_EVERY_S)

    def doom(self, request_id: str, point: str) -> None:
        """Whoever comes to this point with this request kills itself there."""
        new = self.folder / f"{request_id}.new"
        new.write_text(point)
        new.rename(self.folder / "doom" / request_id)

    def kill(self, pid: int) -> None:
        """Kills a process, unless it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def effects(self) -> Counter[str]:
        """How often each request changed something."""
        file = self.folder / "effects"
        lines = file.read_text().splitlines() if file.exists() else []
        return Counter(line.removesuffix("-0") for line in lines)


@contextlib.asynccontextmanager
async def besieging(folder: Path, *roles: str, quorum: int) -> AsyncGenerator[Siege]:
    """Servers and victims at work in a folder."""
    (folder / "doom").mkdir(parents=True)
    (folder / "policy.yaml").write_text(POLICY.format(version=1, kill_switch="false", ttl="30m", quorum=quorum))
    async with (
        running(Settings(data_dir=folder / "data")) as endpoints,
        open_ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger,
        _victims(folder, endpoints, roles) as victims,
    ):
        client = await service.connect(endpoints.temporal_address, namespace=NAMESPACE, tls=False)
        store = connect(endpoints.redis_url)
        policies = PolicyFile(folder / "policy.yaml")
        approvals = Approvals(client)
        proposing = Proposing(
            ledger=ledger, sessions=Sessions(store), policies=policies, directory=People(), approvals=approvals
        )
        requests = Requests(ledger, Incidents(store), policies)
        gate = TemporalGate(approvals=approvals, requests=requests, ledger=ledger, seen=RedisSeen(store))
        valkey, temporal = endpoints.embedded
        yield Siege(
            folder=folder, client=client, ledger=ledger, proposing=proposing, approvals=approvals, gate=gate,
            servers={"valkey": valkey, "temporal": temporal}, victims=victims,
        )  # fmt: skip
        await store.aclose()


@contextlib.asynccontextmanager
async def _victims(folder: Path, endpoints: Endpoints, roles: tuple[str, ...]) -> AsyncGenerator[Victims]:
    with (folder / "victims.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.attack.victim", str(folder), "--temporal", endpoints.temporal_address,
            "--redis", endpoints.redis_url, *roles, stdout=asyncio.subprocess.PIPE, stderr=log,
        )  # fmt: skip
    victims = Victims(process=process, trace=folder / "trace", count=len(roles))
    listening = asyncio.create_task(victims.listen())
    try:
        async with asyncio.timeout(60):
            await seen(victims.are_complete)
        yield victims
    finally:
        listening.cancel()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def seen(is_it: Callable[[], bool]) -> None:
    """Waits until it is so."""
    while True:
        if is_it():
            return
        await asyncio.sleep(0.02)


async def judged(siege: Siege, may_run: dict[str, bool], quorum: int, say: Callable[[str], None]) -> Counts:
    """What happened that must not, seen from outside.

    Args:
        siege: over, or as good as over.
        may_run: every request that was asked, and whether the harness had it approved by those who may.
        quorum: how many of them it takes.
        say: takes a line for each thing that is wrong.
    """
    effects = siege.effects()
    double = unapproved = 0
    for request_id in effects.keys() | may_run.keys():
        row = await siege.ledger.request(request_id)
        state = row.state if row else "unknown to the ledger"
        times = effects[request_id]
        if times > 1:
            double += 1
            say(f"kills: {request_id} was changed {times} times")
        approvers = _approvers(await siege.ledger.entries(request_id=request_id))
        if times and (len(approvers) < quorum or not may_run.get(request_id)):
            unapproved += 1
            say(f"kills: {request_id} changed something; approved by {sorted(approvers)} of {quorum}")
        for wrong in _untrue(state, times):
            unapproved += 1
            say(f"kills: {request_id} {wrong}")
    if wrong := await _chain(siege.ledger):
        unapproved += 1
        say(f"kills: the audit is broken: {wrong}")
    return Counts(double=double, unapproved=unapproved)


def _approvers(entries: list[Entry]) -> set[str]:
    return {
        PRINCIPALS[entry.actor]
        for entry in entries
        if entry.kind is Kind.VOTE_COUNTED and entry.facts["choice"] == Choice.APPROVE and entry.actor in PRINCIPALS
    }


def _untrue(state: str, times: int) -> Iterator[str]:
    if times and state not in HONEST:
        yield f"changed something and is said to be {state}"
    if not times and state == State.SUCCEEDED:
        yield "is said to be done and changed nothing"
    if state not in ENDS:
        yield f"is stuck as {state}"


async def _chain(ledger: Ledger) -> str:
    verification = Verification(await ledger.anchors())
    after: int | None = None
    while records := await ledger.records(after=after):
        for record in records:
            if isinstance(broken := verification.see(record), Broken):
                return broken.what
        after = records[-1].seq
    end = verification.end()
    return "" if isinstance(end, Intact) else end.what
