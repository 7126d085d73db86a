"""Kinds of lines that are new, or many more than before, whatever they say."""

from collections.abc import Iterator

from agents.causes import rule
from agents.finding import Finding, Role, Severity
from agents.logs.mining import MOST_TOLD, changed
from agents.logs.telling import finding
from agents.scene import Scene


@rule(
    id="log-errors-new",
    area="logs",
    role=Role.SYMPTOM,
    title="Errors in the log that were not there before",
    meaning="A kind of error line is new since the onset, or came three times as often. Logs that do not reach back "
    "before the onset say nothing of what is new.",
    remediation="Read the lines; the kind that came first is nearest to the cause.",
    needs=("logs",),
)
def log_errors_new(scene: Scene) -> Iterator[Finding]:
    for entity, several in changed(scene).items():
        shown = "; ".join(f"{each.told} ({len(each.hits)}, {each.before} before)" for each in several[:MOST_TOLD])
        hits = [each.hits[0] for each in several[:MOST_TOLD]]
        summary = f"{entity} logs {len(several)} kinds of errors that are new or many more: {shown}"
        yield finding(scene, log_errors_new, entity, hits, summary, severity=Severity.WARNING, direct=False)
