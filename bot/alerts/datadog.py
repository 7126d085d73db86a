"""Datadog's webhook integration. Whoever sets it up writes the payload: docs/alerts.md has the template.

https://docs.datadoghq.com/integrations/webhooks/
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from whenever import Instant

from agents.alert import Alert, AlertStatus, fingerprint
from bot.alerts.payload import Batch, each_of, usable

_RESOLVED = frozenset({"recovered", "success"})
"""Words of `$ALERT_TRANSITION`; all others, such as Re-Triggered, Warn and No Data, say that it goes on."""
_SEVERITIES = {"p1": "critical", "p2": "critical", "p3": "warning", "p4": "info", "p5": "info"}


class _Event(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    title: str = Field(min_length=1)
    alert_transition: str
    id: str
    type: str = ""
    query: str = ""
    message: str = ""
    description: str = ""
    tags: str = ""
    priority: str = ""
    monitor_id: str = ""
    scopes: str = ""
    last_updated: int | None = None
    """Unix milliseconds."""
    url: str = ""


def parse(payload: Mapping[str, Any]) -> Batch:
    """The alert of one call.

    Raises:
        ParseError: when it does not follow the template.
    """
    return usable(*each_of([payload], lambda item: _alert(_Event.model_validate(item))))


def _alert(event: _Event) -> Alert:
    moment = Instant.from_timestamp(event.last_updated, unit="millisecond") if event.last_updated else Instant.now()
    is_over = event.alert_transition.lower() in _RESOLVED
    labels = {
        "alertname": event.title,
        **_labels(event.tags),
        **({"scope": event.scopes} if event.scopes else {}),
        **_labels(event.scopes),
        **({"severity": found} if (found := _SEVERITIES.get(event.priority.lower())) else {}),
    }
    # Event ids change with every transition: monitor and scope are what comes back.
    known = {"monitor": event.monitor_id, "scopes": event.scopes} if event.monitor_id else {"id": event.id}
    return Alert(
        source="datadog",
        status=AlertStatus.RESOLVED if is_over else AlertStatus.FIRING,
        labels=labels,
        annotations=_said(summary=event.message or event.description, expr=event.query),
        starts_at=moment,
        ends_at=moment if is_over else None,
        fingerprint=fingerprint(known),
        group=f"monitor {event.monitor_id}" if event.monitor_id else "",
        url=event.url,
    )


def _labels(written: str) -> dict[str, str]:
    """`env:prod,host:db-1` as labels; a word without a colon has no name, and is left out."""
    pairs = (each.strip().partition(":") for each in written.split(","))
    return {key: value for key, _, value in pairs if key and value}


def _said(**texts: str) -> dict[str, str]:
    return {key: each for key, each in texts.items() if each}
