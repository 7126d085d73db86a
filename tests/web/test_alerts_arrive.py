import base64
import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.alerts import sources
from tests.web.house import Box, House

GOOD = {"Authorization": "Bearer new-secret"}
ALERT = {"name": "Disk full", "labels": {"host": "db-1"}}

BY_TOKEN = sorted(set(sources()) - {"cloudwatch"})


ALERTS: dict[str, Any] = {
    "generic": {"tokens": ["old-secret", "new-secret"], "username": "am", "passwords": ["old-word", "new:word"]},
    "max_body_bytes": 2000,
}


@pytest.fixture
def house() -> House:
    return House({"alerts": ALERTS})


@pytest.fixture
def box(house: House) -> Box:
    return house.box


@pytest.fixture
async def web(house: House) -> AsyncGenerator[httpx2.AsyncClient]:
    async with house.client as client:
        yield client


async def test_a_batch_is_taken_although_one_alert_is_broken(web: httpx2.AsyncClient, box: Box) -> None:
    reply = await web.post("/alerts/generic", json={"alerts": [ALERT, {"name": 3}]}, headers=GOOD)
    assert reply.status_code == 202
    assert reply.json()["accepted"] == 1
    assert "alerts.1" in reply.json()["rejected"][0]
    assert len(box.unreadable) == 1


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Bearer ", "Basic !!!", "Bearer new-secret2"])
async def test_without_the_secret_nothing_is_parsed(header: str, web: httpx2.AsyncClient, box: Box) -> None:
    reply = await web.post("/alerts/generic", content=b"{", headers={"Authorization": header})
    assert (reply.status_code, reply.json()) == (401, {"error": "unauthorized"})
    assert not box.unreadable


async def test_a_source_without_a_secret_is_not_there(web: httpx2.AsyncClient) -> None:
    assert (await web.post("/alerts/alertmanager", json={}, headers=GOOD)).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"\xff", b"[" * 1500, b'{"name": NaN}', b'{"name": "a", "name": "b"}', b'{"name": ' + b"9" * 900 + b"}", b"[]",
        b"", b'{"name": "\\ud800"}',
        b'{"alerts": 3}', b'{"name": "x", "labels": {"a": 1e999}}', b'{"name": "x", "starts_at": "yesterday"}',
    ],
    ids=["utf8", "deep", "nan", "twice", "huge", "list", "empty", "surrogate", "shape", "infinite", "time"],
)  # fmt: skip
async def test_what_cannot_be_read_is_refused_with_the_reason_and_kept(
    body: bytes, web: httpx2.AsyncClient, box: Box
) -> None:
    reply = await web.post("/alerts/generic", content=body, headers=GOOD)
    assert reply.status_code == 422
    assert reply.json()["error"]
    assert "Traceback" not in reply.text
    assert box.unreadable == [body]
    assert not box.taken


async def test_a_body_that_does_not_say_its_length_is_cut_off(web: httpx2.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncGenerator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b" " * 100

    reply = await web.post("/alerts/generic", content=endless(), headers=GOOD)
    assert (reply.status_code, reply.json()) == (413, {"error": "the body is larger than 2000 bytes"})
    assert sent <= 22


async def test_a_body_that_says_that_it_is_too_long_is_not_read(web: httpx2.AsyncClient) -> None:
    sent = 0

    async def body() -> AsyncGenerator[bytes]:
        nonlocal sent
        sent += 1
        yield b" " * 2001

    reply = await web.post("/alerts/generic", content=body(), headers={**GOOD, "Content-Length": "2001"})
    assert (reply.status_code, sent) == (413, 0)


async def test_a_store_that_is_away_sends_the_sender_back(web: httpx2.AsyncClient, box: Box) -> None:
    box.is_away = True
    reply = await web.post("/alerts/generic", content=json.dumps(ALERT), headers=GOOD)
    assert reply.status_code == 503
    assert reply.headers["Retry-After"]
    assert "away" not in reply.text


async def test_an_inbox_that_is_full_sends_the_sender_back(web: httpx2.AsyncClient, box: Box) -> None:
    box.is_full = True
    assert (await web.post("/alerts/generic", json=ALERT, headers=GOOD)).status_code == 503


async def test_what_cannot_be_read_is_refused_also_when_it_cannot_be_kept(web: httpx2.AsyncClient, box: Box) -> None:
    box.is_away = True
    assert (await web.post("/alerts/generic", content=b"{", headers=GOOD)).status_code == 422


@pytest.mark.parametrize("header", [f"Bearer {each}" for each in ("old-secret", "new-secret")])
async def test_both_tokens_work_while_one_takes_the_others_place(header: str, web: httpx2.AsyncClient) -> None:
    reply = await web.post("/alerts/generic", json=ALERT, headers={"Authorization": header})
    assert (reply.status_code, reply.json()) == (202, {"accepted": 1, "rejected": [], "truncated": 0})


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (b"am:old-word", 202), (b"am:new:word", 202), (b"am:wrong", 401), (b"me:old-word", 401), (b"am:", 401),
        (b":old-word", 401), (b"old-word", 401), (b"\xff:\xff", 401),
    ],
    ids=repr,
)  # fmt: skip
async def test_basic_auth_takes_the_user_with_one_of_two_passwords(
    words: bytes, status: int, web: httpx2.AsyncClient
) -> None:
    header = f"Basic {base64.b64encode(words).decode()}"
    assert (await web.post("/alerts/generic", json=ALERT, headers={"Authorization": header})).status_code == status


@pytest.mark.parametrize("header", [b"Basic \xe9\xe9", b"Bearer \xff", b"\xff", b"Basic"])
async def test_credentials_that_are_no_text_are_wrong_ones(header: bytes, web: httpx2.AsyncClient) -> None:
    assert (await web.post("/alerts/generic", json=ALERT, headers={b"Authorization": header})).status_code == 401


@pytest.mark.parametrize("source", ["payload", "__init__", "max_body_bytes", "nobody", "..%2f..", "%00"])
async def test_what_is_no_source_is_not_there(source: str, web: httpx2.AsyncClient) -> None:
    reply = await web.post(f"/alerts/{source}", json=ALERT, headers=GOOD)
    assert reply.status_code == 404
    assert set(reply.json()) == {"error"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
FIELDS = (
    "name",
    "status",
    "labels",
    "alerts",
    "version",
    "groupKey",
    "startsAt",
    "starts_at",
    "ends_at",
    "annotations",
)
NEARLY = st.dictionaries(st.sampled_from(FIELDS), JSON | st.sampled_from(["firing", "4", "2026-01-01T00:00:00Z"]))
BODIES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode(errors="surrogatepass")),
    JSON.map(lambda value: json.dumps(value).encode()),
    NEARLY.map(lambda value: json.dumps(value).encode()),
    st.lists(NEARLY, max_size=3).map(lambda items: json.dumps({"alerts": items}).encode()),
    st.lists(NEARLY, max_size=3).map(
        lambda items: json.dumps({"version": "4", "groupKey": "g", "alerts": items}).encode()
    ),
)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(body=BODIES, source=st.sampled_from(BY_TOKEN), kind=st.sampled_from(["", "application/json", "x/y"]))
async def test_nothing_that_anyone_sends_breaks_the_intake(body: bytes, source: str, kind: str) -> None:
    house = House({"alerts": {name: {"tokens": ["new-secret"]} for name in BY_TOKEN}})
    async with house.client as web:
        reply = await web.post(f"/alerts/{source}", content=body, headers={**GOOD, "Content-Type": kind})
    assert reply.status_code in (202, 422)
    if reply.status_code == 202:
        assert sum(len(each.alerts) for each in house.box.taken) == reply.json()["accepted"]
    else:
        assert set(reply.json()) == {"error"}
        assert "Traceback" not in reply.text
        assert house.box.unreadable == [body]
        assert not house.box.taken
