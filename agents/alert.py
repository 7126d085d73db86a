"""One shape for the alerts of every source. Pure: no clock, no store, no Slack."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from whenever import Instant

Fingerprint = NewType("Fingerprint", str)


class AlertStatus(StrEnum):
    """What the source says of an alert."""

    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert, firing or resolved. Labels and annotations are outside text: data, never instruction."""

    source: str
    """The intake that took it: `alertmanager`, `generic`, …"""
    status: AlertStatus
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    starts_at: Instant
    ends_at: Instant | None = None
    """When it resolved; `None` while it fires."""
    fingerprint: Fingerprint
    """The same for every repetition of the same alert: the source's own, or a hash of the labels."""
    group: str = ""
    """The source's own grouping key; empty when it has none."""
    url: str = ""
    """Where the source shows it. Shown as a link, never fetched."""

    @property
    def name(self) -> str:
        """What people call it."""
        return self.labels.get("alertname") or self.annotations.get("summary") or "unnamed alert"

    @property
    def severity(self) -> str:
        """The source's own word, lower case; empty when it has none."""
        return self.labels.get("severity", "").lower()

    @property
    def summary(self) -> str:
        """One or two sentences by whoever wrote the alert rule."""
        parts = (self.annotations.get(key, "") for key in ("summary", "title", "message", "description"))
        return next((part for part in parts if part), "")


def fingerprint(labels: Mapping[str, str]) -> Fingerprint:
    """A fingerprint for sources that send none: a hash of the sorted labels."""
    canonical = json.dumps(sorted(labels.items()), ensure_ascii=False)
    return Fingerprint(hashlib.sha256(canonical.encode()).hexdigest()[:16])
