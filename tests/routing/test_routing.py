"""Who leads a case, and why."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from whenever import Instant

from agents.alert import Alert, AlertStatus, fingerprint
from agents.routing import LEADERS, Routing, clues, route
from agents.specialist import GENERALIST, SpecialistError, check_tools, read_all, shipped

NOW = Instant.parse_iso("2026-03-14T10:20:00Z")


def alert(name: str, text: str = "", url: str = "", **labels: str) -> Alert:
    all_labels = {"alertname": name, **labels} if name else labels
    return Alert(
        source="alertmanager",
        status=AlertStatus.FIRING,
        labels=all_labels,
        annotations={"summary": text},
        starts_at=NOW,
        fingerprint=fingerprint(all_labels),
        url=url,
    )


def routed(*alerts: Alert, question: str = "") -> Routing:
    return route(clues(question, alerts), shipped())


@pytest.mark.parametrize(
    ("name", "text", "leader"),
    [
        ("MongodbReplicationLag", "Secondary is 40 s behind its primary", "database"),
        ("KubePodCrashLooping", "Pod shop/cart-1 is in waiting state", "infrastructure"),
        ("TLSCertificateExpiresSoon", "The certificate of shop.example expires in 5 days", "network"),
        ("HostOutOfDiskSpace", "Disk is almost full", "resource"),
        ("CheckoutErrorRateHigh", "5 % of the requests to checkout fail for users", "application"),
    ],
)
def test_an_alert_goes_to_the_specialist_of_its_subject(name: str, text: str, leader: str) -> None:
    found = routed(alert(name, text))
    assert found.leaders[0] == leader
    assert not found.abstained


def test_a_cpu_alert_about_a_database_goes_to_both() -> None:
    found = routed(alert("PostgresqlHighCPU", "CPU of the database host is saturated, load is high"))
    assert set(found.leaders) >= {"database", "resource"}


def test_without_a_clue_the_generalist_leads_and_the_routing_says_so() -> None:
    found = routed(alert("Bzzt", "it does the thing again"))
    assert found.abstained
    assert found.leaders == (GENERALIST,)
    assert "nobody reached" in found.specialists[0].why


def test_the_metric_in_the_alerts_expression_counts() -> None:
    found = routed(alert("Odd", url="http://prometheus.example/graph?g0.expr=pg_stat_activity_count+%3E+90&g0.tab=1"))
    assert found.leaders[0] == "database"
    assert "pg_stat_activity_count" in found.specialists[0].why


def test_every_route_says_why_with_the_words_it_saw() -> None:
    (best, *_) = routed(alert("RedisDown", "Redis instance is down")).specialists
    assert "'redis' in the name" in best.why


def test_the_best_comes_first_and_never_too_many_lead() -> None:
    found = routed(
        alert("KubeNodeDiskPressureMongoDNS", "mongodb pod on node: disk, cpu, dns, tls, error rate, jvm heap")
    )
    scores = [each.score for each in found.specialists]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) <= LEADERS


@given(st.text(max_size=300), st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=30), max_size=5))
def test_whatever_an_alert_says_somebody_leads_with_a_score_from_nought_to_one(
    text: str, labels: dict[str, str]
) -> None:
    found = routed(alert("", text, **{f"x{key}": value for key, value in labels.items()}))
    assert found.specialists
    assert all(0 <= each.score < 1 for each in found.specialists)


def specialists_in(folder: Path, **files: str) -> Path:
    (folder / f"{GENERALIST}.yaml").write_text("description: d\ntools: []\ninstructions: i\n")
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("description: d\ntools: []\ninstructions: i\ncolour: red\n", "colour"),
        ("description: [", "not YAML"),
        ("- a\n- b\n", "the whole file"),
        ("description: d\ntools: []\n", "instructions"),
        ("description: d\ntools: []\ninstructions: i\nlimits: {model_calls: 0}\n", "limits.model_calls"),
    ],
)
def test_a_specialist_that_cannot_be_used_is_refused_with_file_and_place(
    tmp_path: Path, text: str, expected: str
) -> None:
    with pytest.raises(SpecialistError, match=expected) as refused:
        read_all(specialists_in(tmp_path, mine=text))
    assert "mine.yaml" in str(refused.value)


def test_a_folder_without_a_generalist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecialistError, match=r"no generalist\.yaml"):
        read_all(tmp_path)


def test_a_specialist_that_wants_an_unknown_tool_is_refused(tmp_path: Path) -> None:
    folder = specialists_in(tmp_path, mine="description: d\ntools: [shell.run]\ninstructions: i\n")
    with pytest.raises(SpecialistError, match=r"mine: there is no tool 'shell\.run'"):
        check_tools(read_all(folder), ["kubernetes.objects"])
