"""Where what callers feel begins: the deepest part that its callees do not account for."""

from typing import Any

import pytest

from agents.finding import Finding, Severity
from agents.rules import origins
from tests.rules.looks import BASELINE, WINDOW, calls, found, moved, series, signals, steady, world

WEB, CART, DB, PAY = (f"service/shop/{name}" for name in ("web", "cart", "db", "pay"))
CHAIN = calls((WEB, CART), (CART, DB), (WEB, PAY))


def rates(**each: float) -> list[dict[str, Any]]:
    return [steady(f"service/shop/{name}", "requests_per_second", rate) for name, rate in each.items()]


def mean(entity: str, before: float, after: float) -> dict[str, Any]:
    return moved(entity, "latency_mean_seconds", before, after)


def first(findings: list[Finding]) -> str:
    return str(max(findings, key=lambda each: each.strength or 0.0).entity)


@pytest.mark.parametrize(
    ("culprit", "web", "cart", "db"),
    [(DB, 0.5, 0.45, 0.42), (CART, 0.5, 0.45, 0.02), (WEB, 0.5, 0.05, 0.02)],
)
def test_the_deepest_part_that_its_callees_do_not_account_for_beats_its_callers(
    culprit: str, web: float, cart: float, db: float
) -> None:
    seen = signals(
        *rates(web=10, cart=10, db=10, pay=10),
        mean(WEB, 0.1, web), mean(CART, 0.05, cart), mean(DB, 0.02, db), mean(PAY, 0.03, 0.03),
    )  # fmt: skip
    told = found(origins.self_time_high, world(seen, CHAIN, about=[WEB]))
    assert first(told) == culprit
    assert {str(each.entity) for each in told if each.severity is not Severity.INFO} == {culprit}
    assert not any(each.direct for each in told)


def test_a_slow_thing_that_nobody_waits_for_when_it_is_slow_is_not_the_origin() -> None:
    # Slow all the time, while the page is slow in the second half of the window alone, as its other callee is.
    page = series(WEB, "latency_mean_seconds", *[0.1] * (BASELINE + WINDOW // 2), *[0.5] * (WINDOW // 2))
    pay = series(PAY, "latency_mean_seconds", *[0.03] * (BASELINE + WINDOW // 2), *[0.4] * (WINDOW // 2))
    seen = signals(*rates(web=10, cart=10, pay=10), page, pay, mean(CART, 0.05, 0.3))
    assert first(found(origins.self_time_high, world(seen, CHAIN, about=[WEB]))) == PAY


def test_errors_begin_where_no_callee_fails_as_often() -> None:
    seen = signals(
        *rates(web=10, cart=10, db=10, pay=10),
        moved(WEB, "availability_ratio", 1.0, 0.8),
        moved(CART, "availability_ratio", 1.0, 0.8),
        steady(DB, "availability_ratio", 1.0),
        steady(PAY, "availability_ratio", 1.0),
    )
    assert first(found(origins.errors_begin_here, world(seen, CHAIN, about=[WEB]))) == CART


def test_that_something_new_is_called_and_fails_began_in_who_calls_it() -> None:
    new = series("table/shop/typo", "error_ratio", *[1.0] * WINDOW)
    seen = signals(*rates(web=10, cart=10), *(moved(each, "error_ratio", 0.0, 0.3) for each in (WEB, CART)), new)
    known = calls((WEB, CART), (CART, "table/shop/typo"))
    assert first(found(origins.errors_begin_here, world(seen, known, about=[WEB]))) == CART


def test_without_a_call_graph_whoever_left_its_own_past_furthest_is_nearest() -> None:
    seen = signals(mean(WEB, 0.5, 0.9), mean(CART, 0.02, 0.42), mean(DB, 0.02, 0.02))
    assert first(found(origins.self_time_high, world(seen))) == CART


def test_nothing_is_accused_where_nothing_rose() -> None:
    seen = signals(*rates(web=10, cart=10), mean(WEB, 0.1, 0.1), mean(CART, 0.05, 0.05))
    for of in (origins.self_time_high, origins.errors_begin_here, origins.latency_path_high):
        assert found(of, world(seen, CHAIN, about=[WEB])) == []
        assert found(of, world()) == []
    (usual,) = found(origins.answers_as_usual, world(seen, CHAIN, about=[WEB]))
    assert str(usual.entity) == WEB
    assert found(origins.answers_as_usual, world(signals(mean(WEB, 0.1, 0.2)), about=[WEB])) == []


def client(entity: str, after: float) -> list[dict[str, Any]]:
    return [
        moved(entity, f"client_latency_{part}_seconds", 0.02, after if part != "p90" or after < 0.02 else after / 4)
        for part in ("p90", "p95", "p99")
    ]


def test_a_slow_way_is_named_by_who_waits_and_who_does_not() -> None:
    # Both callers of the cart wait, its third caller does not call it; the cart itself answers as always.
    known = calls((WEB, CART), (PAY, CART), (WEB, DB), ("service/shop/ads", DB))
    seen = signals(
        *rates(web=10, pay=10, cart=20, db=20, ads=10),
        mean(CART, 0.02, 0.02), mean(DB, 0.02, 0.02),
        *client(WEB, 0.4), *client(PAY, 0.4), *client("service/shop/ads", 0.02),
    )  # fmt: skip
    told = found(origins.latency_path_high, world(seen, known))
    assert first(told) == CART
    assert "Calls to service/shop/cart wait on the way" in max(told, key=lambda each: each.strength or 0).summary


def test_callers_of_a_slow_callee_wait_for_it_and_not_for_the_way() -> None:
    seen = signals(*rates(web=10, cart=10), mean(CART, 0.02, 0.4), *client(WEB, 0.42))
    assert found(origins.latency_path_high, world(seen, calls((WEB, CART)))) == []


def test_what_only_callers_saw_stands_behind_what_was_measured_itself() -> None:
    remote = "remote/shop/cart.lb"
    seen = signals(*rates(web=10, cart=10), mean(WEB, 0.1, 0.5), mean(CART, 0.02, 0.42), mean(remote, 0.02, 0.42))
    told = found(origins.self_time_high, world(seen, calls((WEB, CART), (WEB, remote)), about=[WEB]))
    assert first(told) == CART
