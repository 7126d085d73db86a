"""What a scene tells of the past."""

from agents.timeline import MOST_MOMENTS, moments
from tests.rules.builders import ago, deployment, ended, event, pod, replica_set, scene, status
from tools.evidence import Evidence

CART = "deployment/shop/cart"


def changes(*records: dict[str, str]) -> Evidence:
    return Evidence.found("history.changes", "changes", "changes", data=list(records))


def test_changes_warnings_and_ends_of_containers_stand_in_order_each_with_its_evidence() -> None:
    sick = pod("cart-7d4f-a", status(restarts=2, last=ended(137, "OOMKilled", minutes=20)))
    change = {"at": ago(40), "kind": "config", "entity": CART, "who": "ann", "summary": "smaller limit"}
    told, cited = moments(
        scene(deployment(), replica_set(), sick, event("BackOff", "Back-off", sick, minutes=2), looks=[changes(change)])
    )
    assert [each.what.split(":")[0] for each in told] == [
        "config by ann",
        "container cart ended",
        "BackOff",
    ]
    assert {each.evidence for each in told} <= {each.id for each in cited}
    assert "OOMKilled, exit code 137" in told[1].what


def test_normal_events_and_what_lies_far_back_are_left_out() -> None:
    well = pod(ready=True)
    normal = event("Pulled", "Pulled image", well) | {"type": "Normal"}
    old = {"at": ago(60 * 24), "kind": "deploy", "entity": CART, "summary": "last week"}
    assert moments(scene(deployment(), replica_set(), well, normal, looks=[changes(old)])) == ((), ())


def test_a_storm_of_changes_is_bounded() -> None:
    many = [
        {"at": ago(30), "kind": "config", "entity": f"deployment/shop/d{number}", "summary": f"change {letter}"}
        for number in range(20)
        for letter in "abc"
    ]
    told, cited = moments(scene(looks=[changes(*many)]))
    assert len(told) == len(cited) == MOST_MOMENTS


def test_what_several_pods_of_a_workload_tell_is_told_once_at_its_first_time() -> None:
    sick = [pod(f"cart-7d4f-{each}") for each in "abc"]
    told_of = [
        event("BackOff", f"Back-off restarting pod {each['metadata']['name']}", each, minutes=10 - at)
        for at, each in enumerate(sick)
    ]
    told, _ = moments(scene(deployment(), replica_set(), *sick, *told_of))
    assert [each.what.split(":")[0] for each in told] == ["BackOff"]
    assert "cart-7d4f-a" in told[0].what


def test_a_password_in_an_event_is_not_told() -> None:
    sick = pod()
    told, _ = moments(scene(deployment(), replica_set(), sick, event("Failed", "login with password=hunter22", sick)))
    assert told
    assert all("hunter22" not in each.what for each in told)
