"""One process of Locum, wired: the stores, the workflow service, and the parts that were asked for."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncGenerator, Collection, Coroutine, Generator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import structlog
import uvicorn
from starlette.routing import BaseRoute

from agents.model.asking import Called
from agents.specialist import check_tools, read_all, shipped
from approvals.credentials.broker import Broker
from bot.deciding import acting, deciding, has_approvals, ledger
from bot.desk import Desk
from bot.embedded import servers
from bot.gate import Gate
from bot.healths import Asked, Healths
from bot.intake import Intake
from bot.investigator import StoredInvestigator
from bot.keyring import Keyring, open_keyring, sweeping
from bot.lending import LedgerJournal, Lending
from bot.proving.recording import LogHandler, Recorder, exporter, recording
from bot.runbooks import Library
from bot.settings import Settings
from bot.stores import connection
from bot.stores.inbox import Inbox
from bot.stores.incidents import Incidents
from bot.stores.ledger.ledger import Ledger
from bot.stores.marks import RedisCache, RedisMarks, RedisSeen
from bot.stores.sessions import Sessions
from bot.telemetry import logs, traces
from bot.web.app import create_app
from bot.web.serving import Http
from bot.wiring import custom_checks, open_model, openers
from bot.workflows import service, workers
from bot.workflows.activities import Activities
from bot.workflows.desk import TemporalDesk
from bot.workflows.ports import Anchors, Cards, Directory, NoCards, NoDirectory, Silent, Threads
from bot.worlds import open_worlds
from tools.catalogue import catalogue
from tools.redaction import warm

STOP_S = 3

_log = structlog.get_logger("locum")


class PartEnded(Exception):
    """A part of the process ended by itself, so that the rest would only look well; the message says which and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process that is ready."""

    url: str
    """Of the HTTP surface; empty where there is none."""
    embedded: tuple[servers.Child, ...]
    parts: tuple[asyncio.Task[None], ...]
    """What must not end as long as the process runs, each task with the name of its part."""

    async def until(self, stop: asyncio.Event) -> None:
        """Waits until the process shall end.

        Raises:
            PartEnded: when a part of it ends before.
        """
        waiting = asyncio.create_task(stop.wait())
        try:
            done, _ = await asyncio.wait((waiting, *self.parts), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        for part in self.parts:
            if part in done and not stop.is_set():
                error = None if part.cancelled() else part.exception()
                _log.error("a part of the process ended", part=part.get_name(), exc_info=error)
                raise PartEnded(f"the {part.get_name()} ended: {_why(error)}; this process cannot go on") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    settings: Settings
    store: connection.Store
    incidents: Incidents
    sessions: Sessions
    client: service.Client
    approvals: service.Client
    """Of the namespace in which approvals live."""
    workflows: service.Workflows
    ledger: Ledger | None
    """`None` where nobody can approve anything and no credential can be lent."""
    keyring: Keyring | None
    """`None` in a process that has no use for credentials."""
    has_runner: bool
    recorder: Recorder | None = None
    """`None` where no copies of what leaves the process are kept."""
    parts: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def start(self, part: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begins what must not end as long as the process runs."""
        self.parts.append(asyncio.create_task(work, name=part))
        return self.parts[-1]


@contextlib.asynccontextmanager
async def running(settings: Settings, parts: Collection[str]) -> AsyncGenerator[Running]:
    """The parts `bot`, `worker` and `runner`, for as long as the context lasts.

    Raises:
        bot.embedded.folder.FolderTaken: when another Locum runs on the same data.
        bot.embedded.child.ServerFailed: when an embedded server does not start.
        bot.workflows.service.WorkflowsAway: when the workflow service does not answer.
        bot.slack.calls.SlackError: when Slack refuses the tokens.
    """
    async with AsyncExitStack() as stack:
        recorder = stack.enter_context(recording(settings.proof.record))
        logs.configure(settings.telemetry, *([LogHandler(recorder)] if recorder else []))
        await stack.enter_async_context(traces.sending(settings.telemetry, *([exporter(recorder)] if recorder else [])))
        # Seconds where nothing is kept compiled: at the first text that looks like a token, everything would stand.
        await asyncio.to_thread(warm)
        endpoints = await stack.enter_async_context(servers.running(settings))
        shared = replace(await _connected(settings, endpoints, stack, parts), recorder=recorder)
        if "runner" in parts and shared.ledger:
            await _act(shared, shared.ledger, stack)
        if "worker" in parts:
            await _work(shared, stack)
        url = await _serve(shared, stack) if "bot" in parts else ""
        yield Running(url=url, embedded=endpoints.embedded, parts=tuple(shared.parts))


async def _connected(
    settings: Settings, endpoints: servers.Endpoints, stack: AsyncExitStack, parts: Collection[str]
) -> _Shared:
    store = connection.connect(endpoints.redis_url)
    stack.push_async_callback(store.aclose)
    temporal = settings.temporal
    client = await service.connect(endpoints.temporal_address, namespace=temporal.namespace, tls=temporal.tls)
    own = temporal.approvals_namespace
    borrows = has_approvals(settings) and not {"worker", "runner"}.isdisjoint(parts)
    approvals = await service.connect(endpoints.temporal_address, namespace=own, tls=temporal.tls) if own else client
    return _Shared(
        settings=settings,
        store=store,
        incidents=Incidents(store),
        sessions=Sessions(store),
        client=client,
        approvals=approvals,
        workflows=service.Workflows(
            client, quiet_s=settings.alerts.quiet_minutes * 60, has_approvals=has_approvals(settings)
        ),
        ledger=await stack.enter_async_context(ledger(settings)) if has_approvals(settings) else None,
        keyring=await stack.enter_async_context(open_keyring(settings)) if borrows else None,
        has_runner="runner" in parts,
    )


async def _work(shared: _Shared, stack: AsyncExitStack) -> None:
    """Investigations: the only part that opens the world and the model."""
    settings = shared.settings
    specialists = read_all(settings.specialists_dir) if settings.specialists_dir else shipped()
    check_tools(specialists, tuple(catalogue()))
    cache = RedisCache(shared.store)
    recorded = shared.recorder.model if shared.recorder else None
    runbooks = Library(settings.runbooks)
    runbooks.begin()
    investigator = StoredInvestigator(
        worlds=await stack.enter_async_context(open_worlds(settings)),
        specialists=specialists,
        model=await stack.enter_async_context(open_model(settings, cache=cache, on_call=_trace, on_body=recorded)),
        cache=cache,
        incidents=shared.incidents,
        sessions=shared.sessions,
        lending=await _lending(shared, shared.ledger, stack) if shared.ledger else None,
        runbooks=runbooks,
        checks=custom_checks(settings),
    )
    activities = Activities(
        incidents=shared.incidents,
        sessions=shared.sessions,
        investigator=investigator,
        threads=(await _speaking(shared, stack)).threads,
    )
    await _run(shared, "worker", workers.worker(shared.client, activities), stack)


async def _act(shared: _Shared, opened: Ledger, stack: AsyncExitStack) -> None:
    """Carries out what was approved: the only part with an identity that may write."""
    broker = await _broker(shared, "runner", opened, stack)
    worker = await stack.enter_async_context(acting(shared.settings, opened, shared.approvals, broker))
    await _run(shared, "runner", worker, stack)


async def _run(shared: _Shared, part: str, worker: workers.Worker, stack: AsyncExitStack) -> None:
    working = shared.start(part, worker.run())
    stack.push_async_callback(_worked, worker, working)
    _log.info("worker runs", part=part)


async def _lending(shared: _Shared, opened: Ledger, stack: AsyncExitStack) -> Lending:
    settings = shared.settings
    return Lending(
        broker=await _broker(shared, "worker", opened, stack),
        ledger=opened,
        postgres=settings.postgres,
        mongodb=settings.mongodb,
        redis=settings.redis_servers,
        openers=openers(settings),
        minutes=settings.approvals.credentials_minutes,
        wait_minutes=settings.approvals.credentials_wait_minutes,
    )


async def _broker(shared: _Shared, part: str, opened: Ledger, stack: AsyncExitStack) -> Broker:
    """Who lends to a part of this process, and clears up after it."""
    assert shared.keyring is not None  # noqa: S101 - the parts that borrow have one
    # The name survives a restart, so that a process returns what it had borrowed before it was killed.
    owner = f"{part}@{socket.gethostname()}"
    broker = await stack.enter_async_context(shared.keyring.broker(LedgerJournal(opened), owner=owner, ledger=opened))
    stack.push_async_callback(_ended, shared.start(f"sweeper of the {part}", sweeping(broker)))
    return broker


def _trace(call: Called) -> None:
    traces.ended_span(
        "model", seconds=call.seconds, model=call.model, outcome=str(call.failure or "replied"),
        input_tokens=call.tokens.all_input, output_tokens=call.tokens.output,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slack:
    """What speaks in Slack; silent where no token is set."""

    threads: Threads
    cards: Cards
    directory: Directory
    anchors: Anchors | None


async def _speaking(shared: _Shared, stack: AsyncExitStack) -> _Slack:
    slack = shared.settings.slack
    if slack.bot_token is None:
        return _Slack(threads=Silent(), cards=NoCards(), directory=NoDirectory(), anchors=None)
    from bot.slack import directory
    from bot.slack.anchoring import ChannelAnchors
    from bot.slack.approval_cards import SlackCards
    from bot.slack.calls import connect
    from bot.slack.channels import Channels
    from bot.slack.sending import Sender
    from bot.slack.threads import SlackThreads

    calls = connect(slack)
    stack.push_async_callback(calls.close)
    sender, channels, marks = Sender(calls), Channels(calls), RedisMarks(shared.store)
    where = shared.settings.approvals.audit_channel
    return _Slack(
        threads=SlackThreads(sender, channels, marks),
        cards=SlackCards(sender, marks),
        directory=directory.Directory(calls),
        anchors=ChannelAnchors(sender, channels, where) if where else None,
    )


async def _decide(shared: _Shared, opened: Ledger, stack: AsyncExitStack) -> Gate:
    """Approvals: policy, votes, cards; no credential of any target."""
    speaking = await _speaking(shared, stack)
    made = deciding(
        shared.settings,
        opened=opened,
        client=shared.client,
        approvals_client=shared.approvals,
        workflows=shared.workflows,
        incidents=shared.incidents,
        sessions=shared.sessions,
        seen=RedisSeen(shared.store),
        cards=speaking.cards,
        directory=speaking.directory,
    )
    for number, worker in enumerate(made.workers):
        await _run(shared, f"gateway {number + 1}", worker, stack)
    stack.push_async_callback(_ended, shared.start("reconciler", made.reconcile()))
    if speaking.anchors:
        every_s = shared.settings.approvals.anchor_minutes * 60
        stack.push_async_callback(_ended, shared.start("anchor", made.anchor(speaking.anchors, every_s)))
    return made.gate


async def _serve(shared: _Shared, stack: AsyncExitStack) -> str:
    """Slack, the webhooks and the HTTP surface; gives its address."""
    settings = shared.settings
    desk = TemporalDesk(incidents=shared.incidents, sessions=shared.sessions, workflows=shared.workflows)
    inbox = Inbox(shared.store)
    gate = await _decide(shared, shared.ledger, stack) if shared.ledger else None
    app = create_app(settings, inbox=inbox, desk=desk, gate=gate, healths=_healths(shared))
    await _slack(shared, desk, gate, app.router.routes, stack)
    # The reader's name survives a restart, so that a process finds what it had taken before it was killed.
    intake = Intake(
        settings, inbox=inbox, incidents=shared.incidents, workflows=shared.workflows, reader=socket.gethostname()
    )
    reading = shared.start("intake", intake.run())
    stack.push_async_callback(_ended, reading)
    listening = socket.create_server((settings.http.host, settings.http.port))
    server = _Server(
        uvicorn.Config(
            app,
            http=Http,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=STOP_S,
        )
    )
    # It listens already: who comes before the server is up waits a moment.
    serving = shared.start("web server", server.serve(sockets=[listening]))
    stack.push_async_callback(_stopped, server, serving)
    host, port = listening.getsockname()[:2]
    _log.info("listening", address=f"{host}:{port}", pid=os.getpid())
    return f"http://{host}:{port}"


async def _slack(
    shared: _Shared, desk: Desk, gate: Gate | None, routes: list[BaseRoute], stack: AsyncExitStack
) -> None:
    slack = shared.settings.slack
    if slack.bot_token is None:
        return
    from bot.slack.app import create

    seen = RedisSeen(shared.store)
    app = create(slack, desk, seen, gate)
    stack.push_async_callback(app.close)
    if slack.mode == "http":
        from bot.slack.http import route

        routes.append(route(app, slack, seen))
        return
    from bot.slack.socket import Socket

    connected = Socket(app, slack)
    await connected.connect()
    stack.push_async_callback(connected.close)


def _healths(shared: _Shared) -> Healths:
    return Healths(
        Asked(
            settings=shared.settings,
            store=shared.store,
            workflows=shared.workflows,
            ledger=shared.ledger,
            keyring=shared.keyring,
            has_runner=shared.has_runner,
        )
    )


class _Server(uvicorn.Server):
    """A server inside a process that does more than serve."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals belong to the command."""
        yield


async def _worked(worker: workers.Worker, working: asyncio.Task[None]) -> None:
    # One that failed has ended already, and would be waited for without end.
    if not working.done():
        await worker.shutdown()
    await asyncio.wait({working})


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


async def _stopped(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    server.should_exit = True
    await asyncio.wait({serving}, timeout=STOP_S + 1)
    serving.cancel()


def _why(error: BaseException | None) -> str:
    # An error's words may be an outsider's; the logs have them, redacted.
    return type(error).__name__ if error else "it stopped"
