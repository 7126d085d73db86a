"""Modals and App Home."""

from bot.slack.limits import validate_view
from bot.workspace.method import method
from bot.workspace.payloads import Json, as_object, decoded
from bot.workspace.refusals import Refused
from bot.workspace.team import Team
from bot.workspace.tiers import Tier
from bot.workspace.views import View


@method("views.open", Tier.FOUR)
def open_(team: Team, args: Json) -> Json:
    body = view_body(args.get("view"), "modal")
    user = team.triggers.redeem(str(args.get("trigger_id") or ""), now_s=team.clock.seconds())
    if team.views.top(user):
        team.broke("views.open", "a modal is open: use views.push or views.update")
    return shown(team, team.views.open(user, body))


@method("views.push", Tier.FOUR)
def push(team: Team, args: Json) -> Json:
    body = view_body(args.get("view"), "modal")
    user = team.triggers.redeem(str(args.get("trigger_id") or ""), now_s=team.clock.seconds())
    return shown(team, team.views.push(user, body))


@method("views.update", Tier.FOUR)
def update(team: Team, args: Json) -> Json:
    view = team.views.find(view_id=str(args.get("view_id") or ""), external_id=str(args.get("external_id") or ""))
    if view is None:
        raise Refused("not_found")
    if args.get("hash") and args["hash"] != view.hash:
        raise Refused("hash_conflict")
    return shown(team, team.views.replace(view, view_body(args.get("view"), str(view.body["type"]))))


@method("views.publish", Tier.FOUR)
def publish(team: Team, args: Json) -> Json:
    user = team.people.require(str(args.get("user_id") or ""))
    home = team.views.homes.get(user.id)
    if args.get("hash") and home and args["hash"] != home.hash:
        raise Refused("hash_conflict")
    return shown(team, team.views.publish(user.id, view_body(args.get("view"), "home")))


def view_body(raw: object, kind: str) -> Json:
    """The view that the app sent; refused as Slack would."""
    body = as_object(decoded(raw))
    problems = validate_view(body)
    if not problems and body["type"] != kind:
        problems = [f"type: {body['type']!r}, expected {kind!r}"]
    if problems:
        raise Refused("invalid_arguments", problems=[f"view.{one}" for one in problems])
    return body


def shown(team: Team, view: View) -> Json:
    return {"view": view.to_json(app_id=team.bot.app_id, bot_id=team.bot.bot_id)}
