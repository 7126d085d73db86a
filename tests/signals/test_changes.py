"""How far a series is from its own past, whatever the series is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.signals.changes import BOUND, Change, change_of, usual_of
from agents.signals.units import Family, gauge, reader
from tools.points import LARGEST, Points

STEP = 60.0
START = 1_000_000.0
"""The window begins here."""


def points(past: list[float], inside: list[float]) -> Points:
    first = START - STEP * len(past)
    return Points.of([(first + place * STEP, value) for place, value in enumerate([*past, *inside])])


def change(past: list[float], inside: list[float], *, floor: float = 0.01) -> Change | None:
    return change_of(points(past, inside), START, floor)


CALM = [1.0, 1.01, 0.99, 1.02, 0.98] * 4


def test_a_level_that_moves_is_a_change_with_its_onset() -> None:
    found = change(CALM, [1.0, 1.0, 3.0, 3.0])
    assert found is not None
    assert (found.level, found.began_at, found.last_at) == (3.0, START + 2 * STEP, START + 3 * STEP)
    assert found.is_now
    assert found.factor == pytest.approx(3.0)
    assert change(CALM, [1.0, 1.02, 1.01, 0.99]) is None


def test_a_past_that_was_bad_for_almost_half_of_the_time_does_not_hide_the_next_time() -> None:
    spoilt = [1.0] * 11 + [10.0] * 9
    found = change(spoilt, [10.0] * 4)
    assert found is not None
    # Quartiles would have taken the bad part for usual; how often it was so lowers what the points prove.
    assert found.usual.median == 1.0
    assert found.evidence < 0.5 < (change(CALM, [10.0] * 4) or found).evidence


def test_one_point_proves_less_than_several_and_many_prove_all() -> None:
    proofs = [change(CALM, [5.0] * out + [1.0] * (4 - out)) for out in (1, 2, 4)]
    one, two, four = (found.evidence for found in proofs if found)
    assert one < 0.25 < two < 0.6 < four
    assert change(CALM, [5.0] * 600).evidence == 1.0  # type: ignore[union-attr]


def test_a_counter_that_hardly_moves_is_not_moved_by_a_hair() -> None:
    assert change([5_000_000.0] * 20, [5_000_100.0] * 4) is None
    assert change([0.0] * 20, [0.02] * 4) is None
    assert change([0.0] * 20, [0.05] * 4) is not None


def test_the_side_that_went_further_counts() -> None:
    found = change(CALM, [0.0, 0.0, 0.0, 2.0])
    assert found is not None
    assert found.away < 0


def test_fewer_than_five_points_are_no_past() -> None:
    assert usual_of([1.0] * 4, 0.1) is None
    assert change([1.0] * 4, [9.0] * 4) is None
    assert change([], [9.0]) is None


_VALUES = st.floats(min_value=-1e9, max_value=1e9)
_ANYTHING = st.floats() | st.integers() | st.none() | st.booleans() | st.text(max_size=2)


@given(st.lists(st.tuples(_ANYTHING, _ANYTHING) | _ANYTHING, max_size=30))
def test_whatever_a_source_gives_the_points_are_in_order_and_can_be(pairs: list[object]) -> None:
    known = Points.of(pairs)
    assert list(known.times) == sorted(known.times)
    assert all(math.isfinite(at) and abs(value) <= LARGEST for at, value in known)


@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=40), st.floats(0, 2e9), st.sampled_from([0.001, 1.0]))
def test_whatever_a_series_is_nothing_raises_and_the_onset_lies_in_the_window(
    pairs: list[tuple[float, float]], start: float, floor: float
) -> None:
    found = change_of(Points.of(pairs), start, floor)
    if found:
        assert start <= found.began_at <= found.last_at
        assert 0 <= found.evidence <= 1
        assert 0 <= found.strength <= 1
        assert abs(found.away) > BOUND


@given(
    st.lists(st.floats(0, 100), min_size=5, max_size=20),
    st.lists(st.floats(0, 100), min_size=1, max_size=8),
    st.sampled_from([0.25, 2.0, 1024.0]),
)
def test_the_unit_does_not_matter(past: list[float], inside: list[float], factor: float) -> None:
    plain = change(past, inside, floor=1.0)
    scaled = change([each * factor for each in past], [each * factor for each in inside], floor=factor)
    assert (plain is None) == (scaled is None)
    if plain and scaled:
        # Powers of two: what floating point does to both is the same.
        assert (scaled.away, scaled.evidence, scaled.began_at) == (plain.away, plain.evidence, plain.began_at)


@given(
    st.lists(st.integers(0, 1000), min_size=5, max_size=20),
    st.lists(st.integers(0, 1000), min_size=1, max_size=8),
    st.integers(-500_000, 500_000),
)
def test_the_clock_does_not_matter(past: list[int], inside: list[int], skew: int) -> None:
    plain = change_of(points([*past], [*inside]), START, 1.0)
    moved = Points.of([(at + skew, value) for at, value in points([*past], [*inside])])
    later = change_of(moved, START + skew, 1.0)
    assert (plain is None) == (later is None)
    if plain and later:
        assert (later.level, later.began_at - skew) == (plain.level, plain.began_at)


@pytest.mark.parametrize(
    ("signal", "family", "is_good"),
    [
        ("latency_p95_seconds", Family.LATENCY, False),
        ("client_latency_p99_seconds", Family.CLIENT_LATENCY, False),
        ("availability_ratio", Family.ERRORS, True),
        ("cpu_utilization_ratio", Family.CPU, False),
        ("node_cpu_utilization_ratio", Family.SURROUNDINGS, False),
        ("replicas_ready", Family.COUNT, False),
        ("open_sockets", Family.OTHER, False),
    ],
)
def test_a_name_says_what_a_signal_speaks_of(signal: str, family: Family, is_good: bool) -> None:
    assert (gauge(signal).family, gauge(signal).is_good) == (family, is_good)
    assert reader(signal)(0.75) == (0.25 if is_good else 0.75)


def test_a_name_outside_the_catalogue_has_the_floor_of_its_unit() -> None:
    assert gauge("write_latency_seconds").floor == 0.005
    assert gauge("swap_used_bytes").floor == 4 * 2**20
    assert gauge("threads").floor == 1.0
