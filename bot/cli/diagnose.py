"""`locum diagnose`: one investigation in the terminal, live or from a snapshot."""

import asyncio
import contextlib
import sys
from pathlib import Path

import orjson

from agents.diagnosis import Diagnosis
from agents.specialist import SpecialistError
from bot.cli.outcome import BadInput, settings

LONGEST_QUESTION = 4_000


def run(question: str, *, snapshot: Path | None, output: str) -> None:
    """Prints the diagnosis; with `json` one object and nothing else."""
    if len(question) > LONGEST_QUESTION:
        raise BadInput(f"the question has {len(question)} characters; at most {LONGEST_QUESTION} are read")
    if not question.strip() and snapshot is None:
        raise BadInput('say what is wrong: locum diagnose "checkout answers 502"')
    # Whatever a library prints on the way must not stand in the answer.
    with contextlib.redirect_stdout(sys.stderr):
        diagnosis = asyncio.run(_diagnose(question, snapshot))
    if output == "json":
        sys.stdout.buffer.write(orjson.dumps(diagnosis.to_json()) + b"\n")
    else:
        from bot.cli.text import render

        sys.stdout.write(render(diagnosis))
    sys.stdout.flush()


async def _diagnose(question: str, snapshot: Path | None) -> Diagnosis:
    from bot.terminal import diagnose
    from bot.wiring import ConnectorError
    from tools.snapshot.opening import SnapshotError

    current = settings()
    if snapshot is not None:
        current = current.model_copy(update={"snapshot": snapshot})
    try:
        return await diagnose(question, current)
    except (SnapshotError, SpecialistError, ConnectorError) as error:
        raise BadInput(str(error)) from error
