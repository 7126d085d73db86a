"""Alertmanager's webhook, version 4.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from whenever import Instant

from agents.alert import Alert, AlertStatus, Fingerprint, fingerprint
from bot.alerts.payload import Batch, ParseError, each_of, reasons, usable


class _Alert(BaseModel):
    model_config = ConfigDict(strict=True, alias_generator=to_camel)

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}
    starts_at: str
    ends_at: str | None = None
    generator_url: str = Field(default="", alias="generatorURL")
    fingerprint: str = ""


class _Payload(BaseModel):
    model_config = ConfigDict(strict=True, alias_generator=to_camel)

    version: str
    group_key: str
    truncated_alerts: int = 0
    alerts: list[Any]


def parse(payload: Mapping[str, Any]) -> Batch:
    """The alerts of one webhook call; a broken one among them does not drop the others.

    Raises:
        ParseError: when it is no version 4 payload, or none of its alerts can be read.
    """
    return parse_as("alertmanager", "4", payload)


def parse_as(source: str, version: str, payload: Mapping[str, Any]) -> Batch:
    """The same for those who send this shape under a name and a version of their own.

    Raises:
        ParseError: when it is no payload of that version, or none of its alerts can be read.
    """
    try:
        envelope = _Payload.model_validate(payload)
        if envelope.version != version:
            raise ParseError(f"not a payload of version {version}: version: {envelope.version[:20]!r}")
    except ValidationError as error:
        raise ParseError(f"not a payload of version {version}: {reasons(error)}") from error
    alerts, rejected = each_of(
        envelope.alerts, lambda item: _alert(source, _Alert.model_validate(item), envelope.group_key)
    )
    return usable(alerts, rejected, truncated=envelope.truncated_alerts)


def parse_alerts(items: Sequence[object]) -> tuple[Alert, ...]:
    """Alerts in the shape of a webhook's `alerts[]`, as worlds give them; what cannot be read is left out."""
    return tuple(each_of(items, lambda item: _alert("alertmanager", _Alert.model_validate(item), ""))[0])


def _alert(source: str, item: _Alert, group: str) -> Alert:
    # Alertmanager writes the year 1 where there is no end.
    ended = item.status == "resolved" and item.ends_at and not item.ends_at.startswith("0001-")
    return Alert(
        source=source,
        status=AlertStatus(item.status),
        labels=item.labels,
        annotations=item.annotations,
        starts_at=Instant.parse_iso(item.starts_at),
        ends_at=Instant.parse_iso(item.ends_at) if ended and item.ends_at else None,
        fingerprint=Fingerprint(item.fingerprint) if item.fingerprint else fingerprint(item.labels),
        group=group,
        url=item.generator_url,
    )
