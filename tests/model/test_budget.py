"""Accounting: promises bound what many spend at once, prices never surprise."""

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.model.budget import Budget, Ceiling, Ledger
from agents.model.circuits import REST_S, THRESHOLD, Circuit
from agents.model.prices import price
from agents.model.replies import Tokens
from agents.report import Usage

BUDGET = Budget(calls=10, tokens=10_000, seconds=60, usd=0.5)
amounts = st.integers(0, 4_000)
requests = st.lists(st.tuples(amounts, amounts, st.floats(0, 1), st.floats(0, 1), st.booleans()), max_size=30)


def _usage(tokens_in: int, tokens_out: int) -> Usage:
    return Usage(
        model_calls=1, input_tokens=tokens_in, output_tokens=tokens_out, usd=(tokens_in + 5 * tokens_out) / 1e5
    )


@settings(deadline=None)
@given(requests)
def test_no_order_of_promises_and_settlements_exceeds_the_budget(
    asked: list[tuple[int, int, float, float, bool]],
) -> None:
    ledger = Ledger(budget=BUDGET)
    under_way: list[tuple[Usage, Usage]] = []
    for tokens_in, tokens_out, share_in, share_out, settles in asked:
        estimate = _usage(tokens_in, tokens_out)
        actual = _usage(int(tokens_in * share_in), int(tokens_out * share_out))
        if ledger.affords(estimate) is None:
            ledger = ledger.promise(estimate)
            under_way.append((estimate, actual))
        if settles and under_way:
            ledger = ledger.settle(*under_way.pop(0))
    for estimate, actual in under_way:
        ledger = ledger.settle(estimate, actual)
    assert BUDGET.exceeded(ledger.spent) is None
    assert (ledger.promised.model_calls, ledger.promised.input_tokens, ledger.promised.output_tokens) == (0, 0, 0)
    assert ledger.promised.usd < 1e-9


def test_what_runs_out_is_named() -> None:
    assert BUDGET.exceeded(Usage(model_calls=11)) is Ceiling.CALLS
    assert BUDGET.exceeded(Usage(input_tokens=6_000, output_tokens=4_001)) is Ceiling.TOKENS
    assert BUDGET.exceeded(Usage(seconds=60.1)) is Ceiling.SECONDS
    assert BUDGET.exceeded(Usage(usd=0.51)) is Ceiling.USD
    assert BUDGET.exceeded(Usage(model_calls=10, input_tokens=10_000, seconds=60, usd=0.5)) is None


def test_an_unknown_model_counts_as_the_dearest_and_a_dated_name_as_its_model() -> None:
    million = Tokens(input=1_000_000, output=1_000_000)
    assert price("claude-sonnet-4-5-20250929").usd(million) == 18
    assert price("anthropic.claude-haiku-4-5-v1:0").usd(million) == 6
    assert price("claude-opus-4-5").usd(million) == 30
    assert price("something-new").usd(million) == price("claude-opus-4-1").usd(million) == 90


def test_the_cache_is_cheap_to_read_and_dear_to_write() -> None:
    sonnet = price("claude-sonnet-4-5")
    read, plain, written = (
        sonnet.usd(each) for each in (Tokens(cache_read=1_000), Tokens(input=1_000), Tokens(cache_write=1_000))
    )
    assert read < plain < written


@settings(deadline=None)
@given(st.lists(st.sampled_from(["fail", "succeed", "wait"]), max_size=40))
def test_a_circuit_is_open_exactly_after_failures_in_a_row(steps: list[str]) -> None:
    circuit, now_s, in_a_row = Circuit(), 0.0, 0
    for step in steps:
        now_s += REST_S if step == "wait" else 0.1
        asked = circuit.asked(now_s=now_s)
        if in_a_row < THRESHOLD:
            assert asked is not None
        if asked is None or step == "wait":
            continue
        circuit = asked.failed(now_s=now_s) if step == "fail" else Circuit()
        in_a_row = in_a_row + 1 if step == "fail" else 0
        assert (circuit.asked(now_s=now_s) is None) == (in_a_row >= THRESHOLD)


def test_after_the_rest_one_may_try_and_the_others_wait_for_the_outcome() -> None:
    circuit = Circuit()
    for _ in range(THRESHOLD):
        circuit = circuit.failed(now_s=100)
    assert circuit.asked(now_s=100 + REST_S - 1) is None
    trying = circuit.asked(now_s=100 + REST_S)
    assert trying is not None
    assert trying.asked(now_s=100 + REST_S) is None
