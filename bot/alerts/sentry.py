"""Sentry: issue alerts and metric alerts of an internal integration, and the body of the older webhook plug-in.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, cast

from whenever import Instant

from agents.alert import Alert, AlertStatus, fingerprint
from bot.alerts.payload import Batch, ParseError
from tools.kubernetes.fields import mapping, text, value

_LEVELS = {"fatal": "critical", "error": "critical", "warning": "warning", "info": "info", "debug": "info"}
_OVER = frozenset({"resolved", "archived"})


def parse(payload: Mapping[str, Any]) -> Batch:
    """The alert of one call.

    Raises:
        ParseError: when it is of none of the shapes.
    """
    try:
        data = mapping(payload, "data")
        if metric := mapping(data, "metric_alert"):
            return Batch(alerts=(_metric(payload, data, metric),))
        if issue := mapping(data, "issue"):
            return Batch(alerts=(_issue(payload, issue),))
        if event := mapping(data, "event") or mapping(payload, "event"):
            return Batch(alerts=(_event(payload, event),))
    except ValueError as error:
        raise ParseError(str(error)) from error
    raise ParseError("not a Sentry alert: expected data.event, data.issue, data.metric_alert, or event")


def _metric(payload: Mapping[str, Any], data: Mapping[str, Any], alert: Mapping[str, Any]) -> Alert:
    action = text(payload, "action")
    name = text(alert, "alert_rule", "name") or text(alert, "title") or text(data, "description_title")
    return _made(
        name=name,
        severity={"critical": "critical", "warning": "warning"}.get(action, ""),
        is_over=action == "resolved",
        labels={},
        said=text(data, "description_text"),
        starts_at=text(alert, "date_started"),
        ends_at=text(alert, "date_closed"),
        key={"metric alert": str(value(alert, "alert_rule", "id") or name)},
        url=text(data, "web_url"),
    )


def _issue(payload: Mapping[str, Any], issue: Mapping[str, Any]) -> Alert:
    return _made(
        name=text(issue, "title"),
        severity=_LEVELS.get(text(issue, "level"), ""),
        is_over=text(payload, "action") in _OVER or text(issue, "status") == "resolved",
        labels={"project": text(issue, "project", "slug")},
        said=text(issue, "culprit"),
        starts_at=text(issue, "firstSeen"),
        ends_at="",
        key={"issue": str(value(issue, "id"))},
        url=text(issue, "web_url") or text(issue, "permalink"),
    )


def _event(payload: Mapping[str, Any], event: Mapping[str, Any]) -> Alert:
    at = value(event, "timestamp")
    is_time = isinstance(at, int | float) and not isinstance(at, bool) and math.isfinite(at)
    written = Instant.from_timestamp(int(at)) if is_time else None
    project = text(payload, "project_slug") or text(event, "project_slug") or text(payload, "project")
    # Of a person who used it nothing is taken: tags of users, addresses and requests stay where they are.
    labels = {"project": project, "environment": text(event, "environment"), **_tags(event)}
    return _made(
        name=text(event, "title") or text(payload, "message"),
        severity=_LEVELS.get(text(event, "level") or text(payload, "level"), ""),
        is_over=False,
        labels=labels,
        said=text(payload, "message") or text(event, "culprit") or text(payload, "culprit"),
        starts_at=str(written) if written else "",
        ends_at="",
        key={"issue": str(value(payload, "id") or value(event, "issue_id") or text(event, "title"))},
        url=text(event, "web_url") or text(payload, "url"),
    )


_TELLING = frozenset({"environment", "release", "server_name", "transaction", "service", "namespace", "pod", "region"})


def _tags(event: Mapping[str, Any]) -> dict[str, str]:
    written = value(event, "tags")
    pairs = cast("Iterable[Any]", written) if isinstance(written, list) else ()
    known = (cast("list[Any]", each) for each in pairs if isinstance(each, list))
    return {
        each[0]: each[1]
        for each in known
        if len(each) == 2 and all(isinstance(one, str) and one for one in each) and each[0] in _TELLING
    }


def _made(
    *,
    name: str,
    severity: str,
    is_over: bool,
    labels: Mapping[str, str],
    said: str,
    starts_at: str,
    ends_at: str,
    key: Mapping[str, str],
    url: str,
) -> Alert:
    if not name:
        raise ParseError("a Sentry alert without a title")
    began = Instant.parse_iso(starts_at) if starts_at else Instant.now()
    known: dict[str, str] = {"alertname": name, "severity": severity, **labels}
    return Alert(
        source="sentry",
        status=AlertStatus.RESOLVED if is_over else AlertStatus.FIRING,
        labels={label: each for label, each in known.items() if each},
        annotations={"summary": said} if said else {},
        starts_at=began,
        ends_at=(Instant.parse_iso(ends_at) if ends_at else Instant.now()) if is_over else None,
        fingerprint=fingerprint(key),
        url=url,
    )
