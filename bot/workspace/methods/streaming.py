"""Streamed messages."""

from bot.slack.limits import Surface, validate_blocks
from bot.workspace.content import Content, checked, thread_of
from bot.workspace.conversations import Kind
from bot.workspace.messages import Message
from bot.workspace.method import method
from bot.workspace.payloads import Json, as_list, decoded, objects, with_ids
from bot.workspace.refusals import Refused
from bot.workspace.sessions import STATUSES
from bot.workspace.streams import State, Stream
from bot.workspace.team import Team
from bot.workspace.tiers import Tier


@method("chat.startStream", Tier.TWO, "chat:write")
def start_stream(team: Team, args: Json) -> Json:
    conversation = team.conversations.require(str(args.get("channel") or ""), team.bot.id, to_write=True)
    if not args.get("thread_ts"):
        raise Refused("invalid_arguments", problems=["thread_ts: missing, a stream is always a reply"])
    recipient = str(args.get("recipient_user_id") or conversation.person)
    if conversation.kind is not Kind.IM:
        for name in ("recipient_user_id", "recipient_team_id"):
            if not args.get(name):
                raise Refused(f"missing_{name}", problems=[f"{name}: required in channels"])
        team.people.require(recipient, "invalid_arguments")
    display = str(args.get("task_display_mode") or "timeline")
    if display not in {"timeline", "plan"}:
        raise Refused("invalid_arguments", problems=[f"task_display_mode: {display!r}"])
    message = team.from_bot(
        conversation.id,
        "",
        thread_ts=thread_of(team, "chat.startStream", conversation, str(args["thread_ts"])),
        is_streaming=True,
    )
    stream = Stream(
        channel=conversation.id,
        ts=message.ts,
        thread_ts=message.thread_ts,
        recipient=recipient,
        is_plan=display == "plan",
        started_s=team.clock.seconds(),
    )
    _take(stream, message, args)
    team.streams.add(stream)
    team.sessions.get(conversation.id, message.thread_ts).thinking = ""
    team.publish(message)
    return {"channel": conversation.id, "ts": message.ts}


@method("chat.appendStream", Tier.FOUR, "chat:write")
def append_stream(team: Team, args: Json) -> Json:
    stream, message = _live(team, args)
    if not args.get("markdown_text") and not args.get("chunks"):
        raise Refused("no_text", problems=["markdown_text or chunks: missing"])
    _take(stream, message, args)
    return {"channel": stream.channel, "ts": stream.ts}


@method("chat.stopStream", Tier.TWO, "chat:write")
def stop_stream(team: Team, args: Json) -> Json:
    stream, message = _live(team, args)
    previous = team.messages.to_json(message)
    blocks = as_list(decoded(args.get("blocks")))
    if problems := validate_blocks(objects(blocks), Surface.MESSAGE):
        raise Refused("invalid_blocks", problems=problems)
    status = str(args.get("session_status") or "")
    if status and status not in STATUSES:
        raise Refused("invalid_arguments", problems=[f"session_status: {status!r}"])
    final = checked(team, "chat.stopStream", {"text": "-", "metadata": args.get("metadata")})
    _take(stream, message, args)
    stream.blocks += with_ids(blocks)
    stream.state = State.COMPLETED
    _finish(stream, message, final)
    if status:
        team.sessions.get(stream.channel, stream.thread_ts).status = status
    team.tell_changed(message, previous)
    return {"channel": stream.channel, "ts": stream.ts, "message": team.messages.to_json(message)}


def _live(team: Team, args: Json) -> tuple[Stream, Message]:
    conversation = team.conversations.require(str(args.get("channel") or ""), team.bot.id, to_write=True)
    ts = str(args.get("ts") or "")
    message = team.messages.require(conversation.id, ts)
    try:
        return team.streams.require_live(conversation.id, ts, now_s=team.clock.seconds()), message
    except Refused:
        message.is_streaming = False
        raise


def _take(stream: Stream, message: Message, args: Json) -> None:
    stream.take(str(args.get("markdown_text") or ""), objects(decoded(args.get("chunks"))))
    message.text, message.blocks = stream.text, stream.to_blocks()


def _finish(stream: Stream, message: Message, content: Content) -> None:
    message.text, message.blocks = stream.text, stream.to_blocks()
    message.metadata, message.is_streaming = content.metadata or message.metadata, False
