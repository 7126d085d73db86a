from typing import Any

import aiohttp
import pytest

from bot.workspace.control import QUESTIONS, VERBS
from bot.workspace.server import Workspace
from tests.slack import client, connected


class Remote:
    """Another process that moves the workspace over HTTP."""

    def __init__(self, workspace: Workspace) -> None:
        self._url = workspace.url

    async def do(self, verb: str, **arguments: Any) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self._url}/control/{verb}", json=arguments) as answer,
        ):
            return await answer.json()

    async def ask(self, question: str, **arguments: str) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._url}/control/{question}", params=arguments) as answer,
        ):
            return (await answer.json())["result"]


def test_every_verb_and_question_is_one_of_the_workspace() -> None:
    assert [name for name in (*VERBS, *QUESTIONS) if not hasattr(Workspace, name)] == []


async def test_another_process_moves_people_time_and_faults(workspace: Workspace, app: Any) -> None:
    @app.event("message")
    async def message(event: dict[str, Any], say: Any) -> None:
        await say("seen", thread_ts=event["ts"])

    remote = Remote(workspace)
    async with connected(workspace, app):
        posted = (await remote.do("post", user="ana", channel="alerts", text="cart is slow"))["result"]
        await workspace.until(lambda: len(workspace.thread("alerts", posted["ts"])) == 2)
        await workspace.settled()
    assert (await remote.do("advance", seconds=5))["ok"]
    thread = await remote.ask("thread", channel="alerts", thread_ts=posted["ts"], user="ben")
    assert [one["text"] for one in thread] == ["cart is slow", "seen"]
    calls = await remote.ask("calls", method="chat.postMessage")
    assert calls[0]["body"]["text"] == "seen"
    deliveries = await remote.ask("deliveries", name="message")
    assert deliveries[0]["attempts"][0]["outcome"] == "acked"
    assert deliveries[0]["attempts"][0]["ack_s"] < 1
    assert await remote.ask("violations") == []


async def test_what_a_person_cannot_do_is_a_400_with_the_reason(workspace: Workspace) -> None:
    remote = Remote(workspace)
    assert await remote.do("post", user="gus", channel="alerts", text="hi") == {
        "ok": False,
        "error": "gus is not in alerts",
    }
    assert not (await remote.do("click", user="ana", action_id="nothing"))["ok"]
    assert not (await remote.do("post", user="ana"))["ok"]
    assert not (await remote.do("close_everything"))["ok"]


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}])
async def test_another_site_cannot_reach_the_workspace(workspace: Workspace, headers: dict[str, str]) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{workspace.url}/control/messages?channel=alerts", headers=headers) as answer:
            assert answer.status == 403
        async with session.post(f"{workspace.url}/control/reload", data='{"user": "ana"}') as answer:
            assert answer.status == 404


async def test_permalinks_lead_to_the_page(workspace: Workspace) -> None:
    slack, root = client(workspace), workspace.post("ana", "alerts", "root")
    reply = await slack.chat_postMessage(channel=root["channel"], thread_ts=root["ts"], text="reply")
    link = (await slack.chat_getPermalink(channel=root["channel"], message_ts=reply["ts"]))["permalink"]
    async with aiohttp.ClientSession() as session, session.get(link) as answer:
        assert answer.status == 200
        assert str(answer.url) == f"{workspace.url}/?channel=alerts&thread={root['ts']}"
