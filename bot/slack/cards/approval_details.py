"""Everything about one request, in a modal with pages; and the modal that asks why it is denied. Pure.

Nothing is cut here: what is longer than a page goes on on the next one.
"""

import json
from collections.abc import Iterator, Mapping

from whenever import Instant

from approvals.action import Action
from approvals.ballot import Vote
from approvals.plan import Plan
from approvals.request import Cited
from bot.gate import View
from bot.slack import blocks, text
from bot.slack.blocks import Block
from bot.slack.cards import words
from bot.slack.cards.approval import meant
from bot.slack.cards.approval_arguments import lines, spoken
from bot.slack.cards.approval_standing import asked_by, dry_run, risk, standing

DENIAL = "locum_denial"
REASON_BLOCK = "why"
REASON_INPUT = "reason"
LONGEST_REASON = 500
PAGE = "locum_details_page"
"""Begins the action ids that turn pages; the button's value is the page."""
DETAILS_VIEW = "locum_details_view"

_CHUNK = 2_900
_PAGE_CHARACTERS = 16_000
_PAGE_BLOCKS = 60


def details(view: View, page: int, now: Instant) -> Block:
    """One page of the modal; a page that is not there is the nearest one that is."""
    pages = _pages(view, now)
    number = min(max(page, 1), len(pages))
    shown = pages[number - 1]
    if len(pages) > 1:
        shown = [blocks.context(f"Page {number} of {len(pages)}"), *shown, _turning(number, len(pages))]
    return {
        "type": "modal",
        "callback_id": DETAILS_VIEW,
        "title": blocks.plain_text("Approval details"),
        "close": blocks.plain_text("Close"),
        "private_metadata": view.request.id,
        "blocks": shown,
    }


def denial(view: View, where: str) -> Block:
    """The modal that asks why; `where` comes back with the answer."""
    asked: Block = {
        "type": "input",
        "block_id": REASON_BLOCK,
        "label": blocks.plain_text("Why not?"),
        "hint": blocks.plain_text("Everybody in the thread reads it, and it stays in the audit."),
        "element": {
            "type": "plain_text_input",
            "action_id": REASON_INPUT,
            "multiline": True,
            "min_length": 1,
            "max_length": LONGEST_REASON,
        },
    }
    items = view.request.items
    shown = [blocks.rich(meant(items[:6], 250))]
    if (rest := len(items) - 6) > 0:
        shown.append(blocks.context(f"… and {words.count(rest, 'more action')}"))
    return {
        "type": "modal",
        "callback_id": DENIAL,
        "title": blocks.plain_text("Deny this request"),
        "submit": blocks.plain_text("Deny"),
        "close": blocks.plain_text("Back"),
        "private_metadata": where,
        "blocks": [*shown, asked],
    }


def _pages(view: View, now: Instant) -> list[list[Block]]:
    pages: list[list[Block]] = [[]]
    room = _PAGE_CHARACTERS
    for block in _everything(view, now):
        if pages[-1] and (blocks.size(block) > room or len(pages[-1]) >= _PAGE_BLOCKS):
            pages.append([])
            room = _PAGE_CHARACTERS
        pages[-1].append(block)
        room -= blocks.size(block)
    return pages


def _turning(number: int, last: int) -> Block:
    turns = {"back": ("◀ Back", number - 1), "on": ("Next ▶", number + 1)}
    shown = [
        blocks.button(label, f"{PAGE}_{way}", str(page)) for way, (label, page) in turns.items() if 1 <= page <= last
    ]
    return blocks.actions(*shown)


def _everything(view: View, now: Instant) -> Iterator[Block]:
    yield blocks.section(standing(view, now))
    for number, item in enumerate(view.request.items, 1):
        yield from _item(item, f" {number}" if len(view.request.items) > 1 else "")
    yield from _credentials(view.request.proposal.purposes or {})
    yield from _reasons(view)
    yield from _terms(view)
    yield from _votes(view)
    yield from _receipts(view)
    yield from _identity(view)


def _item(item: Plan, number: str) -> Iterator[Block]:
    yield blocks.header(f"Action{number}")
    yield blocks.rich(meant([item], 2_500))
    yield from _code("Name, target and arguments", _written(item.action))
    yield from _code("Blast radius", item.blast_radius)
    yield from _code(f"What would change ({dry_run(item.dry_run)})", item.diff.rstrip("\n") or "(no diff)")
    looked = json.dumps(dict(item.fingerprint), indent=1, ensure_ascii=False)
    yield from _code("The target as it was looked at; if it changes, nothing is done", looked)
    if item.undo:
        yield from _code("Way back", f"{spoken(item.undo)}\n{_written(item.undo)}")


def _written(action: Action) -> str:
    cluster = f" in cluster {action.cluster}" if action.cluster else ""
    return f"{action.name} on {action.target}{cluster}\n{lines(action)}".rstrip("\n")


def _credentials(purposes: Mapping[str, str]) -> Iterator[Block]:
    wanted = "\n".join(f"{reference}: {purpose}" for reference, purpose in purposes.items())
    yield from _code("Credentials, by reference; values are never shown", wanted)


def _reasons(view: View) -> Iterator[Block]:
    proposal = view.request.proposal
    yield blocks.header("Why")
    yield from _code("Said by rules", f"{proposal.title}\n{proposal.reason}")
    for cited in proposal.evidence:
        yield from _cited(cited)
    if proposal.watched:
        watched = "\n".join(f"{each.cause} on {each.entity}" for each in proposal.watched)
        yield from _code("Findings that led to it; they are looked for again afterwards", watched)
    if proposal.prose.strip():
        yield from _code("🧠 the model's words, unchecked", proposal.prose)


def _cited(cited: Cited) -> Iterator[Block]:
    kind = "measured by the system itself" if cited.is_measured else "words that others can write"
    name = f"Evidence {text.escape_line(cited.id, 60)}: {text.escape_line(cited.tool, 80)}, {kind}"
    yield from _code(name, "\n".join(part for part in (cited.query, cited.excerpt) if part))


def _terms(view: View) -> Iterator[Block]:
    request, terms = view.request, view.request.terms
    said = [
        f"• risk: {risk(terms.risk)}",
        f"• decides: {words.count(terms.quorum, 'person', 'people')} of {_codes(terms.groups)}",
        f"• may not approve: {_codes(terms.barred) or 'nobody is barred'}",
        f"• asked by: {asked_by(view)}",
        f"• environment {text.exact_code(request.environment, 80)}",
        f"• policy version {text.code(str(terms.policy_version), 80)}",
        f"• expires {text.moment(terms.expires_at)}, asked {text.moment(request.created_at)}",
        f"• each action may take {request.timeout_s} s",
        f"• ends when the alert resolves: {'yes' if request.proposal.rests_on_alert else 'no'}",
    ]
    if request.credential:
        said.append(f"• credential of the runner: {text.exact_code(request.credential, 200)}")
    yield blocks.header("Terms")
    yield blocks.section("\n".join(said))


def _votes(view: View) -> Iterator[Block]:
    yield blocks.header("Votes")
    cast = [_vote(vote) for vote in view.votes] or ["none yet"]
    for start in range(0, len(cast), 4):
        yield blocks.section("\n".join(cast[start : start + 4]))


def _vote(vote: Vote) -> str:
    kept = f", only {', '.join(str(number + 1) for number in sorted(vote.only))}" if vote.only is not None else ""
    reason = f": {text.escape_line(vote.reason, 500)}" if vote.reason else ""
    principal = text.code(vote.principal, 80)
    return f"• {text.moment(vote.at)} *{vote.choice}* by {text.mention(vote.account)} ({principal}){kept}{reason}"


def _receipts(view: View) -> Iterator[Block]:
    for number, receipt in enumerate(view.receipts, 1):
        said = "\n".join(part for part in (receipt.detail, receipt.diff.rstrip("\n")) if part)
        yield from _code(f"What became of it, {number}: {receipt.outcome}", said)


def _identity(view: View) -> Iterator[Block]:
    request = view.request
    yield from _code(
        "Request, SHA-256 digest of what would run, incident and session",
        f"{request.id}\n{request.digest}\n{request.incident_id}\n{request.session_id}",
    )


def _codes(names: frozenset[str]) -> str:
    shown = ", ".join(text.code(one, 60) for one in sorted(names)[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown


def _code(name: str, whole: str) -> Iterator[Block]:
    """A named code block, in as many pieces as it takes; none where there is nothing to show."""
    rest, title = text.exact(whole), f"*{name}*"
    while rest:
        end = len(rest) if len(rest) <= _CHUNK else rest.rfind("\n", _CHUNK // 2, _CHUNK) + 1 or _CHUNK
        yield blocks.section(title)
        yield blocks.rich(blocks.preformatted(rest[:end].removesuffix("\n")))
        rest, title = rest[end:], f"*{name}*, going on"
