"""The figures over all cases, as one object. Pure."""

from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

from agents.report import Usage
from bot.evals.naming import right_causes
from bot.evals.rca import Result
from bot.evals.recorded import Truth
from bot.evals.scoring import Score, at_depths, ratio


def board(results: Sequence[Result]) -> dict[str, Any]:
    """The scoreboard of all results.

    A broken case counts as a miss wherever its truth asks for something, and is named. Where a truth cannot be read
    it counts as a miss of the entity.
    """
    return {
        **_figures(results),
        "by_category": {name: _figures(those) for name, those in _grouped(results, _category)},
        "by_set": {name: _figures(those) for name, those in _grouped(results, lambda each: each.case.group) if name},
        "broken": [{"case": each.case.name, "why": each.why_broken} for each in results if each.score is None],
        "unmapped_causes": sorted(
            {
                each.truth.cause_dataset
                for each in results
                if each.truth and each.truth.cause_dataset and not each.truth.healthy and not right_causes(each.truth)
            }
        ),
        **_spent(results),
    }


def _figures(results: Sequence[Result]) -> dict[str, Any]:
    blamed = [each for each in results if each.truth is None or each.truth.entities]
    caused = [each for each in blamed if each.truth is not None and (each.truth.cause or each.truth.cause_dataset)]
    worded = [each for each in results if each.truth is not None and each.truth.answer is not None]
    healthy = [each for each in results if each.truth is not None and each.truth.healthy]
    figures: dict[str, Any] = {
        "cases": len(results),
        "object": at_depths(_of(blamed, lambda each: each.rank)),
        "object_cause": at_depths(_of(caused, lambda each: each.cause_rank)),
        "object_lenient": at_depths(_of(blamed, lambda each: each.near_rank)),
        "state_accuracy": ratio(sum(bool(each.score and each.score.state_right) for each in results), len(results)),
        "healthy": len(healthy),
        "false_alarms": sum(bool(each.score and each.score.false_alarm) for each in results),
        "confirmed_wrong": sum(_is_confirmed_wrong(each.truth, each) for each in results),
        "unsupported_claims": sum(each.score.unsupported for each in results if each.score),
        "seconds_median": round(median(each.seconds for each in results), 3) if results else None,
    }
    if worded:
        right = sum(bool(each.score and each.score.answer_faults == ()) for each in worded)
        figures["answers"] = {"cases": len(worded), "right": right, "accuracy": ratio(right, len(worded))}
    return figures


def _of(results: Iterable[Result], rank: Callable[[Score], int | None]) -> list[int | None]:
    return [rank(each.score) if each.score else None for each in results]


def _is_confirmed_wrong(truth: Truth | None, result: Result) -> bool:
    """Whether the answer is sure of something wrong: the one mistake that people do not forgive."""
    if truth is None or result.score is None or result.diagnosis is None or not result.diagnosis.hypotheses:
        return False
    if result.diagnosis.hypotheses[0].confidence != "confirmed":
        return False
    return result.score.false_alarm or bool(truth.entities and result.score.near_rank != 1)


def _category(result: Result) -> str:
    if result.truth is None:
        return "unreadable"
    return result.truth.taxonomy or ("healthy" if result.truth.healthy else "none")


def _grouped(results: Sequence[Result], key: Callable[[Result], str]) -> list[tuple[str, list[Result]]]:
    groups: dict[str, list[Result]] = {}
    for each in results:
        groups.setdefault(key(each), []).append(each)
    return sorted(groups.items())


def _spent(results: Sequence[Result]) -> dict[str, Any]:
    """What a model cost for each case; nothing where none was asked."""
    answers = [each.diagnosis for each in results if each.diagnosis]
    total = sum((each.usage for each in answers), Usage())
    if not total.model_calls:
        return {}
    return {
        "model_calls_per_case": round(total.model_calls / len(answers), 2),
        "tokens_per_case": {
            "input": round(total.input_tokens / len(answers)),
            "output": round(total.output_tokens / len(answers)),
        },
        "usd_per_case": round(total.usd / len(answers), 5),
        "answered_by_model": sum(each.mode == "model" for each in answers),
        "claims": total.quality.claims,
        "claims_held": ratio(total.quality.held, total.quality.claims),
        "refutations": total.quality.refutations,
        "tie_breaks": total.quality.tie_breaks,
    }
