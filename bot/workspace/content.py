"""What the app puts into a message: checked against Slack's limits before it is stored."""

from dataclasses import dataclass, field

from bot.slack.limits import MAX_MESSAGE_TEXT, Surface, validate_blocks, validate_message
from bot.workspace.conversations import Conversation
from bot.workspace.payloads import Json, as_list, as_object, decoded, objects, with_ids
from bot.workspace.refusals import Refused
from bot.workspace.team import Team

MAX_METADATA_BYTES = 8_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The checked content of one message."""

    text: str
    blocks: list[Json] = field(default_factory=list[Json])
    attachments: list[Json] = field(default_factory=list[Json])
    metadata: Json | None = None


def checked(team: Team, where: str, args: Json, *, is_update: bool = False) -> Content:
    """The content in the arguments of a call; refused as Slack would."""
    blocks = decoded(args.get("blocks") or [])
    if not isinstance(blocks, list):
        raise Refused("invalid_blocks_format", problems=["blocks: no list"])
    payload = {**args, "blocks": as_list(blocks), "attachments": decoded(args.get("attachments"))}
    for problem in validate_message(payload, is_update=is_update):
        _refuse(team, where, problem, is_update=is_update)
    text = str(payload.get("text") or payload.get("markdown_text") or "")
    return Content(
        text=text[:MAX_MESSAGE_TEXT],
        blocks=with_ids(payload["blocks"]),
        attachments=_attachments(payload["attachments"]),
        metadata=_metadata(decoded(args.get("metadata"))),
    )


def thread_of(team: Team, where: str, conversation: Conversation, thread_ts: str) -> str:
    """The ts of the message that the thread hangs on; a reply's own ts is a mistake that Slack shows oddly."""
    if not thread_ts:
        return ""
    root = team.messages.find(conversation.id, thread_ts)
    if root is None:
        raise Refused("thread_not_found")
    if root.is_reply:
        team.broke(where, f"thread_ts {thread_ts!r} is a reply's, not the parent's")
        return root.thread_ts
    return root.ts


def _refuse(team: Team, where: str, problem: str, *, is_update: bool) -> None:
    if problem.startswith("text: missing beside blocks"):
        team.broke(where, problem)
    elif problem.startswith("text: a message needs"):
        raise Refused("no_text", problems=[problem])
    elif problem.startswith(("text: ", "markdown_text: ")):
        if is_update or problem.startswith("markdown_text"):
            raise Refused("msg_too_long", problems=[problem])
        team.broke(where, problem)
    elif "characters of text in all" in problem:
        raise Refused("msg_blocks_too_long", problems=[problem])
    else:
        raise Refused("invalid_blocks", problems=[problem])


def _attachments(value: object) -> list[Json]:
    attachments = objects(value)
    for number, attachment in enumerate(attachments):
        if problems := validate_blocks(objects(attachment.get("blocks")), Surface.MESSAGE):
            raise Refused("invalid_attachments", problems=[f"attachments[{number}].{one}" for one in problems])
    return attachments


def _metadata(value: object) -> Json | None:
    if not value:
        return None
    metadata = as_object(value)
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise Refused("invalid_metadata_format", problems=["metadata needs event_type and event_payload"])
    if len(str(metadata)) > MAX_METADATA_BYTES:
        raise Refused("metadata_too_large")
    return metadata
