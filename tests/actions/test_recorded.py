"""Recorded worlds that are changed: what other processes see, and what they never see half done."""

import asyncio
import errno
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from approvals.action import Action, ActionError, ActionName
from approvals.plan import NotPossible, NotReached, Outcome, TargetChanged
from approvals.runners.overlay import WORLDS, overlaid
from approvals.runners.recorded import RecordedRunner
from bot.demo.show import INCIDENTS
from tests.actions.worlds import action, owned, pod, recorded, wanted, workload
from tools.entity import Entity
from tools.snapshot.opening import open_snapshot
from tools.world import World

ROLLBACK = action("rollback-workload", "deployment/shop/checkout", "bad-rollout", revision=7)


@pytest.fixture
def demo(tmp_path: Path) -> RecordedRunner:
    return RecordedRunner(snapshot=INCIDENTS, overlay=tmp_path / "overlay", open_world=open_snapshot)


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


async def objects(folder: Path, kind: str) -> dict[str, object]:
    world = await open_snapshot(folder)
    assert world.cluster
    return {each["metadata"]["name"]: each for each in await world.cluster.objects(kind, None)}


async def do(runner: RecordedRunner, what: Action, key: str = "k-1") -> None:
    plan = await runner.plan(what)
    receipt = await runner.execute(what, fingerprint=plan.fingerprint, key=key, is_wanted=wanted)
    assert receipt.outcome is Outcome.SUCCEEDED


async def test_the_recorded_world_after_the_action_is_what_every_process_reads(
    demo: RecordedRunner, tmp_path: Path
) -> None:
    before = content(INCIDENTS)
    plan = await demo.plan(ROLLBACK)
    assert plan.dry_run == "recorded"
    assert "+        - name: PAYMENTS_URL" in plan.diff
    assert plan.blast_radius.startswith("From revision 8 to 7. 1 pod would be replaced and 2 would stay; ")
    assert not (tmp_path / "overlay").exists()

    await do(demo, ROLLBACK)

    code = (
        "import sys, pathlib; from approvals.runners.overlay import overlaid; "
        "print(overlaid(*map(pathlib.Path, sys.argv[1:])))"
    )
    said = subprocess.run(  # noqa: ASYNC221 - nothing else goes on in this loop
        [sys.executable, "-c", code, INCIDENTS / "bad-rollout", tmp_path / "overlay"],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2],
    ).stdout  # fmt: skip
    assert Path(said.strip()) == (INCIDENTS / "bad-rollout" / "after-rollback").resolve()
    assert content(INCIDENTS) == before
    # The others are what they were.
    assert overlaid(INCIDENTS / "healthy-alert", tmp_path / "overlay") == INCIDENTS / "healthy-alert"


async def test_the_way_back_goes_from_the_world_that_is_there_now(demo: RecordedRunner, tmp_path: Path) -> None:
    back = (await demo.plan(ROLLBACK)).undo
    assert back
    await do(demo, ROLLBACK)
    await do(demo, back, "k-2")

    world = overlaid(INCIDENTS / "bad-rollout", tmp_path / "overlay")
    assert world.parent == tmp_path / "overlay"
    spec = json.dumps((await objects(world, "Deployment"))["checkout"])
    assert "checkout:2.5.0" in spec
    # By the name that the world has now, too.
    with pytest.raises(NotPossible, match="already"):
        await demo.plan(action("rollback-workload", "deployment/shop/checkout", world.name, revision=8))


async def test_a_change_without_a_recorded_outcome_changes_the_object_alone(tmp_path: Path) -> None:
    runner = recorded(tmp_path, workload(), pod("cart-1", ownerReferences=owned("o")), pod("cart-2"))
    source, overlay = tmp_path / "world", tmp_path / "overlay"
    before = content(source)

    await do(runner, action("scale-workload", "deployment/shop/cart", replicas=5))
    await do(runner, action("delete-pod", "pod/shop/cart-1"), "k-2")

    now = overlaid(source, overlay)
    assert (await objects(now, "Deployment"))["cart"]["spec"]["replicas"] == 5  # pyright: ignore[reportIndexIssue]
    assert set(await objects(now, "Pod")) == {"cart-2"}
    assert content(source) == before


async def test_a_recording_on_another_file_system_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr("os.link", refuse)
    runner = recorded(tmp_path, workload(), pod("cart-2"))
    await do(runner, action("scale-workload", "deployment/shop/cart", replicas=5))
    assert set(await objects(overlaid(tmp_path / "world", tmp_path / "overlay"), "Pod")) == {"cart-2"}


async def test_lists_and_yaml_are_changed_where_the_object_stands_in_them(tmp_path: Path) -> None:
    runner = recorded(tmp_path, pod("cart-2"))
    area = tmp_path / "world" / "kubernetes"
    items = [{"metadata": {**workload()["metadata"], "uid": "u"}, "spec": workload()["spec"]}]
    listed = {"apiVersion": "apps/v1", "kind": "DeploymentList", "items": items}
    pods = [pod("cart-1", uid="u-1", ownerReferences=owned("o")), pod("cart-3", uid="u-3")]
    (area / "deployments.yaml").write_text(yaml.safe_dump_all([listed, pod("cart-4")]))
    (area / "pods.json").write_text(json.dumps(pods))
    (area / "broken.json").write_text("{")
    (area / "link.json").symlink_to(area / "nowhere.json")

    await do(runner, action("scale-workload", "deployment/shop/cart", replicas=5))
    await do(runner, action("delete-pod", "pod/shop/cart-1"), "k-2")

    now = overlaid(tmp_path / "world", tmp_path / "overlay")
    assert (await objects(now, "Deployment"))["cart"]["spec"]["replicas"] == 5  # pyright: ignore[reportIndexIssue]
    assert set(await objects(now, "Pod")) == {"cart-2", "cart-3", "cart-4"}


async def test_a_file_that_cannot_be_written_again_makes_the_change_impossible(tmp_path: Path) -> None:
    runner = recorded(tmp_path, pod("cart-2"))
    two = f"{json.dumps(workload())}\n{json.dumps(pod('cart-9'))}"
    (tmp_path / "world" / "kubernetes" / "two.json").write_text(two)
    what = action("scale-workload", "deployment/shop/cart", replicas=5)
    plan = await runner.plan(what)
    with pytest.raises(NotPossible, match="in a form that can be written again"):
        await runner.execute(what, fingerprint=plan.fingerprint, key="k", is_wanted=wanted)
    assert overlaid(tmp_path / "world", tmp_path / "overlay") == tmp_path / "world"


async def test_a4_a_recorded_target_that_changed_is_left_alone(tmp_path: Path) -> None:
    runner = recorded(tmp_path, workload())
    first, second = (action("scale-workload", "deployment/shop/cart", replicas=number) for number in (5, 6))
    plan = await runner.plan(second)
    await do(runner, first)
    with pytest.raises(TargetChanged, match="spec was"):
        await runner.execute(second, fingerprint=plan.fingerprint, key="k-2", is_wanted=wanted)


async def test_a16_two_changes_at_once_are_made_one_after_the_other_and_a_second_attempt_does_nothing(
    tmp_path: Path,
) -> None:
    runner = recorded(tmp_path, workload(), workload() | {"metadata": {"name": "other"}})
    both = [action("scale-workload", f"deployment/shop/{name}", replicas=5) for name in ("cart", "other")]
    await asyncio.gather(*(do(runner, each, f"k-{number}") for number, each in enumerate(both)))
    now = overlaid(tmp_path / "world", tmp_path / "overlay")
    found = await objects(now, "Deployment")
    assert {name: each["spec"]["replicas"] for name, each in found.items()} == {"cart": 5, "other": 5}  # pyright: ignore[reportIndexIssue]

    receipt = await runner.execute(both[0], fingerprint={}, key="k-0", is_wanted=wanted)
    assert "already" in receipt.detail
    assert overlaid(tmp_path / "world", tmp_path / "overlay") == now


async def test_what_is_called_off_is_not_done(demo: RecordedRunner, tmp_path: Path) -> None:
    async def no_more() -> bool:
        return False

    plan = await demo.plan(ROLLBACK)
    with pytest.raises(NotPossible, match="called off"):
        await demo.execute(ROLLBACK, fingerprint=plan.fingerprint, key="k", is_wanted=no_more)
    assert not (tmp_path / "overlay").exists()


@pytest.mark.parametrize("table", ["{", "[]", '{"FOLDER": "nowhere"}', '{"FOLDER": 7}'])
async def test_a_table_that_cannot_be_believed_leaves_the_recording(tmp_path: Path, table: str) -> None:
    runner = recorded(tmp_path, workload())
    overlay, source = tmp_path / "overlay", tmp_path / "world"
    overlay.mkdir()
    (overlay / WORLDS).write_text(table.replace("FOLDER", str(source.resolve())))
    assert overlaid(source, overlay) == source
    assert await runner.plan(action("scale-workload", "deployment/shop/cart", replicas=5))


@pytest.mark.parametrize(
    "outcomes",
    ["- [", "{}", "- {action: {name: restart-workload}, world: after}", "- {action: SAME, world: ../elsewhere}",
     "- {action: SAME, world: 7}"],
)  # fmt: skip
async def test_an_outcome_that_is_not_of_exactly_this_action_and_inside_the_recording_is_passed_over(
    tmp_path: Path, outcomes: str
) -> None:
    runner = recorded(tmp_path, workload())
    same = "{name: scale-workload, target: deployment/shop/cart, arguments: {replicas: 5}}"
    (tmp_path / "world" / "outcomes.yaml").write_text(outcomes.replace("SAME", same))
    await do(runner, action("scale-workload", "deployment/shop/cart", replicas=5))
    assert "-changed-" in overlaid(tmp_path / "world", tmp_path / "overlay").name


async def test_a_world_that_is_not_there_or_cannot_be_read_is_refused(demo: RecordedRunner, tmp_path: Path) -> None:
    with pytest.raises(NotPossible, match="no recorded world 'nowhere'"):
        await demo.plan(action("restart-workload", "deployment/shop/checkout", "nowhere"))
    nothing = RecordedRunner(snapshot=tmp_path / "nothing", overlay=tmp_path, open_world=open_snapshot)
    with pytest.raises(NotReached, match="cannot be read"):
        await nothing.plan(action("restart-workload", "deployment/shop/checkout"))
    runner = recorded(tmp_path, pod("cart-1"))
    with pytest.raises(NotReached, match="no object of kind 'Deployment'"):
        await runner.plan(action("restart-workload", "deployment/shop/cart"))

    async def without_cluster(folder: Path) -> World:
        return World(name=folder.name)

    bare = RecordedRunner(snapshot=tmp_path / "world", overlay=tmp_path, open_world=without_cluster)
    with pytest.raises(NotPossible, match="no Kubernetes objects"):
        await bare.plan(action("restart-workload", "deployment/shop/cart"))


async def test_an_action_that_was_not_built_by_the_catalogue_is_refused(demo: RecordedRunner) -> None:
    for name, namespace in (("restart-workload", "kube-system"), ("drop-database", "shop")):
        forged = Action(name=ActionName(name), target=Entity("deployment", namespace, "x"), arguments={})
        with pytest.raises(NotPossible, match="no change of a Kubernetes object"):
            await demo.plan(forged)
    assert issubclass(ActionError, ValueError)
