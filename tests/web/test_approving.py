"""Decisions through HTTP: whose token, on which request, and what the answer means."""

import pytest

from agents.case import SessionId
from approvals.ballot import Answer, Choice, Counted
from bot.desk import SessionStatus
from tests.blocks import requests
from tests.web.house import House, bearer

TOKENS = [
    {"principal": "ana-cli", "token": "t-approves", "scopes": ["approve", "status"]},
    {"principal": "ci", "token": "t-asks", "scopes": ["diagnose", "status"]},
]


@pytest.fixture
def house() -> House:
    own = House({"http": {"tokens": TOKENS}})
    view = requests.view()
    own.gate.views = [view]
    session_id = SessionId(view.request.session_id)
    own.desk.statuses[session_id] = SessionStatus(
        session_id=session_id, status="done", phase="done", progress=1.0, findings=(), diagnosis=None
    )
    return own


def path(house: House) -> str:
    return f"/approve/{house.gate.views[0].request.session_id}"


async def test_a_decision_goes_through_the_gate_by_the_token_s_principal(house: House) -> None:
    answer = await house.client.post(path(house), json={"approved": True}, headers=bearer("t-approves"))
    request_id = house.gate.views[0].request.id
    assert [answer.status_code, answer.json()] == [
        200, {"request_id": request_id, "counted": "decided", "message": "Approved. It runs now."},
    ]  # fmt: skip
    (click,) = house.gate.clicks
    assert [click.account, click.via, click.choice, click.request_id] == [
        "ana-cli", "api", Choice.APPROVE, request_id,
    ]  # fmt: skip
    body = {"approved": False, "reason": "not now", "request_id": request_id}
    await house.client.post(path(house), json=body, headers=bearer("t-approves"))
    assert [house.gate.clicks[1].choice, house.gate.clicks[1].reason] == [Choice.DENY, "not now"]
    assert house.gate.clicks[1].key != click.key


async def test_the_same_idempotency_key_is_the_same_click(house: House) -> None:
    headers = bearer("t-approves") | {"Idempotency-Key": "one"}
    for _ in range(2):
        await house.client.post(path(house), json={"approved": True}, headers=headers)
    assert len({click.key for click in house.gate.clicks}) == 1


@pytest.mark.parametrize("headers", [{}, bearer("t-asks"), bearer("nobody's")], ids=["none", "scope", "wrong"])
async def test_without_the_scope_nothing_is_decided(house: House, headers: dict[str, str]) -> None:
    answer = await house.client.post(path(house), json={"approved": True}, headers=headers)
    assert [answer.status_code, house.gate.clicks] == [401, []]


async def test_without_any_token_even_this_machine_decides_nothing() -> None:
    own = House({})
    own.gate.views = [requests.view()]
    answer = await own.client.post(path(own), json={"approved": True})
    assert [answer.status_code, own.gate.clicks] == [401, []]


@pytest.mark.parametrize(
    ("counted", "status"),
    [(Counted.COUNTED, 200), (Counted.DUPLICATE, 200), (Counted.REFUSED, 403), (Counted.CLOSED, 409)],
)
async def test_what_was_not_counted_is_no_success(house: House, counted: Counted, status: int) -> None:
    house.gate.answer = Answer(counted=counted, text="why")
    answer = await house.client.post(path(house), json={"approved": True}, headers=bearer("t-approves"))
    assert [answer.status_code, answer.json()["counted"]] == [status, counted]


async def test_what_is_not_clear_is_asked_for(house: House) -> None:
    headers = bearer("t-approves")
    house.gate.views.append(requests.view(requests.request(request_id="a" * 48)))
    several = await house.client.post(path(house), json={"approved": True}, headers=headers)
    assert [several.status_code, "say which one" in several.json()["error"]] == [409, True]
    wrong = {"approved": True, "request_id": "b" * 48}
    assert (await house.client.post(path(house), json=wrong, headers=headers)).status_code == 404
    assert (await house.client.post("/approve/ses_nobody", json={"approved": True}, headers=headers)).status_code == 404
    house.gate.views = []
    nothing = await house.client.post(
        "/approve/" + next(iter(house.desk.statuses)), json={"approved": True}, headers=headers
    )
    assert [nothing.status_code, "nothing" in nothing.json()["error"]] == [404, True]
    assert house.gate.clicks == []


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"approved": "yes"}', b'{"approved": 1}', b'{"approved": true, "more": 1}', b'{"approved": tru'],
)
async def test_a_body_that_is_none_is_refused(house: House, body: bytes) -> None:
    headers = bearer("t-approves") | {"Content-Type": "application/json"}
    answer = await house.client.post(path(house), content=body, headers=headers)
    assert [answer.status_code, house.gate.clicks] == [422, []]


async def test_a_click_that_was_not_recorded_is_503(house: House) -> None:
    house.gate.is_closed = True
    answer = await house.client.post(path(house), json={"approved": True}, headers=bearer("t-approves"))
    assert [answer.status_code, "Retry-After" in answer.headers] == [503, True]


async def test_what_waits_is_in_the_status(house: House) -> None:
    session_id = house.gate.views[0].request.session_id
    answer = await house.client.get(f"/status/{session_id}", headers=bearer("t-asks"))
    (waiting,) = answer.json()["approvals"]
    assert [waiting["request_id"], waiting["digest"]] == [
        house.gate.views[0].request.id, house.gate.views[0].request.digest,
    ]  # fmt: skip
