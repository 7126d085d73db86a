"""Access logs: requests by upstream and how they ended, as nginx, its ingress, Envoy and JSON write them. Pure."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from whenever import Instant

from agents.logs.callees import Host, callee
from agents.logs.lines import Line, about, is_old, read
from agents.logs.moments import written_at
from agents.objects import mapping
from agents.scene import Log, Scene
from tools.entity import Entity

FAILED = 500
_CLF = re.compile(
    r"\"(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS|PRI) [^\"]{0,2000}?\" "
    r"(?P<status>\d{3})(?: (?P<flags>[A-Z,]{2,20}"
    r"|-))?\b"
)
_INGRESS = re.compile(r"\[(?P<namespace>[a-z0-9]+)-(?P<name>[a-z0-9-]+)-(?:\d+|[a-z][a-z0-9-]*)\] \[[^\]]*\]")
"""ingress-nginx writes `[namespace-service-port]`; a namespace with a dash is told apart by the Services there are."""
_CLUSTER = re.compile(r"outbound\|\d+\|[^|]*\|(?P<name>[a-z0-9-]+)\.(?P<namespace>[a-z0-9-]+)\.svc")
_ADDRESS = re.compile(
    r"(?:upstream(?:_addr)?[=: ]+\"?(?:https?://)?|\] )(?P<host>\d{1,3}(?:\.\d{1,3}){3}):(?P<port>\d+)"
)
_STATUS_KEYS = ("status", "status_code", "response_code", "statusCode", "http.status_code", "upstream_status")
_PATH_KEYS = ("path", "request", "uri", "url", "request_uri", "http.target", "requestURI", "http_path")
_HOST_KEYS = ("upstream_cluster", "upstream_addr", "upstream_host", "proxy_upstream_name", "upstream")
_NO_UPSTREAM = re.compile(r"\b(?:UH|UF|UC|UO|NR|URX|NC)\b")


@dataclass(frozen=True, slots=True)
class _Request:
    line: Line
    status: int
    flags: str
    upstream: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """How requests to one upstream ended."""

    failed: Sequence[Line]
    requests: int
    requests_before: int
    usual: float
    """Share that failed before the onset; 0 when nothing is known of before."""
    status: int
    """The status that most of the failed ones have."""
    flags: str
    """Envoy's reasons, where it gives some."""

    @property
    def ratio(self) -> float:
        """Share of the incident's requests that failed."""
        return len(self.failed) / self.requests if self.requests else 0.0


def by_upstream(scene: Scene) -> Mapping[Entity, Upstream]:
    """How requests ended, by the upstream that was to answer; by the proxy itself where it names none."""
    groups: defaultdict[Entity, list[_Request]] = defaultdict(list)
    for log, place, line in read(scene):
        if found := _request(scene, log, place, line):
            groups[found.upstream].append(found)
    return {entity: _upstream(scene, several) for entity, several in groups.items()}


def _upstream(scene: Scene, several: Sequence[_Request]) -> Upstream:
    old = [each for each in several if is_old(scene, each.line)]
    new = [each for each in several if not is_old(scene, each.line)]
    failed = [each for each in new if each.status >= FAILED]
    flags = Counter(each.flags for each in failed if _NO_UPSTREAM.search(each.flags))
    return Upstream(
        failed=[each.line for each in failed],
        requests=len(new),
        requests_before=len(old),
        usual=sum(each.status >= FAILED for each in old) / len(old) if old else 0.0,
        status=Counter(each.status for each in failed).most_common(1)[0][0] if failed else 0,
        flags=f" ({flags.most_common(1)[0][0]})" if flags else "",
    )


def _request(scene: Scene, log: Log, place: int, line: str) -> _Request | None:
    line = line[:4_000]
    if line.startswith("{"):
        return _of_record(scene, log, place, line)
    found = _CLF.search(line) if " HTTP/" in line else None
    if not found or not 100 <= int(found["status"]) < 600:
        return None
    entry = Line(log, place, place + 1, line, written_at(line, now=scene.now), None)
    return _Request(entry, int(found["status"]), found["flags"] or "", _named(scene, log, line))


def _of_record(scene: Scene, log: Log, place: int, line: str) -> _Request | None:
    if not any(f'"{key}"' in line for key in _STATUS_KEYS):
        return None
    try:
        parsed = json.loads(line)
    except (ValueError, RecursionError):
        return None
    record = mapping({"of": parsed}, "of")
    status = next((str(record[key]) for key in _STATUS_KEYS if key in record), "")[:3]
    if not (status.isascii() and status.isdigit() and 100 <= int(status) < 600) or not set(_PATH_KEYS) & set(record):
        return None
    entry = Line(log, place, place + 1, line, written_at(line, now=scene.now) or _time(record, scene), None)
    named = " ".join(f"upstream={record[key]}" for key in _HOST_KEYS if isinstance(record.get(key), str))
    flags = str(record.get("response_flags") or "")[:20]
    return _Request(entry, int(status), flags, _named(scene, log, named))


def _time(record: Mapping[str, Any], scene: Scene) -> Instant | None:
    told = next((record[key] for key in ("time", "ts", "timestamp", "@timestamp", "start_time") if key in record), "")
    return written_at(str(told), now=scene.now)


def _named(scene: Scene, log: Log, words: str) -> Entity:
    own = about(scene, log)
    if found := _CLUSTER.search(words):
        return Entity.of("service", found["namespace"], found["name"])
    if found := _INGRESS.search(words):
        whole = f"{found['namespace']}-{found['name']}".split("-")
        for at in range(1, len(whole)):
            namespace, name = "-".join(whole[:at]), "-".join(whole[at:])
            if scene.cluster.get("Service", namespace, name):
                return Entity.of("service", namespace, name)
    if found := _ADDRESS.search(words):
        meant = callee(scene, Host(found["host"], int(found["port"])), own)
        return meant.entity if meant.known else own
    return own
