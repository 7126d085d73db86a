"""The tools that probe names, ports, certificates and web addresses, and that read the probes taken earlier.

Data of one probe is what the port gives: `{"probe", "entity", "target", "ok", "detail", "latency_ms", "at"}`, and
dns: `{"addresses", "rcode"}` · http: `{"status", "location", "body"}` · tls: `{"not_after", "not_before", "subject",
"issuer", "names", "trusted", "trust_error", "hostname_ok", "days_left"}`. A probe that failed was taken: it is FOUND,
with `ok` false. `network.probes` gives a list of such; there `ok` is null for what could not be probed.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from tools.catalogue import Args, Reading, tool
from tools.world import World, need

_HINT = "name what may be probed in the settings, or capture probes/*.json"
_HOST = r"^[A-Za-z0-9_.:%-]+$"


class DnsArgs(Args):
    name: str = Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9_.-]+$")


class TcpArgs(Args):
    host: str = Field(min_length=1, max_length=253, pattern=_HOST)
    port: int = Field(ge=1, le=65_535)


class TlsArgs(Args):
    host: str = Field(min_length=1, max_length=253, pattern=_HOST)
    port: int = Field(443, ge=1, le=65_535)
    server_name: str | None = Field(
        None,
        min_length=1,
        max_length=253,
        pattern=r"^[A-Za-z0-9_.*-]+$",
        description="the name to ask for, if not host",
    )


class HttpArgs(Args):
    url: str = Field(max_length=2_000)

    @field_validator("url")
    @classmethod
    def _is_plain(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise ValueError("expected http(s)://host[:port]/path without a user name or password")
        return url


class ProbesArgs(Args):
    pass


@tool("network.dns", DnsArgs, ttl_s=15)
async def dns(world: World, args: DnsArgs) -> Reading:
    """Whether a name resolves, to which addresses, and what the resolver says when it does not.

    It is asked from where Locum runs; a pod may use other resolvers and search lists.
    """
    return await _probed(world, "dns", args.name)


@tool("network.tcp", TcpArgs, ttl_s=15)
async def tcp(world: World, args: TcpArgs) -> Reading:
    """Whether a port accepts connections: refused means that nobody listens, a time-out that packets are dropped.

    It is tried from where Locum runs; a network policy may treat others differently.
    """
    return await _probed(world, "tcp", _address(args.host, args.port))


@tool("network.tls", TlsArgs, timeout_s=15, ttl_s=60)
async def tls(world: World, args: TlsArgs) -> Reading:
    """The certificate of a server: its dates, names and issuer, and whether its chain and the host name hold.

    The certificate is read also when it is not trusted. A private authority that Locum was not told of is untrusted.
    """
    address = _address(args.host, args.port)
    return await _probed(world, "tls", f"{args.server_name}@{address}" if args.server_name else address)


@tool("network.http", HttpArgs, timeout_s=15, ttl_s=15)
async def http(world: World, args: HttpArgs) -> Reading:
    """One GET: status, latency and the first 2 kB of the answer. A redirect to another host is told, not followed.

    Use it for health and readiness addresses; a 200 of a start page says little about what is behind it.
    """
    return await _probed(world, "http", args.url)


@tool("network.probes", ProbesArgs, timeout_s=30, ttl_s=15)
async def probes(world: World, args: ProbesArgs) -> Reading:
    """All probes that were recorded or are configured, the failed ones first.

    What is not in this list was not probed.
    """
    network = need(world.network, "network probes", _HINT)
    found = sorted(await network.recorded(), key=lambda one: (one["ok"] is not False, one["ok"] is not None))
    lines = [_line(one) for one in found[:60]]
    if len(found) > 60:
        lines.append(f"[… {len(found) - 60} more probes, all of them after these in order …]")
    return Reading(query="all probes", text="\n".join(lines), data=[dict(one) for one in found])


async def _probed(world: World, kind: str, target: str) -> Reading:
    network = need(world.network, "network probes", _HINT)
    found = await network.probe(kind, target)
    return Reading(query=f"{kind} {target}", text=_text(found), data=dict(found))


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _line(one: Mapping[str, Any]) -> str:
    latency = f" in {one['latency_ms']:.0f} ms" if one.get("latency_ms") is not None else ""
    entity = f" ({one['entity']})" if one.get("entity") else ""
    state = "NOT PROBED" if one["ok"] is None else "ok" if one["ok"] else "FAILED"
    return f"{state} {one['probe']} {one['target']}{entity}{latency}: {one['detail']}"


def _text(one: Mapping[str, Any]) -> str:
    lines = [_line(one)]
    if one.get("addresses"):
        lines.append(f"addresses: {', '.join(one['addresses'])}")
    if one.get("not_after"):
        lines.append(f"valid from {one['not_before']} to {one['not_after']}")
        lines.append(f"subject {one['subject']}, issuer {one['issuer']}, names {', '.join(one['names']) or 'none'}")
    if one.get("location"):
        lines.append(f"redirects to {one['location']}")
    if one.get("body"):
        lines.append(f"body: {one['body']}")
    return "\n".join(lines)
