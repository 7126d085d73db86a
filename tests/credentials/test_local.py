"""The local server of secrets, as `locum dev secrets` runs it, and the store that reads from it."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import quote

import pytest

from approvals.credentials.errors import (
    CredentialsError,
    CredentialsMissing,
    CredentialsRefused,
    CredentialsUnavailable,
)
from approvals.credentials.local import Local
from approvals.credentials.reference import Reference
from bot.cli.dev import run
from bot.cli.outcome import BadInput
from bot.dev_secrets.file import BadFile, read
from bot.dev_secrets.server import serving
from tests.servers import free_port

KEY = Reference.parse("op://On call/Orders API/key")
DATABASE = Reference.parse("vault:database/creds/ro#password")
VALUES = {str(KEY): "the-value-of-the-key", str(DATABASE): "short"}


@contextlib.asynccontextmanager
async def served(values: dict[str, str] = VALUES) -> AsyncGenerator[str]:
    async with serving(values, socket.create_server(("127.0.0.1", 0))) as url:
        yield url


async def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    def ask() -> tuple[int, dict[str, str], bytes]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(urllib.request.Request(url, headers=headers), timeout=10) as reply:
                return reply.status, dict(reply.headers), reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    return await asyncio.to_thread(ask)


async def test_a_value_is_served_by_its_reference_and_never_cached() -> None:
    async with served() as url:
        for path in (quote(str(KEY), safe=""), quote(str(KEY)), quote(str(DATABASE), safe=":/")):
            status, headers, body = await get(f"{url}/secrets/{path}")
            assert status == 200
            assert headers["cache-control"] == "no-store"
            assert json.loads(body)["value"] in VALUES.values()
        assert json.loads((await get(f"{url}/health"))[2]) == {"status": "ok", "mode": "local"}


@pytest.mark.parametrize("path", ["/secrets/op%3A%2F%2Fno%2Fsuch%2Fthing", "/secrets/", "/secrets", "/", "/docs"])
async def test_what_is_not_there_is_404_and_says_nothing_of_what_is(path: str) -> None:
    async with served() as url:
        status, _, body = await get(f"{url}{path}")
        assert status in (404, 307)
        assert not any(each.encode() in body for pair in VALUES.items() for each in pair)


async def test_a_page_that_points_its_own_name_to_this_machine_gets_nothing() -> None:
    async with served() as url:
        status, _, body = await get(f"{url}/secrets/{quote(str(KEY), safe='')}", Host="attacker.example")
        assert status == 400
        assert VALUES[str(KEY)].encode() not in body


async def test_the_store_reads_references_of_every_scheme_and_takes_short_values() -> None:
    async with served() as url:
        store = Local(url, in_production=False)
        grant = await store.fetch([KEY, DATABASE], ttl_s=30)
        assert {str(each): secret.reveal() for each, secret in grant.secrets.items()} == VALUES
        assert grant.lease.is_held
        assert await store.renew(grant.lease, ttl_s=60) == grant.lease
        await store.revoke(grant.lease.id)
        assert await store.health() == "answers, in mode 'local'"
        with pytest.raises(CredentialsMissing, match="nothing for op://no/such/thing"):
            await store.fetch([Reference.parse("op://no/such/thing")], ttl_s=30)
    with pytest.raises(CredentialsUnavailable, match="cannot be reached"):
        await store.fetch([KEY], ttl_s=30)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nsecret", CredentialsRefused, "refuses"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            CredentialsUnavailable,
            "302",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret", CredentialsUnavailable, "is none"),
        (b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n["text"]', CredentialsUnavailable, "is none"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", CredentialsMissing, "no field"),
        (b"secret", CredentialsUnavailable, "cannot be reached"),
    ],
)
async def test_what_answers_in_its_place_is_not_believed(
    answer: bytes, kind: type[CredentialsError], said: str
) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
        store = Local(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", in_production=False)
        with pytest.raises(kind, match=said) as caught:
            await store.fetch([KEY], ttl_s=30)
    assert "secret," not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:8080", "https://127.0.0.1:8080", "http://secrets.example", "ftp://localhost", "127.0.0.1"]
)
def test_another_machine_is_never_asked(url: str) -> None:
    with pytest.raises(CredentialsRefused, match="on this machine"):
        Local(url, in_production=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:8080"])
def test_production_never_reads_from_a_development_server(url: str) -> None:
    Local(url, in_production=False)
    with pytest.raises(CredentialsRefused, match="production does not use it"):
        Local(url, in_production=True)


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s.yaml", 'op://On call/Orders API/key: the-value-of-the-key\n"vault:database/creds/ro#password": short\n'),
        ("s.json", json.dumps(VALUES)),
        (".env", "# for development\n\nop://On call/Orders API/key=the-value-of-the-key\n"
         'vault:database/creds/ro#password="short"\n'),
        ("dev.env", "op://On call/Orders API/key = the-value-of-the-key\nvault:database/creds/ro#password='short'\n"),
    ],
)  # fmt: skip
def test_the_file_may_be_yaml_json_or_lines(name: str, text: str, tmp_path: Path) -> None:
    assert read(written(tmp_path / name, text)) == VALUES


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o610])
def test_a_file_that_others_may_use_is_refused(mode: int, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="chmod 600"):
        read(written(tmp_path / "s.json", json.dumps(VALUES), mode))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("s.yaml", "a: [the-hidden-value", "neither YAML nor JSON"),
        ("s.json", '{"a": the-hidden-value}', "neither YAML nor JSON"),
        ("s.yaml", "- the-hidden-value", "must be a mapping"),
        ("s.yaml", "the-hidden-value: x", "entry 1: neither op:// nor vault:"),
        ("s.yaml", "op://a/b/c: 5", "entry 1: its value must be a text"),
        (".env", "op://a/b/c=x\nop://a/b/d=", "entry 2: its value must be a text"),
    ],
)
def test_a_file_that_cannot_be_served_says_why_without_quoting_it(
    name: str, text: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadFile, match=said) as caught:
        read(written(tmp_path / name, text))
    assert "hidden-value" not in str(caught.value)


def test_a_file_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="No such file"):
        read(tmp_path / "none")
    with pytest.raises(BadFile, match="is not a file"):
        read(tmp_path)
    binary = tmp_path / "s.yaml"
    binary.write_bytes(b"\xff\xfe")
    binary.chmod(0o600)
    with pytest.raises(BadFile, match="not text"):
        read(binary)


def test_the_command_refuses_production_bad_files_and_taken_ports(tmp_path: Path) -> None:
    file = written(tmp_path / "s.json", json.dumps(VALUES))
    with pytest.raises(BadInput, match="does not run in production"):
        run(file, port=0, in_production=True)
    with pytest.raises(BadInput, match="No such file"):
        run(tmp_path / "none", port=0, in_production=False)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BadInput, match="choose another with --port"):
        run(file, port=taken.getsockname()[1], in_production=False)


async def test_the_command_serves_until_it_is_told_and_writes_no_value(tmp_path: Path) -> None:
    file, port = written(tmp_path / "s.json", json.dumps(VALUES)), free_port()
    code = (
        "import sys; from pathlib import Path; from bot.cli.dev import run; "
        "run(Path(sys.argv[1]), port=int(sys.argv[2]), in_production=False)"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(file), str(port), stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )  # fmt: skip
    assert process.stderr is not None
    async with asyncio.timeout(30):
        first = await process.stderr.readline()
    assert first.decode() == f"locum: 2 secrets for development on http://127.0.0.1:{port}; Ctrl-C ends it\n"
    assert (await get(f"http://127.0.0.1:{port}/secrets/{quote(str(KEY), safe='')}"))[0] == 200
    process.send_signal(signal.SIGTERM)
    out, rest = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode == 0
    assert not any(value.encode() in first + out + rest for value in VALUES.values() if len(value) > 5)
