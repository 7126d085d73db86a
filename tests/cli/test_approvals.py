"""`locum approvals` and `locum audit` as people call them, on a real ledger."""

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from whenever import Instant

from approvals.audit import Draft, Kind
from bot.cli import app
from bot.cli.outcome import BadInput
from bot.requests import draft_body
from bot.settings import load
from bot.stores.ledger.ledger import Ledger, open_ledger
from bot.stores.ledger.rows import PROPOSED, RequestRow
from tests.approvals.house import proposal


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    load.cache_clear()
    return tmp_path


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, BadInput):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def kept(folder: Path, request_id: str, *states: str) -> None:
    """A request in the ledger that went through these states."""

    async def write(ledger: Ledger) -> None:
        now = Instant.now()
        row = RequestRow(
            id=request_id, merge_key=request_id, incident_id="inc_1", session_id="ses_1", requester="inc_1",
            state=PROPOSED, body=draft_body(proposal()), digest="", created_at=now, updated_at=now,
        )  # fmt: skip
        draft = Draft(kind=Kind.PROPOSED, at=now, request_id=request_id, actor="rules", facts={"why": "it hangs"})
        await ledger.open_request(row, draft)
        before = PROPOSED
        for state in states:
            await ledger.save_request(request_id, expected_state=before, state=state)
            before = state

    async def opened() -> None:
        (folder / ".locum").mkdir(exist_ok=True)
        async with open_ledger(f"sqlite:///{folder / '.locum' / 'ledger.db'}") as ledger:
            await write(ledger)

    asyncio.run(opened())


def test_what_waits_is_listed_and_shown_with_what_happened(here: Path) -> None:
    kept(here, "req_waiting")
    kept(here, "req_denied", "denied")
    code, listed = run("approvals", "list")
    assert [code, "req_waiting" in listed, "req_denied" in listed] == [0, True, False]
    assert "deployment" in listed
    rows = json.loads(run("approvals", "list", "--all", "--format", "json")[1])
    assert {row["id"]: row["state"] for row in rows} == {"req_waiting": "proposed", "req_denied": "denied"}
    shown = json.loads(run("approvals", "show", "req_waiting", "--format", "json")[1])
    assert [shown["state"], shown["happened"][0]["kind"]] == ["proposed", "PROPOSED"]
    assert "it hangs" in run("approvals", "show", "req_waiting")[1]
    with pytest.raises(BadInput, match="there is no request 'req_nobody'"):
        run("approvals", "show", "req_nobody")


def test_a_freeze_holds_until_its_end_and_is_ended_by_hand(here: Path) -> None:
    kept(here, "req_1")
    assert "until" in run("approvals", "freeze", "--environment", "production", "--for", "2h", "--reason", "sale")[1]
    assert "no more" in run("approvals", "unfreeze", "--environment", "production")[1]
    with pytest.raises(BadInput, match="is not frozen from here"):
        run("approvals", "unfreeze", "--environment", "production")
    with pytest.raises(BadInput, match="90m, 2h or 1d"):
        run("approvals", "freeze", "--for", "soon", "--reason", "x")
    with pytest.raises(BadInput, match="say why"):
        run("approvals", "freeze", "--reason", " ")
    kinds = [row["kind"] for row in json.loads(run("audit", "show", "--format", "json")[1])]
    assert kinds[-2:] == ["FROZEN", "UNFROZEN"]


def test_a_person_records_what_became_of_an_unknown_outcome_and_of_no_other(here: Path) -> None:
    kept(here, "req_unknown", "pending", "approved", "executing", "unknown")
    kept(here, "req_waiting")
    assert "recorded" in run("approvals", "record", "req_unknown", "succeeded", "--reason", "all pods are new")[1]
    shown = json.loads(run("approvals", "show", "req_unknown", "--format", "json")[1])
    assert [shown["state"], shown["happened"][-1]["kind"]] == ["unknown", "OUTCOME_RECORDED"]
    with pytest.raises(BadInput, match="only what ended as unknown"):
        run("approvals", "record", "req_waiting", "failed", "--reason", "x")
    with pytest.raises(BadInput, match="there is no request"):
        run("approvals", "record", "req_nobody", "failed", "--reason", "x")


def test_a22_the_audit_is_verified_and_a_changed_byte_is_found(here: Path) -> None:
    kept(here, "req_1")
    code, said = run("audit", "verify")
    assert [code, "1" in said] == [0, True]
    file = here / ".locum" / "ledger.db"
    file.write_bytes(file.read_bytes().replace(b"it hangs", b"it sings"))
    assert run("audit", "verify")[0] == 1


def test_without_a_ledger_or_a_policy_the_commands_say_what_to_do(here: Path) -> None:
    with pytest.raises(BadInput):
        run("approvals", "list")
    with pytest.raises(BadInput, match="LOCUM_APPROVALS__POLICY"):
        run("approvals", "policy")


def test_the_policy_is_explained(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = Path(__file__).parents[2] / "docs" / "policy-example.yaml"
    monkeypatch.setenv("LOCUM_APPROVALS__POLICY", str(example))
    load.cache_clear()
    said = run("approvals", "policy", "--explain", "restart-workload", "--environment", "production")[1]
    assert "sre-oncall" in said
    assert run("approvals", "policy")[0] == 0
