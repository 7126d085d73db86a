"""Processes that are killed in the middle of an execution; `make attack` kills hundreds."""

from approvals.ballot import State
from tests.attack import kills
from tests.attack.counts import Counts

NOT_DONE = dict.fromkeys(("before-execute", "before-claim", "after-claim", "before-effect"), (State.UNKNOWN, 0))
DONE_AND_NOT_TOLD = dict.fromkeys(
    ("after-effect", "before-settle", "after-settle", "after-execute"), (State.UNKNOWN, 1)
)
DECIDED_ALL_THE_SAME = dict.fromkeys(("before-note", "before-draw", "during-recheck"), (State.SUCCEEDED, 1))


async def test_a18_a19_a_kill_between_approval_and_result_runs_at_most_once_and_is_never_called_failed() -> None:
    expected = NOT_DONE | DONE_AND_NOT_TOLD | DECIDED_ALL_THE_SAME
    said: list[str] = []
    ends, counts = await kills.named(tuple(expected), said.append)
    assert ends == expected, said
    assert counts == Counts(kills=len(expected)), said


async def test_a16_a18_kills_at_random_moments_change_nothing_twice_and_nothing_unapproved() -> None:
    said: list[str] = []
    counts = await kills.scattered(8, said.append, seed=1)
    assert counts.is_clean, said
    assert counts == Counts(kills=counts.kills)
    assert counts.kills >= 8
