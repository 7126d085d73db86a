"""The whole process over HTTP mode: Slack posts signed requests, Locum answers in the thread."""

from pathlib import Path

from pydantic import SecretStr

from bot.demo.show import INCIDENTS
from bot.running import running
from bot.setting_groups import Http, Slack, Telemetry
from bot.settings import Settings
from bot.slack.checking import SCOPES
from bot.slack.http import PATH
from bot.workspace.manifest import Manifest
from bot.workspace.server import serve


async def test_a_question_over_signed_http_gets_its_conclusion(tmp_path: Path) -> None:
    async with serve(manifest=Manifest(scopes=SCOPES, shortcuts=())) as workspace:
        settings = Settings(
            data_dir=tmp_path,
            snapshot=INCIDENTS,
            telemetry=Telemetry(log_level="ERROR"),
            http=Http(port=0),
            slack=Slack(
                bot_token=SecretStr(workspace.bot_token),
                signing_secret=SecretStr(workspace.signing_secret),
                api_url=workspace.api_url,
                mode="http",
            ),
        )
        async with running(settings, ("bot", "worker")) as locum:
            await workspace.call_back(f"{locum.url}{PATH}")
            workspace.slash("ana", "alerts", "/diagnose", "why does checkout fail for customers")

            def concluded() -> bool:
                return any(
                    reply.get("metadata", {}).get("event_type") == "locum_conclusion"
                    for root in workspace.messages("alerts")
                    for reply in workspace.thread("alerts", root["ts"])
                )

            await workspace.until(concluded, timeout_s=40)
        assert workspace.violations == []
