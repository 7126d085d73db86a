"""The first message of an incident's thread: what it is about and how it stands. Pure; redrawn from the record."""

from agents.alert import Alert, AlertStatus
from bot.incident import Incident, IncidentStatus, Question
from bot.slack import blocks, text
from bot.slack.cards import words

NEWEST = 5
"""Alerts listed; the rest is counted."""


def root(incident: Incident) -> blocks.Message:
    """The whole message, in whichever state the incident is."""
    metadata = {"event_type": "locum_incident", "event_payload": {"incident_id": incident.id}}
    shown = [blocks.header(text.line(_title(incident), 150)), blocks.section(_standing(incident))]
    if incident.question:
        shown.append(blocks.section(_asked(incident.question)))
    if incident.verdict:
        shown.append(blocks.section(_verdict(incident)))
    if incident.alerts:
        shown.append(blocks.section(_members(incident)))
    shown.append(blocks.context(f"Locum · {text.escape_line(incident.id, 100)} · answers follow in the thread"))
    return blocks.Message(text=_text(incident), blocks=tuple(shown), metadata=metadata)


def all_resolved(incident: Incident) -> blocks.Message:
    """The line in the thread when the last alert resolved."""
    said = f"✅ resolved: {_all(incident.alert_count)} of this incident stopped firing. I look once more and report."
    return blocks.Message(text=said, blocks=(blocks.section(said),))


def _all(number: int) -> str:
    return "the only alert" if number == 1 else f"all {number:,} alerts"


def _title(incident: Incident) -> str:
    kind = "🌊 alert storm" if incident.is_digest else f"{_emoji(incident)} {_word(incident)}"
    return f"{kind} · {incident.title}"


def _emoji(incident: Incident) -> str:
    if incident.status is IncidentStatus.RESOLVED:
        return "✅"
    if not incident.alerts:
        return "❓"
    return words.alert_severity(_worst(incident).severity)[1]


def _word(incident: Incident) -> str:
    if incident.status is IncidentStatus.RESOLVED:
        return "resolved"
    if not incident.alerts:
        return "question"
    return _worst(incident).severity or "no severity given"


def _worst(incident: Incident) -> Alert:
    firing = [one for one in incident.alerts if one.status is AlertStatus.FIRING] or list(incident.alerts)
    return min(firing, key=lambda one: words.alert_severity(one.severity)[0])


def _standing(incident: Incident) -> str:
    if not incident.alerts:
        state = "💬 answered in the thread" if incident.verdict else "🔎 looking"
        state = "✅ closed" if incident.status is IncidentStatus.RESOLVED else state
        return f"*{state}* · asked {text.moment(incident.opened_at)}"
    resolved = max(0, incident.alert_count - incident.firing_count)
    state = "✅ resolved" if incident.status is IncidentStatus.RESOLVED else "🔥 firing"
    parts = [
        f"*{state}*",
        f"{incident.firing_count:,} of {words.count(incident.alert_count, 'alert')} firing, {resolved:,} resolved",
        f"since {text.moment(min(one.starts_at for one in incident.alerts))}",
        f"from {', '.join(text.escape_line(one, 40) for one in sorted({one.source for one in incident.alerts})[:5])}",
    ]
    if incident.repeats:
        parts.insert(2, words.count(incident.repeats, "repeat"))
    if incident.is_digest:
        parts.append(
            "too many incidents at once for a thread each: they are counted here and did not start a look each"
        )
    return " · ".join(parts)


def _asked(question: Question) -> str:
    # Half of a section's room: in the worst case each character is a line break and gets its own quote mark.
    quote = text.escape(question.text, 1_400).replace("\n", "\n>")
    return f"{text.mention(question.asked_by)} asked:\n>{quote}"


def _verdict(incident: Incident) -> str:
    if incident.verdict is None:
        return ""
    return f"*{words.VERDICTS[incident.verdict]}*: {text.escape_line(incident.headline or 'see the thread', 1_000)}"


def _members(incident: Incident) -> str:
    newest = sorted(incident.alerts, key=lambda one: one.starts_at, reverse=True)[:NEWEST]
    lines = [_member(one) for one in newest]
    if (rest := incident.alert_count - len(newest)) > 0:
        lines.append(f"… and {words.count(rest, 'more alert')}")
    return "\n".join(lines)


def _member(alert: Alert) -> str:
    is_firing = alert.status is AlertStatus.FIRING
    emoji = words.alert_severity(alert.severity)[1]
    severity = f"{emoji} {text.escape_line(alert.severity or 'no severity given', 30)}" if is_firing else "✅ resolved"
    name = text.link(alert.url, alert.name, 80) or "unnamed alert"
    where = "/".join(
        alert.labels[label]
        for label in ("cluster", "namespace", "service", "pod", "instance")
        if alert.labels.get(label)
    )
    shown = [severity, name, *([text.code(where, 100)] if where else []), text.escape_line(alert.summary, 200)]
    # A link is as long as its address: the one on a line may not push the others out of the block.
    line = " · ".join(part for part in shown if part)
    return line if len(line) <= 550 else line.replace(name, text.escape_line(alert.name, 80), 1)


def _text(incident: Incident) -> str:
    title = text.escape_line(_title(incident), 500)
    if incident.verdict:
        return blocks.short(f"{title}. {_verdict(incident)}")
    if incident.question:
        return blocks.short(f"{title}. {_asked(incident.question)}")
    return blocks.short(f"{title}. {_standing(incident)}")
