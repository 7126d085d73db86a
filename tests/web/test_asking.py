import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.case import SessionId
from bot.desk import SessionStatus
from tests.web.house import House, bearer
from tests.web.test_alerts_arrive import BODIES

TOKENS: dict[str, Any] = {
    "http": {
        "tokens": [
            {"principal": "ci", "token": "all", "scopes": ["diagnose", "status", "metrics"]},
            {"principal": "board", "token": "reads", "scopes": ["status"]},
            {"principal": "prometheus", "token": "scrapes", "scopes": ["metrics"]},
            {"principal": "nobody", "token": "", "scopes": ["diagnose"]},
        ]
    }
}
PROBLEM = {"problem": "checkout answers 502", "environment": "prod", "context": {"service": "checkout"}}
ALL = bearer("all")


@pytest.fixture
def house() -> House:
    return House(TOKENS)


@pytest.fixture
async def web(house: House) -> AsyncGenerator[httpx2.AsyncClient]:
    async with house.client as client:
        yield client


def status(**changes: Any) -> SessionStatus:
    plain: dict[str, Any] = {
        "session_id": SessionId("ses_1"), "status": "running", "phase": "looking", "progress": 0.4,
        "findings": ({"id": "fi_1"},), "diagnosis": None,
    }  # fmt: skip
    return SessionStatus(**(plain | changes))


async def test_a_question_is_taken_in_the_askers_name(house: House, web: httpx2.AsyncClient) -> None:
    reply = await web.post("/diagnose", json=PROBLEM, headers=ALL)
    assert reply.status_code == 202
    assert reply.json() == {"session_id": "ses_0", "status": "queued", "message": "taken"}
    (question,) = house.desk.asked.values()
    assert (question.text, question.asked_by, question.environment) == ("checkout answers 502", "ci", "prod")
    assert question.context == {"service": "checkout"}


async def test_the_same_key_of_the_same_principal_is_the_same_question(house: House, web: httpx2.AsyncClient) -> None:
    headers = {**ALL, "Idempotency-Key": "k1"}
    first, second = [(await web.post("/diagnose", json=PROBLEM, headers=headers)).json() for _ in range(2)]
    assert first["session_id"] == second["session_id"]
    assert second["message"] == "this request was taken before"
    # Without a key every request is a question of its own.
    for _ in range(2):
        await web.post("/diagnose", json=PROBLEM, headers=ALL)
    assert len(house.desk.asked) == 3


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_a_form_in_somebodys_browser_cannot_ask(kind: str, web: httpx2.AsyncClient) -> None:
    headers = {**ALL, "Content-Type": kind}
    reply = await web.post("/diagnose", content=json.dumps(PROBLEM), headers=headers)
    assert (reply.status_code, reply.json()) == (415, {"error": "send application/json"})


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "problem"), ({"problem": ""}, "problem"), ({"problem": 3}, "problem"),
        ({"problem": "x" * 10_001}, "problem"), ({"problem": "x", "contexts": {}}, "contexts"),
        ({"problem": "x", "context": {"a": 1}}, "context.a"),
        ({"problem": "x", "context": {str(n): "" for n in range(51)}}, "context"),
    ],
    ids=["missing", "empty", "number", "long", "unknown", "inner", "many"],
)  # fmt: skip
async def test_a_question_that_cannot_be_used_is_refused_with_the_place(
    body: dict[str, Any], place: str, web: httpx2.AsyncClient
) -> None:
    reply = await web.post("/diagnose", json=body, headers=ALL)
    assert reply.status_code == 422
    assert reply.json()["error"].startswith(f"{place}: ")


async def test_a_key_that_is_too_long_is_refused_in_the_same_form_as_all_else(web: httpx2.AsyncClient) -> None:
    reply = await web.post("/diagnose", json=PROBLEM, headers={**ALL, "Idempotency-Key": "k" * 201})
    assert reply.status_code == 422
    assert set(reply.json()) == {"error"}
    assert reply.json()["error"].startswith("header.idempotency-key: ")
    assert "kkk" not in reply.text


@settings(max_examples=150, deadline=None, derandomize=True)
@given(body=BODIES | st.text(max_size=20).map(lambda text: json.dumps({"problem": text}).encode()))
async def test_nothing_that_anyone_asks_breaks_the_surface(body: bytes) -> None:
    house = House(TOKENS)
    async with house.client as web:
        reply = await web.post("/diagnose", content=body, headers={**ALL, "Content-Type": "application/json"})
    assert reply.status_code in (202, 422)
    assert reply.status_code == 202 or set(reply.json()) == {"error"}


@pytest.mark.parametrize(
    ("method", "path", "who", "expected"),
    [
        ("POST", "/diagnose", "", 401), ("POST", "/diagnose", "wrong", 401), ("POST", "/diagnose", "reads", 401),
        ("GET", "/status/ses_1", "", 401), ("GET", "/status/ses_1", "scrapes", 401),
        ("GET", "/status/ses_1", "reads", 200), ("GET", "/status/ses_1/events", "", 401),
        ("GET", "/status/ses_1/events", "reads", 200), ("GET", "/metrics", "", 401), ("GET", "/metrics", "reads", 401),
        ("GET", "/metrics", "scrapes", 200), ("GET", "/health", "", 200),
    ],
)  # fmt: skip
async def test_a_token_opens_only_what_its_scopes_say(  # noqa: PLR0917 - parameters of pytest
    method: str, path: str, who: str, expected: int, house: House, web: httpx2.AsyncClient
) -> None:
    house.desk.statuses["ses_1"] = status()
    headers = bearer(who) if who else {"Authorization": "Bearer "}
    reply = await web.request(method, path, headers=headers, json=PROBLEM if method == "POST" else None)
    assert reply.status_code == expected
    if expected == 401:
        assert reply.json() == {"error": "unauthorized"}
        assert reply.headers["WWW-Authenticate"] == "Bearer"
        assert not house.desk.asked


@pytest.mark.parametrize(("host", "expected"), [("127.0.0.1", 200), ("::1", 200), ("0.0.0.0", 401), ("locum", 401)])
async def test_without_tokens_only_this_machine_is_let_in(host: str, expected: int) -> None:
    async with House({"http": {"host": host}}).client as web:
        assert (await web.get("/metrics")).status_code == expected


async def test_the_status_says_how_far_it_is_and_in_the_end_the_diagnosis(
    house: House, web: httpx2.AsyncClient
) -> None:
    assert (await web.get("/status/ses_1", headers=ALL)).status_code == 404
    house.desk.statuses["ses_1"] = status()
    assert (await web.get("/status/ses_1", headers=ALL)).json() == {
        "session_id": "ses_1", "status": "running", "phase": "looking", "progress": 0.4, "findings": [{"id": "fi_1"}],
    }  # fmt: skip
    house.desk.statuses["ses_1"] = status(status="done", diagnosis={"verdict": "failing"})
    assert (await web.get("/status/ses_1", headers=ALL)).json()["diagnosis"] == {"verdict": "failing"}


async def test_a_desk_that_is_closed_sends_the_asker_back(house: House, web: httpx2.AsyncClient) -> None:
    house.desk.is_closed = True
    for reply in (await web.post("/diagnose", json=PROBLEM, headers=ALL), await web.get("/status/a", headers=ALL)):
        assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
        assert reply.json() == {"error": "not available now, ask again"}


async def test_events_come_with_their_ids_until_it_is_done(house: House, web: httpx2.AsyncClient) -> None:
    house.desk.statuses["ses_1"] = status()
    house.desk.told = [(f"{n}-0", {"kind": "phase", "phase": each}) for n, each in enumerate(["looking", "done"])]
    reply = await web.get("/status/ses_1/events", headers=ALL)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert events(reply.text) == [
        {"id": "0-0", "event": "phase", "data": '{"kind": "phase", "phase": "looking"}'},
        {"id": "1-0", "event": "phase", "data": '{"kind": "phase", "phase": "done"}'},
    ]
    reply = await web.get("/status/ses_1/events", headers={**ALL, "Last-Event-ID": "0-0"})
    assert [each["id"] for each in events(reply.text)] == ["1-0"]


async def test_events_end_when_the_store_goes_away_so_that_the_reader_comes_back(
    house: House, web: httpx2.AsyncClient
) -> None:
    house.desk.statuses["ses_1"] = status()
    house.desk.told = [(f"{n}-0", {"kind": "phase"}) for n in range(3)]
    house.desk.breaks_after = 2
    reply = await web.get("/status/ses_1/events", headers=ALL)
    assert (reply.status_code, len(events(reply.text))) == (200, 2)


@pytest.mark.parametrize("last", ["x", "1-x", "-", "1-2-3", "$", "+"])
async def test_an_id_of_no_event_is_refused(last: str, house: House, web: httpx2.AsyncClient) -> None:
    house.desk.statuses["ses_1"] = status()
    assert (await web.get("/status/ses_1/events", headers={**ALL, "Last-Event-ID": last})).status_code == 422
    assert (await web.get("/status/none/events", headers=ALL)).status_code == 404


@pytest.mark.parametrize(("method", "path", "expected"), [("GET", "/", 404), ("GET", "/diagnose", 405)])
async def test_what_is_not_there_is_refused_in_the_same_form(
    method: str, path: str, expected: int, web: httpx2.AsyncClient
) -> None:
    reply = await web.request(method, path)
    assert reply.status_code == expected
    assert set(reply.json()) == {"error"}


def events(text: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        lines = [line.partition(": ") for line in block.splitlines() if line and not line.startswith(":")]
        if lines:
            found.append({name: value for name, _, value in lines})
    return found
