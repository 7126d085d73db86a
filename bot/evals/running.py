"""One run of the rca scoreboard: progress on stderr, a line for each case where they are wanted, the figures."""

import sys
from collections.abc import Sequence
from typing import IO, Any

import orjson

from bot.evals.board import board
from bot.evals.rca import Result, judged, without_model
from bot.evals.recorded import Recorded
from bot.settings import Settings


def scoreboard(
    cases: Sequence[Recorded], settings: Settings, *, workers: int, lines: IO[bytes] | None
) -> dict[str, Any]:
    """The figures over these cases.

    With a key every case is asked twice: the figures are then those with the model, and `rules` has those without it.
    """
    rules = board(_run(cases, without_model(settings), workers=workers, lines=lines, what="rules"))
    if settings.model.api_key is None:
        return {"mode": "rules", **rules}
    model = board(_run(cases, settings, workers=workers, lines=lines, what="model"))
    return {"mode": "model", **model, "rules": rules}


def _run(
    cases: Sequence[Recorded], settings: Settings, *, workers: int, lines: IO[bytes] | None, what: str
) -> tuple[Result, ...]:
    done = 0

    def tell(result: Result) -> None:
        nonlocal done
        done += 1
        sys.stderr.write(f"[{what} {done}/{len(cases)}] {result.case.name}  {outcome(result)}\n")

    results = judged(cases, settings, workers=workers, tell=tell)
    if lines is not None:
        lines.writelines(orjson.dumps(each.to_json()) + b"\n" for each in results)
    return results


def outcome(result: Result) -> str:
    """How one case ended, in a few words."""
    if result.score is None or result.truth is None:
        return f"broken: {result.why_broken}"
    found: list[str] = []
    if result.truth.entities:
        found.append(f"rank {result.score.rank or '-'}")
        found.append(f"with cause {result.score.cause_rank or '-'}")
    if result.truth.healthy:
        found.append("false alarm" if result.score.false_alarm else "accuses nobody")
    if result.score.answer_faults is not None:
        found.append("; ".join(result.score.answer_faults) or "answer right")
    return f"{', '.join(found)}  {result.seconds:.2f} s"
