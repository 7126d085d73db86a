"""Every vendor's payload becomes alerts; what says nothing of an alert brings none; nothing that is sent breaks it."""

import contextlib
import copy
import json
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.alert import Alert, AlertStatus
from bot.alerts import ParseError, parse, sources
from tests.alerts.examples import FIRING, ISSUE, METRIC, RESOLVED, notification

PAYLOADS = Path(__file__).parents[3] / "shared" / "payloads"


def only(source: str, payload: Any) -> Alert:
    (alert,) = parse(source, json.dumps(payload).encode()).alerts
    return alert


@pytest.mark.skipif(not PAYLOADS.is_dir(), reason="the recorded payloads are not here")
def test_every_recorded_payload_becomes_alerts() -> None:
    for path in sorted(PAYLOADS.glob("*/*.json")):
        batch = parse(path.parent.name, path.read_bytes())
        assert batch.alerts, path
        assert not batch.rejected, path
        for alert in batch.alerts:
            assert alert.source == path.parent.name
            assert alert.name != "unnamed alert"
            assert (alert.ends_at is not None) == (alert.status is AlertStatus.RESOLVED), path


def test_every_source_has_an_example() -> None:
    assert set(FIRING) == set(sources())


@pytest.mark.parametrize("source", sorted(FIRING))
def test_an_alert_says_what_fires_where_and_since_when(source: str) -> None:
    alert = only(source, FIRING[source])
    assert (alert.source, alert.name, alert.status, alert.ends_at) == (source, "HighCPU", AlertStatus.FIRING, None)
    assert alert.fingerprint
    # Amazon's alarms have no severity.
    assert alert.severity == ("" if source == "cloudwatch" else "critical")
    if source != "generic":
        assert str(alert.starts_at) == "2026-05-04T10:22:00Z"


@pytest.mark.parametrize("source", sorted(RESOLVED))
def test_the_end_of_an_alert_has_the_fingerprint_and_the_group_of_its_beginning(source: str) -> None:
    began, ended = only(source, FIRING[source]), only(source, RESOLVED[source])
    assert ended.status is AlertStatus.RESOLVED
    assert ended.ends_at
    assert (ended.fingerprint, ended.group) == (began.fingerprint, began.group)


def test_labels_tell_where_to_look() -> None:
    assert only("datadog", FIRING["datadog"]).labels.items() >= {"service": "shop", "env": "prod", "host": "a"}.items()
    assert only("cloudwatch", FIRING["cloudwatch"]).labels["host"] == "a"
    assert only("pagerduty", FIRING["pagerduty"]).labels["service"] == "shop"
    assert only("gcpmonitoring", FIRING["gcpmonitoring"]).labels["instance_id"] == "a"


def test_nothing_is_taken_of_the_people_whom_an_error_met() -> None:
    alert = only("sentry", FIRING["sentry"])
    assert alert.labels == {"alertname": "HighCPU", "severity": "critical", "environment": "prod", "release": "7"}
    assert "198.51.100.4" not in repr(alert)
    assert "id:9" not in repr(alert)


def test_a_metric_alert_and_an_issue_of_sentry_begin_and_end() -> None:
    found = {action: only("sentry", payload) for action, payload in METRIC.items()}
    assert {each.fingerprint for each in found.values()} == {found["critical"].fingerprint}
    assert [found[action].severity for action in ("critical", "warning", "resolved")] == ["critical", "warning", ""]
    assert found["resolved"].status is AlertStatus.RESOLVED
    assert found["critical"].status is AlertStatus.FIRING
    assert only("sentry", ISSUE).status is AlertStatus.RESOLVED


@pytest.mark.parametrize(
    ("source", "payload"),
    [
        ("cloudwatch", notification(NewStateValue="INSUFFICIENT_DATA")),
        ("cloudwatch", {"Type": "SubscriptionConfirmation", "Message": "You have chosen to subscribe"}),
        ("pagerduty", {"event": {"event_type": "pagey.ping", "resource_type": "pagey", "occurred_at": "", "data": {}}}),
        ("pagerduty", {"event": {"event_type": "incident.annotated", "resource_type": "incident", "occurred_at": "x",
                                 "data": {"incident": {"id": "P1"}, "content": "looks better"}}}),
    ],
    ids=["no data", "confirmation", "ping", "note"],
)  # fmt: skip
def test_what_says_nothing_of_an_alert_brings_none(source: str, payload: Any) -> None:
    assert parse(source, json.dumps(payload).encode()).alerts == ()


@pytest.mark.parametrize(
    ("source", "payload", "said"),
    [
        ("grafana", {**FIRING["grafana"], "version": "4"}, "version: '4'"),
        ("datadog", {"title": "x"}, "alert_transition: Field required"),
        ("pagerduty", {"messages": []}, "event: Field required"),
        ("cloudwatch", {"Type": "Notification", "Message": "hello"}, "the body is not JSON"),
        ("cloudwatch", notification(StateChangeTime="yesterday"), "yesterday"),
        ("gcpmonitoring", {"version": "3.0", "incident": FIRING["gcpmonitoring"]["incident"]}, "version: '3.0'"),
        ("sentry", {"action": "created"}, "expected data.event"),
        ("sentry", {"data": {"event": {"title": ""}}}, "without a title"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_was_expected(source: str, payload: Any, said: str) -> None:
    with pytest.raises(ParseError) as refused:
        parse(source, json.dumps(payload).encode())
    assert said in str(refused.value)


ODD: tuple[Any, ...] = (None, True, 7, -(10**15), 1e300, "", "x", [], {}, [[]], {"a": 1})


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a document, itself first."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(cast("dict[Any, Any]", value).items())
    elif isinstance(value, list):
        inner = list(enumerate(cast("list[Any]", value)))
    return [path, *(each for key, one in inner for each in places(one, (*path, key)))]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(source=st.sampled_from(sorted(FIRING)), data=st.data())
def test_one_wrong_value_anywhere_is_read_or_refused_and_never_an_accident(source: str, data: st.DataObject) -> None:
    payload = copy.deepcopy(FIRING[source])
    if source == "cloudwatch" and data.draw(st.booleans()):
        inner = json.loads(payload["Message"])
        _change(inner, data)
        payload["Message"] = json.dumps(inner)
    else:
        _change(payload, data)
    # Refused is as good as read; anything else that is raised is an accident.
    with contextlib.suppress(ParseError):
        assert len(parse(source, json.dumps(payload).encode()).alerts) <= 1


def _change(value: Any, data: st.DataObject) -> None:
    *way, last = data.draw(st.sampled_from(places(value)[1:]))
    for step in way:
        value = value[step]
    value[last] = data.draw(st.sampled_from(ODD))
