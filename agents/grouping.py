"""Which alerts belong together, and what a new one means for those that are known. Pure: no clock, no store."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NewType

from agents.alert import Alert

GroupKey = NewType("GroupKey", str)
"""Alerts of one key belong to one incident, for as long as that is open."""

_CLUSTER = ("cluster", "cluster_name", "k8s_cluster_name")
_NAMESPACE = ("namespace", "exported_namespace", "kubernetes_namespace")
_SERVICE = ("service", "service_name", "exported_service", "app", "deployment", "statefulset", "job")


def group_key(alert: Alert) -> GroupKey:
    """The source's own group key; without one the cluster, namespace and service; without those the alert's name."""
    if alert.group:
        return GroupKey(f"{alert.source}|{alert.group}")
    parts = [_first(alert.labels, names) for names in (_CLUSTER, _NAMESPACE, _SERVICE)]
    if not any(parts):
        return GroupKey(f"{alert.source}|name={alert.name}")
    return GroupKey(f"{alert.source}|" + "/".join(parts))


def digest_key(channel: str) -> GroupKey:
    """The group of everything that a storm brings to one channel."""
    return GroupKey(f"digest|{channel}")


def incident_id(key: GroupKey, previous: str) -> str:
    """The id of the incident that follows `previous` (empty: the first) of this group.

    Derived and not drawn: whoever handles the same alert again, after a crash or in another process, finds the same id.
    """
    return "inc_" + hashlib.sha256(f"{key}\x00{previous}".encode()).hexdigest()[:16]


def is_storm(opened_last_minute: int, *, limit: int) -> bool:
    """Whether one more incident in a channel would be one too many."""
    return opened_last_minute >= limit


def channel_of(labels: Mapping[str, str], rules: Sequence[tuple[Mapping[str, str], str]], default: str) -> str:
    """The channel of the first rule whose labels are all equal to the alert's."""
    for wanted, channel in rules:
        if all(labels.get(name) == value for name, value in wanted.items()):
            return channel
    return default


def title_of(alerts: Sequence[Alert]) -> str:
    """What to call an incident that these alerts opened: the name, and what it is about where the labels say."""
    first = alerts[0]
    about = "/".join(filter(None, (_first(first.labels, _NAMESPACE), _first(first.labels, _SERVICE))))
    return f"{first.name} ({about})" if about else first.name


def _first(labels: Mapping[str, str], names: Sequence[str]) -> str:
    return next((labels[name] for name in names if labels.get(name)), "")
