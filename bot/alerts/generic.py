"""The generic format, for everything that can send JSON. Documented in docs/alerts.md.

    {"alerts": [{"name": "Disk full", "status": "firing", "severity": "critical", "description": "…",
                 "labels": {"host": "db-1"}, "starts_at": "2026-03-14T10:00:00Z", "ends_at": null,
                 "fingerprint": "…", "group": "…", "url": "https://…"}]}

or one such alert alone. Only `name` is required.
"""

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field
from whenever import Instant

from agents.alert import Alert, AlertStatus, Fingerprint, fingerprint
from bot.alerts.payload import Batch, ParseError, each_of, usable


class _Alert(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    name: str = Field(min_length=1, max_length=300)
    status: Literal["firing", "resolved"] = "firing"
    severity: str = ""
    description: str = ""
    labels: dict[str, str] = {}
    starts_at: str | None = None
    ends_at: str | None = None
    fingerprint: str = ""
    group: str = ""
    url: str = ""


def parse(payload: Mapping[str, Any]) -> Batch:
    """The alerts of one call; a broken one among them does not drop the others.

    Raises:
        ParseError: when none of them can be read.
    """
    items: object = payload.get("alerts", [payload])
    if not isinstance(items, list):
        raise ParseError(f"alerts: expected a list, got {type(items).__name__}")
    return usable(*each_of(cast("list[object]", items), lambda item: _alert(_Alert.model_validate(item))))


def _alert(item: _Alert) -> Alert:
    labels = {"alertname": item.name} | ({"severity": item.severity} if item.severity else {}) | item.labels
    return Alert(
        source="generic",
        status=AlertStatus(item.status),
        labels=labels,
        annotations={"description": item.description} if item.description else {},
        starts_at=Instant.parse_iso(item.starts_at) if item.starts_at else Instant.now(),
        ends_at=Instant.parse_iso(item.ends_at) if item.ends_at else None,
        fingerprint=Fingerprint(item.fingerprint) if item.fingerprint else fingerprint(labels),
        group=item.group,
        url=item.url,
    )
