import asyncio
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from bot.workspace.refusals import NotPossible
from bot.workspace.server import Workspace
from tests.slack import broken, client, connected, refusal

MODAL: dict[str, Any] = {
    "type": "modal",
    "callback_id": "ask",
    "title": {"type": "plain_text", "text": "Diagnose"},
    "submit": {"type": "plain_text", "text": "Go"},
    "private_metadata": "m",
    "blocks": [
        {
            "type": "input",
            "block_id": "symptom",
            "label": {"type": "plain_text", "text": "Symptom"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        },
        {
            "type": "input",
            "block_id": "window",
            "optional": True,
            "label": {"type": "plain_text", "text": "Window"},
            "element": {
                "type": "static_select",
                "action_id": "window",
                "options": [{"text": {"type": "plain_text", "text": "Last hour"}, "value": "1h"}],
            },
        },
    ],
}


def buttons(*, with_confirm: bool = False) -> list[dict[str, Any]]:
    button: dict[str, Any] = {
        "type": "button",
        "action_id": "approve",
        "text": {"type": "plain_text", "text": "Approve"},
        "value": "token",
    }
    if with_confirm:
        button["confirm"] = {
            "title": {"type": "plain_text", "text": "Sure?"},
            "text": {"type": "plain_text", "text": "It restarts cart."},
        }
    return [{"type": "actions", "block_id": "vote", "elements": [button]}]


async def post_to(url: str, body: dict[str, Any]) -> int:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        return answer.status


async def test_a_command_is_acked_and_answered_through_its_response_url(workspace: Workspace, app: Any) -> None:
    got: list[dict[str, Any]] = []

    @app.command("/diagnose")
    async def diagnose(ack: Any, respond: Any, command: dict[str, Any]) -> None:
        got.append(command)
        await ack("on it")
        await respond("found it", response_type="in_channel")

    async with connected(workspace, app):
        workspace.slash("ana", "alerts", "/diagnose cart is <slow>")
        await workspace.until(lambda: len(workspace.messages("alerts", user="ana")) == 2)

    assert got[0]["text"] == "cart is &lt;slow&gt;"
    assert got[0]["channel_name"] == "alerts"
    assert "thread_ts" not in got[0]
    seen = {one["text"]: one.get("is_ephemeral", False) for one in workspace.messages("alerts", user="ana")}
    assert seen == {"on it": True, "found it": False}
    assert [one["text"] for one in workspace.messages("alerts", user="ben")] == ["found it"]


async def test_commands_cannot_be_typed_in_threads_and_unknown_ones_not_at_all(workspace: Workspace) -> None:
    root = workspace.post("ana", "alerts", "root")
    with pytest.raises(NotPossible):
        workspace.slash("ana", "alerts", "/diagnose", thread_ts=root["ts"])
    with pytest.raises(NotPossible):
        workspace.slash("ana", "alerts", "/deploy")


async def test_a_command_that_nobody_acks_tells_the_person(workspace: Workspace, app: Any) -> None:
    @app.command("/diagnose")
    async def diagnose(ack: Any) -> None:
        await asyncio.sleep(0.5)
        await ack()

    async with connected(workspace, app):
        workspace.slash("ana", "alerts", "/diagnose")
        await workspace.until(lambda: workspace.deliveries()[0].attempts)
        await asyncio.sleep(0.05)
        await workspace.advance(4)
        await workspace.until(lambda: workspace.ephemerals("ana"))

    assert "operation_timeout" in workspace.ephemerals("ana")[0]["text"]
    assert broken(workspace) == ["/diagnose: not acked within 3 s"]
    assert len(workspace.deliveries()[0].attempts) == 1


async def test_a_response_url_works_five_times_and_for_thirty_minutes(workspace: Workspace) -> None:
    url = workspace.slash("ana", "alerts", "/diagnose x")["response_url"]
    assert [await post_to(url, {"text": "x"}) for _ in range(6)] == [200] * 5 + [404]
    late = workspace.slash("ana", "alerts", "/diagnose x")["response_url"]
    await workspace.advance(1801)
    assert await post_to(late, {"text": "x"}) == 404
    assert broken(workspace) == ["response_url: used_url", "response_url: expired_url"]


async def test_a_button_can_be_clicked_only_while_it_is_visible(workspace: Workspace, app: Any) -> None:
    got: list[dict[str, Any]] = []

    @app.action("approve")
    async def approve(ack: Any, body: dict[str, Any], respond: Any) -> None:
        await ack()
        got.append(body)
        await respond("approved by ana", replace_original=True)

    slack = client(workspace)
    await slack.chat_postMessage(channel=workspace.channel_id("alerts"), text="?", blocks=buttons(with_confirm=True))
    async with connected(workspace, app):
        assert workspace.click("ana", "approve", confirm=False) is None
        workspace.click("ana", "approve")
        await workspace.until(lambda: workspace.messages("alerts")[0]["text"] == "approved by ana")
        await workspace.settled()

    assert got[0]["actions"][0]["value"] == "token"
    assert got[0]["message"]["blocks"][0]["block_id"] == "vote"
    assert got[0]["container"]["is_ephemeral"] is False
    with pytest.raises(NotPossible):
        workspace.click("ana", "approve")


async def test_an_ephemerals_button_is_for_its_reader_and_its_click_carries_no_message(
    workspace: Workspace, app: Any
) -> None:
    got: list[dict[str, Any]] = []

    @app.action("approve")
    async def approve(ack: Any, body: dict[str, Any], respond: Any) -> None:
        await ack()
        got.append(body)
        await respond(delete_original=True)

    alerts = workspace.channel_id("alerts")
    await client(workspace).chat_postEphemeral(
        channel=alerts, user=workspace.user_id("ana"), text="?", blocks=buttons()
    )
    with pytest.raises(NotPossible):
        workspace.click("ben", "approve")
    async with connected(workspace, app):
        workspace.click("ana", "approve")
        await workspace.until(lambda: not workspace.ephemerals("ana"))
    assert "message" not in got[0]


async def test_a_modal_opens_shows_errors_and_closes_on_submit(workspace: Workspace, app: Any) -> None:
    got: list[dict[str, Any]] = []

    @app.command("/diagnose")
    async def diagnose(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await app.client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    @app.view("ask")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        values = view["state"]["values"]
        if len(values["symptom"]["text"]["value"]) < 3:
            await ack(response_action="errors", errors={"symptom": "say more"})
            return
        await ack()
        got.append(values)

    async with connected(workspace, app):
        workspace.slash("ana", "alerts", "/diagnose")
        await workspace.until(lambda: workspace.modal("ana"))
        with pytest.raises(NotPossible):
            workspace.submit("ana", {})
        workspace.submit("ana", {"text": "x"})
        await workspace.until(lambda: (workspace.modal("ana") or {})["errors"])
        assert (workspace.modal("ana") or {})["errors"] == {"symptom": "say more"}
        workspace.submit("ana", {"text": "cart is slow", "window": "1h"})
        await workspace.until(lambda: workspace.modal("ana") is None)

    assert got[0]["symptom"]["text"]["value"] == "cart is slow"
    assert got[0]["window"]["window"]["selected_option"]["value"] == "1h"


async def test_a_text_input_takes_as_much_as_the_app_said_and_3000_characters_at_most(
    workspace: Workspace, app: Any
) -> None:
    def asking(**lengths: int) -> dict[str, Any]:
        element = {"type": "plain_text_input", "action_id": "text", **lengths}
        return {**MODAL, "blocks": [{**MODAL["blocks"][0], "element": element}]}

    slack, got = client(workspace), list[str]()

    @app.view("ask")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        await ack()
        got.append(view["state"]["values"]["symptom"]["text"]["value"])

    @app.command("/diagnose")
    async def diagnose(ack: Any) -> None:
        await ack()

    async with connected(workspace, app):
        for lengths, refused, taken in (
            ({"min_length": 3, "max_length": 5}, ("xx", "x" * 6), "xxxxx"),
            ({}, ("x" * 3_001,), "x" * 3_000),
        ):
            trigger_id = workspace.slash("ana", "alerts", "/diagnose")["trigger_id"]
            await slack.views_open(trigger_id=trigger_id, view=asking(**lengths))
            for typed in refused:
                with pytest.raises(NotPossible, match="characters"):
                    workspace.submit("ana", {"text": typed})
            workspace.submit("ana", {"text": taken})
            await workspace.until(lambda: workspace.modal("ana") is None)
    assert got == ["xxxxx", "x" * 3_000]


async def test_an_answer_to_a_submission_may_change_the_modal_and_must_be_valid(workspace: Workspace, app: Any) -> None:
    answers: list[dict[str, Any]] = [
        {"response_action": "update", "view": {**MODAL, "title": {"type": "plain_text", "text": "Once more"}}},
        {"response_action": "update", "view": {**MODAL, "title": {"type": "plain_text", "text": "x" * 25}}},
        {"response_action": "errors", "errors": {"no_such_block": "?"}},
        {"response_action": "clear"},
    ]

    @app.view("ask")
    async def submitted(ack: Any) -> None:
        await ack(**answers.pop(0))

    @app.command("/diagnose")
    async def diagnose(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await app.client.views_open(trigger_id=body["trigger_id"], view=MODAL)

    titles: list[str] = []
    async with connected(workspace, app):
        workspace.slash("ana", "alerts", "/diagnose")
        await workspace.until(lambda: workspace.modal("ana"))
        while view := workspace.modal("ana"):
            titles.append(view["title"]["text"])
            workspace.submit("ana", {"text": "cart is slow"})
            await workspace.settled()
    assert titles == ["Diagnose", "Once more", "Once more", "Once more"]
    rules = broken(workspace)
    assert "title: 25 characters" in rules[0]
    assert "'no_such_block' is no input block" in rules[1]


async def test_a_trigger_opens_one_modal_within_three_seconds(workspace: Workspace) -> None:
    slack = client(workspace)

    async def error(trigger_id: str) -> str:
        return str((await refusal(slack.views_open(trigger_id=trigger_id, view=MODAL)))["error"])

    first = workspace.slash("ana", "alerts", "/diagnose")["trigger_id"]
    await slack.views_open(trigger_id=first, view=MODAL)
    assert await error(first) == "exchanged_trigger_id"
    late = workspace.slash("ben", "alerts", "/diagnose")["trigger_id"]
    await workspace.advance(3.5)
    assert await error(late) == "expired_trigger_id"
    assert await error("made-up") == "invalid_trigger_id"
    assert len(broken(workspace)) == 3


async def test_home_is_published_per_person_and_a_stale_hash_conflicts(workspace: Workspace, app: Any) -> None:
    home = {"type": "home", "blocks": buttons()}

    @app.event("app_home_opened")
    async def opened(event: dict[str, Any]) -> None:
        await app.client.views_publish(user_id=event["user"], view=home)

    @app.action("approve")
    async def approve(ack: Any) -> None:
        await ack()

    async with connected(workspace, app):
        workspace.open_home("ana")
        await workspace.until(lambda: workspace.home("ana"))
        payload = workspace.click("ana", "approve")
        await workspace.settled()

    assert payload
    assert payload["container"]["type"] == "view"
    assert workspace.home("ben") is None
    answer = await refusal(client(workspace).views_publish(user_id=workspace.user_id("ana"), view=home, hash="old"))
    assert answer["error"] == "hash_conflict"


async def test_a_message_shortcut_carries_the_message(workspace: Workspace, app: Any) -> None:
    got: list[dict[str, Any]] = []

    @app.shortcut("diagnose_message")
    async def shortcut(ack: Any, shortcut: dict[str, Any]) -> None:
        await ack()
        got.append(shortcut)

    fired = workspace.alert("Grafana", "alerts", "[FIRING] HighLatency", attachments=[{"text": "cart"}])
    async with connected(workspace, app):
        workspace.shortcut("ana", "diagnose_message", "alerts", fired["ts"])
        await workspace.until(lambda: got)
    assert got[0]["message"]["attachments"] == [{"text": "cart"}]
    assert got[0]["message_ts"] == fired["ts"]


async def test_feedback_and_menus_send_what_was_chosen(workspace: Workspace, app: Any) -> None:
    got: list[dict[str, Any]] = []

    @app.action("feedback")
    @app.action("owner")
    async def chosen(ack: Any, action: dict[str, Any]) -> None:
        await ack()
        got.append(action)

    def button(text: str) -> dict[str, Any]:
        return {"text": {"type": "plain_text", "text": text}, "value": text.lower()}

    blocks: list[dict[str, Any]] = [
        {
            "type": "context_actions",
            "elements": [
                {
                    "type": "feedback_buttons",
                    "action_id": "feedback",
                    "positive_button": button("Good"),
                    "negative_button": button("Bad"),
                }
            ],
        },
        {"type": "actions", "elements": [{"type": "users_select", "action_id": "owner"}]},
    ]
    await client(workspace).chat_postMessage(channel=workspace.channel_id("alerts"), text="?", blocks=blocks)
    async with connected(workspace, app):
        workspace.click("ana", "feedback", value="negative")
        workspace.select("ana", "owner", workspace.user_id("ben"))
        await workspace.until(lambda: len(got) == 2)
    by_id = {one["action_id"]: one for one in got}
    assert by_id["feedback"]["value"] == "bad"
    assert by_id["owner"]["selected_user"] == workspace.user_id("ben")


async def test_a_user_of_another_company_clicks_with_their_own_team(workspace: Workspace, app: Any) -> None:
    workspace.add_person("vera", is_grid=True, team_id="T0OTHER")
    workspace.invite("alerts", "vera")
    workspace.share("alerts")

    @app.action("approve")
    async def approve(ack: Any) -> None:
        await ack()

    await client(workspace).chat_postMessage(channel=workspace.channel_id("alerts"), text="?", blocks=buttons())
    async with connected(workspace, app):
        payload = workspace.click("vera", "approve")
        await workspace.settled()
    assert payload
    assert payload["user"]["id"].startswith("W")
    assert payload["user"]["team_id"] == "T0OTHER" != payload["team"]["id"]


async def test_modals_stack_three_deep_and_closing_tells_the_app(workspace: Workspace, app: Any) -> None:
    got: list[dict[str, Any]] = []

    @app.view_closed("ask")
    async def closed(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        got.append(body)

    @app.action("more")
    @app.shortcut("diagnose_message")
    async def more(ack: Any) -> None:
        await ack()

    @app.event("message")
    async def message() -> None: ...

    slack = client(workspace)
    button = {"type": "button", "action_id": "more", "text": {"type": "plain_text", "text": "More"}}
    view = {
        **MODAL,
        "notify_on_close": True,
        "blocks": [{"type": "actions", "elements": [button]}],
    }
    async with connected(workspace, app):
        opened = await slack.views_open(
            trigger_id=workspace.shortcut(
                "ana", "diagnose_message", "alerts", workspace.post("ana", "alerts", "x")["ts"]
            )["trigger_id"],
            view=view,
        )
        pushed = [await _push(workspace, view) for _ in range(3)]
        assert pushed == ["", "", "push_limit_reached"]
        stale = slack.views_update(view_id=opened["view"]["id"], hash="stale", view=view)
        assert (await refusal(stale))["error"] == "hash_conflict"
        workspace.close("ana")
        await workspace.until(lambda: got)
    assert got[0]["is_cleared"]
    assert workspace.modal("ana") is None
    assert broken(workspace) == ["views.push: push_limit_reached"]


async def _push(workspace: Workspace, view: dict[str, Any]) -> str:
    click = workspace.click("ana", "more")
    assert click
    try:
        await client(workspace).views_push(trigger_id=click["trigger_id"], view=view)
    except SlackApiError as error:
        return str(vars(error)["response"]["error"])
    return ""


async def test_what_breaks_the_limits_is_refused_through_a_response_url_too(workspace: Workspace) -> None:
    url = workspace.slash("ana", "alerts", "/diagnose x")["response_url"]
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]
    assert await post_to(url, {"text": "x", "blocks": blocks}) == 404
    assert workspace.ephemerals("ana") == []
    assert broken(workspace) == ["response_url: invalid_blocks blocks[0].text: 151 characters, at most 150"]


async def test_events_from_a_shared_channel_say_so(workspace: Workspace) -> None:
    workspace.share("alerts")
    workspace.post("ana", "alerts", "x")
    assert workspace.deliveries("message")[0].payload["is_ext_shared_channel"] is True
