"""Who the app is, and where it connects."""

from bot.workspace.method import method
from bot.workspace.payloads import Json
from bot.workspace.people import TEAM_DOMAIN, TEAM_ID
from bot.workspace.refusals import Refused
from bot.workspace.team import Team
from bot.workspace.tiers import Tier


@method("auth.test", Tier.FREE)
def auth_test(team: Team, args: Json) -> Json:
    grid: Json = {"enterprise_id": team.enterprise_id} if team.enterprise_id else {}
    return grid | {
        "url": f"{team.base_url}/",
        "team": TEAM_DOMAIN,
        "user": team.bot.name,
        "team_id": TEAM_ID,
        "user_id": team.bot.id,
        "bot_id": team.bot.bot_id,
        "is_enterprise_install": False,
    }


@method("bots.info", Tier.THREE, "users:read")
def bots_info(team: Team, args: Json) -> Json:
    wanted = str(args.get("bot") or team.bot.bot_id)
    if wanted == team.bot.bot_id:
        found = {"id": wanted, "app_id": team.bot.app_id, "user_id": team.bot.id, "name": team.bot.real_name}
    else:
        app = next((one for one in team.people.apps.values() if one.bot_id == wanted), None)
        if app is None:
            raise Refused("bot_not_found")
        found = {"id": app.bot_id, "app_id": app.app_id, "name": app.name}
    return {"bot": {**found, "deleted": False, "updated": 0, "icons": {}}}


@method("apps.connections.open", Tier.FREE, is_app_level=True)
def apps_connections_open(team: Team, args: Json) -> Json:
    if team.open_socket is None:
        raise Refused("socket_mode_disabled")
    return {"url": team.open_socket()}
