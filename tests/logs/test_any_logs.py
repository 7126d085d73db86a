"""Logs of any content: no rule raises, nothing takes long, nothing is confirmed that the cluster contradicts."""

import time

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.causes import rules, run
from agents.finding import Severity
from agents.logs.lines import LONGEST_WORDS, MOST_ENTRIES, lines
from tests.logs.crashes import ALL
from tests.rules.builders import deployment, log, pod, replica_set, scene, status
from tests.rules.test_logs import PANIC, REFUSED, STOPPING

PIECES = (
    *(line for _, line, _ in STOPPING),
    *(each[0] for each in ALL),
    PANIC, REFUSED, "9999-99-99T99:99:99Z", "2026-02-30 25:61:61", "1e400", '{"ts": 1e400, "level": []', '{"a":' * 50,
    "\x1b[31m", "\x00", "\u202e", '{"level":"error","msg":"panic: \\ud800"}',
    "E9999 99:99:99.9", "[99/Foo/2026:11:55:00 +9999]", '" 200 1', "://:@:0/",
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=200),
    st.binary(max_size=200).map(lambda each: each.decode("utf-8", errors="replace")),
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=4).map(" ".join),
)


@settings(max_examples=60, deadline=None)
@given(said=st.lists(TEXTS, max_size=12), ready=st.booleans(), previous=st.booleans())
def test_no_line_makes_a_rule_raise_or_a_pod_that_is_well_critical(
    said: list[str], ready: bool, previous: bool
) -> None:
    one = pod("cart-7d4f-a", status(ready=ready), ready=ready)
    where = scene(deployment(), replica_set(), one, looks=[log("cart-7d4f-a", *said, previous=previous)])
    checked = run(rules(frozenset({"logs"})), where)
    assert checked.failures == ()
    if ready:
        assert all(each.severity is not Severity.CRITICAL and not each.direct for each in checked.findings)


def test_lines_made_to_be_slow_are_not() -> None:
    size = 2**18
    units = ("a.", "_", "A_", " ", "\t", "-a", "1.", "at ", "a-", '"', "(", "path /a", "error=", "connection ", "x: (")
    long = [f"ERROR {unit * (size // len(unit))}" for unit in units]
    short = [f"ERROR {unit * (2_000 // len(unit))}" for unit in units for _ in range(3)]
    began = time.process_time()
    where = scene(deployment(), replica_set(), pod(), looks=[log("cart-7d4f-a", *long, *short)])
    assert run(rules(frozenset({"logs"})), where).failures == ()
    assert time.process_time() - began < 20


def test_what_is_kept_of_a_flood_is_bounded_and_reaches_from_its_beginning_to_its_end() -> None:
    flood = [f"ERROR request {number} failed" for number in range(50_000)]
    found = lines(scene(pod(), looks=[log("cart-7d4f-a", *flood)]))
    assert len(found) <= MOST_ENTRIES
    assert "request 0 " in found[0].text
    assert "request 49999 " in found[-1].text
    assert len(lines(scene(pod(), looks=[log("cart-7d4f-a", "ERROR " + "x" * 2**20)]))[0].text) <= LONGEST_WORDS
