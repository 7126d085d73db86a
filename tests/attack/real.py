"""Generated histories on a real Temporal server that skips time, with the gateway and the runner as they ship.

The clock of this process follows the server's. A history is a handful of people, clicks, role changes, freezes, policy
changes, cancellations, restarts of every worker, and waits; many play at once, each with a request of its own. What
was really changed is read from the target, and what entitled it from the audit and from the harness's own book.
"""

import asyncio
import contextlib
import logging
import os
import random
import sysconfig
import tempfile
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import structlog
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from whenever import Instant, patch_current_time

from approvals.audit import Kind
from approvals.ballot import Choice, Counted, State
from bot.embedded.servers import running
from bot.gate import GateClosed
from bot.incident import IncidentId
from bot.settings import Settings
from bot.stores.connection import connect
from bot.stores.ledger.rows import PROPOSED
from bot.workflows.service import WorkflowsAway
from tests.approvals.house import ANA, ANA_TOO, BEN, CLEO, DORA, House, house, proposal, restart
from tests.attack.counts import Counts

AT_ONCE = 40
STEPS = 7
HAPPENINGS = ("roles", "freeze", "unfreeze", "policy", "time", "time", "nothing")
REPLAYED = 0.4
"""Of the crowds."""
TRIES = 1_200
"""Of twenty a second: crowds are slow."""
ACCOUNTS = (ANA, ANA_TOO, BEN, CLEO, DORA)
PRINCIPALS = {ANA: "ana", ANA_TOO: "ana", BEN: "ben", CLEO: "cleo", DORA: "dora"}


@dataclass
class Played:
    """One history as the harness saw it."""

    request_id: str
    prompted_by: str
    quorum: int
    counted: dict[str, str] = field(default_factory=dict[str, str])
    """Principal -> account of the approvals that the gate said it counted while the account was in the group."""
    wrongly: list[str] = field(default_factory=list[str])
    denied: bool = False


async def run(count: int, say: Callable[[str], None], *, seed: int = 0) -> Counts:
    """Plays `count` histories, many at once, each crowd of them in a process of its own."""
    total = Counts()
    crowds = [(min(AT_ONCE, count - at), f"{seed}:{at}") for at in range(0, count, AT_ONCE)]
    # One process has one clock, which a crowd moves; and one interpreter, which a crowd keeps busy.
    with ProcessPoolExecutor(min(os.cpu_count() or 1, len(crowds)), mp_context=get_context("spawn")) as pool:
        tasks = [asyncio.get_running_loop().run_in_executor(pool, _apart, *each) for each in crowds]
        for task in asyncio.as_completed(tasks):
            found, lines = await task
            total += found
            for line in lines:
                say(line)
            say(f"real: {total.real} of {count} histories")
    return total


def _apart(size: int, seed: str) -> tuple[Counts, list[str]]:
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return asyncio.run(crowd(size, seed))


async def crowd(size: int, seed: str) -> tuple[Counts, list[str]]:
    """Plays so many histories at once, with servers of their own; what was found, and what is to be said of it."""
    lines: list[str] = []
    binary = Path(sysconfig.get_path("scripts")) / "temporal-test-server"
    with tempfile.TemporaryDirectory(prefix="locum-attack-") as folder:
        # Of the embedded servers only Valkey is used; the workflow service is the one that skips time.
        settings = Settings.model_validate({"data_dir": folder, "temporal": {"address": "127.0.0.1:9"}})
        async with running(settings) as endpoints:
            store = connect(endpoints.redis_url)
            env = await WorkflowEnvironment.start_time_skipping(test_server_existing_path=str(binary))
            rng = random.Random(seed)
            # Without a cache every step is replayed from the history, so that workers may come and go: this server
            # never takes back what was meant for the cache of one that is gone. It is slow, and need not be for all.
            is_replayed = rng.random() < REPLAYED
            async with env, house(env.client, store, Path(folder), cached=0 if is_replayed else 1_000) as own:
                happenings = (*HAPPENINGS, *(("crash",) if is_replayed else ()))
                counts = await _played(own, _Clock(env), rng, size=size, happenings=happenings, say=lines.append)
            await store.aclose()
    return counts, lines


async def _played(
    own: House, clock: "_Clock", rng: random.Random, *, size: int, happenings: Sequence[str], say: Callable[[str], None]
) -> Counts:
    quorum = rng.choice((1, 1, 2))
    own.set_policy(quorum=quorum)
    async with clock.followed():
        played = await asyncio.gather(*(_asked(own, rng, number, quorum) for number in range(size)))
        for _ in range(STEPS):
            await asyncio.gather(*(_step(own, rng, each) for each in played))
            await _world(own, rng, clock, quorum, rng.choice(happenings))
        # Whatever is left expires.
        own.people.is_away = False
        await clock.forward(7_200)
        for each in played:
            await own.until(each.request_id, lambda state: State(state).is_terminal, tries=TRIES)
    return await _judged(own, played, say)


class _Clock:
    """Keeps this process's time with the server's."""

    def __init__(self, env: WorkflowEnvironment) -> None:
        self._env = env
        self._patch: contextlib.AbstractContextManager[object] | None = None

    @contextlib.asynccontextmanager
    async def followed(self) -> AsyncGenerator[None]:
        try:
            await self.forward(0)
            yield
        finally:
            if self._patch is not None:
                self._patch.__exit__(None, None, None)

    async def forward(self, seconds: float) -> None:
        until = await self._env.get_current_time() + timedelta(seconds=seconds)
        while seconds and await self._env.get_current_time() < until:
            # The server does not skip while an activity is out; one that a dead worker took is out for a while.
            with contextlib.suppress(RPCError):
                await self._env.sleep(until - await self._env.get_current_time())
        now = Instant(await self._env.get_current_time())
        if self._patch is not None:
            self._patch.__exit__(None, None, None)
        self._patch = patch_current_time(now, keep_ticking=True)
        self._patch.__enter__()


async def _asked(own: House, rng: random.Random, number: int, quorum: int) -> Played:
    prompted_by = rng.choice(("", "", ANA, BEN))
    wanted = proposal(restart(f"app-{number}"), prompted_by=prompted_by)
    # Each of an incident of its own: the policy lets no thread fill up with requests.
    request_id = await own.proposing.open(wanted, IncidentId(f"inc_{number}"), "ses_attack")
    assert request_id, "policy refused what it must let through"
    await own.until(request_id, lambda state: state != PROPOSED, tries=TRIES)
    return Played(request_id=request_id, prompted_by=PRINCIPALS.get(prompted_by, ""), quorum=quorum)


async def _cancelled(own: House, request_id: str) -> None:
    """As the gateway's activity does: again, until the service takes it."""
    for _ in range(TRIES):
        with contextlib.suppress(WorkflowsAway):
            await own.approvals.cancel(request_id, "the alert is resolved")
            return


async def _step(own: House, rng: random.Random, each: Played) -> None:
    """One thing that happens to one request."""
    happening = rng.choice(("approve", "approve", "approve", "twice", "deny", "cancel", "nothing", "nothing"))
    account = rng.choice(ACCOUNTS)
    if happening == "cancel" and rng.random() < 0.3:
        await _cancelled(own, each.request_id)
    if happening not in ("approve", "twice", "deny"):
        return
    choice = Choice.DENY if happening == "deny" and rng.random() < 0.4 else Choice.APPROVE
    key = f"{each.request_id}-{rng.random()}"
    copies = 2 if happening == "twice" else 1
    was_in_group = account in own.people.in_group
    for answer in await asyncio.gather(*(_clicked(own, each.request_id, account, choice, key) for _ in range(copies))):
        if answer is None and choice is Choice.APPROVE and was_in_group:
            # Nobody answered in time: it may be counted all the same, and would be rightly.
            each.counted.setdefault(PRINCIPALS[account], account)
        if answer not in (Counted.COUNTED, Counted.DECIDED):
            continue
        if choice is Choice.DENY:
            each.denied = True
        elif was_in_group and PRINCIPALS[account] != each.prompted_by:
            each.counted[PRINCIPALS[account]] = account
        else:
            each.wrongly.append(account)


async def _clicked(own: House, request_id: str, account: str, choice: Choice, key: str) -> Counted | None:
    try:
        return (
            await own.click(request_id, account, choice, key=key, reason="no" if choice is Choice.DENY else "")
        ).counted
    except (GateClosed, TimeoutError):
        return None


async def _world(own: House, rng: random.Random, clock: _Clock, quorum: int, happening: str) -> None:
    """One thing that happens to all."""
    match happening:
        case "roles":
            own.people.in_group = set(rng.sample(ACCOUNTS, rng.choice((2, 4, 5))))
        case "freeze":
            await own.ledger.freeze("production", "cli:attack", "now", None)
        case "unfreeze":
            await own.ledger.unfreeze("production")
        case "policy" if rng.random() < 0.3:
            own.set_policy(quorum=quorum, version=rng.randint(2, 9))
        case "time":
            await clock.forward(rng.choice((5, 50, 70, 600)))
        case "crash":
            # What a dead worker took with it is waited for in real time, which the kills do; here all is replayed.
            await asyncio.sleep(0.3)
            await own.restart()
        case _:
            pass


async def _judged(own: House, played: list[Played], say: Callable[[str], None]) -> Counts:
    unapproved = double = 0
    keys = own.target.effects
    double += len(keys) - len(set(keys))
    for each in played:
        if each.wrongly:
            say(f"{each.request_id}: counted the approval of {each.wrongly}")
            unapproved += 1
        if not any(key.startswith(each.request_id) for key in keys):
            continue
        audited = {
            str(entry.facts["principal"])
            for entry in await own.entries(each.request_id)
            if entry.kind is Kind.VOTE_COUNTED and entry.facts["choice"] == Choice.APPROVE
        }
        if each.denied or len(audited) < each.quorum or not set(each.counted) >= audited - {each.prompted_by}:
            say(f"{each.request_id}: changed something with {audited} of {each.quorum}, denied={each.denied}")
            unapproved += 1
    return Counts(real=len(played), unapproved=unapproved, double=double)
