"""Some generated histories on a real Temporal that skips time; `make attack` plays hundreds."""

from tests.attack import real
from tests.attack.counts import Counts


async def test_a10_a14_histories_on_a_real_temporal_change_nothing_unapproved_and_nothing_twice() -> None:
    counts, said = await real.crowd(12, "ci")
    assert counts == Counts(real=12), said
