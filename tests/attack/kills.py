"""Kills whatever takes part in an execution, at random moments and at every named point, and starts it again.

Runners and gateways die by SIGKILL, so do Temporal and Valkey now and then; some are stopped for longer than anybody
waits for them, and go on. Requests are asked, decided and carried out all the while.
"""

import asyncio
import contextlib
import os
import random
import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from approvals.ballot import Choice, Counted
from bot.stores.ledger.rows import PROPOSED
from tests.approvals.house import ANA, ANA_TOO, BEN, CLEO, DORA
from tests.attack.counts import Counts
from tests.attack.siege import Siege, besieging, judged, seen
from tests.attack.victim import GATEWAY, GATEWAY_POINTS, RUNNER, RUNNER_POINTS

RUNNERS, GATEWAYS = 3, 2
AT_ONCE = 24
"""Requests on their way."""
QUORUM = 2
DOOMED = 0.3
"""Of the requests; somebody kills itself at a point that is drawn for each."""
POINTS = (*RUNNER_POINTS[2:], *GATEWAY_POINTS[2:])
"""After the vote. What comes before it changes nothing whatever happens."""
STEPS_BETWEEN = (4, 24)
"""Points that are passed between two kills: by the clock, nothing would ever get on where the machine is slow."""
LONGEST_LULL_S = 2.0
STUNNED_S = 13.0
"""Longer than a heartbeat is waited for: others have gone on by then."""
SERVER_REST_S = 8.0
PATIENCE_S = 240.0
"""For the requests that are left after the last kill."""

Say = Callable[[str], None]


@dataclass
class Campaign:
    """What was done so far."""

    siege: Siege
    rng: random.Random
    kills: int
    may_run: dict[str, bool] = field(default_factory=dict[str, bool])
    servers_killed: Counter[str] = field(default_factory=Counter[str])
    stunned: int = 0
    number: int = 0

    @property
    def dealt(self) -> int:
        """Processes that were killed."""
        return self.siege.victims.killed + self.servers_killed.total()

    async def player(self) -> None:
        """Takes one request after the other to its end, as long as something is killed."""
        while self.dealt < self.kills:
            self.number += 1
            await self._play(f"app-{self.number}")

    async def _play(self, name: str) -> None:
        siege, rng = self.siege, self.rng
        plot = rng.choices((_approve, _deny, _outsider, _half), (16, 1, 1, 1))[0]
        request_id = await siege.ask(name)
        self.may_run[request_id] = plot is _approve
        if rng.random() < DOOMED:
            siege.doom(request_id, rng.choice((*RUNNER_POINTS, *GATEWAY_POINTS)))
        await siege.until(request_id, lambda state: state != PROPOSED)
        await plot(siege, rng, request_id)
        await siege.over(request_id)

    async def killer(self) -> None:
        """Kills now this and now that."""
        rested = 0.0
        loop = asyncio.get_running_loop()
        while self.dealt < self.kills:
            await self._lull()
            draw = self.rng.random()
            if draw < 0.05 and loop.time() > rested:
                await self._kill_server()
                rested = loop.time() + SERVER_REST_S
            elif draw < 0.08:
                self._stun()
            else:
                await self._kill(RUNNER if draw < 0.8 else GATEWAY)

    async def _lull(self) -> None:
        victims = self.siege.victims
        until = victims.steps + self.rng.randint(*STEPS_BETWEEN)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_LULL_S):
                await seen(lambda: bool(victims.look()) and victims.steps >= until)

    async def _kill(self, role: str) -> None:
        """One in the middle of its work if there is one."""
        for _ in range(40):
            if self.siege.victims.ready(role, busy=True):
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(self.rng.uniform(0, 0.05))
        if found := self.siege.victims.ready(role, busy=True) or self.siege.victims.ready(role):
            self.siege.kill(self.rng.choice(found))

    async def _kill_server(self) -> None:
        name = self.rng.choice(tuple(self.siege.servers))
        if pid := self.siege.servers[name].pid:
            self.siege.kill(pid)
            self.servers_killed[name] += 1

    def _stun(self) -> None:
        ready = [*self.siege.victims.ready(RUNNER, busy=True), *self.siege.victims.ready(GATEWAY, busy=True)]
        if ready and self.stunned < self.kills // 40:
            pid = self.rng.choice(ready)
            _signal(pid, signal.SIGSTOP)
            self.stunned += 1
            asyncio.get_running_loop().call_later(STUNNED_S, _signal, pid, signal.SIGCONT)

    async def told(self, say: Say) -> None:
        """Says how far it is, now and then."""
        while True:
            await asyncio.sleep(10)
            say(f"kills: {self.dealt} of {self.kills}, {self.number} requests asked")


def _signal(pid: int, which: signal.Signals) -> None:
    try:
        os.kill(pid, which)
    except ProcessLookupError:
        # It was killed in the meantime.
        return


async def _approve(siege: Siege, rng: random.Random, request_id: str) -> None:
    voters = rng.sample((rng.choice((ANA, ANA_TOO)), BEN, CLEO), QUORUM)
    await asyncio.gather(*(siege.click(request_id, who) for who in voters))


async def _deny(siege: Siege, rng: random.Random, request_id: str) -> None:
    await siege.click(request_id, rng.choice((ANA, BEN)))
    await siege.click(request_id, CLEO, Choice.DENY)


async def _outsider(siege: Siege, rng: random.Random, request_id: str) -> None:
    await siege.click(request_id, rng.choice((ANA, BEN)))
    await siege.click(request_id, DORA)
    await _given_up(siege, request_id)


async def _half(siege: Siege, _: random.Random, request_id: str) -> None:
    await siege.click(request_id, ANA)
    await siege.click(request_id, ANA_TOO)
    await _given_up(siege, request_id)


async def _given_up(siege: Siege, request_id: str) -> None:
    await siege.click(request_id, BEN, Choice.DENY)


async def run(kills: int, say: Say, *, seed: int = 0) -> Counts:
    """Kills so many processes: once at each named point, the others at random moments."""
    points = POINTS[:kills]
    ends, found = await named(points, say)
    for point, (state, times) in ends.items():
        say(f"kills: {point}: {state}, changed {times} times")
    at_random = kills - len(points)
    return found + (await scattered(at_random, say, seed=seed) if at_random else Counts())


async def scattered(kills: int, say: Say, *, seed: int) -> Counts:
    """Kills so many processes while requests go through them, then waits for all of these and judges."""
    with tempfile.TemporaryDirectory(prefix="locum-kills-") as folder:
        roles = [RUNNER] * RUNNERS + [GATEWAY] * GATEWAYS
        async with besieging(Path(folder) / "siege", *roles, quorum=QUORUM) as siege:
            campaign = Campaign(siege=siege, rng=random.Random(f"{seed}:kills"), kills=kills)
            telling = asyncio.create_task(campaign.told(say))
            players = [asyncio.create_task(campaign.player()) for _ in range(min(AT_ONCE, kills))]
            await campaign.killer()
            _, late = await asyncio.wait(players, timeout=PATIENCE_S)
            await _cancelled(telling, *late)
            for done in players:
                if done not in late:
                    done.result()
            found = await judged(siege, campaign.may_run, QUORUM, say)
            await _summed_up(campaign, say)
            return found + Counts(kills=campaign.dealt)


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _summed_up(campaign: Campaign, say: Say) -> None:
    siege, effects = campaign.siege, campaign.siege.effects()
    ends: Counter[str] = Counter()
    for request_id in campaign.may_run:
        if row := await siege.ledger.request(request_id):
            ends[f"{row.state}{' and changed' if effects[request_id] else ''}"] += 1
    at = [f"{where} {times}" for where, times in siege.victims.killed_at.most_common()]
    servers = [f"{name} {times}" for name, times in campaign.servers_killed.items()]
    say(f"kills: died at {', '.join([*at, *servers])}; stopped for {STUNNED_S:g} s: {campaign.stunned}")
    say(f"kills: {len(campaign.may_run)} requests: {', '.join(f'{count} {end}' for end, count in ends.most_common())}")
    for fell in siege.victims.fell:
        say(f"kills: {fell}")


async def named(points: Sequence[str], say: Say) -> tuple[dict[str, tuple[str, int]], Counts]:
    """Kills once at each of these points; how each one's request ended with how many changes, and what was wrong."""
    with tempfile.TemporaryDirectory(prefix="locum-kills-") as folder:
        async with besieging(Path(folder) / "siege", RUNNER, RUNNER, GATEWAY, GATEWAY, quorum=1) as siege:
            ids = await asyncio.gather(*(siege.asked(f"app-{each}") for each in points))
            asked = dict(zip(points, ids, strict=True))
            await siege.drawn(*ids)
            clicks: list[asyncio.Task[Counted]] = []
            for point, request_id in asked.items():
                siege.doom(request_id, point)
                clicks.append(asyncio.create_task(siege.click(request_id, ANA)))
                if point in RUNNER_POINTS:
                    # An execution is never tried again: nobody else may die with it before it comes to its point.
                    await siege.died(request_id)
            await asyncio.gather(siege.died(*ids), *clicks)
            ends = dict(zip(points, await asyncio.gather(*(siege.over(each) for each in ids)), strict=True))
            effects = siege.effects()
            found = await judged(siege, dict.fromkeys(ids, True), 1, say)
            changes = {point: (ends[point], effects[request_id]) for point, request_id in asked.items()}
            return changes, found + Counts(kills=siege.victims.killed)
