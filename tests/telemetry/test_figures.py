"""What the model's answers were good for, as Prometheus reads it."""

from dataclasses import replace

from agents.report import Quality, Usage
from bot.telemetry import metrics
from tests.model.cases import diagnosis


def _read() -> dict[str, float]:
    lines = [line for line in metrics.text().decode().splitlines() if line.startswith("locum_model_")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def _rises(usage: Usage) -> dict[str, float]:
    before = _read()
    metrics.count_diagnosis(replace(diagnosis(), usage=usage))
    return {name: value - before.get(name, 0.0) for name, value in _read().items() if "_created" not in name}


def test_claims_refutations_ties_and_answers_from_before_are_counted() -> None:
    quality = Quality(cached=2, claims=5, held=4, refutations=1, tie_breaks=3)
    rises = _rises(Usage(model_calls=2, input_tokens=6_000, output_tokens=200, usd=0.5, quality=quality))
    assert rises["locum_model_cached_answers_total"] == 2
    assert rises['locum_model_claims_total{held="yes"}'] == 4
    assert rises['locum_model_claims_total{held="no"}'] == 1
    assert rises["locum_model_refutations_total"] == 1
    assert rises["locum_model_tie_breaks_total"] == 3
    assert (rises["locum_model_session_tokens_count"], rises["locum_model_session_tokens_sum"]) == (1, 6_200)


def test_a_session_in_which_no_model_was_asked_is_none_of_its_sessions() -> None:
    assert set(_rises(Usage(seconds=1.0, tool_calls=9)).values()) == {0.0}
