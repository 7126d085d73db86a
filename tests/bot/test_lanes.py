import asyncio

import pytest

from bot.slack.lanes import Lane, Priority


async def test_the_most_urgent_goes_first_and_equals_in_order() -> None:
    lane, order, release = Lane(burst=1, gap_s=0.01), list[str](), asyncio.Event()

    async def go(name: str, priority: Priority) -> None:
        async with lane.turn(priority):
            order.append(name)
            await release.wait()

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for name, priority in (
            ("holder", Priority.PROGRESS),
            ("p1", Priority.PROGRESS),
            ("p2", Priority.PROGRESS),
            ("conclusion", Priority.FIRST),
        ):
            group.create_task(go(name, priority))
        await asyncio.sleep(0.05)
        assert order == ["holder"]
        release.set()
    assert order == ["holder", "conclusion", "p1", "p2"]


async def test_after_a_burst_turns_come_at_the_pace_of_the_lane() -> None:
    lane, times = Lane(burst=2, gap_s=0.1), list[float]()
    for _ in range(4):
        async with lane.turn(Priority.FIRST):
            times.append(asyncio.get_running_loop().time())
    assert times[1] - times[0] < 0.05
    assert times[3] - times[1] >= 0.19
    assert not lane.is_free


async def test_whoever_is_cancelled_in_the_queue_or_in_a_turn_leaves_the_lane_usable() -> None:
    lane = Lane(burst=5, gap_s=0.01)

    async def stay() -> None:
        async with lane.turn(Priority.FIRST):
            await asyncio.sleep(60)

    holding, waiting = asyncio.create_task(stay()), asyncio.create_task(stay())
    await asyncio.sleep(0.01)
    waiting.cancel()
    holding.cancel()
    await asyncio.wait({holding, waiting})
    async with asyncio.timeout(1), lane.turn(Priority.FIRST):
        assert not lane.is_free
    assert lane.is_free


async def test_a_turn_that_fails_is_over() -> None:
    lane = Lane(burst=2, gap_s=0.01)
    with pytest.raises(ValueError, match="no"):
        async with lane.turn(Priority.FIRST):
            raise ValueError("no")
    assert lane.is_free
