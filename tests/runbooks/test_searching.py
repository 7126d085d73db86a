"""The search by the words of a symptom, and its silence where nothing fits."""

import time
from pathlib import Path

import pytest

from agents.runbooks.fitting import LEAST
from agents.runbooks.search import Hit, Index, Symptom, entry
from agents.runbooks.words import terms
from tests.runbooks.shelves import SHELF
from tools.runbooks.document import parse


def index(shelf: dict[str, str] | None = None) -> Index:
    return Index([entry(parse(text, id=name)) for name, text in (shelf or SHELF).items()])


def asked(text: str, *, names: frozenset[str] = frozenset(), least: float = LEAST) -> tuple[Hit, ...]:
    return index().search([Symptom(text=text, names=names)], most=5, least=least)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("KubePodNotReady", "kube pod not ready"),
        ("node_filesystem_files", "node-filesystem-files"),
        ("the node is unready", "the node isn't ready"),
        ("OOMKilled", "out of memory"),
        ("cert expires", "certificates expiring"),
        ("<value> pods {{ $labels.pod }} waiting", "pods waiting"),
        ("k8s API server", "kube-apiserver"),
    ],
)
def test_the_same_thing_said_in_two_ways_is_one(left: str, right: str) -> None:
    assert terms(left) == terms(right)


@pytest.mark.parametrize(
    ("left", "right"), [("node ready", "node not ready"), ("errors", "failures"), ("HTTP 502", "HTTP 404")]
)
def test_different_things_stay_different(left: str, right: str) -> None:
    assert terms(left) != terms(right)


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("ContainerOOM: container killed, memory limit reached", "containers/ContainerOOM.md"),
        ("Certificate expiring in less than 7 days", "tls.md"),
        ("The filesystem of the node is running out of space", "node/filesystem-full.md"),
        ("Node has been unready for 20 minutes", "node/NodeNotReady.md"),
        ("Messages pile up, consumers too slow", "queues/QueueGrows.markdown"),
    ],
)
def test_a_symptom_finds_its_runbook_by_text_not_by_name(text: str, id_: str) -> None:
    assert asked(text)[0].runbook.id == id_


@pytest.mark.parametrize(
    "text",
    ["Redis replication link is broken", "Cassandra hints pile", "The checkout is slow since noon", "", "<value> 12 %"],
)
def test_what_no_runbook_is_about_gets_none(text: str) -> None:
    assert asked(text) == ()


def test_names_of_things_here_make_no_symptom_weaker() -> None:
    text = "Pod shop cart payments frontend ledger: certificate about to expire"
    names = frozenset({"shop", "cart", "payments", "frontend", "ledger"})
    with_names, without = (asked(text, names=each, least=0.0)[0] for each in (names, frozenset[str]()))
    assert with_names.strength > 1.5 * without.strength
    assert with_names.runbook.id == without.runbook.id == "tls.md"


def test_each_symptom_is_searched_for_by_itself() -> None:
    many = [Symptom(text="the lettuce is blue"), Symptom(text="node is not ready"), Symptom(text="certificate expired")]
    found = index().search(many, most=5, least=LEAST)
    assert {each.runbook.id for each in found} == {"node/NodeNotReady.md", "tls.md"}
    assert len(index().search(many, most=1, least=LEAST)) == 1


def test_the_words_that_matched_stand_as_they_were_asked_the_telling_ones_first() -> None:
    assert set(asked("The cert has EXPIRED")[0].matched) == {"cert", "EXPIRED"}


def test_an_empty_shelf_and_a_shelf_of_one_answer_too() -> None:
    assert Index([]).search([Symptom(text="node not ready")], most=5, least=0.0) == ()
    one = index({"a.md": SHELF["node/NodeNotReady.md"]})
    assert one.search([Symptom(text="node not ready")], most=5, least=LEAST)
    assert one.search([Symptom(text="certificate expired")], most=5, least=LEAST) == ()


def test_words_of_a_query_language_are_words() -> None:
    for text in ('title:* OR "', "a AND NOT (", "* ? ~ ^ \\", "words:memory"):
        asked(text)


def test_a_thousand_runbooks_are_indexed_in_seconds_and_searched_in_milliseconds() -> None:
    shelf = {f"{number}/{name}": text for number in range(200) for name, text in SHELF.items()}
    began = time.process_time()
    built = index(shelf)
    assert time.process_time() - began < 10
    assert len(built) == 1_000
    began = time.process_time()
    for _ in range(20):
        built.search([Symptom(text="The filesystem of the node is running out of space")], most=5, least=LEAST)
    assert (time.process_time() - began) / 20 < 0.05


def test_the_path_is_searched_for_what_the_folder_is_called() -> None:
    shelf = {"kafka/lag.md": "# Lag\n\nToo slow.", "postgres/lag.md": "# Lag\n\nToo slow.", "x.md": Path(__file__).name}
    found = index(shelf).search([Symptom(text="PostgreSQL lag")], most=1, least=0.0)
    assert found[0].runbook.id == "postgres/lag.md"


@pytest.mark.parametrize(
    "text", ["QueueGrows: not yet ready for this node", "What is queue-grows about?", "Queue grows. Not ready"]
)
def test_a_runbook_that_bears_the_alerts_own_name_comes_first(text: str) -> None:
    assert asked(text)[0].runbook.id == "queues/QueueGrows.markdown"


def test_a_name_within_a_longer_one_is_another_name() -> None:
    whole, longer = (asked(text, least=0.0)[0].strength for text in ("QueueGrows", "KafkaQueueGrows"))
    assert whole > 3 * longer


def test_of_two_names_that_mean_the_same_the_one_that_is_spelt_alike_comes_first() -> None:
    shelf = {f"{name}.md": f"# {name}\n\nPods restart." for name in ("KubernetesPodCrash", "KubePodCrash", "Other")}
    for name in ("KubernetesPodCrash", "KubePodCrash"):
        found = index(shelf).search([Symptom(text=f"{name}: pods restart")], most=2, least=LEAST)
        assert found[0].runbook.id == f"{name}.md"
        assert len(found) == 2
