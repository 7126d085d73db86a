"""A diagnosis as messages: the verdict first, then why, and what could not be checked. Pure.

The first message has what a person on call needs; details that do not fit follow as replies, and the messages say so.
"""

from collections.abc import Iterator, Sequence

from whenever import Instant

from agents.diagnosis import Diagnosis, Hypothesis
from agents.finding import Finding, Role
from bot.slack import blocks, text
from bot.slack.blocks import Message, Piece
from bot.slack.cards import words
from bot.slack.cards.details import claims, evidence, findings, timeline

HYPOTHESES = 3
STEPS = 6
GAPS = 8
CHANGES = 4
RUNBOOKS = 5


def conclusion(diagnosis: Diagnosis, *, is_follow_up: bool = False) -> tuple[Message, ...]:
    """One message, or several when one does not hold it all."""
    pages = blocks.pack([*_essence(diagnosis, is_follow_up=is_follow_up), *_details(diagnosis)])
    return tuple(
        Message(
            text=_text(diagnosis) if number == 1 else _part(number, len(pages), page),
            blocks=tuple(_framed(diagnosis, page, number, len(pages))),
            metadata={
                "event_type": "locum_conclusion",
                "event_payload": {"session_id": diagnosis.session_id, "part": number},
            },
        )
        for number, page in enumerate(pages, 1)
    )


def _framed(diagnosis: Diagnosis, page: Sequence[Piece], number: int, parts: int) -> Iterator[blocks.Block]:
    if number > 1:
        yield blocks.context(_part(number, parts, page))
    for piece in page:
        yield from piece.blocks
    if number == 1 and parts > 1:
        more = "the next reply has" if parts == 2 else f"the next {parts - 1} replies have"
        yield blocks.context(f"📎 Not all of it fits here: {more} the rest.")
    if number == parts:
        yield blocks.context(_footer(diagnosis))


def _part(number: int, parts: int, page: Sequence[Piece]) -> str:
    return f"📎 part {number} of {parts} of the diagnosis: {', '.join(dict.fromkeys(piece.name for piece in page))}"


def _essence(diagnosis: Diagnosis, *, is_follow_up: bool) -> Iterator[Piece]:
    headline, rest = diagnosis.headline, diagnosis.elaboration
    verdict = words.VERDICTS[diagnosis.verdict]
    shown = [blocks.section(f"*{verdict}*: {text.escape_line(headline or 'no more is known', 1_000)}")]
    if is_follow_up:
        shown.append(blocks.context(f"↪️ about: {text.escape_line(diagnosis.question, 300)}"))
    if rest:
        shown.append(blocks.section(text.escape(rest, 1_500)))
    shown.append(_facts(diagnosis))
    yield Piece(name="verdict", blocks=tuple(shown))
    yield Piece(name="causes", blocks=tuple(_causes(diagnosis)))
    if steps := _steps(diagnosis):
        yield Piece(name="next steps", blocks=(blocks.section(steps),))
    if runbooks := _runbooks(diagnosis):
        yield Piece(name="runbooks", blocks=(blocks.context(runbooks),))
    yield Piece(name="what could not be checked", blocks=(blocks.section(_unchecked(diagnosis)),))
    if before := _before(diagnosis):
        yield Piece(name="what changed", blocks=(blocks.section(before),))


def _details(diagnosis: Diagnosis) -> Iterator[Piece]:
    yield from claims(diagnosis)
    yield from findings(diagnosis)
    yield from timeline(diagnosis)
    yield from evidence(diagnosis)


def _facts(diagnosis: Diagnosis) -> blocks.Block:
    top = diagnosis.hypotheses[0] if diagnosis.hypotheses else None
    confidence = words.CONFIDENCES[top.confidence] if top else "⚪ inconclusive: no cause was found"
    severities = [one.severity for one in diagnosis.findings if one.role is not Role.CONTEXT]
    since = _onset(diagnosis)
    return blocks.fields(
        f"*Severity*\n{words.worst(severities)}",
        f"*State*\n{words.STATES[diagnosis.state]}",
        f"*Confidence*\n{confidence}",
        f"*Since*\n{text.moment(since) if since else 'not known'}",
        f"*Said by*\n{words.MODES[diagnosis.mode]}",
        f"*Led by*\n{_led(diagnosis)}",
    )


def _led(diagnosis: Diagnosis) -> str:
    names = ", ".join(text.escape_line(one.name, 40) for one in diagnosis.routing.specialists[:5]) or "nobody"
    return f"{names} (nobody was sure to be the right one)" if diagnosis.routing.abstained else names


def _causes(diagnosis: Diagnosis) -> Iterator[blocks.Block]:
    if not diagnosis.hypotheses:
        yield blocks.section("*No cause was found.* What was seen, and what could not be, stands below.")
    by_id = {one.id: one for one in diagnosis.findings}
    for rank, one in enumerate(diagnosis.hypotheses[:HYPOTHESES], 1):
        own = next((each for each in diagnosis.findings if (each.cause, each.entity) == (one.cause, one.entity)), None)
        yield blocks.section(_cause(rank, one, own, [by_id[each] for each in one.explains if each in by_id]))
    if (rest := len(diagnosis.hypotheses) - HYPOTHESES) > 0:
        yield blocks.context(f"… and {words.count(rest, 'less likely cause')}")


def _cause(rank: int, hypothesis: Hypothesis, own: Finding | None, explained: Sequence[Finding]) -> str:
    lines = [
        f"*{rank}. {text.escape_line(hypothesis.title, 200)}* · {words.CONFIDENCES[hypothesis.confidence]}",
        f"{text.code(str(hypothesis.entity), 150)} · cause {text.code(hypothesis.cause, 80)}",
    ]
    if own:
        lines.append(f"• seen: {text.escape_line(own.summary, 300)}")
    lines += [f"• explains: {text.escape_line(one.summary, 200)}" for one in explained[:3]]
    if (more := len(explained) - 3) > 0:
        lines.append(f"• and {words.count(more, 'more finding')} that it explains")
    lines.append(f"• evidence: {_refs(hypothesis.evidence)}")
    if hypothesis.contradicted_by:
        lines.append(f"• against it: {_refs(hypothesis.contradicted_by)}")
    lines += [f"• the model speaks against it: {text.escape_line(one, 200)}" for one in hypothesis.doubts[:2]]
    return "\n".join(lines)


def _refs(ids: Sequence[str]) -> str:
    shown = " ".join(text.code(one, 40) for one in ids[:5])
    return f"{shown} and {len(ids) - 5:,} more" if len(ids) > 5 else shown


def _steps(diagnosis: Diagnosis) -> str:
    proposed = [step.summary for one in diagnosis.hypotheses[:HYPOTHESES] for step in one.remediations]
    steps = list(dict.fromkeys(step.strip() for step in proposed if step.strip()))
    if not steps:
        return ""
    lines = [f"{number}. {text.escape_line(step, 300)}" for number, step in enumerate(steps[:STEPS], 1)]
    if (rest := len(steps) - STEPS) > 0:
        lines.append(f"… and {words.count(rest, 'more step')}")
    return "*Next steps* (for people; nothing was changed)\n" + "\n".join(lines)


def _runbooks(diagnosis: Diagnosis) -> str:
    """One line for each; advice from elsewhere, so it stands below the next steps and never among the evidence."""
    shown = diagnosis.runbooks[:RUNBOOKS]
    lines = [f"{text.link(one.url, one.title, 100)} · {text.escape_line(one.why, 120)}" for one in shown]
    return "\n".join(["📖 *Runbooks*", *lines]) if lines else ""


def _unchecked(diagnosis: Diagnosis) -> str:
    gaps = [
        f"• ⚪ {text.code(one.tool, 40)} {words.OUTCOMES[one.outcome]}: {text.escape_line(one.why, 140)}"
        for one in diagnosis.gaps[:GAPS]
    ]
    if (rest := len(diagnosis.gaps) - GAPS) > 0:
        gaps.append(f"• … and {words.count(rest, 'more look')} without an answer")
    notes = [f"• {text.escape_line(one, 170)}" for one in diagnosis.notes[:5]]
    if (rest := len(diagnosis.notes) - 5) > 0:
        notes.append(f"• … and {words.count(rest, 'more note')}")
    if not gaps and not notes:
        return "*What could not be checked*\nEvery source that was asked answered."
    return "*What could not be checked* (unknown, not healthy)\n" + "\n".join(gaps + notes)


def _onset(diagnosis: Diagnosis) -> Instant | None:
    seen = [one.first_seen for one in diagnosis.findings if one.first_seen and one.role is not Role.CONTEXT]
    return min(seen, default=None)


def _before(diagnosis: Diagnosis) -> str:
    since = _onset(diagnosis)
    moments = [one for one in diagnosis.timeline if since and one.at <= since][-CHANGES:]
    lines = [
        f"• {text.moment(one.at)} {text.code(str(one.entity), 100)} {text.escape_line(one.what, 200)}"
        for one in moments
    ]
    return "*What happened just before*\n" + "\n".join(lines) if lines else ""


def _footer(diagnosis: Diagnosis) -> str:
    usage = diagnosis.usage
    parts = [f"{usage.seconds:.1f} s", words.count(usage.tool_calls, "look")]
    if usage.model_calls:
        tokens = usage.input_tokens + usage.output_tokens
        parts += [words.count(usage.model_calls, "model call"), f"{tokens:,} tokens", f"${usage.usd:.2f}"]
    if cached := usage.quality.cached:
        parts.append(f"{words.count(cached, 'answer')} of the model from before")
    return f"Session {text.escape_line(diagnosis.session_id, 100)} · {' · '.join(parts)}"


def _text(diagnosis: Diagnosis) -> str:
    parts = [
        f"{words.VERDICTS[diagnosis.verdict]}: {text.escape_line(diagnosis.headline or 'no more is known', 1_000)}"
    ]
    if diagnosis.hypotheses:
        top = diagnosis.hypotheses[0]
        title = text.escape_line(top.title, 200)
        parts.append(f"{words.CONFIDENCES[top.confidence]}: {title} ({text.escape_line(str(top.entity), 150)}).")
    else:
        parts.append("No cause was found.")
    if diagnosis.gaps:
        parts.append(f"{words.count(len(diagnosis.gaps), 'look')} had no answer: that part is unknown.")
    return blocks.short(" ".join(parts))
