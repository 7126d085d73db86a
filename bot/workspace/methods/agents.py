"""The agent surfaces: thinking line, prompts, titles, sessions."""

from bot.workspace.conversations import Conversation
from bot.workspace.method import method
from bot.workspace.payloads import Json, as_list, decoded, objects
from bot.workspace.refusals import Refused
from bot.workspace.sessions import STATUSES, Session
from bot.workspace.team import Team
from bot.workspace.tiers import Tier

MAX_PROMPTS, MAX_LOADING, MAX_TITLE = 4, 10, 200


@method("assistant.threads.setStatus", Tier.STATUS, "assistant:write", "chat:write")
def set_thinking(team: Team, args: Json) -> Json:
    conversation = _where(team, args)
    if len(as_list(decoded(args.get("loading_messages")))) > MAX_LOADING:
        raise Refused("invalid_arguments", problems=[f"loading_messages: more than {MAX_LOADING}"])
    session = team.sessions.get(conversation.id, _thread(team, conversation, args))
    session.thinking, session.thinking_since_s = str(args.get("status") or ""), team.clock.seconds()
    return {}


@method("assistant.threads.setTitle", Tier.FOUR, "assistant:write")
def set_title(team: Team, args: Json) -> Json:
    _rename(team, args)
    return {}


@method("assistant.threads.setSuggestedPrompts", Tier.FOUR, "assistant:write")
def set_prompts(team: Team, args: Json) -> Json:
    conversation = _where(team, args)
    prompts = objects(decoded(args.get("prompts")))
    if not 1 <= len(prompts) <= MAX_PROMPTS:
        raise Refused("invalid_arguments", problems=[f"prompts: {len(prompts)}, from 1 to {MAX_PROMPTS}"])
    if any(not one.get("title") or not one.get("message") for one in prompts):
        raise Refused("invalid_arguments", problems=["prompts: each needs title and message"])
    if args.get("thread_ts"):
        # Slack answers ok and shows nothing, which is worse than an error.
        team.broke("assistant.threads.setSuggestedPrompts", "thread_ts in an agent app: the prompts are not shown")
        return {}
    team.sessions.prompts[conversation.id] = prompts
    return {}


@method("agents.sessions.setStatus", Tier.THREE, "assistant:write", "chat:write")
def set_status(team: Team, args: Json) -> Json:
    status = str(args.get("status") or "")
    if status not in STATUSES:
        raise Refused("invalid_arguments", problems=[f"status: {status!r} is none of {', '.join(STATUSES)}"])
    session = _rename(team, args) if args.get("title") else _session(team, args)
    session.status = status
    return {"session": _shown(session)}


@method("agents.sessions.rename", Tier.THREE, "assistant:write", "chat:write")
def rename(team: Team, args: Json) -> Json:
    return {"session": _shown(_rename(team, args))}


def _where(team: Team, args: Json) -> Conversation:
    return team.conversations.require(str(args.get("channel_id") or ""), team.bot.id, to_write=True)


def _thread(team: Team, conversation: Conversation, args: Json) -> str:
    thread_ts = str(args.get("thread_ts") or "")
    if not thread_ts:
        raise Refused("thread_ts_required")
    return team.messages.require(conversation.id, thread_ts, "thread_not_found").ts


def _session(team: Team, args: Json) -> Session:
    conversation = _where(team, args)
    return team.sessions.get(conversation.id, _thread(team, conversation, args))


def _rename(team: Team, args: Json) -> Session:
    session, title = _session(team, args), str(args.get("title") or "")
    if not 1 <= len(title) <= MAX_TITLE:
        raise Refused("invalid_arguments", problems=[f"title: {len(title)} characters, from 1 to {MAX_TITLE}"])
    session.title = title
    return session


def _shown(session: Session) -> Json:
    return {
        "channel_id": session.channel,
        "thread_ts": session.thread_ts,
        "status": session.status,
        "title": session.title,
    }
