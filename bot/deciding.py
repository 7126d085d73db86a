"""The parts of a process that decide and that do: the gateway beside the bot, and the runner with its own identity."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import structlog
from whenever import Instant

from approvals.audit import Anchor, Draft, Kind
from approvals.ballot import State
from approvals.credentials.broker import Broker
from approvals.plan import Runner
from approvals.policy_file import PolicyFile, load
from approvals.sandbox.port import Sandbox, SandboxUnavailable
from bot.settings import Settings
from bot.stores.incidents import Incidents
from bot.stores.ledger.errors import LedgerError
from bot.stores.ledger.ledger import Ledger, open_ledger
from bot.stores.marks import RedisSeen
from bot.stores.sessions import Sessions
from bot.workflows import service, workers
from bot.workflows.actions import Actions
from bot.workflows.approving import Approvals
from bot.workflows.gate import TemporalGate
from bot.workflows.gateway import Gateway, Requests
from bot.workflows.ports import Anchors, Cards, Directory
from bot.workflows.proposing import Proposing
from bot.worlds import overlay_of

RECONCILE_EVERY_S = 60.0
"""Cards that an outage left behind show what is so after this time at most."""

_log = structlog.get_logger("locum.gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """The gateway of one process."""

    gate: TemporalGate
    approvals: Approvals
    workers: tuple[workers.Worker, ...]
    ledger: Ledger

    async def reconcile(self) -> None:
        """Makes cards show what is stored, again and again: Slack converges to the ledger, never the reverse."""
        while True:
            try:
                for row in await self.ledger.requests(states=[State.PENDING, State.APPROVED, State.EXECUTING]):
                    await self.approvals.redraw(row.id)
            except (LedgerError, service.WorkflowsAway) as error:
                _log.warning("cards could not be reconciled", reason=str(error))
            await asyncio.sleep(RECONCILE_EVERY_S)

    async def anchor(self, anchors: Anchors, every_s: float) -> None:
        """Writes the head of the audit down elsewhere, so that a cut tail is found."""
        while True:
            with contextlib.suppress(LedgerError):
                await anchored(self.ledger, anchors)
            await asyncio.sleep(every_s)


async def anchored(ledger: Ledger, anchors: Anchors) -> None:
    """Posts the head of the audit and notes where; a head that stands there already is not posted again."""
    head = await ledger.head()
    if head is None or head.kind is Kind.ANCHORED:
        return
    anchor = Anchor(seq=head.seq, hash=head.hash, at=Instant.now())
    where = await anchors.post(anchor)
    if where:
        await ledger.anchored(anchor, where)
        facts = {"seq": anchor.seq, "hash": anchor.hash, "where": where}
        await ledger.append(Draft(kind=Kind.ANCHORED, at=anchor.at, actor="locum", facts=facts))


def has_approvals(settings: Settings) -> bool:
    """Whether anybody could approve something: without a policy nothing is asked for."""
    return settings.approvals.policy is not None


def policy_file(settings: Settings) -> PolicyFile:
    """The policy, read anew for each decision.

    Raises:
        approvals.policy_file.PolicyError: when it is broken at the start; later a broken one refuses everything.
    """
    path = settings.approvals.policy
    assert path is not None  # noqa: S101 - callers asked has_approvals
    load(path.expanduser())
    return PolicyFile(path.expanduser())


@contextlib.asynccontextmanager
async def ledger(settings: Settings) -> AsyncGenerator[Ledger]:
    """The ledger of the settings; a file in the data folder where none is named.

    Raises:
        bot.stores.ledger.errors.LedgerError: when it cannot be opened.
    """
    async with open_ledger(ledger_url(settings)) as opened:
        yield opened


def ledger_url(settings: Settings) -> str:
    """Where the ledger is."""
    if settings.ledger.url is not None:
        return settings.ledger.url.get_secret_value()
    folder = settings.data_dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{folder / 'ledger.db'}"


def deciding(
    settings: Settings,
    *,
    opened: Ledger,
    client: service.Client,
    approvals_client: service.Client,
    workflows: service.Workflows,
    incidents: Incidents,
    sessions: Sessions,
    seen: RedisSeen,
    cards: Cards,
    directory: Directory,
) -> Deciding:
    """The gateway: policy, votes, cards and the audit; no credential of any target."""
    policies = policy_file(settings)
    approvals = Approvals(approvals_client)
    requests = Requests(opened, incidents, policies)
    proposing = Proposing(ledger=opened, sessions=sessions, policies=policies, directory=directory, approvals=approvals)
    gateway = Gateway(
        ledger=opened,
        requests=requests,
        policies=policies,
        directory=directory,
        cards=cards,
        workflows=workflows,
        proposing=proposing,
    )
    return Deciding(
        gate=TemporalGate(approvals=approvals, requests=requests, ledger=opened, seen=seen),
        approvals=approvals,
        workers=workers.gateway_workers(client, approvals_client, gateway=gateway, proposing=proposing),
        ledger=opened,
    )


@contextlib.asynccontextmanager
async def acting(
    settings: Settings, opened: Ledger, approvals_client: service.Client, broker: Broker
) -> AsyncGenerator[workers.Worker]:
    """The runner's worker: the only part that loads what can write, with its own identity."""
    async with contextlib.AsyncExitStack() as stack:
        runners = [*_cluster(settings, stack), *await _commands(settings, stack)]
        actions = Actions(ledger=opened, policies=policy_file(settings), runners=runners, broker=broker)
        yield workers.runner_worker(approvals_client, actions)


def _cluster(settings: Settings, stack: contextlib.AsyncExitStack) -> tuple[Runner, ...]:
    if settings.snapshot is not None:
        from approvals.runners.recorded import RecordedRunner
        from tools.snapshot.opening import open_snapshot

        return (RecordedRunner(snapshot=settings.snapshot, overlay=overlay_of(settings), open_world=open_snapshot),)
    wanted = settings.runner
    if wanted.kubeconfig is None and not wanted.in_cluster:
        return ()
    from approvals.runners.kubernetes.live import LiveApi
    from approvals.runners.kubernetes.runner import KubernetesRunner

    api = LiveApi(kubeconfig=_kubeconfig(settings), context=wanted.context)
    stack.push_async_callback(api.aclose)
    return (KubernetesRunner(api),)


async def _commands(settings: Settings, stack: contextlib.AsyncExitStack) -> tuple[Runner, ...]:
    sandbox = await stack.enter_async_context(open_sandbox(settings))
    if sandbox is None:
        return ()
    try:
        await sandbox.check()
    except SandboxUnavailable as error:
        # Everything else goes on; a command that is asked for is refused before anybody is asked about it.
        _log.warning("diagnostic commands cannot be run here", sandbox=settings.runner.sandbox, reason=str(error))
        return ()
    from approvals.runners.sandbox import SandboxRunner

    return (SandboxRunner(sandbox),)


@contextlib.asynccontextmanager
async def open_sandbox(settings: Settings) -> AsyncGenerator[Sandbox | None]:
    """Where diagnostic commands would run, not tried yet; `None` where none may be run."""
    wanted = settings.runner
    if wanted.sandbox == "bubblewrap":
        from approvals.sandbox.bubblewrap import Bubblewrap

        yield Bubblewrap()
    elif wanted.sandbox == "job":
        from approvals.sandbox.cluster import JobSandbox
        from approvals.sandbox.job import Place
        from approvals.sandbox.live import LiveJobs

        assert wanted.sandbox_image is not None  # noqa: S101 - the settings demand one
        place = Place(
            namespace=wanted.sandbox_namespace,
            image=wanted.sandbox_image,
            pull_secrets=wanted.sandbox_pull_secrets,
        )
        async with contextlib.aclosing(
            LiveJobs(place.namespace, kubeconfig=_kubeconfig(settings), context=wanted.context)
        ) as jobs:
            yield JobSandbox(jobs, place)
    else:
        yield None


def _kubeconfig(settings: Settings) -> Path | None:
    wanted = settings.runner
    return None if wanted.in_cluster or wanted.kubeconfig is None else wanted.kubeconfig.expanduser()
