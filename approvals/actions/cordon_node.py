"""Cordon a node."""

from approvals.action import ActionName, Effect
from approvals.actions.objects import RUNNER, NoArgs, ObjectKind, named

cordon_node = ObjectKind(
    name=ActionName("cordon-node"),
    title="Cordon a node",
    meaning="Keeps new pods off a node. Those that run there stay.",
    effect=Effect.WRITE,
    args=NoArgs,
    targets=frozenset({"node"}),
    runner=RUNNER,
    sentence=lambda target, _: f"Cordon {named(target)}: schedule no new pods on it.",
)
