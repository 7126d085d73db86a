"""A diagnosis as plain text for the terminal. Pure."""

from agents.diagnosis import Diagnosis, Mode

_WIDTH = 100


def render(diagnosis: Diagnosis) -> str:
    """Verdict first, then why, what happened when, what to do, and what could not be checked."""
    lines = [f"{diagnosis.verdict.upper()} ({diagnosis.state})", "", diagnosis.summary]
    quotes = {each.id: each for each in diagnosis.evidence}
    if diagnosis.hypotheses:
        lines += ["", "Causes"]
    for rank, each in enumerate(diagnosis.hypotheses[:5], 1):
        lines.append(f"  {rank}. {each.title} - {each.entity} [{each.confidence}, {each.cause}]")
        for evidence_id in each.evidence[:3]:
            if evidence := quotes.get(evidence_id):
                lines.append(f"     {evidence_id}  {evidence.query}")
                lines += [f"        | {line[:_WIDTH]}" for line in evidence.excerpt.splitlines()[:14]]
        lines += [f"     -> {remediation.summary}" for remediation in each.remediations[:2]]
    if diagnosis.runbooks:
        lines += ["", "Runbooks"]
        lines += [f"  {each.title} ({each.why})\n     {each.url or each.id}" for each in diagnosis.runbooks]
    if diagnosis.timeline:
        lines += ["", "Timeline"]
        lines += [f"  {moment.at}  {moment.entity}  {moment.what[:_WIDTH]}" for moment in diagnosis.timeline]
    if diagnosis.notes or diagnosis.gaps:
        lines += ["", "Not checked"]
        lines += [f"  {note}" for note in diagnosis.notes]
        lines += [f"  {gap.tool}: {gap.why.splitlines()[0][:160]}" for gap in diagnosis.gaps]
    who = "rules" if diagnosis.mode is Mode.RULES else "rules, explained by the model"
    usage = diagnosis.usage
    lines += ["", f"By {who} in {usage.seconds:.2f} s with {usage.tool_calls} looks. Session {diagnosis.session_id}."]
    return "\n".join(lines) + "\n"
