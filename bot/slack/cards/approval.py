"""The card that asks people to approve. Pure: drawn from the stored request, never from anybody's prose about it.

What is approved must be what is seen: whatever names, targets and arguments hold is shown with nothing hidden in it,
and what does not fit is counted here and stands whole in the details.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from whenever import Instant

from approvals.action import Effect
from approvals.ballot import State
from approvals.plan import Plan
from approvals.request import Cited
from bot.gate import View
from bot.slack import blocks, text
from bot.slack.blocks import Block, Message
from bot.slack.cards import words
from bot.slack.cards.approval_arguments import argued, spoken
from bot.slack.cards.approval_code import Shortened, shortened
from bot.slack.cards.approval_standing import (
    approvals,
    asked_by,
    dry_run,
    headline,
    risk,
    standing,
    state_at,
    title,
)

APPROVE = "locum_approve"
DENY = "locum_deny"
DETAILS = "locum_details"
EVENT = "locum_approval"

DIGITS = 12
"""Of an id or a digest, for people to compare."""
_PROSE = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class _Room:
    """How much of what is shown on the card itself."""

    items: int
    sentence: int
    evidence: int
    purposes: int
    diff: int
    arguments: int


_ROOMS = (
    _Room(items=10, sentence=600, evidence=4, purposes=8, diff=2_400, arguments=1_800),
    _Room(items=6, sentence=250, evidence=2, purposes=4, diff=1_000, arguments=900),
    _Room(items=3, sentence=150, evidence=1, purposes=2, diff=300, arguments=300),
)
"""From roomy to narrow; the last one always fits."""


def approval_card(view: View, now: Instant) -> Message:
    """The whole card, in whichever state the request is; buttons only while a decision is possible."""
    cards = (_card(view, now, room) for room in _ROOMS[:-1])
    fitting = (card for card in cards if blocks.size(card.blocks) <= blocks.ROOM and not card.problems())
    return next(fitting, None) or _card(view, now, _ROOMS[-1])


def sentence(item: Plan, most: int) -> str:
    """What one item does, mrkdwn on one line."""
    return text.exact_line(spoken(item.action), most)


def meant(items: Sequence[Plan], most: int) -> Block:
    """What items do, in their order: as it is, for Slack reads no marks in rich_text."""
    if len(items) == 1:
        return blocks.words(blocks.said(text.exact_plain(spoken(items[0].action), most)))
    parts = [
        blocks.said(f"{number}. {text.exact_plain(spoken(item.action), most)}\n")
        for number, item in enumerate(items, 1)
    ]
    return blocks.words(*parts)


def target(item: Plan, most: int = 200) -> str:
    """What one item is about, as code."""
    return text.exact_code(str(item.action.target), most)


def _card(view: View, now: Instant, room: _Room) -> Message:
    return Message(
        text=_text(view, now),
        blocks=tuple(_blocks(view, now, room)),
        metadata={"event_type": EVENT, "event_payload": {"request_id": view.request.id}},
    )


def _blocks(view: View, now: Instant, room: _Room) -> Iterator[Block]:
    yield blocks.header(f"{headline(view, now)} · {text.line(title(view), 120)}")
    yield blocks.section(standing(view, now))
    yield from _what(view, room)
    yield blocks.fields(*_facts(view))
    yield from _why(view, room)
    yield blocks.section(f"*Blast radius*\n{_blast(view, room)}")
    yield from _undo(view, room)
    yield from _credentials(view, room)
    yield from _arguments(view, room, now)
    yield from _diffs(view, room, now)
    yield from _prose(view)
    yield from _buttons(view, now)
    yield blocks.context(_footer(view))


def _what(view: View, room: _Room) -> Iterator[Block]:
    items = view.request.items
    is_one = len(items) == 1
    name = "What" if is_one else f"What: {len(items)} actions, in this order"
    shown = meant(items[: room.items], room.sentence if is_one else _share(room))
    yield blocks.rich(blocks.words(blocks.said(name, is_bold=True)), shown)
    if (rest := len(items) - room.items) > 0:
        yield blocks.context(f"… and {words.count(rest, 'more action')}, in the details")


def _share(room: _Room) -> int:
    """Characters for each of several items, which stand in one block together."""
    return min(room.sentence, 1_600 // room.items)


def _facts(view: View) -> Iterator[str]:
    request = view.request
    places = [text.exact_code(request.environment, 80)]
    clusters = sorted({item.action.cluster for item in request.items} - {""})
    places += [f"cluster {text.exact_code(one, 80)}" for one in clusters[:3]]
    yield f"*On what*\n{_targets(request.items)}"
    yield f"*Where*\n{', '.join(places)}"
    yield f"*Risk*\n{risk(request.terms.risk)}"
    yield f"*Expires*\n{text.moment(request.terms.expires_at)}"
    yield f"*Who asks*\n{asked_by(view)}"
    yield f"*Who decides*\n{_deciders(view)}"


def _targets(items: Sequence[Plan]) -> str:
    shown = list(dict.fromkeys(target(item, 120) for item in items))
    rest = f" and {words.count(len(shown) - 3, 'more')}" if len(shown) > 3 else ""
    return ", ".join(shown[:3]) + rest


def _deciders(view: View) -> str:
    terms = view.request.terms
    groups = " or ".join(text.code(one, 60) for one in sorted(terms.groups)[:4])
    return f"{words.count(terms.quorum, 'person', 'people')} of {groups}"


def _why(view: View, room: _Room) -> Iterator[Block]:
    proposal = view.request.proposal
    yield blocks.section(f"*Why*: {text.escape_line(proposal.title, 200)}\n{text.escape(proposal.reason, 700)}")
    lines = [_cited(one) for one in proposal.evidence[: room.evidence]]
    if lines:
        yield blocks.section(_listed("*It rests on*", lines, len(proposal.evidence), "piece", "pieces of evidence"))


def _cited(cited: Cited) -> str:
    kind = "📏 measured" if cited.is_measured else "💬 words that others can write"
    shown = f"• {kind} {text.code(cited.id, 40)} {text.code(cited.tool, 60)} {text.code(cited.query, 250)}"
    return f"{shown}: {text.escape_line(cited.excerpt, 150)}" if cited.excerpt else shown


def _blast(view: View, room: _Room) -> str:
    items = view.request.items
    most = room.sentence if len(items) == 1 else _share(room)
    said = list(dict.fromkeys(text.escape_line(item.blast_radius, most) for item in items[: room.items]))
    return "\n".join(one for one in said if one) or "not known"


def _undo(view: View, room: _Room) -> Iterator[Block]:
    if view.request.proposal.effect is Effect.READ:
        return
    undos = [item.undo for item in view.request.items if item.undo]
    shown = [text.exact_plain(spoken(undo), room.sentence // 2) for undo in undos[:2]] or ["none"]
    if len(undos) > 2:
        shown.append(f"and {words.count(len(undos) - 2, 'more')}, in the details")
    yield blocks.rich(blocks.words(blocks.said("Way back: ", is_bold=True), blocks.said(" ".join(shown))))


def _credentials(view: View, room: _Room) -> Iterator[Block]:
    purposes = view.request.proposal.purposes
    if not purposes:
        return
    lines = [
        f"• {text.exact_code(reference, 180)}: {text.exact_line(purpose, 150)}"
        for reference, purpose in list(purposes.items())[: room.purposes]
    ]
    named = _listed("*Credentials*, by reference", lines, len(purposes), "reference")
    yield blocks.section(f"{named}\n🔒 Values are never shown, neither here nor to the model.")


def _arguments(view: View, room: _Room, now: Instant) -> Iterator[Block]:
    short = shortened(argued(view.request.items), room.arguments)
    yield blocks.section("*Arguments*")
    yield blocks.rich(blocks.preformatted(short.shown))
    if short.rest:
        yield blocks.context(f"✂️ {short.rest}: all of it stands in {_elsewhere(view, now)}, and the digest covers it.")


def _diffs(view: View, room: _Room, now: Instant) -> Iterator[Block]:
    items = view.request.items
    hows = ", ".join(dict.fromkeys(dry_run(item.dry_run) for item in items[: room.items]))
    short = _shared(items, room)
    if short.shown:
        yield blocks.section(f"*What would change* ({hows})")
        yield blocks.rich(blocks.preformatted(short.shown))
    else:
        nothing = view.request.proposal.effect is Effect.READ
        yield blocks.section(f"*What would change*: {'nothing; it only reads' if nothing else f'no diff ({hows})'}")
    if short.rest:
        yield blocks.context(f"✂️ {short.rest}: all of it stands in {_elsewhere(view, now)}.")


def _shared(items: Sequence[Plan], room: _Room) -> Shortened:
    """The beginning of each item's diff, so that none of them takes all the room."""
    if len(items) == 1:
        return shortened(items[0].diff.rstrip("\n"), room.diff)
    changing = [(number, item) for number, item in enumerate(items, 1) if item.diff.strip()]
    share = room.diff // max(1, min(len(changing), room.items))
    shorts = [
        (f"# {number}. {text.exact_plain(str(item.action.target), 80)}", shortened(item.diff.rstrip("\n"), share))
        for number, item in changing[: room.items]
    ]
    beyond = [item.diff for _, item in changing[room.items :]]
    return Shortened(
        shown="\n".join(f"{head}\n{short.shown}{chr(10) + '…' if short.left else ''}" for head, short in shorts),
        left=sum(short.left for _, short in shorts) + sum(map(len, beyond)),
        lines=sum(short.lines for _, short in shorts if short.left) + sum(diff.count("\n") + 1 for diff in beyond),
    )


def _elsewhere(view: View, now: Instant) -> str:
    """Where everything stands: the button is there as long as there are buttons."""
    is_open = state_at(view, now) is State.PENDING
    return "Details" if is_open else text.code(f"locum approvals show {view.request.id}", 120)


def _prose(view: View) -> Iterator[Block]:
    if view.request.proposal.prose.strip():
        yield blocks.context("🧠 the model's words, unchecked:")
        yield blocks.rich(blocks.quoted(text.plain(view.request.proposal.prose, _PROSE)))


def _buttons(view: View, now: Instant) -> Iterator[Block]:
    if state_at(view, now) is not State.PENDING:
        return
    request_id = view.request.id
    shown = [
        blocks.button("Deny…", DENY, request_id, style="danger"),
        blocks.button("Details", DETAILS, request_id),
    ]
    if not view.frozen:
        approve = blocks.button("Approve", APPROVE, request_id, style="primary", confirm=_confirm(view))
        shown.insert(0, approve)
    yield blocks.actions(*shown)


def _confirm(view: View) -> Block:
    request = view.request
    first = request.items[0]
    what = text.exact_plain(spoken(first.action), 150)
    if len(request.items) > 1:
        what = f"{len(request.items)} actions, the first of them: {text.line(what, 110)}"
    missing = request.terms.quorum - len(approvals(view))
    then = "It runs at once." if missing <= 1 else f"It runs after {words.count(missing - 1, 'more approval')}."
    where = text.exact_plain(request.environment, 40)
    return {
        "title": blocks.plain_text("Approve this?"),
        "text": blocks.plain_text(text.line(f"{what} In {where}. {then}", 300)),
        "confirm": blocks.plain_text("Approve"),
        "deny": blocks.plain_text("Not yet"),
    }


def _footer(view: View) -> str:
    request = view.request
    parts = [
        f"Request {text.code(request.id[:DIGITS], 20)}",
        f"digest {text.code(request.digest[:DIGITS], 20)}",
        f"policy {text.code(str(request.terms.policy_version), 20)}",
        f"session {text.code(request.session_id, 60)}",
    ]
    return " · ".join(parts)


def _listed(name: str, lines: Iterable[str], total: int, one: str, many: str = "") -> str:
    shown = list(lines)
    rest = total - len(shown)
    more = [f"… and {words.count(rest, f'more {one}', f'more {many}' if many else '')}, in the details"] if rest else []
    return "\n".join([name, *shown, *more])


def _text(view: View, now: Instant) -> str:
    """For notifications and screen readers: everything that one needs to know whether to look."""
    request = view.request
    first = request.items[0]
    rest = f" and {words.count(len(request.items) - 1, 'more action')}" if len(request.items) > 1 else ""
    where = f"on {target(first)} in {text.exact_code(request.environment, 80)}"
    what = f"{sentence(first, 600).rstrip('.')}{rest} ({where})"
    said = f"{headline(view, now)}: {what}. {standing(view, now)}"
    if state_at(view, now) is State.PENDING:
        said += (
            f". Why: {text.escape_line(request.proposal.reason, 400)} Expires {text.moment(request.terms.expires_at)}."
        )
    return blocks.short(said)
