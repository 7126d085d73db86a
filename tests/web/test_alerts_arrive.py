import json
from collections.abc import AsyncGenerator, Sequence
from typing import Any, cast

import httpx2
import pytest

from bot.connectors import Connector
from bot.desk import Desk
from bot.settings import Settings
from bot.stores.connection import StoreError
from bot.stores.inbox import Delivery
from bot.web.app import create_app

GOOD = {"Authorization": "Bearer new-secret"}
ALERT = {"name": "Disk full", "labels": {"host": "db-1"}}


class Box:
    def __init__(self) -> None:
        self.taken: list[Delivery] = []
        self.unreadable: list[bytes] = []
        self.is_away = False

    async def append(self, delivery: Delivery) -> None:
        if self.is_away:
            raise StoreError("away")
        self.taken.append(delivery)

    async def keep_unreadable(self, source: str, body: bytes, reason: str) -> None:
        self.unreadable.append(body)


async def nothing_to_ask() -> Sequence[Connector]:
    return ()


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
async def web(box: Box) -> AsyncGenerator[httpx2.AsyncClient]:
    alerts: dict[str, Any] = {"generic": {"tokens": ["old-secret", "new-secret"]}, "max_body_bytes": 2000}
    settings = Settings.model_validate({"alerts": alerts})
    app = create_app(settings, inbox=box, desk=cast("Desk", None), healths=nothing_to_ask)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://locum") as client:
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
        b"",
        b'{"alerts": 3}', b'{"name": "x", "labels": {"a": 1e999}}', b'{"name": "x", "starts_at": "yesterday"}',
    ],
    ids=["utf8", "deep", "nan", "twice", "huge", "list", "empty", "shape", "infinite", "time"],
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
    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(100):
            yield b" " * 100

    assert (await web.post("/alerts/generic", content=endless(), headers=GOOD)).status_code == 413


async def test_a_store_that_is_away_sends_the_sender_back(web: httpx2.AsyncClient, box: Box) -> None:
    box.is_away = True
    reply = await web.post("/alerts/generic", content=json.dumps(ALERT), headers=GOOD)
    assert reply.status_code == 503
    assert reply.headers["Retry-After"]
