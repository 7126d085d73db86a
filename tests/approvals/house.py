"""The gate as it ships, with a real Temporal, a real ledger and a real Valkey; strict fakes stand for Slack and target.

The target counts every effect: what was changed twice, or without a valid approval, is seen here and nowhere else.
"""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker
from whenever import Instant

from approvals.action import Action
from approvals.actions.objects import NoArgs
from approvals.actions.restart_workload import restart_workload
from approvals.actions.scale_workload import scale_workload
from approvals.audit import Entry, Kind
from approvals.ballot import Answer, Choice, State
from approvals.people import Account, DirectoryUnavailable
from approvals.plan import Outcome, Plan, Receipt, TargetChanged
from approvals.policy_file import PolicyFile
from approvals.request import Cited, Proposal, RequestId, Watched
from bot.gate import Click, GateClosed, View
from bot.incident import IncidentId
from bot.stores.connection import Store
from bot.stores.incidents import Incidents
from bot.stores.ledger.ledger import Ledger, open_ledger
from bot.stores.marks import RedisSeen
from bot.stores.sessions import Sessions
from bot.workflows import service, workers
from bot.workflows.actions import Actions
from bot.workflows.approval import ApprovalWorkflow
from bot.workflows.approval_messages import APPROVALS_QUEUE, LookAgain, Seen
from bot.workflows.approving import Approvals, workflow_id
from bot.workflows.gate import TemporalGate
from bot.workflows.gateway import Gateway, Requests
from bot.workflows.looking_again import LookAgainWorkflow
from bot.workflows.messages import PROPOSALS_QUEUE, TASK_QUEUE
from bot.workflows.proposing import Proposing
from tools.entity import Entity
from tools.redaction import redact

POLICY = """
version: {version}
default: refuse
kill_switch: {kill_switch}
people:
  ana: {{slack: [U0ANA00001, U0ANA00002], api: [ana-cli]}}
  ben: {{slack: [U0BEN00001]}}
  cleo: {{slack: [U0CLEO0001]}}
  dora: {{slack: [U0DORA0001]}}
groups:
  on-call: {{slack: S0ONCALL01}}
autonomy: {{production: production-writes}}
limits: {{ttl: {ttl}, open_per_thread: 20, per_hour: 1000}}
actions:
  restart-workload:
    risk: medium
    environments: [production]
    needs: {{production: production-writes}}
    quorum: {quorum}
    groups: [on-call]
    timeout: 30s
  use-credentials:
    risk: low
    environments: [production]
    needs: {{production: read-only}}
    quorum: 1
    self_approval: true
    groups: [on-call]
    timeout: 60s
"""
ANA, ANA_TOO, BEN, CLEO, DORA = "U0ANA00001", "U0ANA00002", "U0BEN00001", "U0CLEO0001", "U0DORA0001"
GROUP = "S0ONCALL01"
INCIDENT = IncidentId("inc_house")


@dataclass
class People:
    """Slack's people; what changes here is so at the next question."""

    in_group: set[str] = field(default_factory=lambda: {ANA, ANA_TOO, BEN, CLEO})
    guests: set[str] = field(default_factory=set[str])
    gone: set[str] = field(default_factory=set[str])
    is_away: bool = False
    asked: int = 0

    async def account(self, user_id: str) -> Account:
        self.asked += 1
        if self.is_away:
            raise DirectoryUnavailable("Slack does not answer")
        return Account(
            id=user_id, team_id="T1", known_at=Instant.now(), is_guest=user_id in self.guests,
            is_deactivated=user_id in self.gone,
        )  # fmt: skip

    async def members(self, usergroup_id: str) -> frozenset[str]:
        if self.is_away:
            raise DirectoryUnavailable("Slack does not answer")
        return frozenset(self.in_group if usergroup_id == GROUP else ())


@dataclass
class Wall:
    """Where cards hang; keeps what was shown, in order."""

    drawn: list[View] = field(default_factory=list[View])
    outcomes: list[View] = field(default_factory=list[View])
    verifications: list[View] = field(default_factory=list[View])

    async def draw(self, view: View) -> None:
        self.drawn.append(view)

    async def outcome(self, view: View) -> None:
        self.outcomes.append(view)

    async def verified(self, view: View) -> None:
        self.verifications.append(view)

    def last(self, request_id: str) -> View:
        return next(view for view in reversed(self.drawn) if view.request.id == request_id)


@dataclass
class Target:
    """A cluster with one number that stands for everything; implements `Runner`."""

    name: str = "kubernetes"
    version: int = 1
    effects: list[str] = field(default_factory=list[str])
    """Idempotency keys, one for each time that something was really changed."""
    asked: list[str] = field(default_factory=list[str])
    failure: Exception | None = None
    is_slow: asyncio.Event | None = None
    """When set, an execution waits for it after it was begun."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def plan(self, action: Action) -> Plan:
        return Plan(
            action=action, fingerprint={"uid": "u-1", "generation": self.version}, diff=redact("- a\n+ b"),
            blast_radius=redact("2 pods are replaced."), dry_run="server", undo=_undo(action),
        )  # fmt: skip

    async def execute(
        self,
        action: Action,
        *,
        fingerprint: Mapping[str, str | int],
        key: str,
        is_wanted: Callable[[], Awaitable[bool]],
    ) -> Receipt:
        self.asked.append(key)
        if fingerprint["generation"] != self.version:
            raise TargetChanged(f"{action.target} is not what was shown")
        if not await is_wanted():
            raise TargetChanged("it was called off")
        self.begun.set()
        if self.is_slow is not None:
            await self.is_slow.wait()
        if self.failure is not None:
            raise self.failure
        self.effects.append(key)
        return Receipt(outcome=Outcome.SUCCEEDED, detail=redact("It was restarted."))


def _undo(action: Action) -> Action | None:
    if action.name == scale_workload.name:
        return action
    return None


@dataclass
class Looker:
    """Says what is seen afterwards."""

    seen: Seen = field(default_factory=lambda: Seen(helped=True, said="1 of 1 finding: gone."))
    asked: int = 0

    @activity.defn(name="look_again")
    async def look_again(self, question: LookAgain) -> Seen:
        assert question.watched
        self.asked += 1
        return self.seen


def restart(name: str = "cart") -> Action:
    return restart_workload.on(Entity.of("deployment", "shop", name), NoArgs())


def proposal(*actions: Action, prompted_by: str = "", rests_on_alert: bool = True) -> Proposal:
    return Proposal(
        actions=actions or (restart(),),
        title="The pods hang",
        reason="2 of 2 pods do not answer.",
        proposed_by="rules",
        prompted_by=prompted_by,
        evidence=(
            Cited(
                id="ev_1", tool="kubernetes.objects", query="kubectl get pods", excerpt=redact("x"), is_measured=True
            ),
        ),
        watched=(Watched(cause="endpoints-empty", entity=Entity.of("service", "shop", "cart")),),
        rests_on_alert=rests_on_alert,
    )


@dataclass(kw_only=True)
class House:
    """Everything, with handles to what tests change and read."""

    folder: Path
    client: Client
    ledger: Ledger
    people: People
    wall: Wall
    target: Target
    looker: Looker
    gate: TemporalGate
    proposing: Proposing
    requests: Requests
    approvals: Approvals
    policy_path: Path
    restart_workers: Callable[[], Awaitable[None]]

    async def restart(self) -> None:
        """Every worker ends and another one comes: what was cached is read again from the histories."""
        await self.restart_workers()

    def set_policy(self, *, version: int = 1, kill_switch: bool = False, ttl: str = "30m", quorum: int = 1) -> None:
        text = POLICY.format(version=version, kill_switch=str(kill_switch).lower(), ttl=ttl, quorum=quorum)
        self.policy_path.write_text(text)

    async def ask(self, wanted: Proposal | None = None) -> str:
        """Proposes, and waits until people could see it; the request's id, empty when policy refused."""
        request_id = await self.proposing.open(wanted or proposal(), INCIDENT, "ses_house")
        if request_id:
            state = await self.until(request_id, lambda row_state: row_state != "proposed")
            await self._shown(request_id, state)
        return request_id

    async def click(
        self, request_id: str, account: str, choice: Choice = Choice.APPROVE, *, key: str = "", **more: object
    ) -> Answer:
        click = Click(
            request_id=RequestId(request_id), account=account, via="slack", choice=choice,
            key=key or secrets.token_hex(16), **more,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
        return await self.gate.vote(click)

    async def press(self, request_id: str, account: str, choice: Choice = Choice.APPROVE) -> Answer:
        """Clicks until the click is recorded, as people are told to."""
        for _ in range(10):
            with contextlib.suppress(GateClosed, TimeoutError):
                return await self.click(request_id, account, choice)
        raise AssertionError("no click was recorded")

    async def state(self, request_id: str) -> str:
        row = await self.ledger.request(request_id)
        assert row is not None
        return row.state

    async def until(self, request_id: str, is_it: Callable[[str], bool], *, tries: int = 400) -> str:
        for _ in range(tries):
            if is_it(state := await self.state(request_id)):
                return state
            await asyncio.sleep(0.05)
        raise AssertionError(f"{request_id} stays {await self.state(request_id)}")

    async def ended(self, request_id: str) -> str:
        """The state in which it ended."""
        state = await self.until(request_id, lambda state: state in {*_TERMINAL, "refused"})
        await self._shown(request_id, state)
        return state

    async def _shown(self, request_id: str, state: str) -> None:
        for _ in range(400):
            views = [view for view in self.wall.drawn if view.request.id == request_id]
            if (views and views[-1].state == state) or state == "refused":
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"the card of {request_id} never showed {state}")

    async def over(self, request_id: str) -> None:
        """Waits for the workflow's very end."""
        async with asyncio.timeout(60):
            await self.client.get_workflow_handle(workflow_id(request_id)).result()

    async def entries(self, request_id: str) -> list[Entry]:
        return await self.ledger.entries(request_id=request_id)

    async def noted(self, request_id: str, kind: Kind, count: int) -> list[Entry]:
        """The entries of a kind, once there are so many: an answer may come before its entry."""
        found: list[Entry] = []
        for _ in range(200):
            found = [entry for entry in await self.entries(request_id) if entry.kind is kind]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"only {len(found)} entries of {kind}")


_TERMINAL = {state for state in State if state.is_terminal}


@asynccontextmanager
async def house(
    client: Client, store: Store, folder: Path, *, has_runner: bool = True, cached: int = 1_000
) -> AsyncGenerator[House]:
    """The gateway and the runner at work on a Temporal server and a Valkey that are there."""
    people, wall, target, looker = People(), Wall(), Target(), Looker()
    policy_path = folder / "policy.yaml"
    policy_path.write_text(POLICY.format(version=1, kill_switch="false", ttl="30m", quorum=1))
    policies = PolicyFile(policy_path)
    workflows = service.Workflows(client, quiet_s=3600, has_approvals=True)
    incidents, sessions = Incidents(store), Sessions(store)
    async with open_ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        approvals = Approvals(client)
        requests = Requests(ledger, incidents, policies)
        proposing = Proposing(
            ledger=ledger, sessions=sessions, policies=policies, directory=people, approvals=approvals
        )
        gateway = Gateway(
            ledger=ledger, requests=requests, policies=policies, directory=people, cards=wall, workflows=workflows,
            proposing=proposing,
        )  # fmt: skip
        gate = TemporalGate(approvals=approvals, requests=requests, ledger=ledger, seen=RedisSeen(store))
        actions = Actions(ledger=ledger, policies=policies, runners=[target])
        shift = _Shift(client, gateway, proposing, actions if has_runner else None, looker, cached=cached)
        await shift.start()
        try:
            yield House(
                folder=folder, client=client, ledger=ledger, people=people, wall=wall, target=target, looker=looker,
                gate=gate, proposing=proposing, requests=requests, approvals=approvals, policy_path=policy_path,
                restart_workers=shift.restart,
            )  # fmt: skip
        finally:
            await shift.stop()


class _Shift:
    """All workers; another shift is made of the same parts."""

    def __init__(
        self,
        client: Client,
        gateway: Gateway,
        proposing: Proposing,
        actions: Actions | None,
        looker: Looker,
        *,
        cached: int,
    ) -> None:
        self._cached = cached
        self._client, self._gateway, self._proposing = client, gateway, proposing
        self._actions, self._looker = actions, looker
        self._working: list[Worker] = []
        self._running: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        client = self._client
        self._working = [
            # As `bot.workflows.workers` makes them, without a cache where histories shall be replayed at every step.
            Worker(
                client,
                task_queue=APPROVALS_QUEUE,
                workflows=[ApprovalWorkflow],
                activities=self._gateway.all(),
                max_cached_workflows=self._cached,
                graceful_shutdown_timeout=timedelta(seconds=2),
            ),
            Worker(client, task_queue=PROPOSALS_QUEUE, activities=self._proposing.all()),
            *([workers.runner_worker(client, self._actions)] if self._actions else []),
            Worker(client, task_queue=TASK_QUEUE, workflows=[LookAgainWorkflow], activities=[self._looker.look_again]),
        ]
        self._running = [asyncio.create_task(each.run()) for each in self._working]

    async def stop(self) -> None:
        await asyncio.gather(*(each.shutdown() for each in self._working))
        await asyncio.gather(*self._running, return_exceptions=True)

    async def restart(self) -> None:
        await self.stop()
        await self.start()
