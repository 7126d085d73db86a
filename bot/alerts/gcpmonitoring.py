"""Google Cloud Monitoring's webhook, version 1.x.

https://cloud.google.com/monitoring/support/notification-options#webhooks
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from whenever import Instant

from agents.alert import Alert, AlertStatus, Fingerprint
from bot.alerts.payload import Batch, ParseError, reasons


class _Resource(BaseModel):
    type: str = ""
    labels: dict[str, str] = {}


class _Metadata(BaseModel):
    user_labels: dict[str, str] = {}


class _Incident(BaseModel):
    incident_id: str = Field(min_length=1)
    state: Literal["open", "closed", "OPEN", "CLOSED"]
    started_at: int
    """Unix seconds."""
    ended_at: int | None = None
    policy_name: str = ""
    condition_name: str = ""
    summary: str = ""
    url: str = ""
    severity: str = ""
    resource: _Resource = _Resource()
    metadata: _Metadata = _Metadata()
    policy_user_labels: dict[str, str] = {}


class _Payload(BaseModel):
    version: str
    incident: _Incident


def parse(payload: Mapping[str, Any]) -> Batch:
    """The alert of one call.

    Raises:
        ParseError: when it is no incident of version 1.
    """
    try:
        found = _Payload.model_validate(payload)
        if found.version not in ("1.0", "1.1", "1.2", "test"):
            raise ParseError(f"not a payload of version 1: version: {found.version[:20]!r}")
        return Batch(alerts=(_alert(found.incident),))
    except ValidationError as error:
        raise ParseError(f"not a Cloud Monitoring incident: {reasons(error)}") from error
    except ValueError as error:
        raise ParseError(str(error)) from error


def _alert(incident: _Incident) -> Alert:
    is_over = incident.state.lower() == "closed"
    labels = {
        **incident.resource.labels,
        **incident.metadata.user_labels,
        **incident.policy_user_labels,
        "alertname": incident.condition_name or incident.policy_name or f"incident {incident.incident_id}",
        "resource_type": incident.resource.type,
        "severity": incident.severity.lower(),
    }
    ended = Instant.from_timestamp(incident.ended_at) if incident.ended_at else Instant.now()
    return Alert(
        source="gcpmonitoring",
        status=AlertStatus.RESOLVED if is_over else AlertStatus.FIRING,
        labels={key: value for key, value in labels.items() if value},
        annotations={"summary": incident.summary} if incident.summary else {},
        starts_at=Instant.from_timestamp(incident.started_at),
        ends_at=ended if is_over else None,
        fingerprint=Fingerprint(incident.incident_id),
        group=incident.policy_name,
        url=incident.url,
    )
