from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, async_playwright

from bot.slack.limit_tables import BLOCKS
from bot.workspace.page.blocks import Blocks
from bot.workspace.page.mrkdwn import markdown, mrkdwn
from bot.workspace.server import Workspace
from tests.servers import need
from tests.slack import client, connected


@pytest.fixture
async def browser() -> AsyncGenerator[Page]:
    chromium = need("chromium", "chromium")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=chromium, args=flags)
        page = await running.new_page()
        page.set_default_timeout(5_000)
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        await running.close()
        assert errors == []


async def fetch(workspace: Workspace, path: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{workspace.url}{path}") as answer:
        assert answer.status == 200
        return await answer.text()


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*bold* _it_ ~no~ `a*b*c`", "<b>bold</b> <i>it</i> <s>no</s> <code>a*b*c</code>"),
        ("snake_case_name 2*3*4", "snake_case_name 2*3*4"),
        ("a &lt;b&gt; &amp; c", "a &lt;b&gt; &amp; c"),
        ("```<script>```", "<pre><code>&lt;script&gt;</code></pre>"),
        ("<javascript:alert(1)|go>", "<span>go</span>"),
        ("<@U0NOBODY> <!here>", '<span class="mention">@U0NOBODY</span> <span class="mention">@here</span>'),
        (":red_circle: :no_such:", "🔴 :no_such:"),
        ("one\n&gt; two", "one<br><blockquote>two</blockquote>"),
        ("<!date^never^{date}|then>", "<span>then</span>"),
    ],
)
async def test_mrkdwn_is_drawn_and_never_becomes_a_tag(workspace: Workspace, text: str, html: str) -> None:
    assert mrkdwn(workspace.team, text) == html


async def test_links_open_elsewhere_and_mentions_have_names(workspace: Workspace) -> None:
    ana = workspace.user_id("ana")
    assert mrkdwn(workspace.team, f"<@{ana}>") == '<span class="mention">@Ana</span>'
    link = '<a href="https://x.io/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">see</a>'
    assert mrkdwn(workspace.team, "<https://x.io/?a=1&amp;b=2|see>") == link


def test_markdown_keeps_html_and_images_out() -> None:
    drawn = markdown("**b** <img src=x onerror=alert(1)> ![x](https://e.io/x.png) [y](javascript:alert(1))")
    assert "<strong>b</strong>" in drawn
    assert "<img" not in drawn
    assert "href" not in drawn.replace("https://e.io/x.png", "").replace('<a href="">', "")


async def test_hostile_text_stays_text_everywhere(workspace: Workspace) -> None:
    evil = '"><script>alert(1)</script>'
    root = workspace.post("ana", "alerts", evil)
    workspace.alert(evil, "alerts", evil, attachments=[{"title": evil, "title_link": "javascript:x", "text": evil}])
    text = {"type": "plain_text", "text": evil[:20]}
    blocks = [
        {"type": "actions", "elements": [{"type": "button", "text": text, "action_id": evil, "value": evil}]},
        {"type": "table", "rows": [[{"type": "raw_text", "text": evil}]]},
        {"type": "image", "image_url": "https://e.io/x.png", "alt_text": evil},
    ]
    await client(workspace).chat_postMessage(channel=root["channel"], thread_ts=root["ts"], text=evil, blocks=blocks)
    page = await fetch(workspace, f"/?channel=alerts&thread={root['ts']}")
    assert page.count("<script") == 1
    assert "javascript:x" not in page
    assert 'https://e.io/x.png"><' not in page


async def test_an_unknown_block_is_an_error_on_the_page(workspace: Workspace) -> None:
    assert "unknown block type &#x27;poem&#x27;" in Blocks(workspace.team).draw([{"type": "poem"}])


SAMPLES: list[dict[str, Any]] = [
    {
        "type": "section",
        "text": {"type": "mrkdwn", "text": "words"},
        "fields": [{"type": "plain_text", "text": "words"}],
    },
    {"type": "header", "text": {"type": "plain_text", "text": "words"}},
    {"type": "divider"},
    {"type": "context", "elements": [{"type": "mrkdwn", "text": "words"}]},
    {"type": "actions", "elements": [{"type": "users_select", "action_id": "words"}]},
    {"type": "image", "image_url": "https://e.io/x.png", "alt_text": "words"},
    {
        "type": "input",
        "label": {"type": "plain_text", "text": "words"},
        "element": {"type": "plain_text_input", "action_id": "a"},
    },
    {"type": "markdown", "text": "words"},
    {
        "type": "rich_text",
        "elements": [
            {"type": kind, "elements": [{"type": "text", "text": "words", "style": {"bold": True}}]}
            for kind in ("rich_text_section", "rich_text_preformatted", "rich_text_quote")
        ],
    },
    {"type": "alert", "text": {"type": "plain_text", "text": "words"}, "level": "warning"},
    {"type": "container", "title": {"type": "plain_text", "text": "words"}, "child_blocks": [{"type": "divider"}]},
    {"type": "plan", "title": "words", "tasks": [{"task_id": "1", "title": "words", "status": "in_progress"}]},
    {"type": "task_card", "task_id": "1", "title": "words", "status": "complete"},
    {"type": "table", "rows": [[{"type": "raw_text", "text": "words"}]]},
    {"type": "data_table", "caption": "words", "rows": [[{"type": "raw_text", "text": "words"}]]},
    {
        "type": "data_visualization",
        "title": "words",
        "chart": {
            "type": "bar",
            "series": [{"name": "one", "data": [{"label": "a", "value": 1}]}],
            "axis_config": {"categories": ["a"]},
        },
    },
    {
        "type": "context_actions",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "a",
                "positive_button": {"text": {"type": "plain_text", "text": "words"}, "value": "1"},
                "negative_button": {"text": {"type": "plain_text", "text": "no"}, "value": "0"},
            }
        ],
    },
]


async def test_every_block_that_passes_the_validator_is_drawn(workspace: Workspace) -> None:
    assert {sample["type"] for sample in SAMPLES} == set(BLOCKS)
    for sample in SAMPLES:
        drawn = Blocks(workspace.team).draw([sample])
        assert "unknown" not in drawn
        assert "words" in drawn or sample["type"] == "divider"


async def test_a_person_sees_their_own_ephemerals_and_their_own_channels(workspace: Workspace) -> None:
    workspace.create_channel("secret", is_private=True, members=["ana"])
    alerts = workspace.channel_id("alerts")
    await client(workspace).chat_postEphemeral(channel=alerts, user=workspace.user_id("ana"), text="psst")
    ana, ben = await fetch(workspace, "/?as=ana&channel=alerts"), await fetch(workspace, "/?as=ben&channel=alerts")
    assert ("psst" in ana, "psst" in ben) == (True, False)
    assert ("secret" in ana, "secret" in ben) == (True, False)


async def test_files_prompts_and_home_are_on_the_page(workspace: Workspace) -> None:
    slack, alerts = client(workspace), workspace.channel_id("alerts")
    await slack.files_upload_v2(content="GIF89a", filename="load.gif", title="Load", channel=alerts)
    await slack.files_upload_v2(content="<b>log</b>", filename="log.html", channel=alerts)
    page = await fetch(workspace, "/?as=ana&channel=alerts")
    picture, log = (one["url_private"].removeprefix(workspace.url) for one in workspace.files())
    assert f'<img src="{picture}" alt="Load"' in page
    async with aiohttp.ClientSession() as session:
        async with session.get(workspace.url + picture) as answer:
            assert answer.content_type == "image/gif"
        async with session.get(workspace.url + log) as answer:
            assert answer.content_type == "text/plain"
            assert answer.headers["Content-Disposition"] == "attachment"

    direct = workspace.post("ana", "dm", "hello")["channel"]
    prompts = [{"title": "Check cart", "message": "is cart healthy?"}]
    await slack.assistant_threads_setSuggestedPrompts(channel_id=direct, prompts=prompts)
    home = {"type": "home", "blocks": [{"type": "header", "text": {"type": "plain_text", "text": "Open incidents"}}]}
    await slack.views_publish(user_id=workspace.user_id("ana"), view=home)
    assert "Check cart" in await fetch(workspace, "/?as=ana&channel=dm")
    assert "Open incidents" in await fetch(workspace, "/?as=ana&channel=dm&tab=home")


async def test_the_page_follows_a_stream_and_shows_stop_while_it_runs(
    workspace: Workspace, app: Any, browser: Page
) -> None:
    stopped: list[str] = []

    @app.event("agent_session_stopped")
    async def stop(event: dict[str, Any]) -> None:
        stopped.append(event["user"])

    @app.event("app_home_opened")
    @app.event("message")
    async def other() -> None: ...

    slack, root = client(workspace), workspace.post("ana", "dm", "is cart healthy?")
    async with connected(workspace, app):
        await browser.goto(f"{workspace.url}/?as=ana&channel=dm&thread={root['ts']}")
        where = {"channel": root["channel"], "thread_ts": root["ts"]}
        stream = await slack.chat_startStream(**where, markdown_text="Looking at **cart**")
        await browser.wait_for_selector("aside strong:text('cart')")
        chunk = {"type": "task_update", "id": "1", "title": "kubernetes.objects", "status": "in_progress"}
        await slack.chat_appendStream(channel=root["channel"], ts=stream["ts"], chunks=[chunk])
        await browser.wait_for_selector(".status.in_progress")
        await browser.click("text=Stop")
        await workspace.until(lambda: stopped)
        await browser.wait_for_selector(".caret", state="detached")
        await workspace.settled()
    assert stopped == [workspace.user_id("ana")]


async def test_a_whole_conversation_in_the_browser(workspace: Workspace, app: Any, browser: Page) -> None:
    view = {
        "type": "modal",
        "callback_id": "ask",
        "title": {"type": "plain_text", "text": "Diagnose"},
        "submit": {"type": "plain_text", "text": "Go"},
        "blocks": [
            {
                "type": "input",
                "block_id": "what",
                "label": {"type": "plain_text", "text": "What is wrong?"},
                "element": {"type": "plain_text_input", "action_id": "what"},
            }
        ],
    }
    confirm = {
        "title": {"type": "plain_text", "text": "Sure?"},
        "text": {"type": "plain_text", "text": "It restarts cart."},
        "confirm": {"type": "plain_text", "text": "Restart"},
    }
    approve = {"type": "button", "action_id": "approve", "text": {"type": "plain_text", "text": "Approve"}}
    card = [{"type": "actions", "elements": [approve | {"confirm": confirm}]}]

    @app.command("/diagnose")
    async def diagnose(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await app.client.views_open(trigger_id=body["trigger_id"], view=view)

    @app.view("ask")
    async def submitted(ack: Any, view: dict[str, Any]) -> None:
        await ack()
        wrong = view["state"]["values"]["what"]["what"]["value"]
        await app.client.chat_postMessage(channel=workspace.channel_id("alerts"), text=wrong, blocks=card)

    @app.action("approve")
    async def approved(ack: Any, respond: Any) -> None:
        await ack()
        await respond("approved by ana", replace_original=True)

    async with connected(workspace, app):
        await browser.goto(f"{workspace.url}/?as=ana&channel=alerts")
        await browser.fill("main textarea", "/diagnose")
        await browser.keyboard.press("Enter")
        await browser.fill("#modal input", "cart is slow")
        await browser.click("#modal .primary")
        await browser.click("text=Approve")
        await browser.click("#confirm .primary")
        await browser.wait_for_selector("text=approved by ana")
        await browser.wait_for_selector("#modal:empty", state="attached")
        await workspace.settled()
