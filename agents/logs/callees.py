"""Whom a line names when it says that a call failed, and what that is: a Service, a pod, or a host outside. Pure.

A line proposes no more than a look: only objects that were listed become entities of the cluster.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from agents.logs.lines import Line, by_entity, lines
from agents.logs.news import news
from agents.objects import Resource, items, number, text
from agents.report import Edge
from agents.scene import Scene
from tools.entity import Entity

LEAST = 3
"""Lines that are more than one odd request."""
MOST_OF_ERRORS = 0.5
UNREACHED = re.compile(
    r"(?i)refused|timed? ?out|timeout|unreachable|no such host|ECONN\w+|ETIMEDOUT|EHOSTUNREACH|reset by peer"
    r"|unavailable"
    r"|deadline ?exceeded|could not connect|failed to connect|cannot connect|can't connect|unable to connect"
    r"|connection (?:was )?(?:closed|aborted|lost)|broken pipe|no route to host|socket hang ?up"
    r"|upstream (?:prematurely|connect)"
    r"|\b(?:502|503|504)\b|bad gateway|name or service not known|EAI_AGAIN|ENOTFOUND|UnknownHost|could not resolve"
    r"|failure in name resolution|could not translate host|nodename nor servname|no healthy upstream|no live upstreams"
    r"|host not found|communications link failure|could not be established"
)
LONGEST = 2_000
"""Characters of an entry in which a host is looked for."""
_NAME = r"[\"'`(\[]*(?P<name>[a-z0-9](?:[a-z0-9.-]{0,250}[a-z0-9])?)"
_PORT = r"(?:[\"'`]?(?::|, ?(?:port[ =]?)?|/| port |\) port )(?P<port>\d{2,5}))?(?![\w-])"
_HOSTS = (
    # Names that could not be resolved; where one is, the address beside it is that of the resolver.
    re.compile(
        rf"(?:\blookup |getaddrinfo (?:ENOTFOUND|EAI_AGAIN) |UnknownHostException: |resolve (?:host(?:name)? )?"
        rf"|host ?name "
        rf"|host not found in upstream ){_NAME}{_PORT}",
        re.IGNORECASE,
    ),
    re.compile(rf"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]{{0,20}}://(?:[^\s/@\"']{{0,200}}@)?{_NAME}{_PORT}", re.IGNORECASE),
    re.compile(r"(?<![\w.:-])(?P<name>\d{1,3}(?:\.\d{1,3}){3}):(?P<port>\d{2,5})\b"),
    re.compile(r"(?<![\w.:/-])(?P<name>[a-z][a-z0-9.-]{0,250}[a-z0-9]):(?P<port>\d{2,5})\b(?!:\d)", re.IGNORECASE),
    re.compile(
        r"(?<![\w.-])(?P<name>[a-z0-9-]{1,63}\.[a-z0-9-]{1,63}\.svc(?:\.[a-z0-9.-]{1,100})?)\b(?P<port>)", re.IGNORECASE
    ),
    re.compile(
        rf"(?:\b(?:host|hostname|server|addr|address|upstream|endpoint|target|peer)[=: ]+|connect(?:ing"
        rf"|ion)? to (?:server )?"
        rf"|\bdial (?:tcp|udp) |E(?:CONNREFUSED|TIMEDOUT|HOSTUNREACH|CONNRESET) ){_NAME}{_PORT}",
        re.IGNORECASE,
    ),
)
"""Where a line names whom it wanted to reach, the surest way first."""
_NOT_HOSTS = frozenset({
    "connect", "running", "connecting", "closed", "refused", "reset", "before", "be", "has", "no", "node", "while",
    "localhost", "server", "host", "tcp", "udp", "http", "https", "the", "to", "a", "an", "error", "database",
    "upstream", "on", "at", "for", "is", "was", "not", "and", "of", "in", "from", "with", "by", "port",
    "connection", "client", "service", "request", "requests", "failed", "timeout", "timed", "time", "local",
    "broker", "peer", "backend", "your", "this", "that", "it", "remote", "url", "uri", "line", "file",
    "java", "go", "py", "js", "ts", "rb", "name", "names", "via", "after", "null", "none", "nil", "undefined",
    "unknown", "cluster", "any", "all", "some", "failure",
})  # fmt: skip
"""Words that stand where a host may stand."""
_FILES = re.compile(r"\.(?:go|py|js|ts|java|kt|rb|php|rs|cs|cpp|c|h|cc|mjs|jsx|tsx|json|ya?ml|conf|sock|so|jar)$")
_CLIENT = re.compile(
    r"(?i)\b(?:client|remote_addr|peer|from|src|downstream)[=: ]+\"?(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?"
    r"|(?:\d{1,3}\.){3}\d{1,3}:\d+->"
)
"""Who asked, and our own end of a connection: neither is what failed."""
_SVC = 2


@dataclass(frozen=True, slots=True)
class Host:
    """What a line calls a callee."""

    name: str
    port: int | None

    def __str__(self) -> str:
        return f"{self.name}:{self.port}" if self.port else self.name


def host_of(words: str) -> Host | None:
    """The host that a line names as the one that was to be reached."""
    words = _CLIENT.sub(" ", words[:LONGEST])
    for form in _HOSTS:
        for found in form.finditer(words):
            name, port = found["name"].lower().rstrip("."), found["port"]
            if _is_host(name):
                return Host(name, int(port) if port and int(port) < 65_536 else None)
    return None


def _is_host(name: str) -> bool:
    if len(name) < 2 or name in _NOT_HOSTS or _FILES.search(name):
        return False
    if name.replace(".", "").isdigit():
        return _address(name) is not None and not name.startswith(("127.", "0."))
    return any(each.isalpha() for each in name)


def _address(name: str) -> str | None:
    try:
        return str(ip_address(name))
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """What a host name means to whoever used it."""

    host: Host
    entity: Entity
    known: Resource | None
    """The Service or pod, where it was listed."""
    is_absent: bool = False
    """Whether the name can only be that of a Service, and the complete listing has none of that name."""


def callee(scene: Scene, host: Host, caller: Entity) -> Callee:
    """The Service or pod of a name or address; a host outside where the cluster knows no such thing."""
    if _address(host.name):
        known = scene.once(_by_address).get(host.name)
        entity = scene.cluster.workload(known) if known else Entity.of("host", "", host.name)
        return Callee(host=host, entity=entity, known=known)
    namespace, name, is_certain = _place(host.name, caller.namespace)
    # Of two parts the second may be the namespace, or the headless Service of a pod.
    headless = scene.cluster.get("Service", caller.namespace, namespace) if not is_certain and namespace else None
    known = scene.cluster.get("Service", namespace, name) or headless
    if known:
        return Callee(host=host, entity=known.entity, known=known)
    is_absent = is_certain and bool(namespace) and scene.cluster.lacks("Service", namespace, name)
    entity = Entity.of("service", namespace, name) if is_absent else Entity.of("host", "", host.name)
    return Callee(host=host, entity=entity, known=None, is_absent=is_absent)


def _place(name: str, namespace: str) -> tuple[str, str, bool]:
    """(namespace, name) of the Service that a host name would mean, and whether it can mean nothing else."""
    parts = name.split(".")
    if "svc" in parts[_SVC:]:
        # A headless Service's pod comes before it.
        at = parts.index("svc", _SVC)
        return parts[at - 1], parts[at - 2], True
    if len(parts) == 1:
        return namespace, parts[0], True
    return (parts[1], parts[0], False) if len(parts) == 2 else ("", "", False)


def _by_address(scene: Scene) -> Mapping[str, Resource]:
    found: dict[str, Resource] = {}
    for pod in scene.cluster.all("Pod"):
        # On the host's network an address is that of everything there.
        if pod.spec.get("hostNetwork") is not True and (address := text(pod.raw, "status", "podIP")):
            found[address] = pod
    for service in scene.cluster.all("Service"):
        for address in (text(service.raw, "spec", "clusterIP"), *_balancers(service)):
            if address:
                found[address] = service
    return found


def _balancers(service: Resource) -> Iterator[str]:
    yield from (text(each, "ip") for each in items(service.raw, "status", "loadBalancer", "ingress"))


def lacks_port(service: Resource, port: int | None) -> bool:
    """Whether a Service states its ports and this is none of them; a headless one forwards to any."""
    stated = {number(each, "port") for each in items(service.raw, "spec", "ports")}
    is_headless = text(service.raw, "spec", "clusterIP") == "None"
    return service.kind == "Service" and port is not None and bool(stated) and port not in stated and not is_headless


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreached:
    """Calls of one caller to one callee that fail."""

    caller: Entity
    callee: Callee
    hits: Sequence[Line]
    share: float
    """Of all lines of trouble of the caller."""

    @property
    def is_main(self) -> bool:
        """Whether they are most of what troubles the caller."""
        return len(self.hits) >= LEAST and self.share >= MOST_OF_ERRORS


def unreached(scene: Scene) -> Sequence[Unreached]:
    """Who fails to reach whom, by the callers' own words; what failed as often before the onset is left out."""
    return scene.once(_unreached)


def _unreached(scene: Scene) -> Sequence[Unreached]:
    speaks = [each for each in lines(scene) if each.is_trouble or _is_unreached(each)]
    found: list[Unreached] = []
    for caller, said in by_entity(scene, speaks).items():
        groups: defaultdict[Entity, list[Line]] = defaultdict(list)
        meant: dict[Entity, Counter[Host]] = {}
        for line in said:
            host = host_of(line.text) if _is_unreached(line) else None
            if host:
                entity = callee(scene, host, caller).entity
                if entity != caller:
                    groups[entity].append(line)
                    meant.setdefault(entity, Counter())[host] += 1
        current = len(news(scene, caller, said)) or 1
        for entity, hits in groups.items():
            if fresh := news(scene, caller, hits):
                named = callee(scene, meant[entity].most_common(1)[0][0], caller)
                found.append(Unreached(caller=caller, callee=named, hits=fresh, share=len(fresh) / current))
    return sorted(found, key=lambda each: -len(each.hits))


def _is_unreached(line: Line) -> bool:
    # A wait at start-up is mostly told as information.
    return bool(UNREACHED.search(line.claim)) and (line.level is None or line.level.value > 10)


def calls(scene: Scene) -> frozenset[Edge]:
    """The calls that logs tell of by their failing: whoever says often that it cannot reach something calls it."""
    return frozenset(
        Edge(each.callee.entity, each.caller, "calls") for each in unreached(scene) if len(each.hits) >= LEAST
    )
