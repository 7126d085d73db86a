"""What is said once in the thread after an execution: how it ended, and later whether it helped. Pure."""

from approvals.plan import Outcome, Receipt
from bot.gate import View
from bot.slack import blocks, text
from bot.slack.blocks import Message
from bot.slack.cards.approval_arguments import spoken
from bot.slack.cards.approval_standing import chosen, is_grant, seen_again, took

SHOWN = 10
"""Items that are listed; the rest is counted."""

_DETAIL = 400
_SIGNS = {Outcome.SUCCEEDED: "✅ done", Outcome.FAILED: "❌ failed", Outcome.UNKNOWN: "⚠️ unknown"}


def outcome(view: View) -> Message | None:
    """How the execution ended; `None` where nothing was executed."""
    if view.outcome is None:
        return None
    said = {Outcome.SUCCEEDED: _done, Outcome.FAILED: _failed, Outcome.UNKNOWN: _unknown}[view.outcome](view)
    return _line("\n".join([said, *_each(view)]), "locum_outcome", view)


def verified(view: View) -> Message | None:
    """What was seen afterwards; `None` before it was looked at."""
    said = seen_again(view)
    return _line(f"{said}\nThis was after: {_about(view)}.", "locum_verified", view) if said else None


def _done(view: View) -> str:
    if is_grant(view):
        return f"🔑 *ended*: {_about(view)}. {_sentence(view.why or 'The approval is used up')}"
    return f"✅ *done* {took(view)}: {_about(view)}{_detail(view)}".replace(" : ", ": ")


def _failed(view: View) -> str:
    is_clean = all(receipt.outcome is Outcome.FAILED for receipt in view.receipts)
    then = "nothing was changed" if is_clean else "what was done before it stays done"
    why = _why(view)
    return f"❌ *failed*: {_about(view)}: {why}; {then}"


def _unknown(view: View) -> str:
    command = text.code(f"locum approvals record {view.request.id}", 120)
    return (
        f"⚠️ *unknown*: {_about(view)}: {_why(view)}. Nobody can know whether it was done, and it does not run again: "
        f"look at {_targets(view)}, then record what happened with {command}"
    )


def _why(view: View) -> str:
    """The reason in the target's words where it gave one, else in ours."""
    return text.escape_line(_answer(view) or view.why or "no reason was given", _DETAIL).rstrip(".")


def _detail(view: View) -> str:
    answer = _answer(view)
    return f". {text.escape_line(answer, _DETAIL)}" if answer else ""


def _answer(view: View) -> str:
    """What the target said about the only action; several have a line each."""
    return "".join(receipt.detail for receipt in view.receipts) if len(view.request.items) == 1 else ""


def _each(view: View) -> list[str]:
    """A line for each item of a batch."""
    items = view.request.items
    if len(items) == 1:
        return []
    tried = dict(zip(chosen(view), view.receipts, strict=False))
    lines = [
        f"{number + 1}. {_item(tried.get(number))}: {text.exact_line(spoken(item.action), 150)}"
        for number, item in enumerate(items[:SHOWN])
    ]
    return [*lines, f"… and {len(items) - SHOWN} more"] if len(items) > SHOWN else lines


def _item(receipt: Receipt | None) -> str:
    if receipt is None:
        return "⚪ not tried"
    detail = f" ({text.escape_line(receipt.detail, 120)})" if receipt.detail else ""
    return f"{_SIGNS[receipt.outcome]}{detail}"


def _about(view: View) -> str:
    items = view.request.items
    if len(items) == 1:
        return text.exact_line(spoken(items[0].action), 400).rstrip(".")
    done = sum(receipt.outcome is Outcome.SUCCEEDED for receipt in view.receipts)
    return f"{done} of {len(items)} actions"


def _targets(view: View) -> str:
    items = view.request.items
    names = list(dict.fromkeys(str(items[number].action.target) for number in chosen(view)))
    return ", ".join(text.exact_code(name, 120) for name in names[:3]) or "the target"


def _sentence(said: str) -> str:
    shown = text.escape_line(said, _DETAIL).rstrip(".")
    return f"{shown[:1].upper()}{shown[1:]}."


def _line(said: str, event_type: str, view: View) -> Message:
    return Message(
        text=blocks.short(said),
        blocks=(blocks.section(said),),
        metadata={"event_type": event_type, "event_payload": {"request_id": view.request.id}},
    )
