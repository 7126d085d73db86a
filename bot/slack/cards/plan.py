"""Progress as a plan: a task for each look, in pages that fit a message. Holds the whole story, so nothing is lost.

Pure but for its own memory of the events it was given.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.finding import Severity
from agents.progress import Event, FindingSeen, LookBegan, LookEnded, Phase, PhaseBegan
from bot.slack import blocks, text
from bot.slack.cards import words
from tools.evidence import Outcome

PAGE = 24
"""Tasks and findings of one message."""
PHASES = {
    Phase.ROUTING: "🧭 choosing who looks",
    Phase.WAITING: "⏸️ waiting for a decision about credentials",
    Phase.LOOKING: "🔎 looking",
    Phase.CONCLUDING: "⚖️ concluding",
    Phase.DONE: "🏁 done",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One look."""

    id: str
    title: str
    status: str = "in_progress"
    output: str = ""

    def to_block(self) -> blocks.Block:
        card: blocks.Block = {"type": "task_card", "task_id": self.id, "title": self.title, "status": self.status}
        if self.output:
            card["output"] = blocks.rich(blocks.words(blocks.said(self.output)))
        return card

    def to_chunk(self) -> blocks.Block:
        chunk = {"type": "task_update", "id": self.id, "title": self.title, "status": self.status}
        # Streams add what they get to what is there: the output is sent once, at the end.
        return chunk | {"output": self.output} if self.output else chunk


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A finding, on the way."""

    id: str
    words: str

    def to_block(self) -> blocks.Block:
        return blocks.context(self.words)

    def to_chunk(self) -> blocks.Block:
        return {"type": "blocks", "blocks": [self.to_block()]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one message shows of the plan."""

    number: int
    title: str
    entries: tuple[Task | Note, ...]
    text: str

    def to_message(self) -> blocks.Message:
        tasks = [one.to_block() for one in self.entries if isinstance(one, Task)]
        notes = [one.to_block() for one in self.entries if isinstance(one, Note)]
        shown = ({"type": "plan", "title": self.title, "tasks": tasks}, *notes)
        return blocks.Message(text=self.text, blocks=shown)

    def chunks(self, sent: dict[str, str]) -> Iterator[tuple[str, str, blocks.Block]]:
        """(id, mark, chunk) of what is not in `sent` yet."""
        if sent.get("") != self.title:
            yield "", self.title, {"type": "plan_update", "title": self.title}
        for entry in self.entries:
            mark = entry.status if isinstance(entry, Task) else "note"
            if sent.get(entry.id) != mark:
                yield entry.id, mark, entry.to_chunk()


@dataclass(slots=True)
class Plan:
    """Everything an investigation told so far."""

    phase: str = ""
    _entries: dict[str, Task | Note] = field(default_factory=dict[str, Task | Note])

    @property
    def is_empty(self) -> bool:
        """Whether nothing was told yet."""
        return not self.phase and not self._entries

    def take(self, event: Event) -> None:
        """Add one event; the same event twice changes nothing."""
        match event:
            case PhaseBegan():
                detail = text.line(event.detail, 150)
                self.phase = f"{PHASES[event.phase]} · {detail}" if detail else PHASES[event.phase]
                self._pause(event.phase, detail)
            case LookBegan():
                task_id = _id("look", event.key)
                if task_id not in self._entries:
                    self._entries[task_id] = _begun(task_id, event)
            case LookEnded():
                self._end(event)
            case FindingSeen():
                note_id = _id("finding", f"{event.cause} {event.entity} {event.summary}")
                self._entries[note_id] = Note(id=note_id, words=_finding(event))

    def close(self) -> None:
        """No more events come: a look that never answered is shown as such and does not spin for ever."""
        for entry in self._entries.values():
            if isinstance(entry, Task) and entry.status == "in_progress":
                self._entries[entry.id] = Task(id=entry.id, title=entry.title, status="error", output="no answer came")

    def pages(self) -> list[Page]:
        """The plan in pages; at least one."""
        phase = self.phase or PHASES[Phase.LOOKING]
        entries = list(self._entries.values())
        groups = [tuple(entries[start : start + PAGE]) for start in range(0, len(entries), PAGE)] or [()]
        return [
            Page(
                number=number,
                title=phase if number == 0 else f"{phase} (part {number + 1})",
                entries=group,
                text=self._text(phase),
            )
            for number, group in enumerate(groups)
        ]

    def _text(self, phase: str) -> str:
        tasks = [one for one in self._entries.values() if isinstance(one, Task)]
        over = sum(one.status != "in_progress" for one in tasks)
        silent = sum(one.status == "error" for one in tasks)
        found = len(self._entries) - len(tasks)
        parts = [f"{over} of {words.count(len(tasks), 'look')} done", words.count(found, "finding")]
        if silent:
            parts.append(f"{words.count(silent, 'look')} without an answer")
        return f"{text.escape(phase, 300)}: {', '.join(parts)}"

    def _pause(self, phase: Phase, detail: str) -> None:
        """A wait for people is a task of its own, for a plan without any is not shown."""
        task_id = _id("pause", "credentials")
        paused = self._entries.get(task_id)
        if phase is Phase.WAITING:
            self._entries.setdefault(task_id, Task(id=task_id, title=PHASES[phase]))
        elif isinstance(paused, Task) and paused.status == "in_progress":
            self._entries[task_id] = Task(id=task_id, title=paused.title, status="complete", output=detail)

    def _end(self, event: LookEnded) -> None:
        task_id = _id("look", event.key)
        begun = self._entries.get(task_id)
        detail = text.line(event.detail, 120)
        outcome = words.OUTCOMES[event.outcome]
        self._entries[task_id] = Task(
            id=task_id,
            title=begun.title if isinstance(begun, Task) else _title(event),
            status="complete" if event.outcome in (Outcome.FOUND, Outcome.EMPTY) else "error",
            output=f"{outcome} · {detail} · {event.seconds:.1f} s" if detail else f"{outcome} · {event.seconds:.1f} s",
        )


def _begun(task_id: str, event: LookBegan) -> Task:
    return Task(id=task_id, title=_title(event))


def _title(event: LookBegan | LookEnded) -> str:
    tool, rest = text.line(event.tool, 60), text.line(event.title, 110)
    return rest if rest.startswith(tool) else f"{tool} {rest}".strip()


def _finding(event: FindingSeen) -> str:
    known = [one for one in Severity if one == event.severity]
    severity = words.SEVERITIES[known[0]] if known else f"⚪ {text.escape_line(event.severity, 20)}"
    return f"{severity} · {text.code(event.entity, 80)} · {text.escape_line(event.summary, 200)}"


def _id(kind: str, name: str) -> str:
    return f"{kind}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:16]}"
