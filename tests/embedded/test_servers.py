"""The embedded Valkey and Temporal as processes: started, restarted, ended with whoever started them."""

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from bot.embedded.child import ServerFailed
from bot.embedded.folder import FolderTaken
from bot.embedded.servers import Endpoints, running
from bot.settings import Settings
from bot.stores.connection import StoreError, connect
from bot.stores.marks import RedisMarks
from bot.workflows import service
from tests.durable.home import until

PARENT = """
import asyncio, json, sys
from pathlib import Path
from bot.embedded.servers import running
from bot.settings import Settings

async def main():
    async with running(Settings(data_dir=Path(sys.argv[1]))) as found:
        print(json.dumps([each.pid for each in found.embedded]), flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_a_killed_locum_leaves_no_server_behind_and_the_next_one_starts_on_its_data(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2]
    )
    assert parent.stdout is not None
    async with asyncio.timeout(30):
        pids: list[int] = json.loads(await parent.stdout.readline())
    assert all(_lives(each) for each in pids)
    with pytest.raises(FolderTaken, match=f"another Locum \\(process {parent.pid}\\) runs on {tmp_path}"):
        async with running(Settings(data_dir=tmp_path)):
            pass
    parent.kill()
    await parent.wait()

    async def are_gone() -> bool:
        return not any(_lives(each) for each in pids)

    await until(are_gone, within_s=5)
    async with running(Settings(data_dir=tmp_path)) as again:
        assert len(again.embedded) == 2


async def test_a_server_that_dies_comes_back_with_its_data_and_callers_wait_for_it(tmp_path: Path) -> None:
    async with running(Settings(data_dir=tmp_path)) as found:
        store = connect(found.redis_url)
        marks = RedisMarks(store)
        await marks.put("thread", "1.2")
        client = await service.connect(found.temporal_address, namespace="locum", tls=False)
        workflows = service.Workflows(client, quiet_s=1, has_approvals=False)
        before = [each.pid for each in found.embedded]
        for pid in before:
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
        assert await marks.get("thread") == "1.2"
        await until(workflows.is_reachable)
        assert not set(before) & {each.pid for each in found.embedded}
        await store.aclose()
    assert not any(_lives(each.pid) for each in found.embedded if each.pid)


async def test_a_store_that_stays_away_is_an_error_of_our_own(tmp_path: Path) -> None:
    async with running(_only_valkey(tmp_path)) as found:
        store = connect(found.redis_url)
        marks = RedisMarks(store)
        await marks.put("thread", "1.2")
    with pytest.raises(StoreError, match="the store could not read a mark"):
        await marks.get("thread")
    async with running(_only_valkey(tmp_path)):
        assert await marks.get("thread") == "1.2"
        await store.aclose()


async def test_a_path_that_is_too_long_for_a_socket_gets_a_socket_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / ("a" * 60) / ("b" * 60)
    async with running(_only_valkey(folder)) as found:
        assert len(found.redis_url) < 107
        path = Path(found.redis_url.removeprefix("unix://"))
        assert folder not in path.parents
        assert await _pings(found)
        # Others of this machine must not be able to swap the socket.
        assert path.parent.stat().st_mode & 0o077 == 0
    path.parent.chmod(0o755)
    try:
        with pytest.raises(ServerFailed, match="shorter path"):
            async with running(_only_valkey(folder)):
                pass
    finally:
        shutil.rmtree(path.parent)


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "valkey" / "appendonlydir").mkdir(parents=True)
    (tmp_path / "valkey" / "appendonlydir" / "appendonly.aof.manifest").write_text("this is no manifest\n")
    with pytest.raises(ServerFailed, match=r"(?s)valkey ended at its start: .*manifest"):
        async with running(_only_valkey(tmp_path)):
            pass


async def test_services_of_the_settings_are_taken_and_nothing_is_started(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "redis": {"url": "redis://r:1"}, "temporal": {"address": "t:2"}}
    )
    async with running(settings) as found:
        assert found == Endpoints(redis_url="redis://r:1", temporal_address="t:2")
    assert not (tmp_path / "lock").exists()


def _only_valkey(folder: Path) -> Settings:
    return Settings.model_validate({"data_dir": folder, "temporal": {"address": "127.0.0.1:9"}})


async def _pings(found: Endpoints) -> bool:
    store = connect(found.redis_url)
    try:
        return bool(await store.ping())
    finally:
        await store.aclose()


def _lives(pid: int) -> bool:
    try:
        # A zombie is dead; its parent just did not look.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
