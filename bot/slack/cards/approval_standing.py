"""How a request for approval stands and on which terms, in words that card, details and outcome share. Pure."""

from whenever import Instant

from approvals.action import kinds
from approvals.ballot import Choice, State, Vote
from bot.gate import View
from bot.slack import text
from bot.slack.cards import words

STATES = {
    State.PENDING: "🖐️ approval needed",
    State.APPROVED: "⏳ approved",
    State.EXECUTING: "⏳ running",
    State.SUCCEEDED: "✅ done",
    State.FAILED: "❌ failed",
    State.UNKNOWN: "⚠️ outcome unknown",
    State.DENIED: "🚫 denied",
    State.EXPIRED: "⌛ expired",
    State.CANCELLED: "✖️ cancelled",
}
FROZEN = "🧊 frozen"
DRY_RUNS = {
    "server": "the API server's own dry run; nothing was changed",
    "recorded": "computed from a recorded world; no server was asked",
    "none": "no dry run is possible for this",
}
RISKS = {"low": "🔵 low", "medium": "🟠 medium", "high": "🔴 high"}
NAMED = 6
"""People who are named; the rest is counted."""
REASON = 500
"""Characters of anybody's reason that are shown where all of it is not asked for."""

_RANKS = {
    State.PENDING: 0,
    State.APPROVED: 1,
    State.EXECUTING: 2,
}


def state_at(view: View, now: Instant) -> State:
    """The state that people may rely on: exactly at its expiry a request that did not run is expired."""
    is_open = view.state in (State.PENDING, State.APPROVED)
    return State.EXPIRED if is_open and now >= view.request.terms.expires_at else view.state


def headline(view: View, now: Instant) -> str:
    """Emoji and word for the state."""
    state = state_at(view, now)
    return FROZEN if state is State.PENDING and view.frozen else STATES[state]


def rank(view: View) -> tuple[int, int, int, int]:
    """Grows with what happened to a request, so that a picture of how it was cannot go over how it is."""
    return _RANKS.get(view.state, 3), len(view.votes), len(view.receipts), view.verification is not None


def title(view: View) -> str:
    """What is asked for in a few words, from the catalogue."""
    items = view.request.items
    named = kinds()[items[0].action.name].title if len(items) == 1 else words.count(len(items), "action")
    return f"way back: {named}" if view.request.proposal.is_way_back else named


def dry_run(how: str) -> str:
    """How a diff was made, in words."""
    return DRY_RUNS.get(how) or text.escape_line(how, 80)


def risk(word: str) -> str:
    """A policy's word for the risk, with its emoji."""
    return RISKS.get(word.lower()) or f"⚪ {text.escape_line(word, 40)}"


def asked_by(view: View) -> str:
    """Who proposed it and who led to it."""
    proposal = view.request.proposal
    proposers = {"rules": "📐 Locum's rules", "model": "🧠 Locum's model"}
    proposed = proposers.get(proposal.proposed_by) or text.mention(proposal.proposed_by)
    led = f"after a question of {text.mention(proposal.prompted_by)}" if proposal.prompted_by else "after an alert"
    return f"{proposed}, {led}"


def is_grant(view: View) -> bool:
    """Whether the approval itself is the effect: nobody carries anything out."""
    return all(not kinds()[item.action.name].runner for item in view.request.items)


def approvals(view: View) -> tuple[Vote, ...]:
    """The counted approvals, first one first."""
    return tuple(vote for vote in view.votes if vote.choice is Choice.APPROVE)


def chosen(view: View) -> tuple[int, ...]:
    """The numbers of the items that every counted approval holds, from 0, in order."""
    narrowed = [vote.only for vote in approvals(view) if vote.only is not None]
    return tuple(number for number in range(len(view.request.items)) if all(number in only for only in narrowed))


def standing(view: View, now: Instant) -> str:
    """How it stands and who decided, one or two sentences of mrkdwn."""
    state = state_at(view, now)
    match state:
        case State.PENDING:
            return _pending(view)
        case State.APPROVED | State.EXECUTING:
            return f"⏳ approved by {by(view)}, {'in use' if is_grant(view) else 'running'}{_narrowed(view)}"
        case State.DENIED:
            return f"*{STATES[state]}*{_denied(view)}. Nothing was done."
        case State.EXPIRED:
            at = text.moment(view.request.terms.expires_at)
            return f"*{STATES[state]}* {at}: {_why(view) or 'nobody decided in time'}. Nothing was done."
        case State.CANCELLED:
            return f"*{STATES[state]}*: {_why(view) or 'it is wanted no more'}. Nothing was done."
        case _:
            return _ended(view, state)


def by(view: View) -> str:
    """Who approved."""
    people = [text.mention(vote.account) for vote in approvals(view)]
    more = [words.count(len(people) - NAMED, "more person", "more people")] if len(people) > NAMED else []
    return " and ".join([*people[:NAMED], *more]) or "nobody"


def took(view: View) -> str:
    """How long the execution took, such as `in 12 s`; empty when it is not known."""
    if view.began_at is None or view.ended_at is None:
        return ""
    seconds = max(0, round((view.ended_at - view.began_at).total("seconds")))
    return f"in {seconds} s" if seconds < 120 else f"in {seconds // 60} min {seconds % 60} s"


def seen_again(view: View) -> str:
    """What was seen when Locum looked again, one line; empty before."""
    if view.verification is None:
        return ""
    verdicts = {True: "🟢 *it helped*", False: "🟠 *it did not help*", None: "⚪ *whether it helped could not be seen*"}
    return f"{verdicts[view.verification.helped]}: {text.escape_line(view.verification.said, REASON)}"


def _pending(view: View) -> str:
    terms, given = view.request.terms, approvals(view)
    asked = f"*Waits for {words.count(terms.quorum, 'approval')}*"
    if given:
        asked = f"*{len(given)} of {words.count(terms.quorum, 'approval')}*: {by(view)}{_narrowed(view)}"
    frozen = f"{FROZEN}: {text.escape_line(view.frozen, REASON)}. Nothing can be approved at present."
    return f"{frozen}\n{asked}" if view.frozen else asked


def _denied(view: View) -> str:
    vote = next((vote for vote in reversed(view.votes) if vote.choice is Choice.DENY), None)
    if vote is None:
        return f": {_why(view)}" if view.why else ""
    said = text.escape_line(vote.reason, REASON) or "no reason was given"
    return f" by {text.mention(vote.account)} {text.moment(vote.at)}: {said}"


def _ended(view: View, state: State) -> str:
    after = f"{took(view)}, approved by {by(view)}{_narrowed(view)}".removeprefix(", ")
    why = f": {_why(view)}" if view.why else ""
    lines = [f"*{STATES[state]}* {after}{why}", seen_again(view)]
    return "\n".join(line for line in lines if line)


def _narrowed(view: View) -> str:
    items, kept = len(view.request.items), chosen(view)
    if len(kept) == items:
        return ""
    numbers = ", ".join(str(number + 1) for number in kept) or "none"
    return f" (only {numbers} of {items} actions)"


def _why(view: View) -> str:
    return text.escape_line(view.why, REASON).removesuffix(".")
