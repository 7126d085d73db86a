"""People and user groups."""

from bot.workspace.method import method
from bot.workspace.paging import page
from bot.workspace.payloads import Json
from bot.workspace.refusals import Refused
from bot.workspace.team import Team
from bot.workspace.tiers import Tier


@method("users.info", Tier.FOUR, "users:read")
def info(team: Team, args: Json) -> Json:
    person = team.people.require(str(args.get("user") or ""))
    return {"user": person.to_user(with_email="users:read.email" in team.manifest.scopes)}


@method("users.list", Tier.TWO, "users:read")
def list_(team: Team, args: Json) -> Json:
    with_email = "users:read.email" in team.manifest.scopes
    return page("members", [one.to_user(with_email=with_email) for one in team.people.by_id.values()], args, most=1_000)


@method("users.lookupByEmail", Tier.THREE, "users:read.email")
def lookup_by_email(team: Team, args: Json) -> Json:
    email = str(args.get("email") or "").lower()
    person = next((one for one in team.people.by_id.values() if email and one.email == email), None)
    if person is None or person.is_deleted:
        raise Refused("users_not_found")
    return {"user": person.to_user(with_email=True)}


@method("usergroups.users.list", Tier.TWO, "usergroups:read")
def usergroup_members(team: Team, args: Json) -> Json:
    group = str(args.get("usergroup") or "")
    if group not in team.people.groups:
        raise Refused("no_such_subteam")
    return {"users": team.people.groups[group]}
