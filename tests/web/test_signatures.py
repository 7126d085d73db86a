"""Senders that sign: the right bytes with the right secret get in, and nothing else does."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from whenever import Instant

from tests.alerts.examples import FIRING
from tests.web.house import House

SECRET, OLD = "a-webhook-secret", "the-secret-before"
ALERTS: dict[str, Any] = {
    "grafana": {"secrets": [OLD, SECRET]},
    "pagerduty": {"secrets": [SECRET]},
    "sentry": {"secrets": [SECRET], "tokens": ["a-token"]},
}


def mac(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


HEADERS = {
    "grafana": ("X-Grafana-Alerting-Signature", "{}"),
    "pagerduty": ("X-PagerDuty-Signature", "v1=0000,v1={}"),
    "sentry": ("Sentry-Hook-Signature", "{}"),
}


async def sent(house: House, source: str, body: bytes, headers: dict[str, str]) -> int:
    async with house.client as web:
        return (await web.post(f"/alerts/{source}", content=body, headers=headers)).status_code


@pytest.mark.parametrize("source", sorted(HEADERS))
async def test_what_is_signed_over_exactly_these_bytes_gets_in(source: str) -> None:
    body = json.dumps(FIRING[source]).encode()
    name, form = HEADERS[source]
    for signature, status in ((mac(body), 202), (mac(body + b" "), 401), (mac(body, "wrong"), 401), ("", 401)):
        house = House({"alerts": ALERTS})
        assert await sent(house, source, body, {name: form.format(signature)}) == status
        assert len(house.box.taken) == (status == 202)
        # A stranger's body is neither read nor kept.
        assert not house.box.unreadable


async def test_the_secret_before_holds_during_a_rotation() -> None:
    body = json.dumps(FIRING["grafana"]).encode()
    assert await sent(House({"alerts": ALERTS}), "grafana", body, {HEADERS["grafana"][0]: mac(body, OLD)}) == 202


async def test_a_token_gets_in_where_both_are_set_and_a_signature_is_no_token() -> None:
    body = json.dumps(FIRING["sentry"]).encode()
    house = House({"alerts": ALERTS})
    assert await sent(house, "sentry", body, {"Authorization": "Bearer a-token"}) == 202
    assert await sent(House({"alerts": ALERTS}), "sentry", body, {"Authorization": f"Bearer {mac(body)}"}) == 401
    # One without `v1=` is of another version, whatever it holds.
    other = json.dumps(FIRING["pagerduty"]).encode()
    assert await sent(House({"alerts": ALERTS}), "pagerduty", other, {"X-PagerDuty-Signature": mac(other)}) == 401


@pytest.mark.parametrize(
    ("shift_s", "status"), [(0, 202), (-200, 202), (-400, 401), (400, 401), (None, 401)],
    ids=["now", "fresh", "old", "early", "undated"],
)  # fmt: skip
async def test_a_dated_signature_is_worth_nothing_when_it_is_old(shift_s: int | None, status: int) -> None:
    alerts = {"grafana": {"secrets": [SECRET], "timestamp_header": "X-At"}}
    body = json.dumps(FIRING["grafana"]).encode()
    at = "" if shift_s is None else str(Instant.now().timestamp() + shift_s)
    headers = {"X-Grafana-Alerting-Signature": mac(at.encode() + b":" + body)} | ({"X-At": at} if at else {})
    assert await sent(House({"alerts": alerts}), "grafana", body, headers) == status


async def test_a_source_with_a_secret_is_on_and_one_without_is_not_there() -> None:
    body = json.dumps(FIRING["sentry"]).encode()
    assert await sent(House({"alerts": {}}), "sentry", body, {HEADERS["sentry"][0]: mac(body)}) == 404
