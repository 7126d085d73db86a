"""To whom anything is told at all. The server comes without TLS: something in front of it speaks it."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.network.conftest import Pair, signed
from tests.postgres.conftest import closed, live
from tests.postgres_server import PostgresServer
from tools.errors import ToolUnavailable

HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def in_front_of(server: PostgresServer, context: ssl.SSLContext) -> AsyncGenerator[int]:
    """Takes TLS as PostgreSQL negotiates it, and hands what is inside to the server; gives the port."""

    loop = asyncio.get_running_loop()

    async def serve(taken: socket.socket) -> None:
        await loop.sock_recv(taken, 8)
        await loop.sock_sendall(taken, b"S")
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, taken, ssl=context, ssl_handshake_timeout=5
            )
        except OSError:
            # Who does not like the certificate goes away.
            return
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        inner, outer = await asyncio.open_connection(HOST, server.port)
        await asyncio.gather(relay(reader, outer), relay(inner, writer), return_exceptions=True)
        await closed(outer)
        await closed(writer)

    with socket.create_server((HOST, 0)) as taking:
        taking.setblocking(False)

        async def serve_one() -> None:
            taken, _ = await loop.sock_accept(taking)
            with taken:
                await serve(taken)

        served = asyncio.create_task(serve_one())
        yield int(taking.getsockname()[1])
        await asyncio.wait_for(served, timeout=10)


async def relay(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while part := await source.read(65_536):
            target.write(part)
    finally:
        target.close()


@pytest.fixture(scope="module")
def authority() -> Pair:
    return signed("Shop Authority", by=None, days=(-10, 3650), is_authority=True)


@pytest.fixture
def ca_file(authority: Pair, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.certificate.public_bytes(serialization.Encoding.PEM))
    return str(path)


async def test_a_server_that_shows_its_certificate_is_asked(
    server: PostgresServer, authority: Pair, ca_file: str, tmp_path: Path
) -> None:
    shown = signed("orders", by=authority, days=(-1, 30), names=(HOST,))
    async with in_front_of(server, shown.server(tmp_path)) as port:
        orders = live(server, port=port, sslmode="verify-full", ca_file=ca_file)
        assert (await orders.query("server"))[0]["max_connections"] == 16


@pytest.mark.parametrize("whose", ["nobody signed it", "of another host"])
async def test_a_server_with_a_wrong_certificate_is_told_nothing(
    server: PostgresServer, authority: Pair, ca_file: str, tmp_path: Path, whose: str
) -> None:
    is_foreign = whose == "of another host"
    by, name = (authority, "billing.test") if is_foreign else (None, HOST)
    shown = signed("orders", by=by, days=(-1, 30), names=(name,))
    async with in_front_of(server, shown.server(tmp_path)) as port:
        orders = live(server, port=port, sslmode="verify-full", ca_file=ca_file)
        with pytest.raises(ToolUnavailable, match="host name" if is_foreign else "certificate verify failed"):
            await orders.query("server")
