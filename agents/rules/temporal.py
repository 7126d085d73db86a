"""Workers of Temporal: waiting tasks, slots, pollers, caches, changed workflow code, limits of the server. Pure.

By the SDK's own metrics; names and meanings as in its reference of metrics, thresholds as its guide to tuning workers
has them. What workers write to their logs counts where no metric is read. A queue that nobody uses is well.
"""

import re
from collections.abc import Callable, Iterator, Sequence

from agents.baseline import above, shift
from agents.causes import Rule, rule
from agents.finding import Finding, Role, Severity
from agents.logs.lines import Line
from agents.logs.telling import Sign, said
from agents.rules.deployments import down_minutes, with_signal
from agents.scene import Scene
from tools.entity import Entity

ACTIVITY_WAITS_S = 1.0
WORKFLOW_WAITS_S = 0.2
"""A workflow task is a step in between: it should wait no longer than a request."""
SLOTS_OUT_MINUTES = 1.0
NO_POLLER_MINUTES = 2.0
REPLAY_FLOOR_S = 0.05
LIMITED_MINUTES = 2.0
_NONDETERMINISM = Sign(
    words=re.compile(
        r"(?i)non-?determinis(?:m|tic)[ _]?(?:error|workflow|exception)|NonDeterministicWorkflowError|TMPRL1100"
        r"|history.{0,40}does not match (?:command|replay)"
    ),
    least=1,
)
_LIMITED = Sign(
    words=re.compile(
        r"(?i)namespace rate limit exceeded|(?:RESOURCE_EXHAUSTED|ResourceExhausted).{0,80}"
        r"(?:rate limit|namespace|RPS|concurrent|system overloaded)"
    )
)


def _waits(scene: Scene, of: Rule, signal: str, bound: float, what: str) -> Iterator[Finding]:
    for entity, series in with_signal(scene, signal):
        found = above(series, scene.window, bound)
        if found and not found.is_over:
            summary = f"{what} of {entity} wait {found.level:.2g} s to be taken (95th percentile)."
            yield of.finding(entity, summary, [scene.cite_series(series)], first_seen=found.began_at)


@rule(
    id="temporal-schedule-to-start",
    area="temporal",
    role=Role.SYMPTOM,
    title="Temporal tasks wait for a worker",
    meaning="An activity waits more than a second, or a workflow task more than 0.2 s, until a worker takes it: too "
    "few workers, slots or pollers, or workers without CPU. A queue without tasks has no such series.",
    remediation="Look at free slots, pollers and CPU of the workers on that queue; add replicas where all are used.",
    needs=("signals",),
)
def temporal_schedule_to_start(scene: Scene) -> Iterator[Finding]:
    for signal, bound, what in (
        ("temporal_activity_schedule_to_start_p95_seconds", ACTIVITY_WAITS_S, "Activities"),
        ("temporal_workflow_task_schedule_to_start_p95_seconds", WORKFLOW_WAITS_S, "Workflow tasks"),
    ):
        yield from _waits(scene, temporal_schedule_to_start, signal, bound, what)


@rule(
    id="temporal-slots-out",
    area="temporal",
    role=Role.CAUSE,
    title="A Temporal worker has no free slots",
    meaning="All its slots were taken for a minute: activities are slow or stuck, or it may do too little at once. A "
    "peak of seconds passes.",
    remediation="See which activities hold the slots and what they wait for; then raise concurrency or add replicas.",
    needs=("signals",),
)
def temporal_slots_out(scene: Scene) -> Iterator[Finding]:
    for entity, series in with_signal(scene, "temporal_slots_available"):
        minutes = down_minutes(series, scene.window)
        if minutes >= SLOTS_OUT_MINUTES:
            summary = f"{entity} has had no free task slot for {minutes:.0f} min."
            yield temporal_slots_out.finding(entity, summary, [scene.cite_series(series)])


@rule(
    id="temporal-no-pollers",
    area="temporal",
    role=Role.CAUSE,
    title="Nobody polls a Temporal task queue",
    meaning="A worker or queue that had pollers has none for two minutes: the worker is down, shut down, or asks for "
    "another queue's name. A queue that never had one is unused, and is not told.",
    remediation="Look at the worker's Deployment and its log, then compare the queue's name on both sides.",
    needs=("signals",),
)
def temporal_no_pollers(scene: Scene) -> Iterator[Finding]:
    for entity, series in with_signal(scene, "temporal_pollers"):
        minutes = down_minutes(series, scene.window)
        if minutes >= NO_POLLER_MINUTES and any(value > 0 for _, value in series.points):
            summary = f"Nobody has polled for {entity} for {minutes:.0f} min."
            yield temporal_no_pollers.finding(entity, summary, [scene.cite_series(series)], severity=Severity.CRITICAL)


@rule(
    id="temporal-sticky-evictions",
    area="temporal",
    role=Role.CONTEXT,
    title="A Temporal worker's cache of workflows is too small",
    meaning="It throws workflows out of its cache more than before, and replays them longer: memory for CPU. After a "
    "restart every cache is empty.",
    remediation="Enlarge the cache of workflows where there is memory, or add replicas.",
    needs=("signals",),
)
def temporal_sticky_evictions(scene: Scene) -> Iterator[Finding]:
    for entity, series in with_signal(scene, "temporal_sticky_evictions_per_second"):
        replay = scene.signal(entity, "temporal_replay_latency_p95_seconds")
        thrown = shift(series, scene.window, floor=0.1)
        slower = shift(replay, scene.window, floor=REPLAY_FLOOR_S) if replay else None
        if thrown and replay and slower and not (thrown.is_over or slower.is_over):
            summary = f"{entity} evicts {thrown.level:.2g} workflows a second and replays for {slower.level:.2g} s."
            cited = [scene.cite_series(series), scene.cite_series(replay)]
            yield temporal_sticky_evictions.finding(entity, summary, cited, severity=Severity.INFO)


@rule(
    id="temporal-nondeterminism",
    area="temporal",
    role=Role.CAUSE,
    title="Workflow code changed under running workflows",
    meaning="Replaying a workflow's history gives other commands than it recorded: its code was changed without a "
    "version, and every such run is stuck. What was logged before the incident is not told.",
    remediation="Roll the worker back, or guard the change with a patch marker (workflow.patched, GetVersion).",
    needs=(),
)
def temporal_nondeterminism(scene: Scene) -> Iterator[Finding]:
    signal = "temporal_nondeterminism_per_second"
    yield from _failing(scene, temporal_nondeterminism, signal, "cannot replay workflows")
    yield from said(
        scene, temporal_nondeterminism, _NONDETERMINISM, _counted("says that code and history differ"), Severity.WARNING
    )


@rule(
    id="temporal-server-limits",
    area="temporal",
    role=Role.CAUSE,
    title="The Temporal server refuses calls for its limits",
    meaning="Calls end with RESOURCE_EXHAUSTED for minutes: the namespace's rate limit, or too many pollers or open "
    "calls. A burst when all workers start at once is retried well.",
    remediation="See which operation is refused; raise the namespace's limit, poll less, or start in batches.",
    needs=(),
)
def temporal_server_limits(scene: Scene) -> Iterator[Finding]:
    signal = "temporal_resource_exhausted_per_second"
    yield from _failing(scene, temporal_server_limits, signal, "is refused by the Temporal server", LIMITED_MINUTES)
    yield from said(
        scene, temporal_server_limits, _LIMITED, _counted("is limited by the Temporal server"), Severity.WARNING
    )


def _failing(scene: Scene, of: Rule, signal: str, what: str, minutes: float = 0.0) -> Iterator[Finding]:
    for entity, series in with_signal(scene, signal):
        found = above(series, scene.window, 0.0, minutes=minutes)
        if found and not found.is_over:
            summary = f"{entity} {what}, {found.level:.2g} times a second."
            yield of.finding(entity, summary, [scene.cite_series(series)], first_seen=found.began_at)


def _counted(does: str) -> Callable[[Entity, Sequence[Line]], str]:
    return lambda entity, hits: f"{entity} {does} ({len(hits)})"
