"""An incident that read with a login of a real OpenBao, and everything that it left: clean until somebody plants it."""

import asyncio
import base64
import json
import sys
import tempfile
import urllib.parse
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic import SecretStr
from whenever import Instant

from approvals.audit import Draft, Kind
from bot.cli.proving import lines, to_json
from bot.incident import IncidentId
from bot.proving.fingerprints import print_of
from bot.proving.opening import NoSuchIncident, prove_incident
from bot.proving.proof import Ending, Proof
from bot.setting_groups import Alerts, Approvals, PostgresDeployment, Redis, Slack, Temporal, Vault
from bot.setting_groups import Proof as ProofSettings
from bot.settings import Settings
from bot.slack.cards.approval import APPROVE
from bot.stores.connection import connect
from bot.stores.incidents import Incidents
from bot.workflows import service
from tests.e2e.borrowing import PASSWORD, USER, Borrower, arranged, borrower, short_of_connections, wrapped
from tests.e2e.house import PATIENCE_S
from tests.postgres_server import PostgresServer, postgres
from tests.vault import VaultServer, openbao

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresServer]:
    with (
        tempfile.TemporaryDirectory(prefix="locum-pg-", ignore_cleanup_errors=True) as place,
        postgres(Path(place), {"max_connections": "16"}) as server,
    ):
        yield server


@pytest.fixture(scope="module")
def bao(database: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VaultServer]:
    with openbao(tmp_path_factory.mktemp("bao")) as server:
        arranged(server, database)
        with short_of_connections(database):
            yield server


@dataclass(frozen=True, kw_only=True)
class Finished:
    """An incident that is over."""

    house: Borrower
    settings: Settings
    incident_id: str
    request_id: str
    room: str
    thread: str
    value: str
    """The password that it read with."""

    async def proof(self, **changes: object) -> Proof:
        return await prove_incident(self.settings.model_copy(update=changes), self.incident_id)

    def found_in(self, proof: Proof) -> set[str]:
        """The sinks that have it; nothing that is said may have it."""
        told = json.dumps(to_json(proof)) + "\n".join(lines(proof))
        assert not any(each in told for each in (self.value, self.value.encode().hex()))
        return {each.sink for each in proof.looked if each.ending is Ending.FOUND}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def finished(
    database: PostgresServer, bao: VaultServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Finished]:
    folder = tmp_path_factory.mktemp("locum")
    proof = ProofSettings(record=folder / "record")
    login = PostgresDeployment(
        name="orders", host="127.0.0.1", port=database.port, user_reference=USER, password_reference=PASSWORD,
        sslmode="disable",
    )  # fmt: skip
    vault = Vault(
        address=bao.url, role_id=bao.root.auth.approle.read_role_id("locum")["data"]["role_id"],
        wrapped_secret_id_file=wrapped(bao, folder / "wrapped"),
    )  # fmt: skip
    approvals = Approvals(policy=folder / "policy.yaml")
    alerts = Alerts(quiet_minutes=0.02)
    async with borrower(
        folder, postgres=(login,), vault=vault, approvals=approvals, alerts=alerts, proof=proof
    ) as house:
        room, thread = await house.ask()
        row = await house.wanted(room, thread)
        house.workspace.click("ana", APPROVE, channel=house.workspace.channel_id(room))
        await house.concluded(room, thread)
        settings = Settings(
            data_dir=folder, approvals=approvals, proof=proof,
            redis=Redis(url=SecretStr(house.redis)), temporal=Temporal(address=house.temporal),
            slack=Slack(bot_token=SecretStr(house.workspace.bot_token), api_url=house.workspace.api_url),
        )  # fmt: skip
        kept = await house.ledger.fingerprints(row.incident_id)
        key = json.loads(kept[0].fingerprint)["key"]
        value = next(
            value for value in house.values
            if any(each.reference == PASSWORD and each.fingerprint == print_of(value, key).to_bytes() for each in kept)
        )  # fmt: skip
        yield Finished(
            house=house, settings=settings, incident_id=row.incident_id, request_id=row.id, room=room, thread=thread,
            value=value,
        )  # fmt: skip


async def test_f4_a_finished_incident_left_its_credentials_nowhere(finished: Finished) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (proof := await finished.proof()).gaps:  # noqa: ASYNC110 - nobody tells when it is over
            await asyncio.sleep(0.5)
    assert finished.found_in(proof) == set()
    assert proof.exit_code == 0, lines(proof)
    assert proof.references == (PASSWORD, USER)
    looked = {each.sink: each for each in proof.looked}
    assert len(looked) == 7
    for sink in ("ledger", "histories", "redis", "slack", "logs"):
        assert looked[sink].items > 0
        assert looked[sink].size > 500
    assert lines(proof)[-1].startswith("clean: ")


@pytest.mark.parametrize("sink", ["ledger", "histories", "redis", "slack", "model requests", "logs", "traces"])
async def test_f4_a_value_that_was_left_somewhere_is_found_there(finished: Finished, sink: str) -> None:
    already = finished.found_in(await finished.proof())
    assert sink not in already
    await _PLANTED[sink](finished)
    proof = await finished.proof()
    assert finished.found_in(proof) == already | {sink}
    assert proof.exit_code == 1
    places = [place for each in proof.looked if each.sink == sink for place in each.places]
    assert {place.reference for place in places} == {PASSWORD}
    assert lines(proof)[-1].startswith("FOUND: ")


async def test_what_cannot_be_searched_is_said_and_never_called_clean(finished: Finished) -> None:
    proof = await finished.proof(proof=ProofSettings(), slack=Slack())
    endings = {each.sink: each.ending for each in proof.looked}
    assert [sink for sink, ending in endings.items() if ending is Ending.NOT_SEARCHED] == [
        "slack", "model requests", "logs", "traces",
    ]  # fmt: skip
    told = "\n".join(lines(proof))
    assert "set proof.record" in told
    assert "set slack.bot_token" in told


@pytest.mark.parametrize(("is_known", "code"), [(True, 1), (False, 2)])
async def test_the_command_says_it_in_its_exit_code(
    finished: Finished, tmp_path: Path, is_known: bool, code: int
) -> None:
    settings = finished.settings
    config = tmp_path / "locum.yaml"
    record, policy, redis = settings.proof.record, settings.approvals.policy, finished.house.redis
    config.write_text(
        json.dumps(
            {
                "data_dir": str(settings.data_dir), "proof": {"record": str(record)}, "redis": {"url": redis},
                "approvals": {"policy": str(policy)}, "temporal": {"address": finished.house.temporal},
            }
        )
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from bot.cli import main; main()", "prove-secrets",
        finished.incident_id if is_known else "inc_unknown", "--format", "json",
        env={"PATH": "/usr/bin", "LOCUM_CONFIG": str(config)}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    async with asyncio.timeout(PATIENCE_S):
        said, wrong = await process.communicate()
    assert process.returncode == code, wrong
    if is_known:
        sinks = {each["sink"]: each["ending"] for each in json.loads(said)["sinks"]}
        assert sinks["histories"] == "found"
        assert sinks["slack"] == "not searched"
    else:
        assert wrong.startswith(b"locum: there is no incident 'inc_unknown'")


async def test_an_incident_that_is_not_known_cannot_be_proved(finished: Finished) -> None:
    with pytest.raises(NoSuchIncident):
        await prove_incident(finished.settings, "inc_unknown")


async def test_a_value_of_which_nothing_was_kept_is_a_gap(finished: Finished) -> None:
    facts = {"references": ["vault:kv/other#token"]}
    at = Instant.now()
    await finished.house.ledger.append(
        Draft(kind=Kind.CREDENTIAL_FETCHED, at=at, request_id=finished.request_id, actor="worker", facts=facts)
    )
    await finished.house.ledger.note_fingerprint(
        finished.incident_id, "op://v/i/pin", print_of("short", "00").to_bytes()
    )
    proof = await finished.proof()
    assert proof.gaps == (
        "the value of op://v/i/pin is too short to be looked for",
        "of the value of vault:kv/other#token no fingerprint was kept",
    )


async def _in_ledger(finished: Finished) -> None:
    # Not as an entry of the audit: what is told there is redacted on its way.
    body = base64.b64encode(f"it: {finished.value}".encode())
    await finished.house.ledger.vote(finished.request_id, "planted", "ana", "approve", body)


async def _in_histories(finished: Finished) -> None:
    client = await service.connect(finished.house.temporal, namespace="locum", tls=False)
    workflow_id = f"look-again-{finished.request_id}"
    await client.start_workflow("nobody-runs-it", finished.value.encode().hex(), id=workflow_id, task_queue="nowhere")
    # The list of workflows learns of it a moment later.
    async with asyncio.timeout(PATIENCE_S):
        while not [run async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'")]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def _in_redis(finished: Finished) -> None:
    store = connect(finished.house.redis)
    escaped = "".join(f"%{ord(each):02x}" for each in finished.value)
    await store.set("locum:cache:another", f"postgresql://ro:{escaped}@db")
    await Incidents(store).mark(IncidentId(finished.incident_id), closed=True)
    await store.aclose()


async def _in_slack(finished: Finished) -> None:
    finished.house.workspace.post("ana", finished.room, f"is it {finished.value}?", thread_ts=finished.thread)


def _in_file(kind: str) -> Callable[[Finished], Awaitable[None]]:
    async def plant(finished: Finished) -> None:
        assert finished.settings.proof.record
        written = json.dumps({"content": urllib.parse.quote(json.dumps({"password": finished.value}))})
        file = sorted(finished.settings.proof.record.glob(f"{kind}-*"))[-1]
        with file.open("a") as lines_of_it:
            lines_of_it.write(written + "\n")

    return plant


_PLANTED: dict[str, Callable[[Finished], Awaitable[None]]] = {
    "ledger": _in_ledger,
    "histories": _in_histories,
    "redis": _in_redis,
    "slack": _in_slack,
    "model requests": _in_file("model"),
    "logs": _in_file("logs"),
    "traces": _in_file("traces"),
}
