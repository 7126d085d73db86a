"""Credentials of a store for development, databases of two kinds at once, and a worker killed with a login in use."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from approvals.audit import Kind
from bot.embedded import servers
from bot.setting_groups import MongoDBDeployment, OnePassword, PostgresDeployment
from bot.settings import Settings
from bot.stores.ledger.ledger import open_ledger
from bot.workspace.server import serve
from tests.e2e.borrowing import LENDING, PASSWORD, USER, arranged, borrower, policy_text, short_of_connections, wrapped
from tests.e2e.house import MANIFEST, PATIENCE_S, Rooms, kind, said
from tests.e2e.processes import LOCUM, settings, started
from tests.mongodb.emulator import emulated
from tests.mongodb.test_mongodb import STATUS
from tests.postgres_server import PostgresServer, postgres
from tests.servers import answers, free_port
from tests.vault import openbao

WATCHER = "a-password-for-development"
OP_PASSWORD, OP_URI = "op://ops/orders/password", "op://ops/carts/uri"


@pytest.fixture(scope="module")
def database() -> Generator[PostgresServer]:
    with (
        tempfile.TemporaryDirectory(prefix="locum-pg-", ignore_cleanup_errors=True) as place,
        postgres(Path(place), {"max_connections": "16"}) as server,
    ):
        server.run("CREATE ROLE watcher LOGIN PASSWORD 'a-password-for-development'", "GRANT pg_monitor TO watcher")
        with short_of_connections(server):
            yield server


@asynccontextmanager
async def dev_secrets(file: Path) -> AsyncGenerator[str]:
    """`locum dev secrets` as a process; its address."""
    port, folder = free_port(), file.parent
    environment = {
        "PATH": os.defpath, "HOME": str(folder), "PYTHONPATH": str(Path(__file__).parents[2]), "LANG": "C.UTF-8",
        "LOCUM_ENVIRONMENT": "development", "LOCUM_CONFIG": "/nonexistent/locum.yaml",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        *LOCUM, "dev", "secrets", str(file), "--port", str(port), cwd=folder, env=environment,
        stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        await until(lambda: answers(f"{url}/health"))
        yield url
    finally:
        process.terminate()
        await process.wait()


async def until(holds: Callable[[], object]) -> None:
    """Waits for what tells nobody when it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - other processes tell nobody
            await asyncio.sleep(0.05)


async def test_one_card_lends_for_databases_of_two_kinds_out_of_the_store_for_development(
    database: PostgresServer, tmp_path: Path
) -> None:
    async with emulated({"serverStatus": STATUS}) as emulator:
        file = tmp_path / "secrets.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps({OP_PASSWORD: WATCHER, OP_URI: emulator.uri}))
        async with (
            dev_secrets(file) as url,
            borrower(
                tmp_path / "locum",
                environment="development",
                onepassword=OnePassword(mode="local", url=url),
                postgres=(
                    PostgresDeployment(
                        name="orders", host="127.0.0.1", port=database.port, user="watcher",
                        password_reference=OP_PASSWORD, sslmode="disable",
                    ),
                ),
                mongodb=(MongoDBDeployment(name="carts", uri_reference=OP_URI),),
            ) as house,
        ):  # fmt: skip
            room, thread = await house.ask("@locum why are the orders database and the carts mongodb slow?")
            card, row = await house.card(room, thread), await house.wanted(room, thread)
            assert f"`{OP_PASSWORD}`: look at Postgres 'orders', read-only" in said(card)
            assert f"`{OP_URI}`: look at MongoDB 'carts', read-only" in said(card)
            assert emulator.asked == []
            house.workspace.click("ana", "locum_approve", channel=room, ts=card["ts"])
            concluded = said(await house.concluded(room, thread))
            assert "pg-connections-high" in concluded
            assert "mongodb//carts" in concluded
            assert emulator.app_names == {"locum"}
            await house.become(row.id, "succeeded")
            kinds = await house.kinds(row.id)
            assert kinds.count(Kind.CREDENTIAL_FETCHED) == kinds.count(Kind.CREDENTIAL_REVOKED) == 1
            assert set(house.values) >= {WATCHER, emulator.uri}
            found = await house.everywhere()
            assert [name for name, text in found.items() if WATCHER in text or emulator.uri in text] == []


class Stalling:
    """In front of a database: takes connections, and lets them through when it may."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self.may_pass = asyncio.Event()
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.may_pass.wait()
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        await asyncio.gather(_copied(reader, back_writer), _copied(back_reader, writer))


async def _copied(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    except OSError:
        pass
    finally:
        target.close()


@pytest.fixture
async def stalling(database: PostgresServer) -> AsyncIterator[Stalling]:
    found = Stalling(database.port)
    async with await asyncio.start_server(found.serve, "127.0.0.1", 0) as server:
        found.port = int(server.sockets[0].getsockname()[1])
        yield found
        found.may_pass.set()


async def test_a_login_in_use_when_its_worker_is_killed_is_ended_by_the_next_which_concludes_once(
    database: PostgresServer, stalling: Stalling, tmp_path: Path
) -> None:
    (tmp_path / "bao").mkdir()
    with openbao(tmp_path / "bao") as bao:
        role_id = arranged(bao, database)
        wrapped(bao, tmp_path / "wrapped")
        async with (
            serve(manifest=MANIFEST) as workspace,
            servers.running(Settings(data_dir=tmp_path / "servers")) as endpoints,
        ):
            rooms = Rooms(workspace=workspace)
            (tmp_path / "policy.yaml").write_text(policy_text(workspace, LENDING))
            deployment = {
                "name": "orders", "host": "127.0.0.1", "port": stalling.port, "user_reference": USER,
                "password_reference": PASSWORD, "sslmode": "disable",
            }  # fmt: skip
            environment = settings(
                workspace,
                tmp_path,
                # Compiled once for all processes.
                XDG_CACHE_HOME=str(tmp_path / "cache"),
                LOCUM_REDIS__URL=endpoints.redis_url,
                LOCUM_TEMPORAL__ADDRESS=endpoints.temporal_address,
                LOCUM_APPROVALS__POLICY=str(tmp_path / "policy.yaml"),
                LOCUM_POSTGRES=json.dumps([deployment]),
                LOCUM_VAULT__ADDRESS=bao.url,
                LOCUM_VAULT__ROLE_ID=role_id,
                LOCUM_VAULT__WRAPPED_SECRET_ID_FILE=str(tmp_path / "wrapped"),
            )
            del environment["LOCUM_SNAPSHOT"]
            async with started("bot", tmp_path, environment), started("worker", tmp_path, environment) as worker:
                room = rooms.new()
                thread = str(workspace.post("ana", room, "@locum why is the orders database slow?")["ts"])

                def cards() -> list[dict[str, str]]:
                    return [each for each in workspace.thread(room, thread) if kind(each) == "locum_approval"]

                await workspace.until(cards, timeout_s=PATIENCE_S)
                workspace.click("ben", "locum_approve", channel=room, ts=cards()[0]["ts"])
                async with open_ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.db'}", create=False) as ledger:
                    async with asyncio.timeout(PATIENCE_S):
                        while not await ledger.open_leases():  # noqa: ASYNC110 - the ledger tells nobody
                            await asyncio.sleep(0.02)
                await worker.kill()
                (left,) = logins(database)
                wrapped(bao, tmp_path / "wrapped")
                stalling.may_pass.set()
                await worker.start()
                # It is swept before the worker is ready.
                assert left not in logins(database)
                concluded = said(await rooms.concluded(room, thread))
                assert "pg-connections-high" in concluded
                await until(lambda: not logins(database))
                async with open_ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.db'}", create=False) as ledger:
                    kinds = [each.kind for each in await ledger.entries()]
                assert kinds.count(Kind.CREDENTIAL_FETCHED) == kinds.count(Kind.CREDENTIAL_REVOKED) == 2
                assert len(cards()) == 1
            assert workspace.violations == []


def logins(database: PostgresServer) -> list[str]:
    """The logins that OpenBao made and that still are."""
    with psycopg.connect(database.owner, autocommit=True) as connection:
        found = connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'").fetchall()
    return [str(name) for (name,) in found]
