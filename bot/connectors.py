"""Each connector asked once: does it work, and if not, what to set. Serves `locum check-config` and `GET /health`.

Unknown is not healthy: a connector that did not answer in time has failed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from whenever import Instant

from bot.settings import Settings
from tools.errors import ToolError, ToolUnavailable
from tools.redaction import redact
from tools.world import World

TIMEOUT_S = 5.0


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
    ]
    if not world.mongodb:
        checks.append(_asked("mongodb", None, 'set LOCUM_MONGODB=[{"name": "…", "uri": "mongodb://…"}]'))
    found = await asyncio.gather(*checks)
    return (*found, _model(settings), *_alert_sources(settings))


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


def _model(settings: Settings) -> Connector:
    if settings.model.api_key is None:
        health, detail = Health.OFF, "rules alone answer; set LOCUM_MODEL__API_KEY"
    else:
        health, detail = Health.OK, f"key set, not tried; models in order: {', '.join(settings.model.names)}"
    return Connector(name="model", health=health, detail=detail, checked_at=Instant.now())


def _alert_sources(settings: Settings) -> Sequence[Connector]:
    found: list[Connector] = []
    for name, source in (("alertmanager", settings.alerts.alertmanager), ("generic", settings.alerts.generic)):
        basic = bool(source.username and source.passwords)
        ways = [way for way, on in (("bearer token", source.tokens), ("basic auth", basic)) if on]
        how = f"set LOCUM_ALERTS__{name.upper()}__TOKENS"
        found.append(
            Connector(
                name=f"alerts from {name}",
                health=Health.OK if ways else Health.OFF,
                detail=f"POST /alerts/{name} with {' or '.join(ways)}" if ways else how,
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
