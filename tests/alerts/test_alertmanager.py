from pathlib import Path

import pytest

from agents.alert import AlertStatus
from agents.grouping import group_key, incident_id
from bot.alerts import parse

PAYLOADS = Path(__file__).parents[3] / "shared" / "payloads" / "alertmanager"


@pytest.mark.skipif(not PAYLOADS.is_dir(), reason="the recorded payloads are not here")
def test_every_recorded_payload_becomes_alerts() -> None:
    for path in sorted(PAYLOADS.glob("*.json")):
        batch = parse("alertmanager", path.read_bytes())
        assert batch.alerts, path.name
        assert not batch.rejected, path.name
        for alert in batch.alerts:
            assert (alert.ends_at is not None) == (alert.status is AlertStatus.RESOLVED), path.name


def test_an_incident_has_the_same_id_for_whoever_opens_it_and_another_after_it_closed() -> None:
    body = b'{"version": "4", "groupKey": "{}:{a}", "alerts": [{"status": "firing", "labels": {"alertname": "A"},'
    (alert,) = parse("alertmanager", body + b' "startsAt": "2026-01-01T00:00:00Z"}]}').alerts
    first = incident_id(group_key(alert), "")
    assert first == incident_id(group_key(alert), "")
    assert incident_id(group_key(alert), first) != first
