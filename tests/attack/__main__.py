"""`make attack`: every part of the attack, one after the other; the last line is the sum of what was tried and found.

python -m tests.attack [--only PART] [--seed N] [--histories N] [--real N] [--kills N] [--hostile N] [--malformed N]
"""

import argparse
import asyncio
import logging
import sys
import time

import structlog

from tests.attack import hostile, kills, malformed, model, real
from tests.attack.counts import Counts

PARTS = ("model", "real", "kills", "hostile", "malformed")

_began = time.monotonic()


def _say(line: str) -> None:
    sys.stdout.write(f"{time.monotonic() - _began:5.0f} s  {line}\n")
    sys.stdout.flush()


def _part(name: str, given: argparse.Namespace) -> Counts:
    match name:
        case "model":
            return model.run(given.histories, _say, seed=given.seed)
        case "real":
            return asyncio.run(real.run(given.real, _say, seed=given.seed))
        case "kills":
            return asyncio.run(kills.run(given.kills, _say, seed=given.seed))
        case "hostile":
            return asyncio.run(hostile.run(cases=given.hostile, say=_say))
        case _:
            return asyncio.run(malformed.run(requests=given.malformed, say=_say))


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description="Attack the gate as it ships.")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--seed", type=int, default=0, help="other histories and other moments to kill")
    parser.add_argument("--histories", type=int, default=100_000, help="generated histories on the model")
    parser.add_argument("--real", type=int, default=500, help="generated histories on a real Temporal")
    parser.add_argument("--kills", type=int, default=200, help="processes that are killed")
    parser.add_argument("--hostile", type=int, help="cases of a hostile model; all that there are by default")
    parser.add_argument("--malformed", type=int, default=100_000, help="malformed and unauthorised requests")
    given = parser.parse_args()
    # What is killed and besieged complains, rightly, and at length.
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    total = Counts()
    for name in (given.only,) if given.only else PARTS:
        found = _part(name, given)
        _say(f"{name}: {'clean' if found.is_clean else 'BROKEN'}")
        total += found
    sys.stdout.write(f"{total}\n")
    return 0 if total.is_clean else 1


if __name__ == "__main__":
    sys.exit(_main())
