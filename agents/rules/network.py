"""The way between things: certificates, connections, names, lost packets. A probe tells what one place saw, once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from whenever import Instant

from agents.baseline import above, latest
from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.logs.lines import Line, about, lines
from agents.objects import text
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence
from tools.kubernetes.fields import moment, value, words
from tools.network.certificates import covers

EXPIRING_DAYS = 14
URGENT_DAYS = 3
LOSS = 0.01
LOSS_MINUTES = 5.0
NAME_LINES = 3
"""Log lines about names that are more than one odd lookup."""
_EXPIRED = re.compile(r"(?i)certificate (?:has )?expired|x509: certificate has expired|not valid after")
_UNTRUSTED = re.compile(r"(?i)unknown authority|unable to get (?:local )?issuer|self.?signed|chain is not trusted")
_MISNAMED = re.compile(r"(?i)hostname mismatch|does not name|is valid for .*, not |doesn't match|not valid for")
_REFUSED = re.compile(r"(?i)refused|ECONNREFUSED|connection reset")
_SILENT = re.compile(r"(?i)timed? ?out|deadline exceeded|no route|unreachable|ETIMEDOUT")
NO_NAME = re.compile(
    r"(?i)no such host|temporary failure in name resolution|name or service not known|SERVFAIL|EAI_AGAIN"
    r"|getaddrinfo failed|could not resolve host|UnknownHostException|server misbehaving"
    # The resolver itself did not answer: the port is that of DNS.
    r"|:53: (?:i/o timeout|read: connection refused)|->[\d.]+:53: "
)
_CLUSTER_NAME = re.compile(r"^(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One attempt to reach something."""

    kind: str
    target: str
    ok: bool
    detail: str
    entity: Entity
    at: Instant | None
    raw: Mapping[str, Any] = field(repr=False)
    source: Evidence = field(repr=False)

    @property
    def host(self) -> str:
        """The name that was meant, without port, scheme or path."""
        bare = re.sub(r"^[a-z]+://", "", self.target.partition("@")[0] if "@" in self.target else self.target)
        return bare.partition("/")[0].rpartition(":")[0] or bare.partition("/")[0]

    @property
    def ends_at(self) -> Instant | None:
        """When the certificate ends."""
        return moment(self.raw, "not_after")

    def cited(self) -> list[Evidence]:
        line = f"{'ok' if self.ok else 'FAILED'} {self.kind} {self.target} at {self.at or '?'}: {self.detail}"
        if self.ends_at:
            line += f"\nvalid until {self.ends_at}, names {', '.join(words(self.raw, 'names')) or 'none'}"
        return [self.source.narrowed(f"{self.kind} {self.target}", line)]


def probes(scene: Scene) -> Sequence[Probe]:
    """Every probe, the newest of each kind and target."""
    return scene.once(_probes)


def _probes(scene: Scene) -> Sequence[Probe]:
    newest: dict[tuple[str, str], Probe] = {}
    for record, look in scene.records("network"):
        kind, target, ok = text(record, "probe"), text(record, "target"), value(record, "ok")
        if not kind or not target or not isinstance(ok, bool):
            continue
        each = Probe(
            kind=kind,
            target=target,
            ok=ok,
            detail=text(record, "detail"),
            entity=_about(text(record, "entity"), target),
            at=moment(record, "at"),
            raw=record,
            source=look,
        )
        known = newest.get((kind, target))
        if known is None or (each.at and (known.at is None or each.at > known.at)):
            newest[kind, target] = each
    return tuple(newest.values())


def _about(written: str, target: str) -> Entity:
    if written.count("/") >= 2:
        try:
            return Entity.parse(written)
        except ValueError:
            pass
    host = re.sub(r"^[a-z]+://", "", target.rpartition("@")[2]).partition("/")[0]
    host = re.sub(r":\d+$", "", host)
    if inside := _CLUSTER_NAME.match(host):
        return Entity.of("service", inside["namespace"], inside["name"])
    return Entity.of("host", "", host or target.replace("/", "-"))


def _found(of: Rule, probe: Probe, summary: str, **more: Any) -> Finding:
    severity = cast("Severity", more.pop("severity", Severity.CRITICAL))
    return of.finding(probe.entity, summary, probe.cited(), severity=severity, last_seen=probe.at, **more)


def _tls(scene: Scene) -> Iterator[Probe]:
    return (each for each in probes(scene) if each.kind == "tls" or each.ends_at)


@rule(
    id="tls-expired",
    area="network",
    role=Role.CAUSE,
    title="Certificate expired",
    meaning="The renewal failed or the new certificate was never loaded. A wrong clock at the client looks the same.",
    remediation="Renew the certificate and make the server load it; then find why the renewal failed.",
    needs=("network",),
)
def tls_expired(scene: Scene) -> Iterator[Finding]:
    for each in _tls(scene):
        if each.ends_at and each.ends_at < scene.now:
            summary = f"The certificate of {each.target} expired at {each.ends_at}."
            yield _found(tls_expired, each, summary, first_seen=each.ends_at)
        elif not each.ends_at and not each.ok and _EXPIRED.search(each.detail):
            yield _found(tls_expired, each, f"The certificate of {each.target} is expired: {each.detail}.")


@rule(
    id="tls-expiring",
    area="network",
    role=Role.CAUSE,
    title="Certificate about to expire",
    meaning="It ends within two weeks and nobody has renewed it yet; nothing fails so far.",
    remediation="Renew it now, or see why the automatic renewal waits.",
    needs=("network",),
)
def tls_expiring(scene: Scene) -> Iterator[Finding]:
    for each in _tls(scene):
        days = (each.ends_at - scene.now).total("hours") / 24 if each.ends_at else -1.0
        if 0 <= days < EXPIRING_DAYS:
            how = Severity.WARNING if days >= URGENT_DAYS else Severity.CRITICAL
            yield _found(tls_expiring, each, f"The certificate of {each.target} ends in {days:.1f} days.", severity=how)


@rule(
    id="tls-chain-broken",
    area="network",
    role=Role.CAUSE,
    title="Certificate chain not trusted",
    meaning="An intermediate is missing or the issuer is unknown here. Clients of a private authority trust it.",
    remediation="Serve the full chain; for a private authority, check a client that knows it before changing anything.",
    needs=("network",),
)
def tls_chain_broken(scene: Scene) -> Iterator[Finding]:
    for each in _tls(scene):
        is_current = each.ends_at is None or each.ends_at >= scene.now
        untrusted = value(each.raw, "trusted") is False or (not each.ok and bool(_UNTRUSTED.search(each.detail)))
        if untrusted and is_current and not _EXPIRED.search(each.detail):
            why = text(each.raw, "trust_error") or each.detail
            summary = f"The certificate chain of {each.target} is not trusted: {why}."
            # A private authority cannot be told from a missing intermediate by one outside look.
            yield _found(tls_chain_broken, each, summary, severity=Severity.WARNING, direct=False)


@rule(
    id="tls-hostname-mismatch",
    area="network",
    role=Role.CAUSE,
    title="Certificate for another name",
    meaning="The server shows a certificate that does not name the host: a default one, or one of a neighbour.",
    remediation="Install a certificate that names the host, or point the name at the right server.",
    needs=("network",),
)
def tls_hostname_mismatch(scene: Scene) -> Iterator[Finding]:
    for each in _tls(scene):
        names = words(each.raw, "names")
        stated = value(each.raw, "hostname_ok")
        by_names = bool(names) and stated is None and not any(covers(name, each.host) for name in names)
        if stated is False or by_names or (not names and not each.ok and _MISNAMED.search(each.detail)):
            summary = (
                f"The certificate of {each.target} names {', '.join(names[:5]) or 'another host'}, not {each.host}."
            )
            yield _found(tls_hostname_mismatch, each, summary)


@rule(
    id="tcp-refused",
    area="network",
    role=Role.SYMPTOM,
    title="Connection refused",
    meaning="The address answers and nobody listens on the port. A filter on the prober's own address looks the same.",
    remediation="Look at what should listen there: its pods, its endpoints, its port.",
    needs=("network",),
)
def tcp_refused(scene: Scene) -> Iterator[Finding]:
    for each in probes(scene):
        if not each.ok and each.kind in ("tcp", "http", "service-status") and _REFUSED.search(each.detail):
            yield _found(tcp_refused, each, f"{each.target} refuses connections: {each.detail}.", first_seen=each.at)


@rule(
    id="tcp-timeout",
    area="network",
    role=Role.SYMPTOM,
    title="No answer to a connection",
    meaning="Packets are dropped on the way or the host is gone; a policy may treat the prober differently.",
    remediation="Compare with a probe from inside; then policies, routes, and the host itself.",
    needs=("network",),
)
def tcp_timeout(scene: Scene) -> Iterator[Finding]:
    for each in probes(scene):
        is_silent = _SILENT.search(each.detail) and not _REFUSED.search(each.detail)
        if not each.ok and each.kind in ("tcp", "http", "service-status") and is_silent:
            yield _found(tcp_timeout, each, f"{each.target} does not answer: {each.detail}.", first_seen=each.at)


@rule(
    id="dns-errors",
    area="network",
    role=Role.CAUSE,
    title="Names do not resolve",
    meaning="The resolver fails or does not know the name. One absent name of a search list is normal.",
    remediation="Ask for that very name from an affected pod; then CoreDNS, its upstream, egress to port 53.",
    needs=(),
)
def dns_errors(scene: Scene) -> Iterator[Finding]:
    for each in probes(scene):
        if not each.ok and each.kind == "dns":
            yield _found(dns_errors, each, f"{each.target} does not resolve: {each.detail}.", first_seen=each.at)
    said: dict[Entity, list[Line]] = {}
    for line in lines(scene):
        if NO_NAME.search(line.text):
            said.setdefault(about(scene, line.log), []).append(line)
    for entity, hits in said.items():
        if len(hits) >= NAME_LINES:
            last = hits[-1]
            summary = f"{entity} could not resolve a name {len(hits)} times, last: {last.text.strip()[:160]}"
            yield dns_errors.finding(entity, summary, [scene.cite_log(last.log, last.place)], direct=False)


@rule(
    id="probe-succeeds",
    area="network",
    role=Role.CONTEXT,
    title="A probe got through",
    meaning="From where it was probed the thing answers: whatever fails, fails elsewhere or is over.",
    remediation="Look at the path of those who fail, not at this end.",
    needs=("network",),
)
def probe_succeeds(scene: Scene) -> Iterator[Finding]:
    for each in probes(scene):
        if each.ok and each.kind in ("tcp", "http", "service-status"):
            yield _found(probe_succeeds, each, f"{each.target} answers ({each.kind}).", severity=Severity.INFO)


def _lossy(scene: Scene, of: Rule, signal: str, what: str) -> Iterator[Finding]:
    for entity, series in scene.series.items():
        found = series.get(signal)
        stretch = above(found, scene.window, LOSS, minutes=LOSS_MINUTES) if found else None
        if found and stretch:
            now = latest(found)
            summary = f"{entity} {what} {stretch.level:.1%} for some time, now {now:.1%} (bound {LOSS:.0%})."
            how = Severity.INFO if stretch.is_over else Severity.WARNING
            cited = [scene.cite_series(found)]
            began_at, last_at = stretch.began_at, stretch.last_at
            yield of.finding(entity, summary, cited, severity=how, first_seen=began_at, last_seen=last_at)


@rule(
    id="packet-loss",
    area="network",
    role=Role.CAUSE,
    title="Packets are lost",
    meaning="A link, its MTU or a full connection table. Tiny traffic makes ratios jump; it takes five minutes here.",
    remediation="Read the counters of the interface and of conntrack on that machine; compare with its neighbours.",
    needs=("signals",),
)
def packet_loss(scene: Scene) -> Iterator[Finding]:
    yield from _lossy(scene, packet_loss, "packet_drop_ratio", "drops")


@rule(
    id="retransmits-high",
    area="network",
    role=Role.CAUSE,
    title="Many TCP retransmissions",
    meaning="The path loses or delays packets: saturated link, bad cable, overloaded peer.",
    remediation="Find the peer or zone they go to; compare with other machines before blaming this one.",
    needs=("signals",),
)
def retransmits_high(scene: Scene) -> Iterator[Finding]:
    yield from _lossy(scene, retransmits_high, "tcp_retransmit_ratio", "retransmits")
