"""CloudWatch alarms that Amazon SNS delivers. The envelope's signature is checked before this is asked.

https://docs.aws.amazon.com/sns/latest/dg/http-notification-json.html
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError
from whenever import Instant, OffsetDateTime

from agents.alert import Alert, AlertStatus, fingerprint
from bot.alerts.payload import Batch, ParseError, read_json, reasons


class _Dimension(BaseModel):
    name: str
    value: str


class _Trigger(BaseModel):
    MetricName: str = ""
    Namespace: str = ""
    Dimensions: list[_Dimension] = []


class _Alarm(BaseModel):
    AlarmName: str = Field(min_length=1)
    AlarmDescription: str | None = None
    AlarmArn: str = ""
    AWSAccountId: str = ""
    NewStateValue: Literal["ALARM", "OK", "INSUFFICIENT_DATA"]
    NewStateReason: str = ""
    StateChangeTime: str
    Region: str = ""
    Trigger: _Trigger = _Trigger()


class _Envelope(BaseModel):
    Type: str
    Message: str = ""


def parse(payload: Mapping[str, Any]) -> Batch:
    """The alarm of one notification; without enough data nothing is said of it, and confirmations bring none.

    Raises:
        ParseError: when it is no notification of an alarm.
    """
    try:
        envelope = _Envelope.model_validate(payload)
        if envelope.Type != "Notification":
            return Batch(alerts=())
        alarm = _Alarm.model_validate(read_json(envelope.Message.encode()))
        return Batch(alerts=() if alarm.NewStateValue == "INSUFFICIENT_DATA" else (_alert(alarm),))
    except ValidationError as error:
        raise ParseError(f"not a CloudWatch alarm: {reasons(error)}") from error
    except ValueError as error:
        raise ParseError(str(error)) from error


def _alert(alarm: _Alarm) -> Alert:
    moment = _moment(alarm.StateChangeTime)
    is_over = alarm.NewStateValue == "OK"
    labels = {
        "alertname": alarm.AlarmName,
        "account": alarm.AWSAccountId,
        "region": alarm.Region,
        "metric": alarm.Trigger.MetricName,
        **{each.name: each.value for each in alarm.Trigger.Dimensions},
    }
    said = {"summary": alarm.AlarmDescription or "", "description": alarm.NewStateReason}
    return Alert(
        source="cloudwatch",
        status=AlertStatus.RESOLVED if is_over else AlertStatus.FIRING,
        labels={key: value for key, value in labels.items() if value},
        annotations={key: value for key, value in said.items() if value},
        starts_at=moment,
        ends_at=moment if is_over else None,
        fingerprint=fingerprint({"arn": alarm.AlarmArn, "name": alarm.AlarmName}),
        group=alarm.AlarmArn or alarm.AlarmName,
    )


def _moment(written: str) -> Instant:
    """Amazon writes `2026-05-04T10:22:00.000+0000`, an offset without its colon."""
    if len(written) > 5 and written[-5] in "+-" and written[-4:].isdigit():
        written = f"{written[:-2]}:{written[-2:]}"
        return OffsetDateTime.parse_iso(written).to_instant()
    return Instant.parse_iso(written)
