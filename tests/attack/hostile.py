"""The hostile model: it obeys whatever outsiders wrote, and we look at what changed and at which bytes went out.

python -m tests.attack.hostile [--cases N]
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.attack import corpora
from tests.attack.counts import Counts
from tests.attack.hostile_cases import Case, combined, own
from tests.attack.hostile_fast import bench
from tests.attack.hostile_house import besieged
from tests.attack.hostile_oracle import Violation, counted

CORPORA = 2_000
"""Cases of the corpora where nobody says how many."""
IN_THE_HOUSE = 24
"""Of our own cases that go through a whole Locum too."""
AT_ONCE = 30
"""Cases that one process tries before it tells."""

Say = Callable[[str], None]


async def run(*, cases: int | None, say: Say) -> Counts:
    """Our own cases and those of the corpora, each through an investigation; some through a whole Locum.

    Args:
        cases: how many go through an investigation; `None` = all of our own and two thousand of the corpora.
        say: takes a line.
    """
    found = await corpora.load(may_download=cases is None)
    for missing in found.missing:
        say(f"hostile: without a corpus: {missing}")
    ours = own()[:cases]
    wanted = CORPORA if cases is None else cases - len(ours)
    others = list(combined(found.texts, max(0, wanted)))
    say(f"hostile: {len(ours)} cases of our own, {len(others)} of {len(found.texts)} texts of the corpora")
    violations = await investigations([*ours, *others], say)
    whole = spread(ours, IN_THE_HOUSE)
    say(f"hostile: {len(whole)} of our own through a whole Locum")
    with tempfile.TemporaryDirectory() as folder:
        besiegement = await besieged(whole, Path(folder))
    for each in besiegement:
        say(f"hostile: {each}")
    return counted(len(ours) + len(others) + len(whole), [*violations, *besiegement])


def spread(cases: Sequence[Case], most: int) -> list[Case]:
    """So many of them, of all places alike."""
    step = max(1, len(cases) // most)
    # Not always the same wish in the same style.
    return [cases[(at * step + at % step) % len(cases)] for at in range(min(most, len(cases)))]


async def investigations(cases: Sequence[Case], say: Say) -> list[Violation]:
    """What happened that must not; tells how far it is."""
    batches = [cases[at : at + AT_ONCE] for at in range(0, len(cases), AT_ONCE)]
    violations: list[Violation] = []
    done = 0
    # Each in a process of its own: a recording, a model and a name server for each would else be shared.
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=spawning) as pool:
        loop = asyncio.get_running_loop()
        tasks = [loop.run_in_executor(pool, _judged, batch) for batch in batches]
        for each in asyncio.as_completed(tasks):
            tried, found = await each
            done, violations = done + tried, violations + found
            for violation in found:
                say(f"hostile: {violation}")
            say(f"hostile: {done} of {len(cases)} cases, {len(violations)} violations")
    return violations


def _judged(cases: Sequence[Case]) -> tuple[int, list[Violation]]:
    return asyncio.run(judged(cases))


async def judged(cases: Sequence[Case]) -> tuple[int, list[Violation]]:
    """How many were tried, and what happened that must not."""
    violations: list[Violation] = []
    tried = 0
    with tempfile.TemporaryDirectory() as folder:
        async with bench(Path(folder)) as made:
            for case in cases:
                violations += await made.judge(case)
                tried += 1
    return tried, violations


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=None, help="how many; all of our own and 2000 others by default")
    counts = asyncio.run(run(cases=parser.parse_args().cases, say=_say))
    _say(str(counts))
    return 0 if counts.is_clean else 1


if __name__ == "__main__":
    sys.exit(_main())
