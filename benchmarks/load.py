"""Locum under load: the first message of each incident, a storm in one channel, and how many alerts it accepts."""

import asyncio
import itertools
import math
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from agents.grouping import GroupKey, incident_id
from benchmarks.alerts import group, payload
from benchmarks.slack import channel
from benchmarks.subject import Slack, Subject, running

RATE = 10
FIRST_S = 30
CHANNELS = 100
"""For so many incidents neither Slack's one message a second nor Locum's own storm limit of a channel is in the way."""
STORM = 10_000
STORM_S = 60
INGEST_S = 10
CONNECTIONS = 16
GROUPS = 20
PATIENCE_S = 90

T = TypeVar("T")


async def first_message() -> dict[str, float]:
    """From the start of the request to the message's own time, for incidents that come at an even pace."""
    count = RATE * FIRST_S
    async with running(CHANNELS) as subject:
        # What Locum imports and connects to at its first incident is not paid by later ones.
        await _timed(subject, [count], gap_s=0)
        waits = await _timed(subject, range(count), gap_s=1 / RATE)
        await _check_rules(subject.slack)
    return {"first_message_p50_s": _percentile(waits, 50), "first_message_p99_s": _percentile(waits, 99)}


async def _timed(subject: Subject, numbers: Sequence[int], *, gap_s: float) -> list[float]:
    sent: dict[str, float] = {}

    async def send(number: int) -> None:
        key = group(number)
        sent[incident_id(GroupKey(f"alertmanager|{key}"), "")] = time.time()
        await subject.webhook.post(payload(key, number, channel=channel(number % CHANNELS)))

    await _paced([lambda number=number: send(number) for number in numbers], gap_s=gap_s)
    roots = await _roots(subject.slack, set(sent))
    return [roots[incident] - at for incident, at in sent.items()]


async def _roots(slack: Slack, wanted: set[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for _ in range(PATIENCE_S):
        for call in await slack.posts():
            about: dict[str, Any] = call["body"].get("metadata") or {}
            if about.get("event_type") == "locum_incident":
                found[about["event_payload"]["incident_id"]] = float(call["answer"]["ts"])
        if wanted <= found.keys():
            return found
        await asyncio.sleep(1)
    raise SystemExit(f"no figure: {len(wanted - found.keys())} incidents have no message after {PATIENCE_S} s")


async def storm() -> dict[str, float]:
    """Ten thousand groups within a minute, all to one channel: what is lost, and how much is said."""
    groups = [group(number) for number in range(STORM)]
    bodies = [payload(key, number, channel=channel(0)) for number, key in enumerate(groups)]
    async with running(1) as subject:
        posts = [lambda body=body: subject.webhook.post(body) for body in bodies]
        waits = await _paced(posts, gap_s=STORM_S / STORM)
        stored = await subject.stored.until(STORM, groups, within_s=PATIENCE_S)
        await subject.slack.until_quiet(10)
        messages = await subject.slack.messages(channel(0))
        await _check_rules(subject.slack)
    return {
        "storm_lost": STORM - stored,
        "storm_messages": messages,
        "storm_accept_p99_s": _percentile(waits, 99),
    }


async def ingest() -> dict[str, float]:
    """Requests with one new alert each, as many as go over some connections; all of them must be stored afterwards."""
    groups = [group(number) for number in range(GROUPS)]
    numbers = itertools.count()
    waits: list[float] = []
    async with running(1) as subject:
        ends_at = time.perf_counter() + INGEST_S

        async def send() -> None:
            while time.perf_counter() < ends_at:
                number = next(numbers)
                body = payload(groups[number % GROUPS], number, channel=channel(0))
                waits.append(await subject.webhook.post(body))

        async with asyncio.TaskGroup() as senders:
            for _ in range(CONNECTIONS):
                senders.create_task(send())
        stored = await subject.stored.until(len(waits), groups, within_s=PATIENCE_S)
    if stored != len(waits):
        raise SystemExit(f"no figure: {len(waits)} alerts were accepted and {stored} are stored")
    return {"ingest_per_s": round(len(waits) / INGEST_S), "ingest_p99_s": _percentile(waits, 99)}


async def _paced(work: Sequence[Callable[[], Awaitable[T]]], *, gap_s: float) -> list[T]:
    """Starts each piece of work at its time, whether or not those before have ended."""
    loop = asyncio.get_running_loop()
    # A moment later, so that those who are first do not come all at once because there are many to start.
    began_s = loop.time() + len(work) / 5_000

    async def at(number: int, what: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(began_s + number * gap_s - loop.time())
        return await what()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(at(number, what)) for number, what in enumerate(work)]
    return [task.result() for task in tasks]


async def _check_rules(slack: Slack) -> None:
    if broken := await slack.ask("violations"):
        raise SystemExit(f"no figure: rules of Slack were broken: {broken[:5]}")


def _percentile(values: list[float], percent: int) -> float:
    return round(sorted(values)[math.ceil(len(values) * percent / 100) - 1], 3)


if __name__ == "__main__":
    sys.stdout.write(f"{asyncio.run({'first': first_message, 'storm': storm, 'ingest': ingest}[sys.argv[1]]())}\n")
