"""Who leads a case, and why."""

from pathlib import Path
from urllib.parse import urlencode

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from whenever import Instant

from agents.alert import Alert, AlertStatus, fingerprint
from agents.clues import clues
from agents.routing import LEADERS, Routing, route
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


def test_a_product_counts_before_the_runtime_that_it_has_inside() -> None:
    found = routed(
        alert("SolrHeapUsageHigh", "The JVM heap of the Solr node is nearly full, garbage collection is slow")
    )
    assert found.leaders[:2] == ("database", "application")


@pytest.mark.parametrize("name", ["MySQLDown", "mysql_down", "mysql-down", "My SQL down", "MYSQL_DOWN"])
def test_however_a_name_is_written_it_is_the_same_technology(name: str) -> None:
    assert routed(alert(name)).leaders == ("database",)


def test_a_word_that_is_only_a_part_of_a_longer_name_says_nothing() -> None:
    assert routed(alert("ProxySQLDown", "ProxySQL does not answer")).leaders == ("database",)


def test_where_it_is_surely_one_of_two_both_lead() -> None:
    found = routed(alert("", "The cluster has used up its quota of memory for pods in this namespace"))
    assert set(found.leaders) == {"infrastructure", "resource"}
    assert not found.abstained


def test_what_a_template_would_have_filled_in_says_nothing() -> None:
    assert routed(alert("Bzzt", "{{ $labels.mysql }} does the thing again")).abstained


def test_the_longest_known_beginning_of_a_metric_counts() -> None:
    url = "http://prometheus.example/graph?g0.expr=kubelet_volume_stats_available_bytes+%3C+1e9"
    assert routed(alert("VolumeAlmostFull", "Less than 5% of space is left", url=url)).leaders[0] == "resource"


def test_the_job_that_an_expression_asks_names_the_technology() -> None:
    url = "http://prometheus.example/graph?g0.expr=up%7Bjob%3D%22rabbitmq%22%7D+%3D%3D+0"
    assert routed(alert("InstanceDown", "An instance is down", url=url)).specialists[0].name == "database"


ALERTS: dict[str, list[list[str]]] = yaml.safe_load((Path(__file__).parent / "alerts.yaml").read_text())


@pytest.mark.parametrize("specialist", list(ALERTS))
def test_alerts_of_other_authors_reach_the_specialist_of_their_subject(specialist: str) -> None:
    for name, text, expression in ALERTS[specialist]:
        url = f"http://prometheus.example/graph?{urlencode({'g0.expr': expression})}"
        found = routed(alert(name, text, url=url))
        assert found.leaders[0] == specialist, (name, found.to_json())


def test_scores_of_all_specialists_together_are_no_more_than_one() -> None:
    found = routed(alert("PostgresqlHighCPU", "CPU of the database host is saturated, load is high"))
    assert sum(each.score for each in found.specialists) <= 1
    assert found.specialists[0].score > 0.9


def test_whom_the_model_chose_leads_where_nobody_is_sure_and_nowhere_else() -> None:
    unclear, clear = alert("Bzzt", "it does the thing again"), alert("MySQLDown")
    chosen = route(clues("", [unclear]), shipped(), chosen=("network", "nobody-of-that-name"))
    assert chosen.leaders == ("network",)
    assert not chosen.abstained
    assert "chosen by the model" in chosen.specialists[0].why
    assert route(clues("", [clear]), shipped(), chosen=("network",)).leaders == ("database",)
    assert route(clues("", [unclear]), shipped(), chosen=("nobody-of-that-name",)).leaders == (GENERALIST,)


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


def test_a_flood_of_words_is_read_to_a_bound() -> None:
    flood = alert("MySQLDown", "Proxy SQL and word after word " * 50_000)
    found = clues("", [flood] * 50)
    assert sum(len(each) for each in found.phrases.values()) < 100_000
    assert route(found, shipped()).leaders[0] == "database"


PLAIN = "description: d\ntools: []\ninstructions: i\n"


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
        ("matches: {technologies: {5: [my sql]}, symptoms: {2: [mysql]}}\n" + PLAIN, "more than once.*: mysql"),
        ("matches: {symptoms: {2: [OOM]}}\n" + PLAIN, "not in lower case.*: OOM"),
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
