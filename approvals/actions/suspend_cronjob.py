"""Suspend a CronJob."""

from approvals.action import ActionName, Effect
from approvals.actions.objects import RUNNER, NoArgs, ObjectKind, named

suspend_cronjob = ObjectKind(
    name=ActionName("suspend-cronjob"),
    title="Suspend a CronJob",
    meaning="Starts no further runs until it is resumed. A run that has begun goes on.",
    effect=Effect.WRITE,
    args=NoArgs,
    targets=frozenset({"cronjob"}),
    runner=RUNNER,
    sentence=lambda target, _: f"Suspend {named(target)}: start no further runs.",
)
