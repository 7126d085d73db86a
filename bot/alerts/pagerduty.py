"""PagerDuty's webhooks, version 3: what happens to incidents.

https://developer.pagerduty.com/docs/webhooks-overview
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError
from whenever import Instant

from agents.alert import Alert, AlertStatus, Fingerprint
from bot.alerts.payload import Batch, ParseError, reasons

_SEVERITIES = {"high": "critical", "low": "warning"}


class _Named(BaseModel):
    summary: str = ""


class _Incident(BaseModel):
    id: str = Field(min_length=1)
    title: str = ""
    status: str
    html_url: str = ""
    created_at: str
    urgency: str = ""
    service: _Named | None = None
    priority: _Named | None = None


class _Event(BaseModel):
    event_type: str
    resource_type: str
    occurred_at: str
    data: dict[str, Any]


class _Payload(BaseModel):
    event: _Event


def parse(payload: Mapping[str, Any]) -> Batch:
    """The incident as an alert; events about anything else, such as a test ping, bring none.

    Raises:
        ParseError: when it is no event of version 3.
    """
    try:
        event = _Payload.model_validate(payload).event
        if event.resource_type != "incident" or not event.event_type.startswith("incident."):
            return Batch(alerts=())
        if "status" not in event.data:
            # Notes and responders: they refer to an incident and say nothing of how it stands.
            return Batch(alerts=())
        return Batch(alerts=(_alert(_Incident.model_validate(event.data), event.occurred_at),))
    except ValidationError as error:
        raise ParseError(f"not a PagerDuty event of version 3: {reasons(error)}") from error
    except ValueError as error:
        raise ParseError(str(error)) from error


def _alert(incident: _Incident, occurred_at: str) -> Alert:
    is_over = incident.status == "resolved"
    service = incident.service.summary if incident.service else ""
    priority = incident.priority.summary if incident.priority else ""
    labels = {
        "alertname": incident.title or f"incident {incident.id}",
        "severity": _SEVERITIES.get(incident.urgency, ""),
        "service": service,
        "priority": priority,
    }
    return Alert(
        source="pagerduty",
        status=AlertStatus.RESOLVED if is_over else AlertStatus.FIRING,
        labels={key: value for key, value in labels.items() if value},
        starts_at=Instant.parse_iso(incident.created_at),
        ends_at=Instant.parse_iso(occurred_at) if is_over else None,
        fingerprint=Fingerprint(incident.id),
        group=f"service {service}" if service else "",
        url=incident.html_url,
    )
