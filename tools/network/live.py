"""Probes from where Locum runs, to the names and networks that settings allow."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import dns.asyncresolver
import dns.exception
import dns.resolver
from aiohttp.abc import AbstractResolver, ResolveResult
from cryptography import x509
from whenever import Instant
from yarl import URL

from tools.entity import Entity
from tools.errors import ToolError, ToolRefused, ToolRetry
from tools.network.certificates import covers, judged
from tools.network.guard import Guard, literal

BODY_BYTES = 2_048
REDIRECTS = 3
ADDRESSES = 4
"""Of one name that are tried in turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One probe that settings ask to be taken in every investigation."""

    probe: str
    """tcp, http, dns or tls."""
    target: str
    entity: str | None = None
    """What the probe speaks about, where its address does not say."""


class LiveNetwork:
    """Probes; implements the port `Network` of `tools.world`.

    The targets: dns `name` · tcp `host:port` · tls `host:port` or `server-name@host:port` · http a URL.
    """

    def __init__(
        self,
        *,
        targets: Sequence[Target] = (),
        allow: Sequence[str] = (),
        allow_loopback: bool = False,
        ca_file: str | None = None,
        nameserver: str | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        self._targets = tuple(targets)
        hosts = [_host(target.probe, target.target) for target in targets]
        self._guard = Guard(allow, hosts=hosts, allow_loopback=allow_loopback)
        self._ca_file = ca_file
        self._nameserver = nameserver
        """`address:port` of the server that name probes ask; `None` = those of this machine."""
        self._timeout_s = timeout_s

    async def recorded(self) -> Sequence[Mapping[str, Any]]:
        """See `Network.recorded`: the configured targets, all probed now."""
        async with asyncio.TaskGroup() as group:
            probes = [group.create_task(self._configured(target)) for target in self._targets]
        return [probe.result() for probe in probes]

    async def probe(self, kind: str, target: str) -> Mapping[str, Any]:
        """See `Network.probe`. What the target does wrong is an answer, not an error.

        Raises:
            ToolRefused: the target is not among what may be probed.
            ToolRetry: the target cannot be read.
        """
        takers = {"dns": self._dns, "tcp": self._tcp, "tls": self._tls, "http": self._http}
        if kind not in takers:
            raise ToolRetry(f"there is no probe {kind!r}; there are {', '.join(takers)}")
        host = _host(kind, target)
        self._guard.check_name(host)
        at, began = Instant.now(), asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._timeout_s * 2):
                seen = await takers[kind](target)
        except TimeoutError:
            seen = {"ok": False, "detail": f"no answer within {self._timeout_s * 2:g} s"}
        except _Failed as failure:
            seen = {"ok": False, "detail": str(failure)}
        latency_ms = (asyncio.get_running_loop().time() - began) * 1000
        base = {"probe": kind, "entity": str(_entity(host)), "target": target, "latency_ms": round(latency_ms, 1)}
        return {**base, "at": str(at), **seen}

    async def _configured(self, target: Target) -> Mapping[str, Any]:
        try:
            seen = await self.probe(target.probe, target.target)
        except ToolError as error:
            # One target that settings name wrongly must not hide the others; whether it works is not known.
            entity = target.entity or str(_entity(_host(target.probe, target.target)))
            seen = {"probe": target.probe, "entity": entity, "target": target.target, "ok": None}
            return {**seen, "detail": str(error), "latency_ms": None, "at": str(Instant.now())}
        return {**seen, "entity": target.entity} if target.entity else seen

    async def _dns(self, name: str) -> dict[str, Any]:
        try:
            answers = await self._resolver().resolve_name(name, search=True)
        except dns.resolver.NXDOMAIN:
            return {"ok": False, "detail": "the name does not exist (NXDOMAIN)", "rcode": "NXDOMAIN", "addresses": []}
        except dns.resolver.NoAnswer:
            return {"ok": False, "detail": "the name has no address", "rcode": "NOERROR", "addresses": []}
        except dns.resolver.NoNameservers:
            detail = "every resolver answers with a failure (SERVFAIL or REFUSED)"
            return {"ok": False, "detail": detail, "rcode": "SERVFAIL", "addresses": []}
        except dns.exception.Timeout as error:
            raise _Failed(f"no resolver answers within {self._timeout_s:g} s") from error
        except dns.exception.DNSException as error:
            raise ToolRetry(f"{name!r} cannot be looked up: {error}") from error
        addresses = sorted(answers.addresses())
        return {"ok": True, "detail": f"{len(addresses)} addresses", "rcode": "NOERROR", "addresses": addresses}

    def _resolver(self) -> dns.asyncresolver.Resolver:
        resolver = dns.asyncresolver.Resolver(configure=self._nameserver is None)
        if self._nameserver:
            address, resolver.port = _split(self._nameserver)
            resolver.nameservers = [address]
        resolver.lifetime = self._timeout_s
        return resolver

    async def _tcp(self, target: str) -> dict[str, Any]:
        host, port = _split(target)
        address, failures = await self._reached(host, port)
        return {"ok": True, "detail": "; but ".join([f"{address} accepts connections", *map(str, failures)])}

    async def _tls(self, target: str) -> dict[str, Any]:
        asked, _, place = target.rpartition("@")
        host, port = _split(place)
        name = asked or host
        address, _ = await self._reached(host, port)
        _, writer = await self._connected(address, port, _blind(), name)
        raw = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        await _closed(writer)
        if not raw:
            raise _Failed("the server shows no certificate")
        seen = _certificate(raw, name, Instant.now())
        trust_error = await self._distrust(address, port, name)
        return {**seen, **judged(seen, trust_error, name)}

    async def _distrust(self, address: str, port: int, name: str) -> str | None:
        """Why the chain is not trusted; `None` when it is. The name is judged apart from it."""
        try:
            _, writer = await self._connected(address, port, self._trusting(check_hostname=False), name)
        except _Failed as failure:
            if isinstance(failure.__cause__, ssl.SSLCertVerificationError):
                return failure.__cause__.verify_message
            raise
        await _closed(writer)
        return None

    async def _http(self, url: str) -> dict[str, Any]:
        connector = aiohttp.TCPConnector(resolver=_Checked(self), ssl=self._trusting(check_hostname=True))
        timeout = aiohttp.ClientTimeout(total=self._timeout_s)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        ) as web:
            try:
                return await self._got(web, url)
            except aiohttp.ClientError as error:
                raise _spoken(error) from error
            except ValueError as error:
                raise ToolRetry(f"{url!r} is not a URL that can be asked for") from error

    async def _got(self, web: aiohttp.ClientSession, url: str) -> dict[str, Any]:
        origin = urlsplit(url).netloc
        for _ in range(REDIRECTS + 1):
            # An address in place of a name never comes to the resolver, so it is checked here, as the client reads it.
            asked = URL(url)
            if literal(host := asked.host or ""):
                self._guard.checked(host, [host.partition("%")[0]])
            async with web.get(asked, allow_redirects=False) as response:
                location = response.headers.get("Location") if 300 <= response.status < 400 else None
                following = urljoin(url, location) if location else None
                if (
                    following
                    and urlsplit(following).netloc == origin
                    and urlsplit(following).scheme in ("http", "https")
                ):
                    url = following
                    continue
                body = await _start_of(response)
                return {
                    "ok": response.status < 400,
                    "detail": f"status {response.status} {response.reason or ''}".strip(),
                    "status": response.status,
                    "location": following,
                    "body": body.decode(errors="replace"),
                }
        raise _Failed(f"more than {REDIRECTS} redirects")

    async def addresses(self, host: str, port: int) -> list[str]:
        """Where `host` is, and may be reached.

        Raises:
            ToolRefused: none of its addresses may be probed.
        """
        if literal(host):
            return self._guard.checked(host, [host.strip("[]")])
        self._guard.check_name(host)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            raise _Failed(f"the name {host!r} does not resolve: {error}") from error
        return self._guard.checked(host, list(dict.fromkeys(str(place[4][0]) for place in found)))

    async def _reached(self, host: str, port: int) -> tuple[str, list["_Failed"]]:
        """The first address that accepts connections, and what was wrong with those before it."""
        failures: list[_Failed] = []
        for address in (await self.addresses(host, port))[:ADDRESSES]:
            try:
                _, writer = await self._connected(address, port, None, None)
            except _Failed as failure:
                failures.append(failure)
                continue
            await _closed(writer)
            return address, failures
        raise failures[0]

    async def _connected(
        self, address: str, port: int, context: ssl.SSLContext | None, name: str | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # The checked address and not the name: a second look-up could lead elsewhere.
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
        except TimeoutError as error:
            raise _Failed(f"{address} port {port} does not answer within {self._timeout_s:g} s") from error
        except ConnectionRefusedError as error:
            raise _Failed(f"{address} refuses connections to port {port}: nobody listens there") from error
        except ssl.SSLError as error:
            raise _Failed(f"no TLS with {address} port {port}: {error.reason or error}") from error
        except OSError as error:
            raise _Failed(f"{address} port {port} cannot be reached: {error.strerror or error}") from error

    def _trusting(self, *, check_hostname: bool) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._ca_file:
            context.load_verify_locations(self._ca_file)
        context.check_hostname = check_hostname
        return context


class _Failed(Exception):
    """The target did not do what was asked; the message is the probe's detail."""


def _spoken(error: aiohttp.ClientError) -> Exception:
    """What our own resolver said, where it was what stopped the client; else the client's own words."""
    cause: BaseException | None = error
    while cause := cause.__cause__:
        if isinstance(cause, (ToolRefused, _Failed)):
            return type(cause)(str(cause))
    return _Failed(f"{type(error).__name__}: {error}"[:300])


class _Checked(AbstractResolver):
    """Gives an HTTP client only addresses that may be probed."""

    def __init__(self, network: LiveNetwork) -> None:
        self._network = network

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            found = await self._network.addresses(host, port)
        except (ToolRefused, _Failed) as error:
            raise OSError(None, str(error)) from error
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in found
        ]

    async def close(self) -> None:
        """Holds nothing."""


def _host(kind: str, target: str) -> str:
    if kind == "http":
        try:
            host = urlsplit(target).hostname
        except ValueError:
            host = None
        if not host:
            raise ToolRetry(f"{target!r} is not a URL with a host")
        return host
    return target if kind == "dns" else _split(target.rpartition("@")[2])[0]


def _split(place: str) -> tuple[str, int]:
    host, _, port = place.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ToolRetry(f"{place!r} is not host:port")
    return host.strip("[]"), int(port)


def _entity(host: str) -> Entity:
    labels = host.split(".")
    if len(labels) >= 3 and labels[2] == "svc":
        return Entity.of("service", labels[1], labels[0])
    return Entity.of("host", None, host)


def _blind() -> ssl.SSLContext:
    """Trusts everybody, on purpose: to read the certificate that nobody should trust. Nothing is sent through it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    # The probe is over; how the other side takes leave is of no interest.
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(1):
            await writer.wait_closed()


async def _start_of(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    while len(body) < BODY_BYTES and (chunk := await response.content.read(BODY_BYTES - len(body))):
        body += chunk
    return body


def _certificate(raw: bytes, name: str, now: Instant) -> dict[str, Any]:
    certificate = x509.load_der_x509_certificate(raw)
    not_after, not_before = Instant(certificate.not_valid_after_utc), Instant(certificate.not_valid_before_utc)
    try:
        said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = said.get_values_for_type(x509.DNSName) + [str(ip) for ip in said.get_values_for_type(x509.IPAddress)]
    except x509.ExtensionNotFound:
        names = []
    return {
        "not_before": str(not_before),
        "not_after": str(not_after),
        "days_left": round((not_after - now).total("hours") / 24, 2),
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "names": names,
        "hostname_ok": any(covers(pattern, name) for pattern in names),
        "begins_later": not_before > now,
    }
