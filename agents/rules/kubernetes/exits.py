"""Why containers end: exit codes, signals, missing commands, memory."""

import re
from collections.abc import Callable, Iterator, Sequence

from whenever import TimeDelta

from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.logs.traces import crash_of
from agents.rules.kubernetes.readings import (
    Container,
    by_workload,
    containers,
    counted,
    first,
    is_recent,
    severity,
    short,
    since,
    target,
)
from agents.scene import Log, Scene
from tools.entity import Entity
from tools.evidence import Evidence
from tools.kubernetes.fields import moment, text

RESTARTS = 3
"""Restarts that make a storm (checks.md: three within ten minutes)."""
STORM = TimeDelta(minutes=10)
NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})
"""Ends of containers whose process never ran: the runtime refused it."""
ABORTED = 134
SIGNALS = {126, 127, ABORTED, 137, 139, 143}
"""Exit codes with a meaning of their own: command, abort, kill, fault, terminate."""
NO_COMMAND = re.compile(
    r"executable file not found|exec: \S+: (?:no such file|stat|permission denied)|command not found", re.IGNORECASE
)
EXEC_FORMAT = re.compile(r"exec format error|exec user process caused.*format", re.IGNORECASE)
STARVED = re.compile(r"container init was OOM-killed", re.IGNORECASE)
"""What the runtime says when the limit is too low even for its own part of the start."""
DYING = re.compile(r"\bfatal\b|\bpanic:|\bunhandled\b|\buncaught\b", re.IGNORECASE)
LAST_LINES = 40
"""Lines before the end among which the reason is looked for."""


def is_out_of_memory(each: Container) -> bool:
    """Whether its memory limit ended it, before or after the start."""
    return text(each.ended, "reason") == "OOMKilled" or bool(STARVED.search(text(each.ended, "message")))


def _shown(scene: Scene, each: Container) -> list[Evidence]:
    """The status, and what the process said before it ended."""
    return [scene.cite(each.pod, each.path), *(_last_words(scene, each))]


def _last_words(scene: Scene, each: Container) -> Iterator[Evidence]:
    for log in scene.logs_of(each.pod):
        if log.container in ("", each.name) and log.lines and (log.is_previous or not each.is_ready):
            yield scene.cite_log(log, _telling(log.lines))
            return


def _telling(lines: Sequence[str]) -> int:
    """Which line says why the process ended: the last that calls itself fatal, else the last one of all."""
    written = [number for number, line in enumerate(lines) if line.strip()][-LAST_LINES:]
    dying = [number for number in written if DYING.search(lines[number])]
    return (dying or written or [len(lines) - 1])[-1]


def is_killed_by_probe(scene: Scene, each: Container) -> bool:
    """Whether a liveness or startup probe ends it."""
    about = scene.cluster.events_about(each.pod.entity, "Unhealthy", "Killing")
    return any(
        event.message.lower().startswith(("liveness", "startup")) or "probe" in event.message
        for event in about
        if event.reason == "Killing" or event.message.lower().startswith(("liveness", "startup"))
    )


def _is_retried_job(scene: Scene, each: Container) -> bool:
    """Whether a Job will try again; one that has given up failed for this very reason."""
    above = scene.cluster.owner(each.pod)
    gave_up = above and above[1] and above[1].condition("Failed").get("status") == "True"
    return scene.cluster.workload(each.pod).kind in ("job", "cronjob") and not gave_up


def _ended_lately(scene: Scene, each: Container) -> bool:
    """Whether the last end matters still: not settled since, and within the window."""
    return bool(each.ended) and not each.is_settled(scene.now) and is_recent(scene, moment(each.ended, "finishedAt"))


def _crashed(scene: Scene, code: Callable[[int], bool]) -> Iterator[Container]:
    for each in containers(scene):
        if not each.is_init and each.exit_code is not None and code(each.exit_code) and _ended_lately(scene, each):
            yield each


def _findings(
    scene: Scene, of: Rule, found: Iterator[Container], say: Callable[[Entity, Container], tuple[str, str]]
) -> Iterator[Finding]:
    """One finding a workload; `say` gives the end of the summary and the remedy, from the first container."""
    for workload, several in by_workload(scene, found).items():
        what, remedy = say(workload, several[0])
        yield of.finding(
            workload,
            f"{counted(scene, workload, (each.pod for each in several))}: container {several[0].name!r} {what}",
            _shown(scene, several[0]),
            severity=severity(scene, workload),
            first_seen=first(since(scene, each) for each in several),
            last_seen=max((at for each in several if (at := moment(each.ended, "finishedAt"))), default=None),
            remedy=remedy,
        )


def _previous_log(each: Container) -> str:
    return f"kubectl logs {each.pod.name} -n {each.pod.namespace} -c {each.name} --previous"


@rule(
    id="crash-loop",
    area="pods",
    role=Role.SYMPTOM,
    title="Container in a crash loop",
    meaning="A process ends soon after each start; the kubelet waits ever longer. Silent once it is ready again.",
    remediation="Read the previous log and the exit code; they name the cause.",
)
def crash_loop(scene: Scene) -> Iterator[Finding]:
    found = (
        each
        for each in containers(scene)
        if text(each.waiting, "reason") == "CrashLoopBackOff"
        or (each.restarts >= RESTARTS and not each.waiting and not each.is_ready and _ended_lately(scene, each))
    )

    def say(_: Entity, each: Container) -> tuple[str, str]:
        how = f", last exit code {each.exit_code}" if each.exit_code is not None else ""
        why = f" ({text(each.ended, 'reason')})" if text(each.ended, "reason") else ""
        return f"is in a crash loop after {each.restarts} restarts{how}{why}", _previous_log(each)

    yield from _findings(scene, crash_loop, found, say)


@rule(
    id="restart-storm",
    area="pods",
    role=Role.SYMPTOM,
    title="Container restarts again and again",
    meaning="Three or more restarts in ten minutes: a crash, a probe or memory. An old count alone is not a storm.",
    remediation="Find the reason of the last exit.",
)
def restart_storm(scene: Scene) -> Iterator[Finding]:
    def say(_: Entity, each: Container) -> tuple[str, str]:
        return f"restarted {each.restarts} times, the last time at {text(each.ended, 'finishedAt')}", _previous_log(
            each
        )

    yield from _findings(scene, restart_storm, (each for each in containers(scene) if _storms(scene, each)), say)


def _storms(scene: Scene, each: Container) -> bool:
    ended_at = moment(each.ended, "finishedAt")
    if each.is_init or each.restarts < RESTARTS or ended_at is None or scene.now - ended_at > STORM:
        return False
    series = scene.signal(each.pod.entity, "restarts_total")
    if series:
        after = ended_at.timestamp() - STORM.total("seconds")
        values = [value for at, value in series.points if at >= after]
        return bool(values) and max(values) - min(values) >= RESTARTS
    # One reading has no rate. The back-off grows to five minutes: so many restarts of so young a pod are one.
    started_at = moment(each.pod.raw, "status", "startTime") or each.pod.created_at
    return started_at is not None and ended_at - started_at <= STORM * min(each.restarts, 100)


@rule(
    id="oom-killed",
    area="pods",
    role=Role.CAUSE,
    title="Container killed for its memory limit",
    meaning="The container reached its memory limit: too low for the load, or a leak. Over once it is settled and old.",
    remediation="Look at the growth of memory first, then raise the limit or fix the leak.",
)
def oom_killed(scene: Scene) -> Iterator[Finding]:
    found = [
        each
        for each in containers(scene)
        if is_out_of_memory(each) and is_recent(scene, moment(each.ended, "finishedAt"))
    ]
    for workload, several in by_workload(scene, found).items():
        each = several[0]
        limit = text(each.spec, "resources", "limits", "memory")
        over = all(one.is_settled(scene.now) for one in several)
        mild = Severity.WARNING if max(one.restarts for one in several) >= RESTARTS else Severity.INFO
        yield oom_killed.finding(
            workload,
            f"{counted(scene, workload, (one.pod for one in several))}: container {each.name!r} was killed for memory"
            f" (limit {limit or 'not set in what was read'}, {each.restarts} restarts)",
            [scene.cite(each.pod, each.path, "spec.containers[*].resources"), *_last_words(scene, each)],
            severity=mild if over else severity(scene, workload),
            first_seen=first(since(scene, one) for one in several),
            last_seen=max((at for one in several if (at := moment(one.ended, "finishedAt"))), default=None),
            remedy=f"Compare the growth of memory with the limit{f' of {limit}' if limit else ''}, then"
            f" kubectl set resources {target(workload)} -c {each.name} --limits=memory=<more>",
        )


@rule(
    id="command-not-found",
    area="pods",
    role=Role.CAUSE,
    title="The container's command does not exist",
    meaning="Exit 126 or 127, or the runtime found no such executable: a wrong command, or a missing binary.",
    remediation="Correct the command or the image.",
)
def command_not_found(scene: Scene) -> Iterator[Finding]:
    found = (each for each in containers(scene) if _lacks_command(scene, each))

    def say(workload: Entity, each: Container) -> tuple[str, str]:
        command = each.spec.get("command") or each.spec.get("args") or "of the image"
        said = f": {short(each.words)}" if each.words else f", exit code {each.exit_code}"
        remedy = f"Correct the command {command} of container {each.name!r}: kubectl edit {target(workload)}"
        return f"cannot run its command {command}{said}", remedy

    yield from _findings(scene, command_not_found, found, say)


def _lacks_command(scene: Scene, each: Container) -> bool:
    if each.is_settled(scene.now) or not is_recent(scene, moment(each.ended, "finishedAt")):
        return False
    if EXEC_FORMAT.search(each.words):
        return False
    return each.exit_code in (126, 127) or bool(NO_COMMAND.search(each.words))


@rule(
    id="exec-format-error",
    area="pods",
    role=Role.CAUSE,
    title="The image is built for another processor",
    meaning="The kernel refuses the binary: an image for another architecture, or a script without `#!`.",
    remediation="Publish a multi-architecture image, or select nodes by kubernetes.io/arch.",
)
def exec_format_error(scene: Scene) -> Iterator[Finding]:
    found = (
        each
        for each in containers(scene)
        if not each.is_settled(scene.now) and (EXEC_FORMAT.search(each.words) or _said_format(scene, each))
    )

    def say(workload: Entity, each: Container) -> tuple[str, str]:
        image = text(each.spec, "image")
        node = text(each.pod.raw, "spec", "nodeName")
        remedy = f"Build {image} for the architecture of {node}, or select by kubernetes.io/arch"
        return f"cannot execute its binary on {node}: exec format error (image {image})", remedy

    yield from _findings(scene, exec_format_error, found, say)


def _said_format(scene: Scene, each: Container) -> bool:
    return any(
        EXEC_FORMAT.search(line) for log in scene.logs_of(each.pod) if _is_of(log, each) for line in log.lines[-20:]
    )


def _is_of(log: Log, each: Container) -> bool:
    return log.container in ("", each.name)


@rule(
    id="segfault",
    area="pods",
    role=Role.CAUSE,
    title="Native crash",
    meaning="Exit 139 or 134: the process broke a memory rule or aborted itself, often after a new image or library.",
    remediation="Roll the image back and keep the core dump.",
)
def segfault(scene: Scene) -> Iterator[Finding]:
    def say(workload: Entity, each: Container) -> tuple[str, str]:
        kind = "segmentation fault" if each.exit_code == 139 else "abort"
        return f"crashed natively: exit code {each.exit_code} ({kind})", f"kubectl rollout undo {target(workload)}"

    found = (each for each in _crashed(scene, lambda code: code in (139, ABORTED)) if not _threw(scene, each))
    yield from _findings(scene, segfault, found, say)


@rule(
    id="app-exits",
    area="pods",
    role=Role.CAUSE,
    title="The application ends with an error",
    meaning="The process exits with an error: configuration, a dependency, a bug. Jobs that retry are left out.",
    remediation="Read the last lines of the previous log.",
)
def app_exits(scene: Scene) -> Iterator[Finding]:
    found = (
        each
        for each in _crashed(scene, lambda code: code > 0 and (code not in SIGNALS or code == ABORTED))
        if (each.exit_code != ABORTED or _threw(scene, each))
        and text(each.ended, "reason") not in {"OOMKilled", *NOT_STARTED}
        and not _is_retried_job(scene, each)
        and not NO_COMMAND.search(each.words)
        and not EXEC_FORMAT.search(each.words)
        and not _said_format(scene, each)
        and not is_killed_by_probe(scene, each)
    )

    def say(_: Entity, each: Container) -> tuple[str, str]:
        said = short(text(each.ended, "message")) or _last_line(scene, each)
        words = f"; it said: {said}" if said else ""
        return f"ends with exit code {each.exit_code} after {each.restarts} restarts{words}", _previous_log(each)

    yield from _findings(scene, app_exits, found, say)


def _threw(scene: Scene, each: Container) -> bool:
    """Whether it aborted over an exception of its own language, as .NET does with one that nobody caught."""
    if each.exit_code != ABORTED:
        return False
    ends = ("\n".join(log.lines[-LAST_LINES:]) for log in scene.logs_of(each.pod) if _is_of(log, each))
    crashes = filter(None, map(crash_of, ends))
    return any(crash.language != "native" for crash in crashes)


def _last_line(scene: Scene, each: Container) -> str:
    for log in scene.logs_of(each.pod):
        if _is_of(log, each) and log.lines:
            return short(log.lines[_telling(log.lines)])
    return ""


@rule(
    id="main-process-ends",
    area="pods",
    role=Role.CAUSE,
    title="The main process ends without an error",
    meaning="Exit 0 under restart policy Always, again and again: not a foreground process, or batch work.",
    remediation="Run the process in the foreground, or make it a Job.",
)
def main_process_ends(scene: Scene) -> Iterator[Finding]:
    found = (
        each
        for each in _crashed(scene, lambda code: code == 0)
        if each.restarts > 1
        and text(each.pod.raw, "spec", "restartPolicy") in ("", "Always")
        and not _is_retried_job(scene, each)
        and not is_killed_by_probe(scene, each)
    )

    def say(workload: Entity, each: Container) -> tuple[str, str]:
        remedy = f"Run container {each.name!r} of {target(workload)} in the foreground, or make the work a Job"
        return f"ends with exit code 0 and is started again ({each.restarts} restarts)", remedy

    yield from _findings(scene, main_process_ends, found, say)
