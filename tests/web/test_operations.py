import re
from pathlib import Path

import pytest
from whenever import Instant

from bot.connectors import Connector, Health
from bot.settings import Settings
from bot.web.app import create_app
from tests.web.house import Box, Counter, House, Sources, bearer
from tests.web.test_asking import TOKENS

AT = Instant.from_utc(2026, 1, 1)
ROOT = Path(__file__).parents[2]


def connector(name: str, health: Health) -> Connector:
    return Connector(name=name, health=health, detail="http://prometheus.internal answers", checked_at=AT)


@pytest.mark.parametrize(
    ("healths", "status", "word"),
    [
        ((), 200, "ok"),
        ((Health.OK, Health.OFF), 200, "ok"),
        ((Health.OK, Health.FAILED), 503, "failed"),
    ],
    ids=["none", "off", "failed"],
)
async def test_locum_is_ill_when_something_it_was_given_does_not_answer(
    healths: tuple[Health, ...], status: int, word: str
) -> None:
    house = House({})
    house.sources.found = tuple(connector(f"c{number}", each) for number, each in enumerate(healths))
    async with house.client as web:
        reply = await web.get("/health")
    assert (reply.status_code, reply.json()["status"]) == (status, word)
    assert [each["health"] for each in reply.json()["connectors"]] == [str(each) for each in healths]


@pytest.mark.parametrize(("who", "sees"), [("", False), ("wrong", False), ("scrapes", True), ("all", True)])
async def test_strangers_see_the_states_of_connectors_and_not_what_they_said(who: str, sees: bool) -> None:
    house = House(TOKENS)
    house.sources.found = (connector("prometheus", Health.OK),)
    async with house.client as web:
        (shown,) = (await web.get("/health", headers=bearer(who) if who else {})).json()["connectors"]
    assert (shown["name"], shown["health"]) == ("prometheus", "ok")
    assert ("detail" in shown) == sees
    assert set(shown) == {"name", "health"} | ({"detail", "checked_at"} if sees else set())


async def test_figures_are_in_prometheus_text_format() -> None:
    async with House({}).client as web:
        reply = await web.get("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    for name in ("locum_alerts_received_total", "locum_session_seconds_bucket", "locum_model_usd_total"):
        assert name in reply.text


def test_the_documented_endpoints_are_those_of_the_application() -> None:
    app = create_app(Settings(), inbox=Box(), desk=Counter(), gate=None, healths=Sources())
    served = {f"{method.upper()} {path}" for path, ways in app.openapi()["paths"].items() for method in ways}
    text = (ROOT / "docs/http.md").read_text()
    assert set(re.findall(r"^## `([A-Z]+ /[^`]*)`", text, re.MULTILINE)) == served
    assert len(served) == 7


def test_the_document_names_every_scope() -> None:
    text = (ROOT / "docs/http.md").read_text()
    for scope in ("diagnose", "status", "metrics"):
        assert f"`{scope}`" in text
