"""Which recorded world a case is about."""

import json
from pathlib import Path

import pytest
from whenever import Instant

from agents.alert import Alert, AlertStatus, fingerprint
from agents.case import SessionId
from agents.investigation import open_case
from bot.demo.show import INCIDENTS
from bot.settings import Settings
from bot.worlds import open_worlds
from tools.snapshot.folder import SnapshotError

NAMES = ("bad-rollout", "dependency-down", "healthy-alert", "memory-exhaustion")


def alert(**labels: str) -> Alert:
    return Alert(
        source="alertmanager", status=AlertStatus.FIRING, labels=labels, starts_at=Instant.from_utc(2026, 1, 1),
        fingerprint=fingerprint(labels),
    )  # fmt: skip


def cluster_of(incident: str) -> str:
    payload = json.loads((INCIDENTS / incident / "alerts" / "01.json").read_text())
    return str(payload["alerts"][0]["labels"]["cluster"])


async def test_the_cluster_label_chooses() -> None:
    async with open_worlds(Settings(snapshot=INCIDENTS)) as worlds:
        for name in NAMES:
            assert worlds.about("", [alert(cluster=cluster_of(name))]).name == cluster_of(name)
        # The first alert whose cluster is known, whatever the question names.
        several = [alert(alertname="A"), alert(cluster="nobody"), alert(cluster=cluster_of("bad-rollout"))]
        assert worlds.about("why does memory run out", several).name == cluster_of("bad-rollout")


async def test_a_question_goes_to_the_world_whose_things_it_names() -> None:
    async with open_worlds(Settings(snapshot=INCIDENTS)) as worlds:
        for name in NAMES:
            payload = json.loads((INCIDENTS / name / "alerts" / "01.json").read_text())
            labels = payload["alerts"][0]["labels"]
            question = f"What is wrong with {' '.join(map(str, labels.values())).upper()}?"
            world = worlds.about(question, [])
            assert world.name == cluster_of(name)
            case = open_case(question, [], world, session_id=SessionId("ses_1"))
            assert worlds.of(case) is world


async def test_a_question_that_names_nothing_gets_a_world_all_the_same_and_always_the_same() -> None:
    async with open_worlds(Settings(snapshot=INCIDENTS)) as worlds:
        assert worlds.about("hello?", []) is worlds.about("hello?", [])


async def test_one_snapshot_is_what_everything_is_about() -> None:
    async with open_worlds(Settings(snapshot=INCIDENTS / "bad-rollout")) as worlds:
        assert worlds.about("", [alert(cluster="another")]) is worlds.about("why?", [])


async def test_a_folder_that_is_no_snapshot_and_has_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError):
        async with open_worlds(Settings(snapshot=tmp_path / "nothing")):
            pass
