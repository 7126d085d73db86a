"""Jobs that failed, and schedules that do not run."""

from collections.abc import Iterator
from datetime import date, timedelta

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.objects import Resource, items, moment, number, text
from agents.rules.kubernetes.readings import is_recent, short
from agents.rules.kubernetes.schedules import LONGEST_DAYS, read
from agents.scene import Scene
from tools.entity import Entity

MISSED = 3
"""How often it was due without running before that is news: one may be late, and time zones move one."""
_LEAP_YEAR = date(2024, 1, 1)


def _failed(scene: Scene, of: Rule, *, by_deadline: bool) -> Iterator[Finding]:
    superseded = scene.once(_successes)
    for job in scene.cluster.all("Job"):
        failed = job.condition("Failed")
        at = moment(failed, "lastTransitionTime")
        if failed.get("status") != "True" or (text(failed, "reason") == "DeadlineExceeded") is not by_deadline:
            continue
        owner = scene.cluster.workload(job)
        if not is_recent(scene, at) or _is_over(superseded, owner, job):
            continue
        pods = scene.cluster.pods_of(job.entity)
        read = f"kubectl logs {pods[-1].name} -n {job.namespace}" if pods else f"kubectl describe {job.where}"
        yield of.finding(
            job.entity,
            f"{job.entity} failed ({text(failed, 'reason') or 'no reason given'}): {short(text(failed, 'message'))}",
            [scene.cite(job, "spec.backoffLimit", "spec.activeDeadlineSeconds", "status")],
            severity=Severity.WARNING,
            first_seen=at,
            remedy=read,
        )


def _successes(scene: Scene) -> dict[Entity, str]:
    """Owners of Jobs with the start of their latest one that succeeded."""
    found: dict[Entity, str] = {}
    for job in scene.cluster.all("Job"):
        if job.condition("Complete").get("status") == "True":
            owner = scene.cluster.workload(job)
            found[owner] = max(found.get(owner, ""), text(job.raw, "metadata", "creationTimestamp"))
    return found


def _is_over(successes: dict[Entity, str], owner: Entity, job: Resource) -> bool:
    return successes.get(owner, "") > text(job.raw, "metadata", "creationTimestamp")


@rule(
    id="job-failed",
    area="workloads",
    role=Role.SYMPTOM,
    title="A Job failed",
    meaning="It used up its retries. A later success of the same schedule settles it.",
    remediation="Read the log of its last pod.",
)
def job_failed(scene: Scene) -> Iterator[Finding]:
    yield from _failed(scene, job_failed, by_deadline=False)


@rule(
    id="job-deadline-exceeded",
    area="workloads",
    role=Role.CAUSE,
    title="A Job took longer than it may",
    meaning="Too slow, or stuck. A later success of the same schedule settles it.",
    remediation="Find what it waited for, or raise the deadline.",
)
def job_deadline_exceeded(scene: Scene) -> Iterator[Finding]:
    yield from _failed(scene, job_deadline_exceeded, by_deadline=True)


@rule(
    id="cronjob-suspended",
    area="workloads",
    role=Role.CONTEXT,
    title="A schedule is suspended",
    meaning="Often on purpose; never a root cause by itself.",
    remediation="Resume it if nobody meant it.",
)
def cronjob_suspended(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("CronJob"):
        if each.spec.get("suspend") is True:
            yield cronjob_suspended.finding(
                each.entity,
                f"{each.entity} is suspended; it last ran at {moment(each.raw, 'status', 'lastScheduleTime')}",
                [scene.cite(each, "spec.suspend", "spec.schedule", "status")],
                severity=Severity.INFO,
                remedy=f'kubectl patch {each.where} -p \'{{"spec":{{"suspend":false}}}}\'',
            )


@rule(
    id="job-suspended",
    area="workloads",
    role=Role.CONTEXT,
    title="A Job is suspended",
    meaning="Often on purpose: queueing systems suspend Jobs until there is room.",
    remediation="Resume it if nobody meant it.",
)
def job_suspended(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("Job"):
        if each.spec.get("suspend") is True:
            yield job_suspended.finding(
                each.entity,
                f"{each.entity} is suspended",
                [scene.cite(each, "spec.suspend", "status")],
                severity=Severity.INFO,
                remedy=f'kubectl patch {each.where} -p \'{{"spec":{{"suspend":false}}}}\'',
            )


@rule(
    id="cronjob-schedule-invalid",
    area="workloads",
    role=Role.CAUSE,
    title="A schedule can never run",
    meaning="The schedule is not one, names a day that never comes, or the starting deadline is negative. Forms "
    "such as "
    "@daily are fine.",
    remediation="Correct the schedule.",
)
def cronjob_schedule_invalid(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("CronJob"):
        schedule, deadline = text(each.raw, "spec", "schedule"), number(each.raw, "spec", "startingDeadlineSeconds")
        if not schedule or (_is_schedule(schedule) and (deadline is None or deadline >= 0)):
            continue
        yield cronjob_schedule_invalid.finding(
            each.entity,
            f"{each.entity} never runs: schedule {schedule!r}, starting deadline {deadline}",
            [scene.cite(each, "spec.schedule", "spec.startingDeadlineSeconds", "status")],
            severity=Severity.WARNING,
            remedy=f"Correct spec.schedule of {each.where}",
        )


def _is_schedule(schedule: str) -> bool:
    """Whether it will ever run: it can be read, and one of its days exists."""
    if schedule.startswith("@every "):
        return True
    found = read(schedule)
    return found is not None and any(found.falls_on(_LEAP_YEAR + timedelta(days=each)) for each in range(LONGEST_DAYS))


@rule(
    id="cronjob-missed",
    area="workloads",
    role=Role.CAUSE,
    title="A schedule has not run when it was due",
    meaning="Due more than twice since it last ran, and not suspended: an earlier run that never ends and forbids "
    "others, "
    "a starting deadline, or a controller that is down. A new one is given its time.",
    remediation="Look at the run that is still active, then at the controller manager.",
)
def cronjob_missed(scene: Scene) -> Iterator[Finding]:
    for each in scene.cluster.all("CronJob"):
        schedule = read(text(each.raw, "spec", "schedule"))
        last = moment(each.raw, "status", "lastScheduleTime") or each.created_at
        if schedule is None or last is None or each.spec.get("suspend") is True:
            continue
        # Three in any time zone: the schedule's own may be hours away, which moves one at the most.
        due = [at for _, at in zip(range(MISSED), schedule.before(scene.now), strict=False) if at > last]
        if len(due) < MISSED:
            continue
        active = [text(one, "name") for one in items(each.status, "active")]
        forbids = text(each.raw, "spec", "concurrencyPolicy") == "Forbid" and active
        why = f"; {active[0]} still runs and forbids others" if forbids else ""
        held = scene.cluster.get("Job", each.namespace, active[0]) if active else None
        yield cronjob_missed.finding(
            each.entity,
            f"{each.entity} last ran at {last} and was due at least {MISSED} times since{why}",
            [
                scene.cite(each, "spec.schedule", "spec.concurrencyPolicy", "spec.startingDeadlineSeconds", "status"),
                *([scene.cite(held, "status")] if held else []),
            ],
            severity=Severity.WARNING,
            direct=bool(forbids),
            first_seen=due[-1],
            remedy=f"kubectl describe job {active[0]} -n {each.namespace}: end it, or find what it waits for"
            if active
            else f"kubectl describe {each.where}; then the log of kube-controller-manager",
        )
