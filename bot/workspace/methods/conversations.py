"""Channels, their members and what was said in them."""

from bot.workspace.conversations import Conversation, Kind
from bot.workspace.messages import Message
from bot.workspace.method import method
from bot.workspace.paging import page
from bot.workspace.payloads import Json, is_true
from bot.workspace.refusals import Refused
from bot.workspace.team import Team
from bot.workspace.tiers import Tier

TYPES = {Kind.CHANNEL: "public_channel", Kind.GROUP: "private_channel", Kind.IM: "im"}
PREFIX = {Kind.CHANNEL: "channels", Kind.GROUP: "groups", Kind.IM: "im"}
READ = ("channels:read", "groups:read", "im:read")
HISTORY = ("channels:history", "groups:history", "im:history")


@method("conversations.list", Tier.TWO, *READ)
def list_(team: Team, args: Json) -> Json:
    types = str(args.get("types") or "public_channel").split(",")
    found = [
        one.to_channel(viewer=team.bot.id)
        for one in team.conversations.by_id.values()
        if TYPES[one.kind] in types
        and (one.kind is Kind.CHANNEL or team.bot.id in one.members)
        and not (is_true(args.get("exclude_archived")) and one.is_archived)
    ]
    return page("channels", found, args, most=1_000)


@method("conversations.info", Tier.THREE, *READ)
def info(team: Team, args: Json) -> Json:
    return {"channel": _visible(team, args, "read").to_channel(viewer=team.bot.id)}


@method("conversations.members", Tier.FOUR, *READ)
def members(team: Team, args: Json) -> Json:
    return page("members", sorted(_visible(team, args, "read").members), args, most=1_000)


@method("conversations.open", Tier.THREE, "im:write")
def open_(team: Team, args: Json) -> Json:
    users = [one for one in str(args.get("users") or "").split(",") if one]
    if len(users) != 1:
        raise Refused("users_list_not_supplied" if not users else "method_not_supported_for_channel_type")
    conversation = team.direct(team.people.require(users[0]).id)
    whole = is_true(args.get("return_im"))
    return {"channel": conversation.to_channel(viewer=team.bot.id) if whole else {"id": conversation.id}}


@method("conversations.history", Tier.THREE, *HISTORY)
def history(team: Team, args: Json) -> Json:
    conversation = _joined(team, args)
    newest_first = [one for one in reversed(team.messages.roots(conversation.id)) if _in_window(one.ts, args)]
    return _messages(team, newest_first, args)


@method("conversations.replies", Tier.THREE, *HISTORY)
def replies(team: Team, args: Json) -> Json:
    conversation = _joined(team, args)
    root = team.messages.find(conversation.id, str(args.get("ts") or ""))
    if root is None:
        raise Refused("thread_not_found")
    if root.is_reply:
        return _messages(team, [root], args)
    thread = [root, *(one for one in team.messages.replies(conversation.id, root.ts) if _in_window(one.ts, args))]
    return _messages(team, thread, args)


def _visible(team: Team, args: Json, what: str) -> Conversation:
    conversation = team.conversations.require(str(args.get("channel") or ""), team.bot.id)
    scope = f"{PREFIX[conversation.kind]}:{what}"
    if scope not in team.manifest.scopes:
        raise Refused("missing_scope", needed=scope, provided=",".join(sorted(team.manifest.scopes)))
    return conversation


def _joined(team: Team, args: Json) -> Conversation:
    conversation = _visible(team, args, "history")
    if team.bot.id not in conversation.members:
        raise Refused("not_in_channel")
    return conversation


def _in_window(ts: str, args: Json) -> bool:
    oldest, latest = str(args.get("oldest") or ""), str(args.get("latest") or "")
    if is_true(args.get("inclusive")):
        return (not oldest or float(ts) >= float(oldest)) and (not latest or float(ts) <= float(latest))
    return (not oldest or float(ts) > float(oldest)) and (not latest or float(ts) < float(latest))


def _messages(team: Team, messages: list[Message], args: Json) -> Json:
    with_metadata = is_true(args.get("include_all_metadata"))
    shown = [team.messages.to_json(message, with_metadata=with_metadata) for message in messages]
    answer = page("messages", shown, args, most=999)
    return answer | {"has_more": bool(answer["response_metadata"]["next_cursor"])}
