"""Uncordon a node."""

from approvals.action import ActionName, Effect
from approvals.actions.objects import RUNNER, NoArgs, ObjectKind, named

uncordon_node = ObjectKind(
    name=ActionName("uncordon-node"),
    title="Uncordon a node",
    meaning="Lets new pods onto a node again. Whoever cordoned it may have had a reason that still holds.",
    effect=Effect.WRITE,
    args=NoArgs,
    targets=frozenset({"node"}),
    runner=RUNNER,
    sentence=lambda target, _: f"Uncordon {named(target)}: schedule new pods on it again.",
)
