"""All measurements, one after another: `python -m benchmarks`. The last line is one JSON object of figures."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping

from benchmarks import load, model, rules

Measure = Callable[[], Mapping[str, float]]

ALL: Mapping[str, Measure] = {
    # First: the peak of memory is that of the largest child so far.
    "a cold start": rules.cold,
    "a cold start with a model": lambda: asyncio.run(model.measured()),
    "1,000 pods": lambda: rules.warm(1_000),
    "10,000 pods": lambda: rules.warm(10_000),
    "first messages": lambda: asyncio.run(load.first_message()),
    "a storm": lambda: asyncio.run(load.storm()),
    "ingest": lambda: asyncio.run(load.ingest()),
}


def main() -> None:
    """Runs them; progress goes to standard error."""
    figures: dict[str, float] = {}
    for name, measure in ALL.items():
        sys.stderr.write(f"measuring {name} … ")
        sys.stderr.flush()
        began = time.perf_counter()
        found = measure()
        sys.stderr.write(f"{json.dumps(found)} ({time.perf_counter() - began:.0f} s)\n")
        figures |= found
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
