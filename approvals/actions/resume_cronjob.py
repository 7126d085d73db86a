"""Resume a CronJob."""

from approvals.action import ActionName, Effect
from approvals.actions.objects import RUNNER, NoArgs, ObjectKind, named

resume_cronjob = ObjectKind(
    name=ActionName("resume-cronjob"),
    title="Resume a CronJob",
    meaning="Lets a suspended CronJob start runs again. A run that it missed may start at once.",
    effect=Effect.WRITE,
    args=NoArgs,
    targets=frozenset({"cronjob"}),
    runner=RUNNER,
    sentence=lambda target, _: f"Resume {named(target)}: start runs on its schedule again.",
)
