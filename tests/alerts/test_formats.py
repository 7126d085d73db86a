"""Both formats: what is documented comes out as it went in, and nothing that is sent breaks them."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whenever import Instant, TimeDelta

from agents.alert import AlertStatus, fingerprint
from bot.alerts import ParseError, parse, parse_any, sources
from bot.alerts.alertmanager import parse_alerts
from bot.alerts.payload import MOST_ALERTS

EPOCH = Instant.from_utc(2000, 1, 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LABELS = st.dictionaries(TEXT, TEXT, max_size=5)
TIMES = st.integers(0, 10**9).map(lambda seconds: EPOCH.add(TimeDelta(seconds=seconds)))
GENERIC = st.fixed_dictionaries(
    {"name": TEXT.filter(bool)},
    optional={
        "status": st.sampled_from(["firing", "resolved"]), "severity": TEXT, "description": TEXT, "labels": LABELS,
        "starts_at": TIMES.map(str), "fingerprint": TEXT, "group": TEXT, "url": TEXT,
    },
)  # fmt: skip
ALERTMANAGER = st.fixed_dictionaries(
    {"status": st.sampled_from(["firing", "resolved"]), "labels": LABELS, "startsAt": TIMES.map(str)},
    optional={
        "annotations": LABELS, "endsAt": TIMES.map(str) | st.just("0001-01-01T00:00:00Z"), "generatorURL": TEXT,
        "fingerprint": TEXT, "unknownToUs": TEXT,
    },
)  # fmt: skip

quick = settings(max_examples=60, deadline=None, derandomize=True)


def payload(alerts: list[Any]) -> bytes:
    return json.dumps({"version": "4", "groupKey": "{}:{a}", "truncatedAlerts": 0, "alerts": alerts}).encode()


@quick
@given(item=GENERIC)
def test_a_generic_alert_keeps_everything_that_was_said(item: dict[str, Any]) -> None:
    (alert,) = parse("generic", json.dumps(item).encode()).alerts
    labels = item.get("labels", {})
    assert alert.labels.items() >= labels.items()
    assert alert.labels["alertname"] == labels.get("alertname", item["name"])
    assert alert.status == item.get("status", "firing")
    assert alert.fingerprint == (item.get("fingerprint") or fingerprint(alert.labels))
    assert (alert.group, alert.url) == (item.get("group", ""), item.get("url", ""))
    if "starts_at" in item:
        assert str(alert.starts_at) == item["starts_at"]
    # Alone, in a list, and without a named source it is the same alert.
    again = {**item, "starts_at": str(alert.starts_at)}
    assert parse("generic", json.dumps({"alerts": [again]}).encode()).alerts == (alert,)
    assert parse_any(json.dumps(again).encode()).alerts == (alert,)


@quick
@given(items=st.lists(ALERTMANAGER, max_size=4))
def test_alertmanagers_alerts_keep_everything_that_was_said(items: list[dict[str, Any]]) -> None:
    batch = parse("alertmanager", payload(items))
    assert not batch.rejected
    for item, alert in zip(items, batch.alerts, strict=True):
        assert (alert.labels, alert.annotations) == (item["labels"], item.get("annotations", {}))
        assert str(alert.starts_at) == item["startsAt"]
        assert alert.fingerprint == (item.get("fingerprint") or fingerprint(alert.labels))
        assert alert.group == "{}:{a}"
        # The year 1 is Alertmanager's way to say that there is no end.
        said = item.get("endsAt", "0001-")
        ended = alert.status is AlertStatus.RESOLVED and not said.startswith("0001-")
        assert (str(alert.ends_at) if alert.ends_at else None) == (said if ended else None)


@quick
@given(good=st.lists(ALERTMANAGER, min_size=1, max_size=3), bad=st.lists(st.integers() | TEXT | LABELS, max_size=3))
def test_broken_alerts_among_good_ones_drop_none_of_them(good: list[dict[str, Any]], bad: list[Any]) -> None:
    batch = parse("alertmanager", payload([*bad, *good]))
    assert batch.alerts == parse("alertmanager", payload(good)).alerts
    assert len(batch.rejected) == len(bad)
    assert parse_alerts([*bad, *good]) == tuple(each for item in good for each in parse_alerts([item]))


@quick
@given(labels=LABELS, data=st.data())
def test_a_fingerprint_depends_on_the_labels_and_not_on_their_order(
    labels: dict[str, str], data: st.DataObject
) -> None:
    shuffled = dict(data.draw(st.permutations(list(labels.items()))))
    assert fingerprint(shuffled) == fingerprint(labels)
    assert fingerprint({**labels, "one more": "x"}) != fingerprint({**labels, "one more": "y"})


@quick
@given(body=st.binary(max_size=100) | TEXT.map(str.encode), source=st.sampled_from(sorted(sources())))
def test_what_cannot_be_read_is_one_clear_error(body: bytes, source: str) -> None:
    with pytest.raises(ParseError) as error:
        parse(source, body)
    assert str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"name": "x", "colour": "red"}', "alerts.0: colour: Extra inputs are not permitted"),
        (b'{"name": ""}', "alerts.0: name: String should have at least 1 character"),
        (b'{"name": "x", "status": "pending"}', "alerts.0: status: Input should be 'firing' or 'resolved'"),
        (b'{"name": "x", "labels": {"a": 1}}', "alerts.0: labels.a: Input should be a valid string"),
        (b'{"name": "x", "ends_at": "0000"}', "alerts.0: "),
        (b'{"alerts": {}}', "alerts: expected a list, got dict"),
        (json.dumps({"alerts": [1] * (MOST_ALERTS + 1)}).encode(), "5001 alerts in one request; at most 5000"),
    ],
    ids=["unknown", "empty", "status", "label", "time", "shape", "many"],
)
def test_a_mistake_is_named_with_its_place(body: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as error:
        parse("generic", body)
    assert str(error.value).startswith(reason)


@pytest.mark.parametrize("version", ["3", "5", 4, None])
def test_another_version_of_alertmanagers_payload_is_refused(version: object) -> None:
    body = json.dumps({"version": version, "groupKey": "g", "alerts": []}).encode()
    with pytest.raises(ParseError, match="not a payload of version 4: version: "):
        parse_any(body)
