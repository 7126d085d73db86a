"""Short things that Locum says: how to use it, why something did not work, and what to do then. Pure."""

from approvals.ballot import Counted
from bot.slack import blocks, text

USAGE = (
    "Ask what is wrong: `/diagnose checkout is slow since 10:00`, or mention me in a channel or a thread with the "
    "question. I look with read-only tools, answer in a thread and show the evidence. Ask on in that thread by "
    "mentioning me again; in our direct message no mention is needed."
)
TAKEN = "👀 Got it. The answer comes in a thread in this channel."
NOT_HERE = (
    "I am not in this channel, so nothing was started. Type /invite {bot} here and ask again, or ask in our direct "
    "message."
)
NO_PRIVATE = (
    "I answer in threads that the whole channel sees, so nothing was started. Ask without `private`, or in our direct "
    "message."
)
NOT_TAKEN = (
    "⚠️ I could not take this just now: a service that I need does not answer. If nothing follows here within a minute, "
    "please ask again."
)
NO_WORDS = "I am here. Tell me what looks wrong, for example: `checkout is slow since 10:00`."
NOT_RECORDED = (
    "⚠️ not recorded yet, click again; nothing was counted. A service that I need does not answer; clicking again is "
    "safe."
)
NOT_ANSWERED = (
    "⚠️ not recorded yet, click again. No answer came in time. A second click is safe: one person is one vote, however "
    "often they click."
)
NOT_READ = "⚠️ not shown: I could not read this request just now. Nothing was counted; click again."
NOT_OPENED = "⚠️ not opened: Slack did not let me open the window in time. Nothing was counted; click again."
NO_REQUEST = "❓ unknown request: I know no request of this id, so nothing was counted and nothing will run."
DECIDED = "🔒 not counted, it is decided already"
COUNTED = {
    Counted.COUNTED: "✅ counted",
    Counted.DECIDED: "✅ counted",
    Counted.DUPLICATE: "🔁 counted before",
    Counted.REFUSED: "⛔ not counted",
    Counted.CLOSED: "🔒 not counted",
}


def apology(reason: str) -> blocks.Message:
    """Why a session ended without a conclusion."""
    said = (
        f"⚠️ not finished: I could not conclude this. {text.escape(reason, 1_500)}\nNothing was changed anywhere. "
        "Mention me in this thread to try again; what was seen so far is above."
    )
    return blocks.Message(text=blocks.short(said), blocks=(blocks.section(said),))


def line(said: str) -> blocks.Message:
    """One of the lines above."""
    return blocks.Message(text=said)
