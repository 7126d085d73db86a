"""Where to look: the things, namespaces and stretch of time that alerts and a question name. Pure.

Labels are outside text: a label never decides more than where to look first.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from whenever import Instant, TimeDelta

from agents.alert import Alert, AlertStatus
from agents.case import Scope
from tools.entity import Entity
from tools.window import Window

LEAD_MINUTES = 15
"""Alert rules wait (`for:`) and average before they fire: trouble begins before the alert does."""
UNKNOWN_ONSET_MINUTES = 60
LONGEST_MINUTES = 24 * 60
"""An alert that has been firing for weeks is about now; older data is the past, not the incident."""
MOST_ENTITIES = 40
"""A storm's labels name thousands; the first are enough to begin with."""

_KINDS: Mapping[str, tuple[str, ...]] = {
    # The most specific first; each with the label names that carry it.
    "pod": ("pod", "pod_name"),
    "job": ("job_name",),
    "cronjob": ("cronjob", "cron_job"),
    "persistentvolumeclaim": ("persistentvolumeclaim", "persistent_volume_claim"),
    "deployment": ("deployment",),
    "statefulset": ("statefulset", "stateful_set"),
    "daemonset": ("daemonset", "daemon_set"),
    "replicaset": ("replicaset", "replica_set"),
    "horizontalpodautoscaler": ("horizontalpodautoscaler", "hpa"),
    "ingress": ("ingress",),
    "certificate": ("certificate",),
    "mongodb": ("mongodb", "mongodb_cluster", "rs_nm"),
    "postgres": ("postgres", "postgresql", "postgres_cluster"),
    "redis": ("redis", "redis_instance", "redis_cluster", "valkey"),
    "database": ("db_instance", "db_instance_identifier", "dbinstance_identifier", "database_instance"),
    "service": ("service", "service_name", "destination_service_name", "app", "app_kubernetes_io_name", "app_name"),
    "persistentvolume": ("persistentvolume",),
    "node": ("node", "node_name", "nodename"),
    "host": ("host", "hostname", "instance"),
}
CLUSTER_SCOPED = frozenset(
    {"persistentvolume", "node", "host", "mongodb", "postgres", "redis", "database", "namespace"}
)
_NAMESPACE_LABELS = ("namespace", "namespace_name", "kubernetes_namespace")
# Where labels of the target and of its scraper clash, Prometheus keeps the target's as `exported_`: the thing meant.
_PREFIXES = ("exported_", "kube_", "")
_SCRAPER_OWN = frozenset(
    {"service", "instance", "container", "endpoint", "job", "app", "app_kubernetes_io_name", "host"}
)
_SCRAPERS = re.compile(
    r"kube-state-metrics|node-exporter|node_exporter|blackbox|cadvisor|kubelet|prometheus|pushgateway|exporter"
)
_KIND_WORDS = {
    "pod": "pod", "deployment": "deployment", "deploy": "deployment", "statefulset": "statefulset",
    "sts": "statefulset", "daemonset": "daemonset", "ds": "daemonset", "job": "job", "cronjob": "cronjob",
    "node": "node",
    "service": "service", "svc": "service", "ingress": "ingress", "pvc": "persistentvolumeclaim",
    "persistentvolumeclaim": "persistentvolumeclaim", "host": "host", "mongodb": "mongodb", "database": "database",
    "postgres": "postgres", "postgresql": "postgres", "redis": "redis", "valkey": "redis",
    "hpa": "horizontalpodautoscaler",
}  # fmt: skip
_NAME = r"[a-z0-9](?:[-a-z0-9_.]*[a-z0-9])?"
_PATHS = re.compile(rf"(?<![\w/])([a-z]+)/(?:({_NAME})?/)?({_NAME})(?![\w/])", re.IGNORECASE)
# Names of Kubernetes objects are lower case: `Pod Pending` speaks of a state.
_PHRASES = re.compile(rf"\b((?i:{'|'.join(_KIND_WORDS)}))\s+[\"'`]?({_NAME})\b")
_NAMESPACES = (
    re.compile(rf"(?:\bnamespace[:=]?\s+|\s-n\s+|\bns[:=/]\s*)[\"'`]?({_NAME})", re.IGNORECASE),
    re.compile(rf"\b({_NAME})\s+namespace\b", re.IGNORECASE),
)
_TIMES = re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-][\d:]+)?)?")
_WORD = re.compile(r"[a-z0-9](?:[-a-z0-9_.]*[a-z0-9])?")
_NOT_NAMES = (
    "a alert alerts all an and any are as at be been broken but by can cause cluster component could crashing "
    "database deployment did do does down error errors failed failing for from had has have healthy high "
    "higher hours how in into is it its job keeps last latency low lower me minutes more my namespace no node "
    "nodes normal not now of off on or our out over please pod pods ready requests restarted restarting "
    "running seems service services should show since slow some than that the their then there these they this "
    "time to too unhealthy up us was we were what when where which while who why will with wrong you your "
)
_STOP = frozenset(_NOT_NAMES.split())
_DATABASES = frozenset({"mongodb", "postgres", "redis", "database"})
_NOT_DATABASES = (
    "backup cache client clients connection connections cpu deadlock deadlocks disk lag lock locks memory "
    "operations performance pool primary queries query replica replicas replication session sessions size slot "
    "slots standby storage timeout timeouts transaction transactions vacuum version wal writes "
)
_OF_DATABASES = frozenset(_NOT_DATABASES.split())
"""What people ask about a database: `postgres connections` names none."""


def scope_of(
    question: str,
    alerts: Sequence[Alert],
    *,
    now: Instant,
    window: Window | None = None,
    default_namespace: str | None = None,
) -> Scope:
    """Where to look for this question and these alerts.

    Args:
        question: what was asked, or the alert's own text.
        alerts: the alerts behind it; firing ones count first.
        now: the moment that the answer speaks about.
        window: the incident's stretch, where someone already knows it.
        default_namespace: used when nothing names another.
    """
    ordered = sorted(alerts, key=lambda each: each.status is not AlertStatus.FIRING)
    sources = [source for alert in ordered for source in (alert.labels, alert.annotations)]
    named = {name for source in sources if (name := _namespace(source))} | set(_namespaces_in(question))
    namespaces = frozenset(named or ({default_namespace} if default_namespace else set[str]()))
    entities: dict[Entity, None] = {}
    for source in sources:
        entities.update(dict.fromkeys(_entities(source, _namespace(source) or default_namespace or "")))
    only = next(iter(namespaces)) if len(namespaces) == 1 else ""
    mentioned = tuple(_mentioned(question, only, is_persons=not alerts))
    entities.update(dict.fromkeys(mentioned))
    if not named:
        namespaces = frozenset(each.namespace for each in mentioned if each.namespace) or namespaces
    rank = {kind: place for place, kind in enumerate(_KINDS)}
    most_specific = sorted(entities, key=lambda each: rank.get(each.kind, len(rank)))
    return Scope(
        namespaces=namespaces,
        entities=tuple(most_specific[:MOST_ENTITIES]),
        words=frozenset(_words(question)),
        window=window or _window(alerts, now),
    )


def _window(alerts: Sequence[Alert], now: Instant) -> Window:
    began = [alert.starts_at for alert in alerts if alert.starts_at <= now]
    if not began:
        return Window.ending(now, minutes=UNKNOWN_ONSET_MINUTES)
    start = min(began) - TimeDelta(minutes=LEAD_MINUTES)
    return Window(max(start, now - TimeDelta(minutes=LONGEST_MINUTES)), now)


def _value(labels: Mapping[str, str], names: Sequence[str]) -> str:
    scraped = _is_scraped(labels)
    for prefix in _PREFIXES:
        for name in names:
            value = labels.get(prefix + name, "").strip()
            if value and not (not prefix and scraped and (name in _SCRAPER_OWN or _SCRAPERS.search(value))):
                return value
    return ""


def _is_scraped(labels: Mapping[str, str]) -> bool:
    """Whether the plain labels describe the exporter that was scraped and not the thing it tells about."""
    return any(_SCRAPERS.search(labels.get(name, "")) for name in ("job", "service", "container", "app"))


def _namespace(labels: Mapping[str, str]) -> str:
    return _value(labels, _NAMESPACE_LABELS)


def _entities(labels: Mapping[str, str], namespace: str) -> Iterator[Entity]:
    for kind, names in _KINDS.items():
        value = _value(labels, names)
        if value and not value.startswith("/"):
            # An `instance` carries the port that was scraped.
            name = re.sub(r":\d+$", "", value) if kind == "host" else value
            yield Entity.of(kind, "" if kind in CLUSTER_SCOPED else namespace, name)
    workload, kind = _value(labels, ("workload", "workload_name", "owner_name")), ""
    if workload:
        kind = _value(labels, ("workload_type", "workload_kind", "owner_kind")).lower() or "deployment"
        yield Entity.of(kind, namespace, workload)


def _namespaces_in(question: str) -> Iterator[str]:
    for shape in _NAMESPACES:
        for name in shape.findall(question):
            if name.lower() not in _STOP:
                yield name.lower()


def _mentioned(question: str, namespace: str, *, is_persons: bool) -> Iterator[Entity]:
    for kind, stated, name in _PATHS.findall(question):
        if (known := _KIND_WORDS.get(kind.lower())) and name:
            yield Entity.of(known, "" if known in CLUSTER_SCOPED else (stated or namespace), name)
    for kind, name in _PHRASES.findall(question):
        known = _KIND_WORDS[kind.lower()]
        # `deployment cart` is how people ask; in the text of an alert, `Deployment replicas mismatch` is prose.
        if name in _STOP or (known in _DATABASES and name in _OF_DATABASES):
            continue
        if is_persons or not name.isalpha():
            yield Entity.of(known, "" if known in CLUSTER_SCOPED else namespace, name)


def _words(question: str) -> Iterator[str]:
    for word in _WORD.findall(_TIMES.sub(" ", question).lower()):
        if len(word) >= 3 and word not in _STOP and not word.replace(".", "").isdigit():
            yield word
