"""Diagnoses recorded cases and judges the answers: by rules alone and, with a key, with the model as well."""

import asyncio
import contextlib
import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from agents.diagnosis import Diagnosis
from bot.evals.recorded import SNAPSHOT, TRUTH, EvalError, Recorded, Truth
from bot.evals.scoring import Score, score
from bot.settings import Settings
from bot.terminal import diagnose

PATIENCE_S = 300.0
"""For one case. A diagnosis that takes minutes is of no use to whoever waits for it."""
SHOWN = 5
"""Hypotheses of a case that are kept for analysis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one case."""

    case: Recorded
    truth: Truth | None
    """`None` when it cannot be read."""
    score: Score | None = None
    """`None` when there is no answer."""
    diagnosis: Diagnosis | None = None
    """Without the data of its evidence, which is large."""
    seconds: float = 0.0
    why_broken: str = ""
    """Why there is no score, for people."""

    def to_json(self) -> dict[str, Any]:
        """One line of the file for analysis."""
        line: dict[str, Any] = {"case": self.case.name, "half": self.case.half}
        if self.truth is not None:
            names = {"taxonomy": self.truth.taxonomy, "right_cause": self.truth.cause or self.truth.cause_dataset}
            line |= {"right": list(self.truth.entities), "healthy": self.truth.healthy, **names}
        if self.score is None or self.diagnosis is None:
            return {**line, "broken": self.why_broken}
        given, found = self.diagnosis.to_json(), self.score
        keys = ("rank", "cause", "entity", "confidence", "score", "title")
        return {
            **line,
            "rank": found.rank,
            "near_rank": found.near_rank,
            "cause_rank": found.cause_rank,
            "state_right": found.state_right,
            "false_alarm": found.false_alarm,
            "unsupported_claims": found.unsupported,
            "answer_faults": None if found.answer_faults is None else list(found.answer_faults),
            "verdict": given["verdict"],
            "hypotheses": [{key: each[key] for key in keys} for each in given["hypotheses"][:SHOWN]],
            "mode": given["mode"],
            "usage": given["usage"],
            "seconds": round(self.seconds, 3),
        }


def judge(case: Recorded, settings: Settings) -> Result:
    """Diagnoses one case and judges the answer. Whatever goes wrong is told in the result, for the others go on."""
    truth = None
    began = time.monotonic()
    try:
        truth = Truth.read(case.folder / TRUTH)
        found = asyncio.run(_answer(case, settings))
    except Exception as error:  # noqa: BLE001 - one broken case must be named and must not take the others with it
        return Result(case=case, truth=truth, seconds=time.monotonic() - began, why_broken=_named(error))
    seconds = time.monotonic() - began
    lean = replace(found, evidence=tuple(replace(each, data=None) for each in found.evidence), findings=())
    return Result(case=case, truth=truth, score=score(found, truth), diagnosis=lean, seconds=seconds)


async def _answer(case: Recorded, settings: Settings) -> Diagnosis:
    if not (case.folder / SNAPSHOT).is_file():
        raise EvalError(f"{case.folder}: no {SNAPSHOT}; it is not a snapshot")
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await diagnose(case.question(), settings.model_copy(update={"snapshot": case.folder}))
    except TimeoutError as error:
        raise EvalError(f"no answer within {PATIENCE_S:.0f} s") from error


def _named(error: BaseException) -> str:
    """What went wrong and where, each reason once."""
    if isinstance(error, ExceptionGroup):
        inner = cast("ExceptionGroup[Exception]", error).exceptions
        return "; ".join(dict.fromkeys(_named(each) for each in inner))
    if isinstance(error, EvalError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({'/'.join(Path(frames[-1].filename).parts[-2:])}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}"


def without_model(settings: Settings) -> Settings:
    """The same settings, and nobody to ask."""
    return settings.model_copy(update={"model": settings.model.model_copy(update={"api_key": None})})


def judged(
    cases: Sequence[Recorded], settings: Settings, *, workers: int, tell: Callable[[Result], None]
) -> tuple[Result, ...]:
    """Judges all cases, in their order.

    Args:
        cases: what to diagnose.
        settings: the product's; the snapshot is set for each case.
        workers: processes side by side; one works in this process.
        tell: hears of every case when it is over.
    """
    results: dict[str, Result] = {}
    with contextlib.closing(_results(cases, settings, workers)) as coming:
        for result in coming:
            results[result.case.name] = result
            tell(result)
    return tuple(results[each.name] for each in cases)


def _results(cases: Sequence[Recorded], settings: Settings, workers: int) -> Generator[Result]:
    if workers == 1 or len(cases) == 1:
        yield from (judge(each, settings) for each in cases)
        return
    # Spawned, not forked: a fork would copy the locks of threads that do not exist in the child.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(cases)), mp_context=context, initializer=_quiet) as pool:
        asked = {pool.submit(judge, each, settings): each for each in cases}
        for done in as_completed(asked):
            died = done.exception()
            broken = f"the process died: {_named(died)}" if died else ""
            yield Result(case=asked[done], truth=None, why_broken=broken) if broken else done.result()


def _quiet() -> None:
    # What a library prints in a worker must not stand in the scoreboard's one object.
    sys.stdout = sys.stderr


def selected(cases: Sequence[Recorded], *, half: str, limit: int) -> Iterator[Recorded]:
    """Those of one half (both when empty), the first `limit` of them (all when 0)."""
    chosen = [each for each in cases if half in ("", each.half)]
    yield from chosen[:limit] if limit else chosen
