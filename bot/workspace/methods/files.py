"""Uploading files: a URL, the bytes, then the message."""

import secrets

from bot.workspace.content import thread_of
from bot.workspace.files import StoredFile
from bot.workspace.method import method
from bot.workspace.payloads import Json, decoded, objects
from bot.workspace.refusals import Refused
from bot.workspace.team import Team
from bot.workspace.tiers import Tier


@method("files.getUploadURLExternal", Tier.FOUR, "files:write")
def get_upload_url(team: Team, args: Json) -> Json:
    name, length = str(args.get("filename") or ""), int(args.get("length") or 0)
    if not name or length < 1:
        raise Refused("invalid_arguments", problems=["filename and a positive length: missing"])
    file = StoredFile(
        id=f"F0{secrets.token_hex(5).upper()}",
        name=name,
        length=length,
        token=secrets.token_urlsafe(16),
        alt_text=str(args.get("alt_txt") or ""),
    )
    team.files[file.id] = file
    return {"file_id": file.id, "upload_url": f"{team.base_url}/upload/{file.token}"}


@method("files.completeUploadExternal", Tier.FOUR, "files:write")
def complete_upload(team: Team, args: Json) -> Json:
    wanted = objects(decoded(args.get("files")))
    if not wanted:
        raise Refused("invalid_arguments", problems=["files: missing"])
    files = [_uploaded(team, one) for one in wanted]
    channel = str(args.get("channel_id") or args.get("channels") or "")
    if channel:
        conversation = team.conversations.require(channel, team.bot.id, to_write=True)
        thread_ts = thread_of(team, "files.completeUploadExternal", conversation, str(args.get("thread_ts") or ""))
        shared = [file.to_json(team.base_url) for file in files]
        text = str(args.get("initial_comment") or "")
        team.publish(team.from_bot(conversation.id, text, files=shared, thread_ts=thread_ts))
    for file in files:
        file.is_complete = True
    return {"files": [file.to_json(team.base_url) for file in files]}


def _uploaded(team: Team, wanted: Json) -> StoredFile:
    file = team.files.get(str(wanted.get("id")))
    if file is None or file.is_complete:
        raise Refused("file_not_found")
    if file.content is None:
        raise Refused("file_not_found", problems=[f"{file.id}: nothing was uploaded"])
    file.title = str(wanted.get("title") or "")
    return file
