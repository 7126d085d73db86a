"""Streamed messages: chunks become text, tasks and blocks while the stream lives, which is 300 seconds."""

from dataclasses import dataclass, field
from enum import StrEnum

from bot.slack.limits import MAX_BLOCKS_MESSAGE, MAX_MARKDOWN, TASK_STATES, Surface, validate_blocks
from bot.workspace.payloads import Json, as_list, objects, with_ids
from bot.workspace.refusals import Refused

LIFE_S = 300
CHUNKS = ("markdown_text", "task_update", "plan_update", "blocks")


class State(StrEnum):
    """How a stream stands. EXPIRED and STOPPED_BY_USER take the message out of the app's streaming calls for good."""

    LIVE = "live"
    COMPLETED = "completed"
    EXPIRED = "expired"
    STOPPED_BY_USER = "stopped_by_user"


@dataclass(slots=True, kw_only=True)
class Stream:
    """One streamed message, by the parts that arrived."""

    channel: str
    ts: str
    thread_ts: str
    recipient: str
    is_plan: bool
    started_s: float
    state: State = State.LIVE
    plan_title: str = ""
    tasks: dict[str, Json] = field(default_factory=dict[str, Json])
    text: str = ""
    blocks: list[Json] = field(default_factory=list[Json])

    def take(self, markdown_text: str, chunks: list[Json]) -> None:
        """Add what one call brought."""
        if len(markdown_text) > MAX_MARKDOWN:
            raise Refused("msg_too_long", problems=[f"markdown_text: {len(markdown_text)} characters, at most 12000"])
        problems = [problem for number, chunk in enumerate(chunks) for problem in _problems(number, chunk)]
        if problems:
            raise Refused("invalid_chunks", problems=problems)
        self._refuse_overflow(markdown_text, chunks)
        self.text += markdown_text
        for chunk in chunks:
            self._take_chunk(chunk)

    def _refuse_overflow(self, markdown_text: str, chunks: list[Json]) -> None:
        length = len(self.text) + len(markdown_text)
        length += sum(len(str(chunk["text"])) for chunk in chunks if chunk["type"] == "markdown_text")
        if length > MAX_MARKDOWN:
            raise Refused("msg_too_long", problems=[f"the stream has {length} characters, at most {MAX_MARKDOWN}"])
        blocks = len(self.blocks) + sum(len(as_list(chunk["blocks"])) for chunk in chunks if chunk["type"] == "blocks")
        if blocks > MAX_BLOCKS_MESSAGE:
            raise Refused("msg_blocks_too_long", problems=[f"{blocks} blocks, at most {MAX_BLOCKS_MESSAGE}"])

    def _take_chunk(self, chunk: Json) -> None:
        match chunk["type"]:
            case "markdown_text":
                self.text += str(chunk["text"])
            case "plan_update":
                self.plan_title = str(chunk["title"])
            case "blocks":
                self.blocks += with_ids(as_list(chunk["blocks"]))
            case _:
                known = self.tasks.get(str(chunk["id"]), {})
                self.tasks[str(chunk["id"])] = known | {key: value for key, value in chunk.items() if value is not None}

    def to_blocks(self) -> list[Json]:
        """What the message shows: the plan or its tasks, then the text, then blocks."""
        cards = [_card(task, is_live=self.state is State.LIVE) for task in self.tasks.values()]
        shown: list[Json] = []
        if cards and self.is_plan:
            shown.append({"type": "plan", "title": self.plan_title or "Plan", "tasks": cards})
        elif cards:
            shown += cards
        if self.text.strip():
            shown.append({"type": "markdown", "text": self.text})
        return with_ids(shown) + self.blocks


class Streams:
    """Every stream by channel and ts."""

    def __init__(self) -> None:
        self.by_message: dict[tuple[str, str], Stream] = {}

    def add(self, stream: Stream) -> None:
        self.by_message[stream.channel, stream.ts] = stream

    def require_live(self, channel: str, ts: str, *, now_s: float) -> Stream:
        """The stream, if the app may still write to it, else its call is refused."""
        stream = self.by_message.get((channel, ts))
        if stream is None:
            raise Refused("message_not_in_streaming_state")
        expire(stream, now_s=now_s)
        if stream.state is State.STOPPED_BY_USER:
            raise Refused("stopped_by_user")
        if stream.state is not State.LIVE:
            raise Refused("message_not_in_streaming_state")
        return stream

    def live_in(self, channel: str, thread_ts: str, *, now_s: float) -> list[Stream]:
        found = [one for one in self.by_message.values() if one.channel == channel and one.thread_ts == thread_ts]
        for stream in found:
            expire(stream, now_s=now_s)
        return [one for one in found if one.state is State.LIVE]

    def is_live(self, channel: str, ts: str, *, now_s: float) -> bool:
        stream = self.by_message.get((channel, ts))
        if stream is None:
            return False
        expire(stream, now_s=now_s)
        return stream.state is State.LIVE


def expire(stream: Stream, *, now_s: float) -> None:
    """Slack ends a stream after its life, whether or not it is still being written to."""
    if stream.state is State.LIVE and now_s - stream.started_s >= LIFE_S:
        stream.state = State.EXPIRED


def _card(task: Json, *, is_live: bool) -> Json:
    # What Slack shows when a stream ends under a running task is a task that stopped, not one that spins for ever.
    status = "error" if task["status"] == "in_progress" and not is_live else task["status"]
    card: Json = {"type": "task_card", "task_id": task["id"], "title": task["title"], "status": status}
    for name in ("details", "output"):
        if text := task.get(name):
            card[name] = _rich_text(str(text))
    if sources := objects(task.get("sources")):
        card["sources"] = sources
    return card


def _rich_text(text: str) -> Json:
    return {
        "type": "rich_text",
        "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}],
    }


def _problems(number: int, chunk: Json) -> list[str]:
    where = f"chunks[{number}]"
    needs = {"markdown_text": ("text",), "plan_update": ("title",), "task_update": ("id", "title", "status")}
    if chunk.get("type") not in CHUNKS:
        return [f"{where}: unknown type {chunk.get('type')!r}"]
    if chunk["type"] == "blocks":
        return [f"{where}.{one}" for one in validate_blocks(objects(chunk.get("blocks")), Surface.MESSAGE)]
    missing = [f"{where}.{name}: missing" for name in needs[chunk["type"]] if not isinstance(chunk.get(name), str)]
    if chunk["type"] == "task_update" and chunk.get("status") not in TASK_STATES:
        missing.append(f"{where}.status: {chunk.get('status')!r} is none of {', '.join(TASK_STATES)}")
    missing += [
        f"{where}.{name}: must be a string"
        for name in ("details", "output")
        if chunk["type"] == "task_update" and not isinstance(chunk.get(name, ""), str)
    ]
    return missing
