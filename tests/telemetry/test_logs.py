import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from bot.setting_groups import Telemetry
from bot.telemetry import logs

SECRET = "xoxb-1234567890-abcdefghijklmnop"


class Thing:
    def __repr__(self) -> str:
        return f"<Thing with {SECRET}>"


@pytest.fixture(autouse=True)
def only_here() -> Iterator[None]:
    root = logging.getLogger()
    kept, level = root.handlers[:], root.level
    yield
    root.handlers[:] = kept
    root.setLevel(level)
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_has_what_it_is_about_and_when(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Telemetry())
    with structlog.contextvars.bound_contextvars(incident_id="inc_1"):
        structlog.get_logger("locum.x").info("an incident opened", alerts=3)
        logging.getLogger("bot.slack.app").warning("it is so", extra={"kind": "mention", "why": "because"})
    ours, theirs = lines(capsys)
    assert ours.pop("timestamp").endswith("Z")
    assert ours == {"event": "an incident opened", "alerts": 3, "incident_id": "inc_1", "level": "info"}
    assert (theirs["event"], theirs["kind"], theirs["why"]) == ("it is so", "mention", "because")
    assert (theirs["incident_id"], theirs["level"]) == ("inc_1", "warning")


def test_no_secret_gets_into_a_line_however_it_comes(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Telemetry())
    log = structlog.get_logger("locum.x")
    log.info(SECRET, token=SECRET, nested={"a": [SECRET, (SECRET,)]}, thing=Thing())
    logging.getLogger("bot.x").warning("with %s", SECRET, extra={"given": {"token": SECRET}, "thing": Thing()})
    try:
        int(SECRET)
    except ValueError:
        log.exception("it failed")
        logging.getLogger("aiohttp").exception("it failed too")
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 4
    assert text.count("ValueError") >= 2
    assert SECRET not in text


def test_libraries_are_heard_only_when_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Telemetry(log_level="DEBUG"))
    for name in ("anthropic", "slack_bolt.AsyncApp", "pymongo.command", "kubernetes", "aiohttp.access", "temporalio"):
        logging.getLogger(name).debug("a prompt")
        logging.getLogger(name).info("a payload")
    logging.getLogger("aiohttp").warning("heard")
    logging.getLogger("bot.slack.app").debug("ours")
    assert [each["event"] for each in lines(capsys)] == ["heard", "ours"]


@pytest.mark.parametrize(("level", "heard"), [("DEBUG", 3), ("INFO", 2), ("WARNING", 1), ("ERROR", 0)])
def test_the_level_of_the_settings_holds_for_both_ways_to_log(
    level: Any, heard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(Telemetry(log_level=level))
    for log in (structlog.get_logger("locum.x"), logging.getLogger("agents.x")):
        log.debug("a")
        log.info("b")
        log.warning("c")
    assert len(lines(capsys)) == 2 * heard


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(Telemetry(log_format="text"))
    structlog.get_logger("locum.x").info("an incident opened", token=SECRET)
    text = capsys.readouterr().err
    assert "an incident opened" in text
    assert SECRET not in text
