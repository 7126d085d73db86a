"""What most pods of a workload show is the workload's; what one of several shows stays with it."""

from agents.causes import rules
from agents.finding import Finding
from agents.lifting import lifted
from agents.report import Edge
from tools.entity import Entity
from tools.evidence import Evidence

CART = Entity.parse("deployment/shop/cart")
SET = Entity.parse("replicaset/shop/cart-7d4f")
PODS = [Entity.parse(f"pod/shop/cart-7d4f-{each}") for each in "abc"]
EDGES = [*(Edge(pod, SET, "owns") for pod in PODS), Edge(SET, CART, "owns")]
THROTTLED = next(each for each in rules() if each.cause.id == "cpu-throttled")


def found(pod: Entity) -> Finding:
    seen = Evidence.found("metrics.signals", f"signals of {pod}", "0.9")
    return THROTTLED.finding(pod, f"{pod} is throttled", [seen])


def test_most_pods_of_a_workload_are_the_workload() -> None:
    one = lifted([found(each) for each in PODS[:2]], EDGES)
    assert [each.entity for each in one] == [CART]
    assert {piece.query for piece in one[0].evidence} == {f"signals of {each}" for each in PODS[:2]}


def test_one_pod_of_several_stays_a_pod() -> None:
    assert [each.entity for each in lifted([found(PODS[0])], EDGES)] == [PODS[0]]


def test_a_pod_of_which_nobody_named_the_owner_stays_a_pod() -> None:
    assert [each.entity for each in lifted([found(PODS[0])], [])] == [PODS[0]]
