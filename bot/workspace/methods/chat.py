"""Posting, changing and removing messages."""

from bot.workspace.content import checked, thread_of
from bot.workspace.conversations import Conversation
from bot.workspace.messages import Message
from bot.workspace.method import method
from bot.workspace.payloads import Json, is_true
from bot.workspace.refusals import Refused
from bot.workspace.team import Team
from bot.workspace.tiers import Tier


@method("chat.postMessage", Tier.FREE, "chat:write")
def post_message(team: Team, args: Json) -> Json:
    conversation = _target(team, str(args.get("channel") or ""))
    team.tiers.count_post(conversation.id, now_s=team.clock.seconds())
    content = checked(team, "chat.postMessage", args)
    thread_ts = thread_of(team, "chat.postMessage", conversation, str(args.get("thread_ts") or ""))
    message = team.from_bot(
        conversation.id,
        content.text,
        blocks=content.blocks,
        attachments=content.attachments,
        metadata=content.metadata,
        thread_ts=thread_ts,
        is_broadcast=is_true(args.get("reply_broadcast")),
    )
    team.publish(message)
    if thread_ts:
        team.sessions.get(conversation.id, thread_ts).thinking = ""
    return {"channel": conversation.id, "ts": message.ts, "message": team.messages.to_json(message)}


@method("chat.update", Tier.THREE, "chat:write")
def update(team: Team, args: Json) -> Json:
    conversation, message = _own(team, args, "cant_update_message")
    if team.streams.is_live(conversation.id, message.ts, now_s=team.clock.seconds()):
        raise Refused("streaming_state_conflict")
    content = checked(team, "chat.update", args, is_update=True)
    previous = team.messages.to_json(message)
    message.text, message.blocks, message.attachments = content.text, content.blocks, content.attachments
    message.metadata = content.metadata or message.metadata
    message.edited_at, message.edited_by, message.is_streaming = team.clock.ts(), team.bot.id, False
    team.tell_changed(message, previous)
    shown = team.messages.to_json(message)
    return {"channel": conversation.id, "ts": message.ts, "text": message.text, "message": shown}


@method("chat.delete", Tier.THREE, "chat:write")
def delete(team: Team, args: Json) -> Json:
    conversation, message = _own(team, args, "cant_delete_message")
    team.delete(message)
    return {"channel": conversation.id, "ts": message.ts}


@method("chat.postEphemeral", Tier.FOUR, "chat:write")
def post_ephemeral(team: Team, args: Json) -> Json:
    conversation = team.conversations.require(str(args.get("channel") or ""), team.bot.id, to_write=True)
    user = team.people.require(str(args.get("user") or ""), "user_not_in_channel")
    if user.id not in conversation.members:
        raise Refused("user_not_in_channel")
    content = checked(team, "chat.postEphemeral", args)
    thread_ts = thread_of(team, "chat.postEphemeral", conversation, str(args.get("thread_ts") or ""))
    message = team.from_bot(
        conversation.id,
        content.text,
        blocks=content.blocks,
        attachments=content.attachments,
        thread_ts=thread_ts,
        only_for=user.id,
    )
    team.messages.add_ephemeral(message)
    return {"message_ts": message.ts}


@method("chat.getPermalink", Tier.FREE)
def get_permalink(team: Team, args: Json) -> Json:
    conversation = team.conversations.require(str(args.get("channel") or ""), team.bot.id)
    message = team.messages.require(conversation.id, str(args.get("message_ts") or ""))
    link = f"{team.base_url}/archives/{conversation.id}/p{message.ts.replace('.', '')}"
    if message.is_reply:
        link += f"?thread_ts={message.thread_ts}&cid={conversation.id}"
    return {"channel": conversation.id, "permalink": link}


def _target(team: Team, channel: str) -> Conversation:
    """Where to post: an id, a name, or a person for a direct message."""
    if not channel:
        raise Refused("channel_not_found", problems=["channel: missing"])
    if channel in team.people.by_id:
        return team.direct(channel)
    by_name = None if channel in team.conversations.by_id else team.conversations.find(channel)
    return team.conversations.require(by_name.id if by_name else channel, team.bot.id, to_write=True)


def _own(team: Team, args: Json, code: str) -> tuple[Conversation, Message]:
    conversation = team.conversations.require(str(args.get("channel") or ""), team.bot.id)
    ts = str(args.get("ts") or "")
    if (conversation.id, ts) in team.messages.ephemerals:
        raise Refused("message_not_found", problems=["an ephemeral can be replaced through its response_url only"])
    message = team.messages.require(conversation.id, ts)
    if message.bot_id != team.bot.bot_id:
        raise Refused(code)
    return conversation, message
