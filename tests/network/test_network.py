"""The probes, against real local servers with real certificates; and what may never be probed."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from aiohttp import web
from whenever import Instant

from tests.network.conftest import Pair, signed
from tests.servers import free_port
from tools.caching import MemoryCache
from tools.errors import ToolError, ToolRefused
from tools.evidence import Evidence, Outcome
from tools.looking import Looker
from tools.network.certificates import covers
from tools.network.guard import Guard
from tools.network.live import LiveNetwork, Target
from tools.world import World


async def look(network: LiveNetwork, tool: str, **args: Any) -> Evidence:
    world = World(name="test", captured_at=Instant.now(), network=network)
    return await Looker(world, cache=MemoryCache()).look(f"network.{tool}", args)


def local(**kwargs: Any) -> LiveNetwork:
    return LiveNetwork(allow_loopback=True, timeout_s=1.0, **kwargs)


@contextlib.asynccontextmanager
async def listening(**options: Any) -> AsyncGenerator[int]:
    """A server that says nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_an_open_port_is_ok_and_a_closed_one_is_a_fact_not_a_gap() -> None:
    async with listening() as port:
        evidence = await look(local(), "tcp", host="127.0.0.1", port=port)
    assert evidence.outcome is Outcome.FOUND
    assert evidence.data["ok"] is True
    assert evidence.data["latency_ms"] >= 0
    closed = await look(local(), "tcp", host="localhost", port=free_port())
    assert closed.outcome is Outcome.FOUND
    assert closed.data["ok"] is False
    assert "nobody listens" in closed.excerpt
    assert closed.excerpt.startswith("FAILED tcp localhost:")
    assert closed.data["entity"] == "host//localhost"


async def test_a_name_with_a_dead_address_is_ok_and_says_which_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    async def two(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", two)
    async with listening() as port:
        seen = await local(allow=[".shop.test"]).probe("tcp", f"a.shop.test:{port}")
    assert seen["ok"] is True
    assert seen["detail"].startswith("127.0.0.1 accepts connections; but 127.0.0.2 refuses")


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (((-1, 90), ("shop.test", "*.shop.test"), True), (True, "valid for 90 more days")),
        (((-90, -2), ("shop.test",), True), (False, "expired on")),
        (((-1, 5), ("shop.test",), True), (True, "valid for 5 more days")),
        (((2, 90), ("shop.test",), True), (False, "valid only from")),
        (((-1, 90), ("other.test",), True), (False, "does not name shop.test")),
        (((-1, 90), (), True), (False, "does not name shop.test")),
        (((-1, 90), ("shop.test",), False), (False, "self-signed certificate")),
        (((-90, -2), ("other.test",), False), (False, "expired on")),
    ],
    ids=["valid", "expired", "expiring", "not-yet", "wrong-name", "no-name", "self-signed", "all-wrong"],
)
async def test_a_certificate_is_read_and_judged_also_when_nobody_should_trust_it(
    authority: Pair,
    ca_file: str,
    tmp_path: Path,
    made: tuple[tuple[float, float], tuple[str, ...], bool],
    expected: tuple[bool, str],
) -> None:
    days, names, by_authority = made
    ok, said = expected
    pair = signed("shop", by=authority if by_authority else None, days=days, names=names)
    async with listening(ssl=pair.server(tmp_path)) as port:
        evidence = await look(local(ca_file=ca_file), "tls", host="127.0.0.1", port=port, server_name="shop.test")
    assert evidence.outcome is Outcome.FOUND
    seen = evidence.data
    assert seen["ok"] is ok
    assert said in seen["detail"]
    assert seen["names"] == list(names)
    assert seen["days_left"] == pytest.approx(days[1], abs=0.01)
    assert seen["trusted"] is (by_authority and days[0] < 0 < days[1])
    assert seen["hostname_ok"] is ("shop.test" in names)
    assert seen["issuer"] == ("CN=Shop Authority" if by_authority else "CN=shop")
    assert seen["target"] == f"shop.test@127.0.0.1:{port}"


async def test_an_authority_that_locum_was_not_told_of_is_not_trusted(authority: Pair, tmp_path: Path) -> None:
    pair = signed("shop", by=authority, days=(-1, 90), names=("127.0.0.1",))
    async with listening(ssl=pair.server(tmp_path)) as port:
        evidence = await look(local(), "tls", host="127.0.0.1", port=port)
    assert (evidence.data["trusted"], evidence.data["hostname_ok"]) == (False, True)
    assert "not trusted: unable to get local issuer certificate" in evidence.data["detail"]


async def test_a_server_without_tls_and_one_that_is_silent_are_failed_probes() -> None:
    async with listening() as port:
        silent = await look(local(), "tls", host="127.0.0.1", port=port)
    assert silent.data["ok"] is False
    assert "does not answer within" in silent.excerpt

    async def greets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greets, "127.0.0.1", 0)
    plain = await look(local(), "tls", host="127.0.0.1", port=server.sockets[0].getsockname()[1])
    server.close()
    assert "no TLS with" in plain.data["detail"]


@pytest.mark.parametrize(
    ("pattern", "name", "is_covered"),
    [
        ("*.shop.test", "a.shop.test", True),
        ("*.shop.test", "shop.test", False),
        ("*.shop.test", "a.b.shop.test", False),
        ("Shop.Test", "shop.test.", True),
        ("*", "shop", False),
        ("::1", "0:0:0:0:0:0:0:1", True),
    ],
    ids=["star", "star-is-not-none", "star-is-not-two", "case", "bare-star", "address"],
)
def test_a_star_stands_for_one_label(pattern: str, name: str, is_covered: bool) -> None:
    assert covers(pattern, name) is is_covered


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def website(handler: Handler, **options: Any) -> AsyncGenerator[int]:
    app = web.Application()
    app.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, **options).start()
    try:
        yield port
    finally:
        await runner.cleanup()


async def page(request: web.Request) -> web.Response:
    match request.path:
        case "/ok":
            return web.Response(text="fine")
        case "/down":
            return web.Response(status=503, text="database gone")
        case "/moved":
            return web.Response(status=302, headers={"Location": "/ok"})
        case "/away":
            return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"})
        case "/round":
            return web.Response(status=302, headers={"Location": "/round"})
        case "/large":
            return web.Response(text="x" * 100_000)
        case _:
            await asyncio.sleep(30)
            return web.Response()


async def test_a_page_tells_its_status_and_redirects_stay_on_their_host() -> None:
    async with website(page) as port:
        base = f"http://127.0.0.1:{port}"
        seen = {path: (await look(local(), "http", url=f"{base}/{path}")).data for path in _PAGES}
    assert (seen["ok"]["ok"], seen["ok"]["status"], seen["ok"]["body"]) == (True, 200, "fine")
    assert (seen["down"]["ok"], seen["down"]["status"]) == (False, 503)
    assert seen["moved"]["body"] == "fine"
    assert (seen["away"]["status"], seen["away"]["location"]) == (302, "http://169.254.169.254/latest/meta-data")
    assert (seen["round"]["ok"], seen["round"]["detail"]) == (False, "more than 3 redirects")
    assert len(seen["large"]["body"]) == 2_048
    assert seen["hangs"]["ok"] is False


_PAGES = ("ok", "down", "moved", "away", "round", "large", "hangs")


async def test_a_page_behind_an_untrusted_certificate_is_a_failed_probe(tmp_path: Path) -> None:
    pair = signed("shop", by=None, days=(-1, 90), names=("localhost",))
    async with website(page, ssl_context=pair.server(tmp_path)) as port:
        evidence = await look(local(), "http", url=f"https://localhost:{port}/ok")
    assert evidence.data["ok"] is False
    assert "certificate" in evidence.data["detail"].lower()


@pytest.mark.parametrize(
    "url",
    ["ftp://a.svc/", "http://user:pw@a.svc/", "file:///etc/passwd", "http://", "http://[::1/"],
    ids=["scheme", "password", "file", "empty", "broken"],
)
async def test_what_is_no_plain_web_address_is_a_wrong_argument(url: str) -> None:
    evidence = await look(local(), "http", url=url)
    assert evidence.outcome is Outcome.ERROR
    assert "arguments cannot be used" in evidence.why


_FORBIDDEN = (
    "169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1", "0.0.0.0", "::", "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe", "::ffff:127.0.0.1", "127.0.0.1", "::1", "224.0.0.1", "8.8.8.8", "example.org", "localhost",
    "2130706433", "0x7f.1", "evilsvc", "a.svc.example.org",
)  # fmt: skip


@pytest.mark.parametrize("tool", ["tcp", "tls", "http"])
async def test_nothing_outside_of_what_is_allowed_is_reached(tool: str) -> None:
    network = LiveNetwork(allow=["10.0.0.0/8", ".shop.test"], timeout_s=0.5)
    for host in _FORBIDDEN:
        shown = f"[{host}]" if ":" in host else host
        args: dict[str, Any] = {"url": f"http://{shown}/"} if tool == "http" else {"host": host, "port": 80}
        evidence = await look(network, tool, **args)
        assert evidence.outcome is Outcome.ERROR, host
        assert "Refused" in evidence.why, host


@pytest.mark.parametrize(
    "url",
    [
        "http://①⑥⑨.254.169.254/",
        "http://169.254.169.254\\@a.shop.test/",
        "http://a.shop.test\\@169.254.169.254/",
        "http://169.254.169.254#@a.shop.test/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://169.254.169.254%2f.shop.test/",
    ],
    ids=["digits", "backslash", "backslash-after", "fragment", "mapped", "slash"],
)
async def test_no_spelling_of_a_web_address_reaches_a_forbidden_one(url: str) -> None:
    evidence = await look(LiveNetwork(allow=[".shop.test"], timeout_s=0.5), "http", url=url)
    assert evidence.outcome is Outcome.ERROR or evidence.data["ok"] is False
    assert "does not answer" not in evidence.excerpt
    # A probe of its own, past the arguments' check.
    with contextlib.suppress(ToolError):
        seen = await LiveNetwork(allow=[".shop.test"], timeout_s=0.5).probe("http", url)
        assert "does not resolve" in seen["detail"]


async def test_a_name_that_leads_to_a_forbidden_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def misled(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", misled)
    for tool, args in (("tcp", {"host": "a.shop.test", "port": 80}), ("http", {"url": "http://a.shop.test/"})):
        evidence = await look(LiveNetwork(allow=[".shop.test"]), tool, **args)
        assert evidence.outcome is Outcome.ERROR
        assert "169.254.169.254" in evidence.why


def test_what_is_allowed_is_allowed() -> None:
    guard = Guard(["10.0.0.0/8", ".shop.test", "db.test"], hosts=["one.test", "192.0.2.7"], allow_loopback=False)
    for name in ("cart.shop.svc", "cart.shop.svc.cluster.local", "a.shop.test", "db.test", "x.db.test", "one.test"):
        guard.check_name(name)
    odd = ("elsewhere.test%2f.shop.test", "elsewhere.test/.shop.svc", "elsewhere.test?.svc", "elsewhere.test\n.svc")
    for name in ("shop.test", "a.one.test", "notdb.test", "example.org", *odd):
        with pytest.raises(ToolRefused):
            guard.check_name(name)
    assert guard.checked("10.1.2.3", ["10.1.2.3"]) == ["10.1.2.3"]
    assert guard.checked("192.0.2.7", ["192.0.2.7"]) == ["192.0.2.7"]
    assert guard.checked("a.shop.test", ["169.254.1.1", "203.0.113.9"]) == ["203.0.113.9"]
    for disguised in ("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::ffff:127.0.0.1"):
        with pytest.raises(ToolRefused):
            guard.checked("a.shop.test", [disguised])


class FakeNameserver(asyncio.DatagramProtocol):
    """Knows five names and answers each in its own way."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = dns.message.from_wire(data)
        question = asked.question[0]
        reply = dns.message.make_response(asked)
        match question.name.to_text().split(".")[0]:
            case "known":
                if question.rdtype.name == "A":
                    reply.answer.append(dns.rrset.from_text(question.name, 30, "IN", "A", "192.0.2.1", "192.0.2.2"))
            case "empty":
                pass
            case "broken":
                reply.set_rcode(dns.rcode.SERVFAIL)
            case "silent":
                return
            case _:
                reply.set_rcode(dns.rcode.NXDOMAIN)
        reply.flags |= dns.flags.RA
        self.transport.sendto(reply.to_wire(), addr)


@pytest.mark.parametrize(
    ("name", "ok", "rcode", "said"),
    [
        ("known.shop.test", True, "NOERROR", "2 addresses"),
        ("none.shop.test", False, "NXDOMAIN", "does not exist"),
        ("empty.shop.test", False, "NOERROR", "no address"),
        ("broken.shop.test", False, "SERVFAIL", "failure"),
        ("silent.shop.test", False, None, "no resolver answers"),
    ],
    ids=["known", "none", "empty", "broken", "silent"],
)
async def test_a_name_resolves_or_says_why_not(name: str, ok: bool, rcode: str | None, said: str) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        FakeNameserver, local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    network = LiveNetwork(allow=[".shop.test"], nameserver=f"127.0.0.1:{port}", timeout_s=0.5)
    evidence = await look(network, "dns", name=name)
    transport.close()
    assert evidence.outcome is Outcome.FOUND
    assert (evidence.data["ok"], evidence.data.get("rcode")) == (ok, rcode)
    assert said in evidence.excerpt
    if ok:
        assert evidence.data["addresses"] == ["192.0.2.1", "192.0.2.2"]
    outside = await look(network, "dns", name="secret-in-a-name.example.org")
    assert "Refused" in outside.why


async def test_configured_targets_are_probed_each_time_the_failed_first() -> None:
    async with listening() as port:
        targets = [
            Target(probe="tcp", target=f"127.0.0.1:{port}"),
            Target(probe="tcp", target=f"127.0.0.1:{free_port()}", entity="service/shop/db"),
            Target(probe="http", target="http://169.254.169.254/"),
        ]
        evidence = await look(local(targets=targets), "probes")
    assert [one["ok"] for one in evidence.data] == [False, None, True]
    assert evidence.data[0]["entity"] == "service/shop/db"
    assert [line.partition(" tcp")[0].partition(" http")[0] for line in evidence.excerpt.splitlines()] == [
        "FAILED",
        "NOT PROBED",
        "ok",
    ]


async def test_no_targets_is_empty_and_no_network_no_source() -> None:
    assert (await look(local(), "probes")).outcome is Outcome.EMPTY
    looker = Looker(World(name="none"), cache=MemoryCache())
    for tool, args in (("probes", {}), ("dns", {"name": "a.svc"}), ("tcp", {"host": "a.svc", "port": 1})):
        assert (await looker.look(f"network.{tool}", args)).outcome is Outcome.NO_SOURCE
