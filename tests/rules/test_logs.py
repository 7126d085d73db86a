"""New crashes, callees that fail, refused credentials, limits that were hit."""

import pytest

from agents.causes import Rule
from agents.rules import logs
from tests.rules.builders import ago, log, obj, pod, replica_set, scene, service
from tests.rules.builders import deployment as workload
from tests.rules.looks import found, lines, signals, steady, world

REFUSED = "error: connect to db:5432: connection refused"
PANIC = "panic: runtime error: index out of range [5]"


@pytest.mark.parametrize(
    ("of", "line"),
    [
        (logs.connections_exhausted, "FATAL: remaining connection slots are reserved for superusers"),
        (logs.no_space_left, "write failed: No space left on device"),
        (logs.db_failover, "Multi-AZ failover started"),
        (logs.crash_signature, PANIC),
        (logs.crash_signature, "Traceback (most recent call last):"),
    ],
)
def test_one_plain_line_is_enough_and_ordinary_ones_are_not(of: Rule, line: str) -> None:
    assert [each.cause for each in found(of, world(lines(line)))] == [of.cause.id]
    assert found(of, world(lines("INFO served 200 in 3 ms"))) == []
    assert found(of, world()) == []


def test_a_crash_that_was_in_the_log_before_the_onset_is_nothing_new() -> None:
    before, now = f"{ago(90)} {PANIC}", f"{ago(5)} panic: runtime error: index out of range [7]"
    assert found(logs.crash_signature, world(lines(now)))
    assert found(logs.crash_signature, world(lines(before, now))) == []


def test_a_line_that_only_speaks_of_a_crash_at_info_is_none() -> None:
    assert found(logs.crash_signature, world(lines("INFO recovered from panic: handler"))) == []


def test_the_log_of_a_pod_is_about_its_workload_and_that_of_an_ended_container_is_direct() -> None:
    pods = (workload(), replica_set(), pod())
    (only,) = found(logs.crash_signature, scene(*pods, looks=[log("cart-7d4f-a", PANIC, previous=True)]))
    assert str(only.entity) == "deployment/shop/cart"
    assert only.direct


def test_most_errors_naming_one_callee_make_it_the_suspect() -> None:
    caller = workload(
        spec={"template": {"spec": {"containers": [{"name": "cart", "env": [{"name": "DB_HOST", "value": "db"}]}]}}}
    )
    objects = (caller, replica_set(), pod(), service("db"))
    (only,) = found(logs.dependency_failing, scene(*objects, looks=[log("cart-7d4f-a", *[REFUSED] * 4)]))
    assert str(only.entity) == "service/shop/db"
    assert "db" in only.summary
    assert not only.direct


def test_a_callee_by_its_address_is_the_service_with_that_address() -> None:
    caller = workload(spec={"template": {"spec": {"containers": [{"name": "cart", "args": ["--db=db:5432"]}]}}})
    database = service("db", spec={"clusterIP": "10.1.2.3"})
    line = "error: dial tcp 10.1.2.3:5432: connect: connection refused"
    (only,) = found(
        logs.dependency_failing, scene(caller, replica_set(), pod(), database, looks=[log("cart-7d4f-a", *[line] * 3)])
    )
    assert str(only.entity) == "service/shop/db"


def test_a_callee_that_nobody_knows_is_told_at_its_caller() -> None:
    (only,) = found(logs.dependency_failing, world(lines(*["error: connect to db.example:5432: refused"] * 3)))
    assert str(only.entity) == "pod/shop/cart-7d4f-a"
    assert "db.example" in only.summary


@pytest.mark.parametrize(
    "said",
    [
        [REFUSED],
        [REFUSED] * 3 + ["error: cannot parse order"] * 20,
        [f"{ago(90)} {REFUSED}"] * 5,
    ],
)
def test_few_or_old_lines_or_a_minority_make_no_suspect(said: list[str]) -> None:
    assert found(logs.dependency_failing, world(lines(*said))) == []


def test_refused_credentials_must_be_many_more_than_before() -> None:
    now = [f"{ago(5)} WARN request refused: 401 unauthorized" for _ in range(6)]
    before = [f"{ago(90)} WARN request refused: 401 unauthorized" for _ in range(3)]
    assert found(logs.auth_failing, world(lines(*now)))
    assert found(logs.auth_failing, world(lines(*before, *now))) == []
    assert found(logs.auth_failing, world(lines(*now[:2]))) == []


def test_the_same_line_through_two_sources_is_one_line() -> None:
    line = f"{ago(5)} {REFUSED}"
    other = lines(line)
    twice = [lines(line), log("cart-7d4f-a", line)]
    assert found(logs.dependency_failing, world(other, *twice)) == []


def test_the_log_of_a_database_is_about_the_database() -> None:
    known = signals(steady("database//orders", "cpu_utilization_ratio", 0.2))
    (only,) = found(logs.no_space_left, world(known, lines("No space left on device", pod="orders", namespace="rds")))
    assert str(only.entity) == "database//orders"


def test_a_long_log_is_read_to_its_end() -> None:
    many = [f"{ago(5)} INFO request {number} served" for number in range(10_000)]
    assert found(logs.crash_signature, world(lines(*many, PANIC)))


def test_a_password_in_a_log_line_does_not_reach_the_finding() -> None:
    loud = 'error: password authentication failed for user "x" password=hunter22'
    for each in found(logs.auth_failing, scene(obj("Node", "n", ""), looks=[lines(*[loud] * 6)])):
        assert "hunter22" not in each.summary
        assert all("hunter22" not in one.excerpt for one in each.evidence)
