"""One payload of every vendor, in its documented shape, with what should come of it."""

import json
from collections.abc import Mapping
from typing import Any

_ALARM = {
    "AlarmName": "HighCPU", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:HighCPU",
    "AlarmDescription": "CPU is high", "NewStateValue": "ALARM", "NewStateReason": "Threshold crossed",
    "StateChangeTime": "2026-05-04T10:22:00.000+0000", "Region": "EU (Ireland)",
    "Trigger": {"MetricName": "CPUUtilization", "Namespace": "AWS/EC2", "Dimensions": [{"name": "host", "value": "a"}]},
}  # fmt: skip


def notification(**alarm: Any) -> dict[str, Any]:
    """What SNS delivers of an alarm."""
    return {
        "Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
        "Subject": "ALARM", "Message": json.dumps({**_ALARM, **alarm}), "Timestamp": "2026-05-04T10:22:01.000Z",
        "SignatureVersion": "2", "SigningCertURL": "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem",
    }  # fmt: skip


def _group(version: str) -> dict[str, Any]:
    alert = {
        "status": "firing", "labels": {"alertname": "HighCPU", "severity": "critical"},
        "annotations": {"summary": "CPU is high"}, "startsAt": "2026-05-04T10:22:00Z",
        "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "https://monitor.test/1",
    }  # fmt: skip
    return {"version": version, "groupKey": "{}:{a}", "truncatedAlerts": 0, "alerts": [alert]}


def _incident(**data: Any) -> dict[str, Any]:
    incident = {
        "id": "PGR0VU2", "type": "incident", "title": "HighCPU", "status": "triggered", "urgency": "high",
        "html_url": "https://acme.pagerduty.test/incidents/PGR0VU2", "created_at": "2026-05-04T10:22:00Z",
        "service": {"summary": "shop"}, "priority": {"summary": "P1"}, **data,
    }  # fmt: skip
    return {"event": {
        "id": "e-1", "event_type": f"incident.{incident['status']}", "resource_type": "incident",
        "occurred_at": "2026-05-04T10:40:00Z", "data": incident,
    }}  # fmt: skip


_DATADOG = {
    "title": "HighCPU", "alert_transition": "Triggered", "id": "1", "type": "metric alert",
    "query": "avg(last_5m):avg:system.cpu.user{*} by {host} > 90", "message": "CPU is high",
    "tags": "env:prod,monitor,service:shop", "priority": "P1", "monitor_id": 77, "scopes": "host:a",
    "last_updated": 1_777_890_120_000, "url": "https://app.datadoghq.test/monitors/77",
}  # fmt: skip
_GOOGLE = {
    "incident_id": "0.abc", "state": "open", "started_at": 1_777_890_120, "ended_at": None, "severity": "Critical",
    "policy_name": "CPU", "condition_name": "HighCPU", "summary": "CPU is high", "url": "https://cloud.test/1",
    "resource": {"type": "gce_instance", "labels": {"instance_id": "a"}}, "policy_user_labels": {"team": "shop"},
}  # fmt: skip
_EVENT = {
    "event_id": "e1", "issue_id": "42", "title": "HighCPU", "level": "error", "timestamp": 1_777_890_120.5,
    "web_url": "https://sentry.test/42", "culprit": "shop.cart", "environment": "prod",
    "user": {"ip_address": "198.51.100.4"}, "tags": [["release", "7"], ["user", "id:9"], ["broken"]],
}  # fmt: skip
_METRIC = {"id": "9", "alert_rule": {"id": 4, "name": "HighCPU"}, "date_started": "2026-05-04T10:22:00Z"}

FIRING: Mapping[str, dict[str, Any]] = {
    "alertmanager": _group("4"),
    "signoz": _group("4"),
    "grafana": _group("1"),
    "generic": {"name": "HighCPU", "severity": "critical", "description": "CPU is high"},
    "datadog": _DATADOG,
    "pagerduty": _incident(),
    "cloudwatch": notification(),
    "gcpmonitoring": {"version": "1.2", "incident": _GOOGLE},
    "sentry": {"action": "triggered", "data": {"event": _EVENT}},
}
RESOLVED: Mapping[str, dict[str, Any]] = {
    "datadog": {**_DATADOG, "alert_transition": "Recovered", "id": "2"},
    "pagerduty": _incident(status="resolved"),
    "cloudwatch": notification(NewStateValue="OK"),
    "gcpmonitoring": {"version": "1.2", "incident": {**_GOOGLE, "state": "closed", "ended_at": 1_777_890_720}},
}
METRIC: Mapping[str, dict[str, Any]] = {
    action: {"action": action, "data": {"metric_alert": _METRIC, "description_text": "CPU is high"}}
    for action in ("critical", "warning", "resolved")
}
ISSUE: dict[str, Any] = {
    "action": "resolved",
    "data": {"issue": {"id": "42", "title": "HighCPU", "level": "fatal", "status": "resolved"}},
}
