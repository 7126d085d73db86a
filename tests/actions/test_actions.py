"""What an action can be, and how it is told."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.action import Action, ActionError, Effect, kinds, read
from approvals.actions.objects import repository

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
KINDS = {name: kind for name, kind in kinds().items() if kind.runner == "kubernetes"}

GOOD: dict[str, tuple[str, dict[str, Any], str]] = {
    "restart-workload": (
        "daemonset/shop/agent", {},
        "Restart daemonset shop/agent: replace all its pods, as a rollout does.",
    ),
    "rollback-workload": (
        "deployment/shop/cart", {"revision": 7}, "Roll deployment shop/cart back to revision 7.",
    ),
    "scale-workload": ("statefulset/shop/db", {"replicas": 1}, "Scale statefulset shop/db to 1 replica."),
    "set-image": (
        "deployment/shop/cart", {"container": "cart", "image": f"registry.example:5000/shop/cart:1.4.2@{DIGEST}"},
        f"Set the image of container cart of deployment shop/cart to registry.example:5000/shop/cart:1.4.2@{DIGEST}.",
    ),
    "patch-probe": (
        "deployment/shop/cart", {"container": "cart", "probe": "startup", "port": "http", "failure_threshold": 30},
        "Change the startup probe of container cart of deployment shop/cart: port http, failure threshold 30.",
    ),
    "patch-service-port": (
        "service/shop/cart", {"port": 80, "target_port": 8080},
        "Let port 80 of service shop/cart lead to the pods' port 8080.",
    ),
    "patch-service-selector": (
        "service/shop/cart", {"selector": {"app": "cart", "example.com/tier": ""}},
        "Let service shop/cart select the pods with app=cart and example.com/tier=, and no other label.",
    ),
    "set-resources": (
        "deployment/shop/cart", {"container": "cart", "memory_limit": "512Mi", "cpu_limit": "none"},
        "Set resources of container cart of deployment shop/cart: cpu limit none, memory limit 512Mi.",
    ),
    "delete-pod": (
        "pod/shop/cart-1", {}, "Delete pod shop/cart-1, so that its controller replaces it.",
    ),
    "cordon-node": ("node//worker-1.example", {}, "Cordon node worker-1.example: schedule no new pods on it."),
    "uncordon-node": ("node//worker-1", {}, "Uncordon node worker-1: schedule new pods on it again."),
    "suspend-cronjob": ("cronjob/shop/report", {}, "Suspend cronjob shop/report: start no further runs."),
    "resume-cronjob": ("cronjob/shop/report", {}, "Resume cronjob shop/report: start runs on its schedule again."),
    "delete-failed-job": (
        "job/shop/report-1", {}, "Delete job shop/report-1, which has failed, together with its pods.",
    ),
}  # fmt: skip


def built(name: str, target: str, arguments: dict[str, Any], cluster: str = "") -> Action:
    return read({"name": name, "target": target, "arguments": arguments, "cluster": cluster})


@pytest.mark.parametrize("name", KINDS)
def test_a_sentence_tells_the_target_and_every_argument(name: str) -> None:
    target, arguments, sentence = GOOD[name]
    action = built(name, target, arguments)

    assert action.sentence == sentence
    assert read(action.to_json()) == action
    kind = KINDS[name]
    assert kind.effect is Effect.WRITE
    assert kind.title
    assert kind.meaning.endswith(".")


def test_stopping_a_workload_and_another_repository_are_said_in_so_many_words() -> None:
    assert built("scale-workload", "deployment/shop/cart", {"replicas": 0}).sentence.endswith("to 0 replicas: stop it.")
    arguments = {"container": "cart", "image": "evil/cart:1", "other_repository": True}
    assert built("set-image", "deployment/shop/cart", arguments).sentence.endswith(
        "to evil/cart:1, which may be another repository (docker.io/evil/cart)."
    )


BAD_TARGETS = [
    "deployment/kube-system/cart", "deployment/openshift-etcd/cart", "deployment/shop/*", "deployment/*/cart",
    "deployment//cart", "deployment/shop/Cart", "deployment/shop/cart; rm -rf", "deployment/shop/cart/scale",
    "deployment/shop/../secrets", "deployment/shop/cart\u202e", "deployment/shop/c\u0430rt", "secret/shop/cart",
    "namespace//shop", f"deployment/shop/{'a' * 254}", "deployment/shop/-cart", "deployment/shop/cart\n",
]  # fmt: skip


@pytest.mark.parametrize("target", [each for each in BAD_TARGETS if each.strip() == each])
def test_a_target_that_is_not_one_object_outside_of_the_control_plane_is_refused(target: str) -> None:
    with pytest.raises(ActionError):
        built("restart-workload", target, {})


def test_a_node_is_in_no_namespace() -> None:
    with pytest.raises(ActionError, match="in no namespace"):
        built("cordon-node", "node/shop/worker-1", {})


@pytest.mark.parametrize("cluster", ["../etc", "a/b", "-x", "a b", "ü"])
def test_a_cluster_is_a_plain_name(cluster: str) -> None:
    with pytest.raises(ActionError, match="no name of a cluster"):
        built("restart-workload", "deployment/shop/cart", {}, cluster)


BAD_ARGUMENTS: list[tuple[str, dict[str, Any]]] = [
    ("scale-workload", {"replicas": -1}), ("scale-workload", {"replicas": 1001}), ("scale-workload", {"replicas": "3"}),
    ("scale-workload", {"replicas": 3.0}), ("scale-workload", {"replicas": True}), ("scale-workload", {}),
    ("scale-workload", {"replicas": 3, "force": True}), ("rollback-workload", {"revision": 0}),
    ("rollback-workload", {"revision": None}), ("restart-workload", {"namespace": "shop"}),
    ("set-image", {"container": "cart", "image": "registry.example/cart"}),
    ("set-image", {"container": "cart", "image": "registry.example/cart:1; curl evil"}),
    ("set-image", {"container": "cart", "image": "registry.example/cart:1\n"}),
    ("set-image", {"container": "cart", "image": "$(id):1"}), ("set-image", {"container": "cart", "image": "cart:"}),
    ("set-image", {"container": "cart", "image": "c\u0430rt:1"}), ("set-image", {"container": "*", "image": "cart:1"}),
    ("set-image", {"container": "cart", "image": "cart:1", "other_repository": "yes"}),
    ("patch-probe", {"container": "cart", "probe": "readiness"}),
    ("patch-probe", {"container": "cart", "probe": "exec", "port": 80}),
    ("patch-probe", {"container": "cart", "probe": "liveness", "port": 0}),
    ("patch-probe", {"container": "cart", "probe": "liveness", "timeout_seconds": -1}),
    ("patch-probe", {"container": "cart", "probe": "liveness", "path": "http://evil/"}),
    ("set-resources", {"container": "cart"}), ("set-resources", {"container": "cart", "memory_limit": "256m"}),
    ("set-resources", {"container": "cart", "memory_limit": "256"}),
    ("set-resources", {"container": "cart", "memory_limit": "-1Gi"}),
    ("set-resources", {"container": "cart", "memory_limit": "0"}),
    ("set-resources", {"container": "cart", "cpu_limit": "0.00"}),
    ("set-resources", {"container": "cart", "cpu_limit": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "arguments"), BAD_ARGUMENTS)
def test_an_argument_that_is_not_exactly_of_the_schema_is_refused(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ActionError):
        built(name, "deployment/shop/cart", arguments)


BAD_SELECTORS: list[Any] = [{}, {"app": "a b"}, {"": "cart"}, {"app": None}, {"app": "*"}, {"a/b/c": "x"}, "app=cart"]


@pytest.mark.parametrize("selector", BAD_SELECTORS)
def test_a_selector_is_labels_and_never_empty(selector: Any) -> None:
    with pytest.raises(ActionError):
        built("patch-service-selector", "service/shop/cart", {"selector": selector})


def test_what_could_not_be_shown_to_people_cannot_be_proposed() -> None:
    with pytest.raises(ActionError, match="looks like a secret"):
        built("patch-service-selector", "service/shop/cart", {"selector": {"password": "hunter22"}})


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("cart:1", "docker.io/library/cart"), ("shop/cart:1", "docker.io/shop/cart"),
        ("docker.io/shop/cart:1", "docker.io/shop/cart"), ("index.docker.io/shop/cart:1", "docker.io/shop/cart"),
        ("localhost/cart:1", "localhost/cart"), ("registry:5000/cart", "registry:5000/cart"),
        (f"registry.example/a/b@{DIGEST}", "registry.example/a/b"), (f"a.example/b:1@{DIGEST}", "a.example/b"),
    ],
)  # fmt: skip
def test_an_image_has_one_repository_however_it_is_written(image: str, expected: str) -> None:
    assert repository(image) == expected


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(KINDS)),
    target=st.text(max_size=40) | st.builds("{}/{}/{}".format, st.sampled_from(sorted({"deployment", "pod", "node"})),
                                            st.text(max_size=12), st.text(max_size=12)),
    arguments=st.dictionaries(
        st.sampled_from(["revision", "replicas", "container", "image", "port", "path", "selector", "cpu_limit"]),
        st.text(max_size=20) | st.integers() | st.none() | st.dictionaries(st.text(max_size=5), st.text(max_size=5)),
        max_size=4,
    ),
)  # fmt: skip
def test_whatever_is_proposed_is_refused_or_shown_whole_and_in_plain_characters(
    name: str, target: str, arguments: dict[str, Any]
) -> None:
    try:
        action = read({"name": name, "target": target, "arguments": arguments})
    except ActionError:
        return
    shown = action.sentence
    assert shown.isascii()
    assert shown.isprintable()
    assert action.target.name in shown
    given_values = [each for each in arguments.values() if isinstance(each, str | int) and not isinstance(each, bool)]
    assert all(str(each) in shown for each in given_values)
