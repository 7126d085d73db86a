"""Incidents that are open while Locum is updated go on: histories of before replay on the workflow of now."""

from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner
from temporalio.workflow import NondeterminismError

from bot.workflows.incident import IncidentWorkflow
from bot.workflows.messages import Start
from tests.durable.home import SECRET_WORDS
from tests.durable.record import HISTORIES, words
from tests.durable.scenes import SCENES

RECORDED = sorted(HISTORIES.glob("*.json"))


def test_every_scene_was_recorded_and_nothing_else_lies_there() -> None:
    assert {path.name.partition(".")[0] for path in RECORDED} == set(SCENES)
    assert (HISTORIES / "goes_on_in_a_new_run.1.json").is_file()


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    await Replayer(workflows=[IncidentWorkflow]).replay_workflow(_history(path))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_history_holds_no_words_of_people_or_alerts(path: Path) -> None:
    found = words(path.read_text())
    assert '"incident_id":' in found
    assert SECRET_WORDS not in found
    assert "@" not in found
    assert 'File "/' not in found


@workflow.defn(name="Incident")
class _Changed:
    """Does at once what the real one does after its thread was opened."""

    @workflow.run
    async def run(self, start: Start) -> None:
        await workflow.sleep(start.quiet_s)


async def test_a_workflow_that_does_something_else_would_be_found_out() -> None:
    with pytest.raises(NondeterminismError):
        await Replayer(workflows=[_Changed], workflow_runner=UnsandboxedWorkflowRunner()).replay_workflow(
            _history(RECORDED[0])
        )


def _history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json("incident", path.read_text())
