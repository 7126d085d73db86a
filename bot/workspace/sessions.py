"""What the agent surfaces keep per thread: session status and title, the thinking line, suggested prompts."""

from dataclasses import dataclass, field

from bot.workspace.payloads import Json

STATUSES = ("processing", "suspended", "active", "closed")
THINKING_LIFE_S = 120


@dataclass(slots=True, kw_only=True)
class Session:
    """One thread that the agent works in."""

    channel: str
    thread_ts: str
    status: str = ""
    title: str = ""
    thinking: str = ""
    """The line of `assistant.threads.setStatus`, gone after two minutes or with the next message."""
    thinking_since_s: float = 0


@dataclass(slots=True)
class Sessions:
    """Every session by channel and thread, and the prompts of each direct message."""

    by_thread: dict[tuple[str, str], Session] = field(default_factory=dict[tuple[str, str], Session])
    prompts: dict[str, list[Json]] = field(default_factory=dict[str, list[Json]])

    def get(self, channel: str, thread_ts: str) -> Session:
        return self.by_thread.setdefault((channel, thread_ts), Session(channel=channel, thread_ts=thread_ts))

    def thinking(self, channel: str, thread_ts: str, *, now_s: float) -> str:
        session = self.by_thread.get((channel, thread_ts))
        if session is None or now_s - session.thinking_since_s > THINKING_LIFE_S:
            return ""
        return session.thinking
