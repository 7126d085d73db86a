"""Custom checks: what they find, what they refuse, and that nothing in them can run away."""

import contextlib
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st
from whenever import Instant

from agents.causes import catalogue, run
from agents.custom.checks import Checks
from agents.custom.expression import BadExpression, Expression, ExpressionFailed
from agents.custom.file import CustomCheckError, load
from agents.custom.pattern import BadPattern, Pattern
from agents.diagnosis import Confidence
from agents.finding import Finding, Role, Severity
from agents.investigation import Investigation, new_session_id, open_case
from agents.scene import Scene
from bot.cli import main
from bot.settings import Settings
from bot.terminal import diagnose
from tests.rules.builders import case, listing, obj
from tests.rules.looks import lines, moved, signals, steady
from tools.caching import MemoryCache
from tools.evidence import Evidence
from tools.window import Window
from tools.world import World

DEPLOYMENT = """
checks:
  - id: team-single-replica
    title: A Deployment has one replica
    role: cause
    severity: critical
    meaning: It is away whenever its one pod is.
    remediation: Set spec.replicas to two or more.
    applies_to: {namespaces: ["sh*"], labels: {tier: front}}
    objects:
      kind: Deployment
      fires_when: "spec.replicas < `2`"
      show: [spec.replicas]
"""
METRIC = """
checks:
  - id: team-queue-long
    title: The queue is long
    role: symptom
    meaning: Workers are too few.
    remediation: Add workers.
    promql: {query: sum by (pod) (jobs_waiting), signal: queue_depth, above: 0.5, for_minutes: 10}
"""
LOG = r"""
checks:
  - id: team-ledger-drift
    title: The ledger drifts
    role: cause
    direct: true
    meaning: Two books disagree.
    remediation: Run the reconciliation.
    log: {pattern: 'ledger drift of \d+ cents', at_least: 2}
"""


def kept(folder: Path, *texts: str) -> Checks:
    """The checks of a folder with these files."""
    for place, text in enumerate(texts):
        (folder / f"{place}.yaml").write_text(text)
    return load(folder)


def fired(checks: Checks, scene: Scene) -> tuple[Finding, ...]:
    """What checks find that could be evaluated, all of them."""
    checked = run(checks.rules, scene)
    assert checked.failures == ()
    return checked.findings


def deployment(replicas: Any, *, namespace: str = "shop", tier: str = "front") -> Scene:
    one = obj("Deployment", "cart", namespace, metadata={"labels": {"tier": tier}}, spec={"replicas": replicas})
    return Scene.of(case("deployment/shop/cart"), [listing("Deployment", [one])])


def test_an_expression_over_objects_fires_for_those_it_is_true_of(tmp_path: Path) -> None:
    checks = kept(tmp_path, DEPLOYMENT)
    [finding] = fired(checks, deployment(1))
    assert (finding.cause, finding.role, finding.severity) == ("team-single-replica", Role.CAUSE, Severity.CRITICAL)
    assert "replicas" in finding.evidence[0].excerpt
    assert not finding.direct
    for well in (deployment(2), deployment(1, namespace="lab"), deployment(1, tier="back")):
        assert fired(checks, well) == ()


def test_an_object_on_which_the_expression_has_no_value_is_a_failure_and_not_quiet(tmp_path: Path) -> None:
    text = DEPLOYMENT.replace("spec.replicas < `2`", "length(spec.replicas) > `2`")
    result = run(kept(tmp_path, text).rules, deployment(1))
    assert result.findings == ()
    assert [each.cause for each in result.failures] == ["team-single-replica"]


def test_a_threshold_needs_its_time_and_takes_the_query_where_it_was_asked(tmp_path: Path) -> None:
    checks = kept(tmp_path, METRIC)
    entity = "service/shop/jobs"
    long = Scene.of(case(entity), [signals(moved(entity, "queue_depth", 0.1, 9.0))])
    short = Scene.of(case(entity), [signals(steady(entity, "queue_depth", 0.4))])
    assert [str(each.entity) for each in fired(checks, long)] == [entity]
    assert fired(checks, short) == ()
    points = [[long.now.timestamp() - 60 * each, 9.0] for each in range(40, -1, -1)]
    query = "sum by (pod) (jobs_waiting)"
    answer = Evidence.found("prometheus.range", query, "x", data=[{"labels": {"pod": "w-1"}, "points": points}])
    asked = Scene.of(case(entity), [signals(steady(entity, "queue_depth", 0.1)), answer])
    assert [str(each.entity) for each in fired(checks, asked)] == ["pod//w-1"]


def test_below_is_above_upside_down(tmp_path: Path) -> None:
    checks = kept(tmp_path, METRIC.replace("above: 0.5", "below: 0.5"))
    entity = "service/shop/jobs"
    few = Scene.of(case(entity), [signals(moved(entity, "queue_depth", 9.0, 0.1))])
    [finding] = fired(checks, few)
    assert "0.1, below 0.5" in finding.summary
    assert fired(checks, Scene.of(case(entity), [signals(steady(entity, "queue_depth", 9.0))])) == ()


def test_a_pattern_counts_lines_since_the_onset_and_secrets_in_them_are_not_shown(tmp_path: Path) -> None:
    checks = kept(tmp_path, LOG)
    secret = "token=ghp_" + "a1B2" * 9
    new = [f"2026-01-01T11:5{each}:00Z ledger drift of {each}00 cents {secret}" for each in (5, 6)]
    [finding] = fired(checks, Scene.of(case(), [lines(*new)]))
    assert finding.direct
    assert "ghp_" not in f"{finding.summary}{[each.excerpt for each in finding.evidence]}"
    old = [each.replace("2026-01-01", "2025-12-01") for each in new]
    assert fired(checks, Scene.of(case(), [lines(*old, new[0])])) == ()


def test_a_source_that_did_not_answer_leaves_checks_silent(tmp_path: Path) -> None:
    assert fired(kept(tmp_path, DEPLOYMENT, METRIC, LOG), Scene.of(case(), [])) == ()


WRONG = [
    ("role: cause", "role: culprit", "role", "'cause', 'symptom' or 'context'"),
    ("id: team-single-replica", "id: oom-killed", "line 3", "one of Locum's own causes"),
    ("id: team-single-replica", "id: Team Replica", "checks.0.id", "pattern"),
    ("kind: Deployment", "kind: Secret", "checks.0.objects.kind", "not read by custom checks"),
    ("meaning:", "meanings:", "checks.0.meanings", "no such key"),
    ("spec.replicas < `2`", "spec.replicas <", "checks.0.objects", "no JMESPath"),
    ("spec.replicas < `2`", "lenght(spec)", "checks.0.objects", "no function"),
    ("    objects:", "    promql: {signal: queue_depth, above: 1}\n    objects:", "checks.0", "exactly one of"),
    ("severity: critical", "severity: critical\n    severity: info", "line 7", "there twice"),
    ("title: A Deployment has one replica", "title: [", "line", "not YAML"),
]


@pytest.mark.parametrize(("old", "new", "where", "what"), WRONG, ids=[each[1][:40].strip() for each in WRONG])
def test_what_cannot_be_used_is_refused_with_file_line_and_reason(
    old: str, new: str, where: str, what: str, tmp_path: Path
) -> None:
    assert old in DEPLOYMENT
    with pytest.raises(CustomCheckError) as refused:
        kept(tmp_path, DEPLOYMENT.replace(old, new, 1))
    said = str(refused.value)
    assert str(tmp_path / "0.yaml") in said
    assert "line" in said
    assert where in said
    assert what in said


@pytest.mark.parametrize(
    "promql",
    ["{above: 1}", "{signal: a_b, above: 1, below: 2}", "{signal: a_b}", "{signal: a_b, above: .inf}"],
)
def test_a_threshold_that_is_not_whole_is_refused(promql: str, tmp_path: Path) -> None:
    with pytest.raises(CustomCheckError):
        kept(tmp_path, METRIC[: METRIC.index("promql:")] + f"promql: {promql}\n")


def test_the_same_id_twice_is_refused_and_names_both_files(tmp_path: Path) -> None:
    with pytest.raises(CustomCheckError, match=r"1\.yaml.*stands in .*0\.yaml"):
        kept(tmp_path, DEPLOYMENT, DEPLOYMENT)


@pytest.mark.parametrize("text", ["(a+)+$", "(?=a)b", r"(a)\1", "", "a*", "(", "a{1000}{1000}{1000}"])
def test_a_pattern_that_fits_all_or_that_re2_has_not_is_refused_or_is_fast(text: str) -> None:
    try:
        pattern = Pattern(text)
    except BadPattern:
        return
    began = time.perf_counter()
    pattern.fits("a" * 4_000 + "!")
    assert time.perf_counter() - began < 1.0


def test_an_expression_that_doubles_again_and_again_ends() -> None:
    doubling = Expression("@" + " | [@, @][]" * 45)
    with pytest.raises(ExpressionFailed, match=r"parts|steps"):
        doubling.on({"a": 1})


@pytest.mark.parametrize("text", ["[" * 200, "a." * 600, "!" * 300 + "a", "a" * 2_000, "`{`", "a[?", "sort_by(@)|"])
def test_an_expression_that_is_none_or_too_large_is_refused(text: str) -> None:
    with pytest.raises(BadExpression):
        Expression(text)


@budget(max_examples=150, deadline=None)
@given(st.text(alphabet="abc.[]{}()@*?|&!<>=`'\",: 0123456789-length_sort", max_size=60), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
))  # fmt: skip
def test_any_text_is_an_expression_that_ends_or_is_refused(text: str, obj: Any) -> None:
    with contextlib.suppress(BadExpression, ExpressionFailed):
        assert Expression(text).holds(obj) in (True, False)


@budget(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.integers(0, len(DEPLOYMENT)))
def test_any_bytes_in_a_file_are_checks_or_are_refused_in_words(junk: bytes, at: int) -> None:
    content = DEPLOYMENT.encode()[:at] + junk + DEPLOYMENT.encode()[at:]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "a.yaml"
        file.write_bytes(content)
        with contextlib.suppress(CustomCheckError):
            assert load(file).rules


def recorded(folder: Path) -> Path:
    """A snapshot with one Deployment."""
    (folder / "kubernetes").mkdir(parents=True)
    one = {
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "cart", "namespace": "shop", "labels": {"tier": "front"}, "uid": "u-1"},
        "spec": {"replicas": 1}, "status": {"replicas": 1, "readyReplicas": 1, "availableReplicas": 1},
    }  # fmt: skip
    (folder / "kubernetes" / "deployments.json").write_text(json.dumps(one))
    (folder / "snapshot.yaml").write_text("version: 1\ncaptured_at: 2026-01-01T12:00:00Z\n")
    return folder


async def test_a_finding_of_a_custom_check_is_an_answer_like_others_with_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "a.yaml").write_text(DEPLOYMENT)
    settings = Settings.model_validate({"checks_dir": tmp_path / "checks", "snapshot": recorded(tmp_path / "snap")})
    diagnosis = await diagnose("why is deployment shop/cart down", settings)
    first = diagnosis.hypotheses[0]
    assert (first.cause, str(first.entity)) == ("team-single-replica", "deployment/shop/cart")
    assert first.title == "A Deployment has one replica"
    assert first.confidence is not Confidence.CONFIRMED
    assert [each.summary for each in first.remediations] == ["Set spec.replicas to two or more."]


class Metrics:
    """A Prometheus that knows one query."""

    async def signals(self, names: Sequence[str], namespace: str | None, window: Window) -> Sequence[Mapping[str, Any]]:
        return []

    async def instant(self, promql: str, at: Instant) -> Sequence[Mapping[str, Any]]:
        return []

    async def range(self, promql: str, window: Window, step_s: float) -> Sequence[Mapping[str, Any]]:
        assert promql == "sum by (pod) (jobs_waiting)"
        end = window.end.timestamp()
        return [
            {"labels": {"pod": "w-1", "namespace": "shop"}, "points": [[end - 60 * each, 9.0] for each in range(60)]}
        ]


async def test_a_live_investigation_asks_the_query_and_stands_by_what_it_gave(tmp_path: Path) -> None:
    world = World(name="live", metrics=Metrics())
    asked = open_case("why is pod shop/w-1 slow", (), world, session_id=new_session_id())
    checks = kept(tmp_path, METRIC)
    investigation = Investigation(asked, world, cache=MemoryCache(), listen=lambda _: None, checks=checks)
    ground = await investigation.ground()
    assert [(each.cause, str(each.entity)) for each in ground.findings] == [("team-queue-long", "pod/shop/w-1")]
    assert ground.failed_checks == ()


def cli(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr("sys.argv", ["locum", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_command_says_which_checks_fire_and_which_could_not_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "checks"
    folder.mkdir()
    kept(folder, DEPLOYMENT, LOG)
    snapshot = str(recorded(tmp_path / "snap"))
    assert cli(monkeypatch, "checks", "test", str(folder), "--snapshot", snapshot) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "fired     team-single-replica"
    assert said[2] == "not seen  team-ledger-drift"
    (folder / "0.yaml").write_text("checks: []\n")
    assert cli(monkeypatch, "checks", "test", str(folder), "--snapshot", snapshot) == 2
    assert "0.yaml: line 1: checks" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "said"), [(DEPLOYMENT, "ok      1 custom checks"), ("checks: [1]", "FAILED  ")])
def test_check_config_counts_checks_and_shows_where_one_is_wrong(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.yaml").write_text(text)
    monkeypatch.setenv("LOCUM_CHECKS_DIR", str(tmp_path))
    monkeypatch.setenv("LOCUM_SNAPSHOT", str(recorded(tmp_path / "snap")))
    cli(monkeypatch, "check-config")
    [line] = [each for each in capsys.readouterr().out.splitlines() if each.startswith("checks ")]
    assert said in line
    assert ("a.yaml: line 1: checks.0" in line) is (text != DEPLOYMENT)


def test_the_example_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "custom-checks.md").read_text()
    [example] = [each.split("```")[0] for each in text.split("```yaml\n")[1:]]
    checks = kept(tmp_path, example)
    assert len(checks.rules) == 3
    assert not {each.cause.id for each in checks.rules} & set(catalogue())
