"""Emoji under messages."""

import re

from bot.workspace.messages import Message
from bot.workspace.method import method
from bot.workspace.payloads import Json
from bot.workspace.refusals import Refused
from bot.workspace.team import Team
from bot.workspace.tiers import Tier

NAME = re.compile(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?")


@method("reactions.add", Tier.THREE, "reactions:write")
def add(team: Team, args: Json) -> Json:
    message, name = _subject(team, args)
    users = message.reactions.setdefault(name, [])
    if team.bot.id in users:
        raise Refused("already_reacted")
    users.append(team.bot.id)
    return {}


@method("reactions.remove", Tier.TWO, "reactions:write")
def remove(team: Team, args: Json) -> Json:
    message, name = _subject(team, args)
    if team.bot.id not in message.reactions.get(name, []):
        raise Refused("no_reaction")
    message.reactions[name].remove(team.bot.id)
    if not message.reactions[name]:
        del message.reactions[name]
    return {}


def _subject(team: Team, args: Json) -> tuple[Message, str]:
    name = str(args.get("name") or "")
    if not NAME.fullmatch(name):
        raise Refused("invalid_name", problems=[f"name: {name!r}, expected it without colons"])
    conversation = team.conversations.require(str(args.get("channel") or ""), team.bot.id, to_write=True)
    return team.messages.require(conversation.id, str(args.get("timestamp") or "")), name
