"""Each connector asked once: does it work, and if not, what to set. Serves `locum check-config` and `GET /health`.

Unknown is not healthy: a connector that did not answer in time has failed.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from whenever import Instant

from bot.settings import Settings
from tools.errors import ToolError, ToolUnavailable
from tools.redaction import redact
from tools.world import World

if TYPE_CHECKING:
    from bot.keyring import Keyring
    from bot.stores.ledger.ledger import Ledger

TIMEOUT_S = 5.0
_STORES = {"vault": "vault", "op": "1password"}


class Health(StrEnum):
    """How a connector is."""

    OK = "ok"
    OFF = "off"
    """Not configured; whatever it would show is unknown."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """One connector, as it answered."""

    name: str
    health: Health
    detail: str
    """What was seen, or what to set."""
    checked_at: Instant


Probe = Callable[[], Awaitable[str]]


async def world_connectors(world: World, settings: Settings) -> tuple[Connector, ...]:
    """The sources that investigations read."""
    checks: list[Awaitable[Connector]] = [
        _asked(
            "kubernetes",
            (lambda: _kubernetes(world)) if world.cluster else None,
            "set LOCUM_KUBERNETES__KUBECONFIG, or LOCUM_KUBERNETES__IN_CLUSTER=true inside a cluster",
        ),
        _asked("prometheus", (lambda: _prometheus(world)) if world.metrics else None, "set LOCUM_PROMETHEUS__URL"),
        _asked("loki", (lambda: _loki(world)) if world.logs else None, "set LOCUM_LOKI__URL"),
        *(
            _asked(f"mongodb {deployment.name}", lambda asked=deployment: _mongodb(asked.command("serverStatus")), "")
            for deployment in world.mongodb
        ),
        *(
            _asked(f"redis {deployment.name}", lambda asked=deployment: _redis_server(asked.command("info")), "")
            for deployment in world.redis
        ),
    ]
    if not world.mongodb:
        checks.append(_asked("mongodb", None, 'set LOCUM_MONGODB=[{"name": "…", "uri": "mongodb://…"}]'))
    found = await asyncio.gather(*checks)
    return (
        *found,
        await _runbooks(settings),
        await _custom_checks(settings),
        _model(settings),
        *_alert_sources(settings),
    )


async def _asked(name: str, probe: Probe | None, how: str) -> Connector:
    if probe is None:
        return Connector(name=name, health=Health.OFF, detail=how, checked_at=Instant.now())
    try:
        async with asyncio.timeout(TIMEOUT_S):
            detail, health = await probe(), Health.OK
    except TimeoutError:
        detail, health = f"no answer within {TIMEOUT_S:g} s", Health.FAILED
    except ToolError as error:
        detail, health = str(error), Health.FAILED
    return Connector(name=name, health=health, detail=redact(detail), checked_at=Instant.now())


async def _kubernetes(world: World) -> str:
    assert world.cluster is not None  # noqa: S101 - asked only where there is one
    return f"{len(await world.cluster.objects('Namespace', None))} namespaces"


async def _prometheus(world: World) -> str:
    assert world.metrics is not None  # noqa: S101 - asked only where there is one
    up = await world.metrics.instant("count(up)", world.now())
    return f"{int(up[0]['value'])} scrape targets" if up else "answers, and scrapes nothing"


async def _loki(world: World) -> str:
    from tools.window import Window

    assert world.logs is not None  # noqa: S101 - asked only where there is one
    await world.logs.lines(None, None, None, Window.ending(world.now(), minutes=1), 1)
    return "answers"


async def _mongodb(asked: Awaitable[object]) -> str:
    await asked
    return "answers serverStatus"


async def _redis_server(asked: Awaitable[Mapping[str, object]]) -> str:
    refused = (await asked).get("refused")
    return f"answers, and lets nobody in any more: {refused}" if refused else "answers INFO"


async def _runbooks(settings: Settings) -> Connector:
    """Whether the folders can be read. A file that cannot is named: the others serve all the same."""
    from bot.runbooks import described, shelf

    how = 'set LOCUM_RUNBOOKS=[{"folder": "…"}] to have your own shown beside a diagnosis'

    async def look() -> str:
        found = await asyncio.to_thread(shelf, settings.runbooks)
        if found.unread:
            raise ToolUnavailable("; ".join(f"{each.path}: {each.why}" for each in found.unread))
        return described(found)

    return await _asked("runbooks", look if settings.runbooks else None, how)


async def _custom_checks(settings: Settings) -> Connector:
    if settings.checks_dir is None:
        return await _asked("checks", None, "the shipped ones alone; set LOCUM_CHECKS_DIR: docs/custom-checks.md")
    from bot.wiring import ConnectorError, custom_checks

    try:
        found = await asyncio.to_thread(custom_checks, settings)
    except ConnectorError as error:
        return _failed("checks", str(error))
    detail = f"{len(found.rules)} custom checks of {settings.checks_dir}"
    return Connector(name="checks", health=Health.OK, detail=detail, checked_at=Instant.now())


def _model(settings: Settings) -> Connector:
    if settings.model.api_key is None:
        health, detail = Health.OFF, "rules alone answer; set LOCUM_MODEL__API_KEY"
    else:
        health, detail = Health.OK, f"key set, not tried; models in order: {', '.join(settings.model.names)}"
    return Connector(name="model", health=health, detail=detail, checked_at=Instant.now())


def _alert_sources(settings: Settings) -> Sequence[Connector]:
    # Imported late, as all of the web: a diagnosis in the terminal never needs it.
    from bot.alerts import sources
    from bot.web.guarding import ways

    found: list[Connector] = []
    for name in sorted(sources()):
        by = ways(getattr(settings.alerts, name))
        how = f"set LOCUM_ALERTS__{name.upper()}__{'TOPICS' if name == 'cloudwatch' else 'TOKENS'}"
        found.append(
            Connector(
                name=f"alerts from {name}",
                health=Health.OK if by else Health.OFF,
                detail=f"POST /alerts/{name} with {' or '.join(by)}" if by else how,
                checked_at=Instant.now(),
            )
        )
    return found


async def store_connectors(settings: Settings) -> tuple[Connector, ...]:
    """The store and the workflow service; unset ones are embedded, and start when they are needed."""
    redis, temporal = settings.redis, settings.temporal
    return (
        await _asked("redis", (lambda: _redis(settings)) if redis.url else None, "embedded Valkey in the data folder"),
        await _asked(
            "temporal",
            (lambda: _temporal(settings)) if temporal.address else None,
            "embedded server in the data folder",
        ),
    )


async def approval_connectors(
    settings: Settings, *, opened: "Ledger | None", keyring: "Keyring | None", has_runner: bool
) -> tuple[Connector, ...]:
    """What decides and what carries out, as far as this process has it: policy, ledger, secrets and sandbox."""
    return (
        await _policy(settings),
        await _asked(
            "ledger", (lambda: _ledger(opened)) if opened else None, "opened where LOCUM_APPROVALS__POLICY is set"
        ),
        *await _secrets(settings, keyring),
        await _sandbox(settings, has_runner=has_runner),
    )


async def check_approvals(settings: Settings) -> tuple[Connector, ...]:
    """The same, each opened for the question; nothing is made that was not there."""
    from bot.deciding import has_approvals, ledger_url
    from bot.keyring import KeyringError, open_keyring
    from bot.stores.ledger.errors import LedgerError
    from bot.stores.ledger.ledger import open_ledger

    broken: dict[str, Connector] = {}
    async with contextlib.AsyncExitStack() as stack:
        opened, keyring = None, None
        try:
            if has_approvals(settings) and settings.ledger.url is not None:
                opened = await stack.enter_async_context(open_ledger(ledger_url(settings), create=False))
        except (LedgerError, ValueError) as error:
            broken["ledger"] = _failed("ledger", str(error))
        try:
            keyring = await stack.enter_async_context(open_keyring(settings))
        except KeyringError as error:
            broken["secrets"] = _failed("secrets", str(error))
        found = await approval_connectors(settings, opened=opened, keyring=keyring, has_runner=True)
    kept = [each for each in found if each.name.partition(":")[0] not in broken]
    return (*kept, *broken.values())


async def slack_connector(settings: Settings) -> Connector:
    """Whether Slack takes the tokens, and whether they may do what Locum does."""
    slack = settings.slack
    if slack.bot_token is None:
        return await _asked("slack", None, "set LOCUM_SLACK__BOT_TOKEN and LOCUM_SLACK__APP_TOKEN: docs/slack.md")
    missing = _missing_token(settings)
    if missing:
        return Connector(name="slack", health=Health.FAILED, detail=missing, checked_at=Instant.now())
    from bot.slack.checking import check

    return await _asked("slack", lambda: check(slack), "")


def _missing_token(settings: Settings) -> str:
    slack = settings.slack
    if slack.mode == "socket" and slack.app_token is None:
        return "Socket Mode needs LOCUM_SLACK__APP_TOKEN (xapp-…, scope connections:write)"
    if slack.mode == "http" and slack.signing_secret is None:
        return "HTTP mode needs LOCUM_SLACK__SIGNING_SECRET"
    return ""


async def _policy(settings: Settings) -> Connector:
    from approvals.policy_file import PolicyError, load

    path = settings.approvals.policy
    if path is None:
        return await _asked("policy", None, "nothing can be approved; set LOCUM_APPROVALS__POLICY: docs/approvals.md")
    try:
        policy = await asyncio.to_thread(load, path.expanduser())
    except PolicyError as error:
        return _failed("policy", f"everything is refused: {error}")
    switch = "the kill switch is on; " if policy.kill_switch else ""
    detail = f"{switch}{policy.identity}, {len(policy.actions)} actions can be asked for"
    return Connector(name="policy", health=Health.OK, detail=detail, checked_at=Instant.now())


async def _ledger(opened: "Ledger") -> str:
    from bot.stores.ledger.errors import LedgerError

    try:
        head = await opened.head()
    except LedgerError as error:
        raise ToolUnavailable(str(error)) from error
    return f"answers, {head.seq if head else 0} entries in the audit"


async def _secrets(settings: Settings, keyring: "Keyring | None") -> Sequence[Connector]:
    """Every store of credentials, with its mode in its name. None is logged in to for this."""
    from bot.keyring import modes

    known = modes(settings)
    if not known:
        return [await _asked("secrets", None, "set LOCUM_VAULT__ADDRESS or LOCUM_ONEPASSWORD__MODE")]
    return [
        await _asked(
            f"secrets: {_STORES[scheme]} ({mode})",
            keyring.stores[scheme].health if keyring else None,
            "the worker and the runner use it; this process does not",
        )
        for scheme, mode in known.items()
    ]


async def _sandbox(settings: Settings, *, has_runner: bool) -> Connector:
    where = settings.runner.sandbox
    if where == "none":
        return await _asked("sandbox", None, "set LOCUM_RUNNER__SANDBOX to let diagnostic commands run")
    is_here = "the runner uses it; this process does not"
    return await _asked(f"sandbox: {where}", (lambda: _tried(settings)) if has_runner else None, is_here)


async def _tried(settings: Settings) -> str:
    from approvals.sandbox.port import SandboxUnavailable
    from bot.deciding import open_sandbox

    async with open_sandbox(settings) as sandbox:
        assert sandbox is not None  # noqa: S101 - asked only where there is one
        try:
            await sandbox.check()
        except SandboxUnavailable as error:
            raise ToolUnavailable(str(error)) from error
    return "keeps commands apart"


def _failed(name: str, detail: str) -> Connector:
    return Connector(name=name, health=Health.FAILED, detail=redact(detail), checked_at=Instant.now())


async def _redis(settings: Settings) -> str:
    from bot.stores.connection import StoreError, asked, connect

    store = connect(settings.redis.url.get_secret_value() if settings.redis.url else "")
    try:
        with asked("answer"):
            await store.ping()
    except StoreError as error:
        raise ToolUnavailable(str(error)) from error
    finally:
        await store.aclose()
    return "answers"


async def _temporal(settings: Settings) -> str:
    from bot.workflows.service import WorkflowsAway, connect

    temporal = settings.temporal
    try:
        await connect(temporal.address or "", namespace=temporal.namespace, tls=temporal.tls)
    except WorkflowsAway as error:
        raise ToolUnavailable(str(error)) from error
    return f"answers, namespace {temporal.namespace}"
