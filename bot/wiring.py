"""Builds what settings describe: the world to look at and the model to ask. The one place that knows every integration.

Integrations are imported when they are wanted, so that a diagnosis from a snapshot does not pay for them.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from agents.custom.checks import Checks
from agents.model.asking import Called, Model
from bot.setting_groups import PostgresDeployment, RedisDeployment
from bot.settings import Settings
from tools.caching import Cache
from tools.errors import ToolRetry
from tools.mongodb.sealed import SealedMongoDB
from tools.postgres.sealed import SealedPostgres
from tools.redis.sealed import SealedRedis
from tools.world import Cluster, Host, Logs, MongoDB, Network, Postgres, Redis, World

if TYPE_CHECKING:
    from bot.lending import Openers
    from tools.postgres.live import LivePostgres
    from tools.redis.live import LiveRedis

Reveal = Callable[[], str]
"""Gives a value that was lent, while it is lent."""


class ConnectorError(ValueError):
    """A connector cannot be set up from these settings; the message names the setting and what it should be."""


@contextlib.asynccontextmanager
async def open_world(settings: Settings) -> AsyncGenerator[World]:
    """The world that investigations read: the snapshot of the settings, else live systems.

    Raises:
        tools.snapshot.folder.SnapshotError: when the snapshot cannot be read at all.
        ConnectorError: when a connector's settings cannot be used.
    """
    if settings.snapshot is not None:
        from tools.snapshot.opening import open_snapshot

        yield await open_snapshot(settings.snapshot)
        return
    async with contextlib.AsyncExitStack() as open_now:
        world = World(
            name="live",
            cluster=_kubernetes(settings, open_now),
            logs=_loki(settings, open_now),
            mongodb=_mongodb(settings, open_now),
            postgres=_postgres(settings),
            redis=_redis(settings),
            network=_network(settings),
            host=_host(),
        )
        if settings.prometheus.url:
            from tools.prometheus.live import LivePrometheus

            prometheus = LivePrometheus(
                settings.prometheus.url,
                headers=_bearer(settings.prometheus.token),
                ca_file=_path(settings.prometheus.ca_file),
            )
            open_now.push_async_callback(prometheus.aclose)
            world = replace(world, metrics=prometheus, alerts=prometheus)
        yield world


@contextlib.asynccontextmanager
async def open_model(
    settings: Settings,
    *,
    cache: Cache | None = None,
    on_call: Callable[[Called], None] | None = None,
    on_body: Callable[[Mapping[str, Any]], None] | None = None,
) -> AsyncGenerator[Model]:
    """The model of the settings; without a key, one that says that there is none.

    `cache` keeps its answers; `on_call` hears of every request when it is over, `on_body` has what is sent.
    """
    from agents.model.client import Config, connect

    config = Config(
        api_key=settings.model.api_key.get_secret_value() if settings.model.api_key else None,
        base_url=settings.model.base_url,
        names=settings.model.names,
        timeout_s=settings.model.timeout_s,
        max_usd=settings.model.max_usd,
        max_tokens=settings.model.max_tokens,
        max_calls=settings.model.max_calls,
        max_seconds=settings.model.max_seconds,
    )
    async with connect(config, cache=cache, on_call=on_call, on_body=on_body) as model:
        yield model


def custom_checks(settings: Settings) -> Checks:
    """The checks of the settings' folder; none where there is none.

    Raises:
        ConnectorError: when anything in it cannot be used.
    """
    if settings.checks_dir is None:
        return Checks()
    from agents.custom.file import CustomCheckError, load

    try:
        return load(settings.checks_dir.expanduser())
    except CustomCheckError as error:
        raise ConnectorError(str(error)) from error


def kubeconfig(settings: Settings) -> Path | None:
    """The kubeconfig to use: the configured one, else the user's own where it exists."""
    if settings.kubernetes.kubeconfig is not None:
        return settings.kubernetes.kubeconfig.expanduser()
    own = Path("~/.kube/config").expanduser()
    return own if own.is_file() else None


def _kubernetes(settings: Settings, open_now: contextlib.AsyncExitStack) -> Cluster | None:
    file = None if settings.kubernetes.in_cluster else kubeconfig(settings)
    if file is None and not settings.kubernetes.in_cluster:
        return None
    from tools.kubernetes.live import LiveCluster

    cluster = LiveCluster(kubeconfig=file, context=settings.kubernetes.context)
    open_now.push_async_callback(cluster.aclose)
    return cluster


def _loki(settings: Settings, open_now: contextlib.AsyncExitStack) -> Logs | None:
    if not settings.loki.url:
        return None
    from tools.loki.live import LiveLoki

    loki = LiveLoki(
        settings.loki.url,
        tenant=settings.loki.tenant,
        headers=_bearer(settings.loki.token),
        ca_file=_path(settings.loki.ca_file),
    )
    open_now.push_async_callback(loki.aclose)
    return loki


def _mongodb(settings: Settings, open_now: contextlib.AsyncExitStack) -> tuple[MongoDB, ...]:
    found: list[MongoDB] = []
    for deployment in settings.mongodb:
        if deployment.uri is None:
            found.append(SealedMongoDB(deployment.name, deployment.references))
            continue
        from tools.mongodb.live import LiveMongoDB

        live = LiveMongoDB(deployment.name, deployment.uri.get_secret_value(), ca_file=_path(deployment.ca_file))
        open_now.push_async_callback(live.aclose)
        found.append(live)
    return tuple(found)


def _postgres(settings: Settings) -> tuple[Postgres, ...]:
    found: list[Postgres] = []
    for deployment in settings.postgres:
        if deployment.references:
            found.append(SealedPostgres(deployment.name, deployment.references))
            continue
        found.append(_live_postgres(deployment, deployment.user, None))
    return tuple(found)


def _live_postgres(deployment: PostgresDeployment, user: str | None, password: Reveal | None) -> "LivePostgres":
    from tools.postgres.live import LivePostgres

    return LivePostgres(
        deployment.name,
        host=deployment.host,
        port=deployment.port,
        database=deployment.database,
        user=user,
        password=password,
        sslmode=deployment.sslmode,
        ca_file=_path(deployment.ca_file),
    )


def _redis(settings: Settings) -> tuple[Redis, ...]:
    found: list[Redis] = []
    for deployment in settings.redis_servers:
        if deployment.references:
            found.append(SealedRedis(deployment.name, deployment.references))
            continue
        password = deployment.password.get_secret_value if deployment.password else None
        found.append(_live_redis(deployment, deployment.user, password))
    return tuple(found)


def _live_redis(deployment: RedisDeployment, user: str | None, password: Reveal | None) -> "LiveRedis":
    from tools.redis.live import LiveRedis

    return LiveRedis(
        deployment.name,
        host=deployment.host,
        port=deployment.port,
        user=user,
        password=password,
        tls=deployment.tls,
        ca_file=_path(deployment.ca_file),
    )


def openers(settings: Settings) -> "Openers":
    """How database clients are made of credentials that were lent."""
    # It comes with the ledger, which a diagnosis in the terminal should not pay for.
    from bot.lending import Openers

    postgres = {each.name: each for each in settings.postgres}
    mongodb = {each.name: each for each in settings.mongodb}
    redis = {each.name: each for each in settings.redis_servers}

    @contextlib.asynccontextmanager
    async def open_postgres(name: str, values: Mapping[str, Reveal]) -> AsyncGenerator[Postgres]:
        deployment = postgres[name]
        user = values[deployment.user_reference]() if deployment.user_reference else deployment.user
        password = values[deployment.password_reference] if deployment.password_reference else None
        # Hangs up by itself after each query.
        yield _live_postgres(deployment, user, password)

    @contextlib.asynccontextmanager
    async def open_mongodb(name: str, values: Mapping[str, Reveal]) -> AsyncGenerator[MongoDB]:
        from tools.mongodb.live import LiveMongoDB

        deployment = mongodb[name]
        assert deployment.uri_reference is not None  # noqa: S101 - only sealed deployments are opened so
        live = LiveMongoDB(name, values[deployment.uri_reference](), ca_file=_path(deployment.ca_file))
        try:
            yield live
        finally:
            await live.aclose()

    @contextlib.asynccontextmanager
    async def open_redis(name: str, values: Mapping[str, Reveal]) -> AsyncGenerator[Redis]:
        deployment = redis[name]
        user = values[deployment.user_reference]() if deployment.user_reference else deployment.user
        password = values[deployment.password_reference] if deployment.password_reference else None
        # Hangs up by itself after each question.
        yield _live_redis(deployment, user, password)

    return Openers(postgres=open_postgres, mongodb=open_mongodb, redis=open_redis)


def _network(settings: Settings) -> Network:
    from tools.network.live import LiveNetwork, Target

    targets: list[Target] = []
    for text in settings.network.targets:
        url = urlsplit(text)
        probe = "http" if url.scheme == "https" else url.scheme
        if probe not in ("tcp", "tls", "http", "dns") or not url.netloc:
            raise ConnectorError(
                f"network.targets: {text!r} is no target; expected tcp://host:port, tls://host:port, "
                "http(s)://host/path or dns://name"
            )
        targets.append(Target(probe=probe, target=text if probe == "http" else url.netloc))
    wanted = settings.network
    try:
        return LiveNetwork(
            targets=targets,
            allow=wanted.allow,
            allow_loopback=wanted.allow_loopback,
            ca_file=_path(wanted.ca_file),
            nameserver=wanted.nameserver,
        )
    except ToolRetry as error:
        raise ConnectorError(f"network.targets: {error}") from error


def _host() -> Host:
    from tools.host.live import LiveHost

    return LiveHost()


def _bearer(token: SecretStr | None) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}


def _path(file: Path | None) -> str | None:
    return str(file.expanduser()) if file else None
