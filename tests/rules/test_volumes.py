"""Volumes: firing, the healthy twin, the usual false alarm, no source."""

import pytest

from agents.causes import Rule
from agents.finding import Severity
from agents.rules import resources, volumes
from tests.rules.looks import found, moved, series, signals, steady, world

CLAIM = "persistentvolumeclaim/shop/data"
OF = [(volumes.volume_full, "disk_utilization_ratio"), (volumes.volume_inodes_full, "inode_utilization_ratio")]


@pytest.mark.parametrize(("of", "signal"), OF, ids=[of.cause.id for of, _ in OF])
def test_a_volume_that_is_full_is_named_and_one_that_has_room_is_not(of: Rule, signal: str) -> None:
    (finding,) = found(of, world(signals(moved(CLAIM, signal, 0.5, 0.98))))
    assert (str(finding.entity), finding.severity) == (CLAIM, Severity.CRITICAL)
    assert "98%" in finding.summary
    assert [each.severity for each in found(of, world(signals(steady(CLAIM, signal, 0.93))))] == [Severity.WARNING]
    assert found(of, world(signals(steady(CLAIM, signal, 0.85)))) == []
    assert found(of, world()) == []
    # Of a node it is another cause.
    assert found(of, world(signals(steady("node//n1", signal, 0.98)))) == []


@pytest.mark.parametrize(("of", "signal"), OF, ids=[of.cause.id for of, _ in OF])
def test_one_that_fills_is_told_in_time_and_one_that_has_just_begun_is_not(of: Rule, signal: str) -> None:
    growing = [0.6 + 0.002 * place for place in range(90)]
    (finding,) = found(of, world(signals(series(CLAIM, signal, *growing))))
    assert "will be full in" in finding.summary
    assert found(of, world(signals(series(CLAIM, signal, *[each - 0.5 for each in growing])))) == []


def test_the_disk_of_a_claim_is_told_once() -> None:
    seen = world(signals(steady(CLAIM, "disk_utilization_ratio", 0.98), steady(CLAIM, "inode_utilization_ratio", 0.98)))
    assert found(resources.disk_full, seen) == found(resources.inodes_full, seen) == []
