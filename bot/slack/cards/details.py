"""The long parts of a diagnosis: findings, the model's quotes, timeline, evidence. Pure.

Outside text stands in rich_text here, which Slack shows as it is: a query can be copied exactly, whatever is in it.
"""

from collections.abc import Iterator

from agents.diagnosis import Diagnosis
from agents.finding import Finding
from agents.report import Claim
from bot.slack import blocks, text
from bot.slack.blocks import Piece, quoted, rich, said
from bot.slack.cards import words
from tools.evidence import Evidence, Outcome

FINDINGS = 10
CLAIMS = 8
MOMENTS = 20
EVIDENCE = 12
QUERY = 1_500


def claims(diagnosis: Diagnosis) -> Iterator[Piece]:
    """What the model said, each with the quotes that code found again."""
    for number, one in enumerate(diagnosis.claims[:CLAIMS]):
        title = (blocks.section("*What the model says, with what it rests on*"),) if number == 0 else ()
        yield Piece(name="the model's words", blocks=(*title, _claim(one)))
    if (rest := len(diagnosis.claims) - CLAIMS) > 0:
        yield Piece(name="the model's words", blocks=(blocks.context(f"… and {words.count(rest, 'more claim')}"),))


def findings(diagnosis: Diagnosis) -> Iterator[Piece]:
    """What the rules saw, each with the query that shows it again."""
    for number, one in enumerate(diagnosis.findings[:FINDINGS]):
        title = (blocks.section(f"*Findings* ({len(diagnosis.findings):,})"),) if number == 0 else ()
        yield Piece(name="findings", blocks=(*title, _finding(one)))
    if (rest := len(diagnosis.findings) - FINDINGS) > 0:
        yield Piece(name="findings", blocks=(blocks.context(f"… and {words.count(rest, 'more finding')}"),))


def timeline(diagnosis: Diagnosis) -> Iterator[Piece]:
    """What happened when; the newest are kept when there are too many."""
    moments = diagnosis.timeline[-MOMENTS:]
    if not moments:
        return
    lines = [
        f"• {text.moment(one.at)} {text.code(str(one.entity), 80)} {text.escape_line(one.what, 160)} "
        f"{text.code(one.evidence, 40)}"
        for one in moments
    ]
    if (rest := len(diagnosis.timeline) - len(moments)) > 0:
        lines.insert(0, f"… {words.count(rest, 'earlier moment')} left out")
    for start in range(0, len(lines), 6):
        title = "*Timeline*\n" if start == 0 else ""
        yield Piece(name="timeline", blocks=(blocks.section(title + "\n".join(lines[start : start + 6])),))


def evidence(diagnosis: Diagnosis) -> Iterator[Piece]:
    """What the conclusion rests on: tool, exact query, short quote."""
    known = {one.id: one for one in diagnosis.evidence if not one.is_gap}
    first = [ref for one in diagnosis.hypotheses for ref in (*one.evidence, *one.contradicted_by) if ref in known]
    order = list(dict.fromkeys([*first, *known]))
    for number, ref in enumerate(order[:EVIDENCE]):
        title = (blocks.section(f"*Evidence* ({len(order):,})"),) if number == 0 else ()
        yield Piece(name="evidence", blocks=(*title, _evidence(known[ref])))
    if (rest := len(order) - EVIDENCE) > 0:
        left = f"… and {words.count(rest, 'more piece')} of evidence, kept with the session"
        yield Piece(name="evidence", blocks=(blocks.context(left),))


def _claim(claim: Claim) -> blocks.Block:
    quotes = [quoted(f"{text.line(one.evidence, 40)}: {text.plain(one.quote, 250)}") for one in claim.citations[:3]]
    return rich(blocks.words(said(text.plain(claim.text, 600))), *quotes)


def _finding(finding: Finding) -> blocks.Block:
    shown = finding.evidence[0]
    return rich(
        blocks.words(
            said(f"{words.SEVERITIES[finding.severity]} ", is_bold=True),
            said(text.line(str(finding.entity), 150), is_code=True),
            said(f" {text.line(finding.summary, 300)}"),
        ),
        blocks.words(
            said(f"{text.line(shown.tool, 60)} "),
            said(text.plain(shown.query, QUERY), is_code=True),
            said(f" {text.line(shown.id, 40)}"),
        ),
    )


def _evidence(evidence: Evidence) -> blocks.Block:
    age = f", {evidence.age_s:,.0f} s old" if evidence.age_s >= 1 else ""
    window = f", {text.line(str(evidence.window), 100)}" if evidence.window else ""
    head = blocks.words(
        said(f"{text.line(evidence.id, 40)} ", is_bold=True),
        said(f"{text.line(evidence.tool, 60)}{window}{age} "),
        said(text.plain(evidence.query, QUERY), is_code=True),
    )
    shown = text.plain(evidence.excerpt, 300) if evidence.outcome is Outcome.FOUND else words.OUTCOMES[evidence.outcome]
    return rich(head, quoted(shown))
