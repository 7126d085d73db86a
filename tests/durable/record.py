"""Records the histories that `test_replay` replays: `python -m tests.durable.record`, after a wanted change.

A history that the changed workflow cannot replay belongs to incidents that are open while Locum is updated: keep the
old ones beside the new, and let the workflow branch with `workflow.patched`.
"""

import asyncio
import base64
import binascii
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from temporalio.client import Client

from bot.embedded.servers import running
from bot.settings import Settings
from tests.durable.scenes import SCENES

ROOT = Path(__file__).parents[2]
HISTORIES = Path(__file__).parent / "histories"


async def record(folder: Path) -> None:
    """Plays every scene and keeps the history of each run of its workflow."""
    async with running(Settings(data_dir=folder)) as endpoints:
        client = await Client.connect(endpoints.temporal_address, namespace="locum")
        for name, scene in SCENES.items():
            incident_id = await scene(endpoints)
            for number, text in enumerate(await runs(client, incident_id)):
                (HISTORIES / f"{name}.{number}.json").write_text(text + "\n")


async def runs(client: Client, incident_id: str) -> list[str]:
    """The histories of all runs, oldest first, without the names and paths of this machine."""
    found: list[tuple[Any, str]] = []
    async for each in client.list_workflows(f"WorkflowId = '{incident_id}'"):
        history = await client.get_workflow_handle(incident_id, run_id=each.run_id).fetch_history()
        text = history.to_json().replace(f"{os.getpid()}@{socket.gethostname()}", "locum").replace(f"{ROOT}/", "")
        found.append((each.start_time, json.dumps(json.loads(text), indent=1)))
    return [text for _, text in sorted(found)]


def words(history: str) -> str:
    """Everything that stands in a history, payloads decoded."""
    return "\n".join(_texts(json.loads(history)))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(key)
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _texts(each)
    elif isinstance(value, str):
        yield value
        try:
            yield base64.b64decode(value, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return


if __name__ == "__main__":
    HISTORIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        asyncio.run(record(Path(data)))
