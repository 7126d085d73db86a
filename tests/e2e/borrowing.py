"""A whole Locum that must ask before it reads: databases whose logins lie in a real OpenBao or a store for development.

A PostgreSQL server that is short of connections, so that there is something to find; its logins are made by OpenBao.
"""

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import AsyncGenerator, Generator, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import psycopg
from pydantic import SecretStr
from temporalio.client import Client

from approvals.audit import Entry, Kind
from approvals.credentials import secret
from bot.embedded import servers
from bot.running import running
from bot.setting_groups import ApiToken, Approvals, Http, Redis, Slack, Telemetry, Temporal
from bot.settings import Settings
from bot.stores.connection import connect
from bot.stores.ledger.ledger import Ledger, open_ledger
from bot.stores.ledger.rows import RequestRow
from bot.workspace.server import Workspace, serve
from tests.durable.record import words
from tests.e2e.house import MANIFEST, PATIENCE_S, RULES, Rooms, kind
from tests.postgres_server import PostgresServer
from tests.vault import VaultServer

Json = dict[str, Any]

POLICY = """
version: {version}
default: refuse
people:
  ana: {{slack: [{ana}]}}
  ben: {{slack: [{ben}], api: [ops-cli]}}
groups:
  on-call: {{members: [ana, ben]}}
autonomy: {{production: read-only}}
limits: {{open_per_thread: 20, per_hour: 1000}}
actions: {actions}
"""
LENDING = """
  use-credentials:
    risk: medium
    environments: [production]
    needs: {production: read-only}
    quorum: 1
    self_approval: true
    groups: [on-call]
    timeout: 60s
"""
NOTHING = "{}"
RULES_OF_LOCUM = """
path "database/creds/ro" { capabilities = ["read"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }
"""
USER, PASSWORD = "vault:database/creds/ro#username", "vault:database/creds/ro#password"
API = "the-token-of-the-ops-cli"
WHY = "@locum why is the orders database slow?"


@contextlib.contextmanager
def short_of_connections(server: PostgresServer) -> Generator[None]:
    """Somebody else holds almost all of its sixteen connections, three of which are reserved."""
    with contextlib.ExitStack() as stack:
        for _ in range(11):
            held = psycopg.connect(server.owner, application_name="cart", autocommit=True)
            stack.enter_context(contextlib.closing(held))
        yield


def arranged(bao: VaultServer, database: PostgresServer) -> str:
    """Lets Locum's login make logins for the database, and no more; its role id."""
    bao.policy("locum", RULES_OF_LOCUM)
    bao.databases(database, "ro", ttl="1m", max_ttl="20m")
    return bao.approle("locum")


@contextlib.contextmanager
def watched() -> Generator[list[str]]:
    """Every value that this process was given by a store of credentials, in order."""
    seen: list[str] = []
    hide = secret.hide

    def noted(value: str) -> None:
        seen.append(value)
        hide(value)

    secret.hide = noted
    try:
        yield seen
    finally:
        secret.hide = hide


@dataclass(slots=True, kw_only=True)
class Borrower(Rooms):
    """A Locum at work, with what tests look into."""

    url: str
    temporal: str
    redis: str
    ledger: Ledger
    policy: Path
    folder: Path
    log: io.StringIO
    values: list[str]
    """Every value that a store of credentials gave it."""
    version: int = 1

    def rule(self, actions: str) -> None:
        """Another policy, from now on."""
        self.version += 1
        self.policy.write_text(policy_text(self.workspace, actions, version=self.version))

    async def ask(self, text: str = WHY) -> tuple[str, str]:
        """A question in a room of its own: (room, thread)."""
        room = self.new()
        return room, str(self.workspace.post("ana", room, text)["ts"])

    def cards(self, room: str, thread_ts: str) -> list[Json]:
        return [each for each in self.workspace.thread(room, thread_ts) if kind(each) == "locum_approval"]

    async def card(self, room: str, thread_ts: str) -> Json:
        """The one card of a thread."""
        await self.workspace.until(lambda: self.cards(room, thread_ts), timeout_s=PATIENCE_S)
        (card,) = self.cards(room, thread_ts)
        return card

    async def wanted(self, room: str, thread_ts: str) -> RequestRow:
        """The request that the card of a thread is about."""
        card = await self.card(room, thread_ts)
        row = await self.ledger.request(card["metadata"]["event_payload"]["request_id"])
        assert row is not None
        return row

    async def become(self, request_id: str, state: str) -> None:
        """Waits until a request is in a state."""
        async with asyncio.timeout(PATIENCE_S):
            while (row := await self.ledger.request(request_id)) is None or row.state != state:  # noqa: ASYNC110 - the ledger tells nobody
                await asyncio.sleep(0.05)

    async def status(self, session_id: str) -> Json:
        """What the HTTP surface says of a session."""
        return (await self.http("GET", f"/status/{session_id}"))[1]

    async def http(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        headers = {"Authorization": f"Bearer {API}"}
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10), headers=headers) as session,
            session.request(method, self.url + path, json=body) as answer,
        ):
            return answer.status, await answer.json()

    async def audit(self, request_id: str) -> list[Entry]:
        return await self.ledger.entries(request_id=request_id)

    async def kinds(self, request_id: str) -> list[Kind]:
        return [each.kind for each in await self.audit(request_id)]

    async def everywhere(self) -> dict[str, str]:
        """Everything that it said and kept, by where."""
        calls = [each.body for each in self.workspace.calls()]
        return {
            "slack": json.dumps(calls, ensure_ascii=False),
            "logs": self.log.getvalue(),
            "histories": await histories(self.temporal),
            "redis": await kept(self.redis),
            "files": "\n".join(each.read_bytes().decode("latin-1") for each in _files(self.folder)),
        }


@contextlib.asynccontextmanager
async def borrower(folder: Path, **changes: Any) -> AsyncGenerator[Borrower]:
    """A Locum on live systems, of which it has none but what `changes`, its settings, say."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    log = io.StringIO()
    async with serve(manifest=MANIFEST) as workspace, servers.running(Settings(data_dir=folder)) as endpoints:
        policy = folder / "policy.yaml"
        policy.write_text(policy_text(workspace, LENDING))
        usual: Json = {
            "data_dir": folder,
            "telemetry": Telemetry(log_level="DEBUG", log_format="json"),
            "redis": Redis(url=SecretStr(endpoints.redis_url)),
            "temporal": Temporal(address=endpoints.temporal_address),
            "approvals": Approvals(policy=policy),
            "http": Http(
                port=0,
                tokens=(
                    ApiToken(
                        principal="ops-cli", token=SecretStr(API), scopes=frozenset({"diagnose", "status", "approve"})
                    ),
                ),
            ),
            "slack": Slack(
                bot_token=SecretStr(workspace.bot_token),
                app_token=SecretStr(workspace.app_token),
                api_url=workspace.api_url,
                channels=RULES,
            ),
        }
        given = usual | changes
        try:
            with watched() as values:
                async with running(Settings(**given), ("bot", "worker")) as locum:
                    cast("logging.StreamHandler[Any]", logging.getLogger().handlers[0]).setStream(log)
                    await workspace.connected()
                    async with open_ledger(f"sqlite:///{(folder / 'ledger.db').resolve()}", create=False) as ledger:
                        yield Borrower(
                            workspace=workspace, url=locum.url, temporal=endpoints.temporal_address,
                            redis=endpoints.redis_url, ledger=ledger, policy=policy, folder=folder, log=log,
                            values=values,
                        )  # fmt: skip
        finally:
            logging.getLogger().handlers[:] = handlers
            logging.getLogger().setLevel(level)
        assert workspace.violations == []


def policy_text(workspace: Workspace, actions: str, *, version: int = 1) -> str:
    ana, ben = (workspace.team.people.get(name).id for name in ("ana", "ben"))
    return POLICY.format(version=version, ana=ana, ben=ben, actions=actions)


def wrapped(bao: VaultServer, file: Path) -> Path:
    """A file with a fresh wrapping token."""
    file.write_text(bao.wrapped_secret_id("locum") + "\n")
    return file


async def histories(address: str) -> str:
    """All words of all histories."""
    client = await Client.connect(address, namespace="locum")
    found = [
        words((await client.get_workflow_handle(each.id, run_id=each.run_id).fetch_history()).to_json())
        async for each in client.list_workflows()
    ]
    return "\n".join(found)


async def kept(url: str) -> str:
    """Everything in a Redis."""
    store = connect(url)
    plain: Any = store
    readers: dict[bytes, tuple[Any, tuple[int, ...]]] = {
        b"string": (plain.get, ()),
        b"hash": (plain.hgetall, ()),
        b"stream": (plain.xrange, ()),
        b"list": (plain.lrange, (0, -1)),
        b"set": (plain.smembers, ()),
        b"zset": (plain.zrange, (0, -1)),
    }
    found: list[str] = []
    try:
        async for key in plain.scan_iter():
            read, more = readers[await plain.type(key)]
            found.append(repr((key, await read(key, *more))))
    finally:
        await store.aclose()
    return "\n".join(found)


def _files(folder: Path) -> Iterable[Path]:
    return (each for each in sorted(folder.rglob("*")) if each.is_file())
