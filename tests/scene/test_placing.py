"""A thing that is named without its namespace is found where it was seen."""

from dataclasses import replace

import pytest

from agents.placing import placed
from tests.rules.builders import case
from tools.entity import Entity

SEEN = [
    Entity.parse(each) for each in ("deployment/shop/cart", "job/shop/import", "pod/kube-system/etcd", "node//worker-1")
]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("job//import", ["job/shop/import"]),
        # A workload and the Service in front of it are one.
        ("service//cart", ["service/shop/cart"]),
        ("deployment//carts", ["deployment//carts"]),
        ("node//worker-1", ["node//worker-1"]),
        ("deployment/other/cart", ["deployment/other/cart"]),
    ],
)
def test_it_lies_where_it_was_seen(asked: str, meant: list[str]) -> None:
    assert [str(each) for each in placed(case(asked), SEEN).scope.entities] == meant


def test_it_is_not_looked_for_in_namespaces_that_nobody_meant() -> None:
    asked = case("deployment//cart")
    asked = replace(asked, scope=replace(asked.scope, namespaces=frozenset({"staging"})))
    assert [str(each) for each in placed(asked, SEEN).scope.entities] == ["deployment//cart"]


def test_of_two_of_one_name_both_may_be_meant() -> None:
    seen = [*SEEN, Entity.parse("deployment/staging/cart")]
    found = placed(case("deployment//cart"), seen).scope.entities
    assert {str(each) for each in found} == {"deployment/shop/cart", "deployment/staging/cart"}
