"""Finds where the things lie that a question names without a namespace. Pure.

People ask for `deployment cart` and know which one they mean; what was listed knows as well, where the name is there.
"""

from collections.abc import Iterable
from dataclasses import replace

from agents.case import Case
from agents.explaining import same_thing
from agents.scoping import CLUSTER_SCOPED
from tools.entity import Entity


def placed(case: Case, known: Iterable[Entity]) -> Case:
    """The case with its things where they were seen; several of one name stay several, what was not seen stays.

    Args:
        case: whose scope may name things without their namespace.
        known: everything that was seen.
    """
    lost = {each for each in case.scope.entities if not each.namespace and each.kind not in CLUSTER_SCOPED}
    if not lost:
        return case
    wanted = {(same_thing(each).kind, each.name.lower()): each for each in lost}
    found: dict[Entity, dict[Entity, None]] = {}
    for each in known:
        one = same_thing(each)
        asked = wanted.get((one.kind, one.name)) if each.namespace else None
        if asked and (not case.scope.namespaces or each.namespace in case.scope.namespaces):
            found.setdefault(asked, {})[Entity(asked.kind, each.namespace, each.name)] = None
    entities = [there for each in case.scope.entities for there in found.get(each, {each: None})]
    return replace(case, scope=replace(case.scope, entities=tuple(dict.fromkeys(entities))))
