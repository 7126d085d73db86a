"""Who is in the workspace: people, guests, the app's bot user, alerting apps and user groups."""

from dataclasses import dataclass

from bot.workspace.payloads import Json
from bot.workspace.refusals import Refused

TEAM_ID = "T0LOCUM01"
TEAM_DOMAIN = "locum-local"
ENTERPRISE_ID = "E0LOCUM01"


@dataclass(slots=True, kw_only=True)
class Person:
    """Somebody with an id: a member, a guest, somebody of another company, or a bot user."""

    id: str
    name: str
    real_name: str
    email: str = ""
    team_id: str = TEAM_ID
    enterprise_id: str = ""
    """Of the organisation, on Enterprise Grid."""
    bot_id: str = ""
    app_id: str = ""
    is_guest: bool = False
    is_deleted: bool = False
    is_email_confirmed: bool = True
    timezone: str = "Europe/London"

    @property
    def is_bot(self) -> bool:
        return bool(self.bot_id)

    def to_user(self, *, with_email: bool) -> Json:
        """The user object of `users.info`."""
        profile: Json = {"real_name": self.real_name, "display_name": self.name, "team": self.team_id}
        if with_email and self.email:
            profile["email"] = self.email
        if self.is_bot:
            profile |= {"bot_id": self.bot_id, "api_app_id": self.app_id}
        grid: Json = {}
        if self.enterprise_id:
            grid["enterprise_user"] = {"id": self.id, "enterprise_id": self.enterprise_id, "teams": [self.team_id]}
        return {
            "id": self.id,
            "team_id": self.team_id,
            **grid,
            "name": self.name,
            "real_name": self.real_name,
            "deleted": self.is_deleted,
            "tz": self.timezone,
            "profile": profile,
            "is_email_confirmed": self.is_email_confirmed,
            "is_bot": self.is_bot,
            "is_app_user": False,
            "is_restricted": self.is_guest,
            "is_ultra_restricted": False,
            "is_stranger": self.team_id != TEAM_ID and not self.enterprise_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingApp:
    """Another app that posts into channels."""

    name: str
    bot_id: str
    app_id: str


class People:
    """Everybody in the workspace, by id and by name."""

    def __init__(self) -> None:
        self.by_id: dict[str, Person] = {}
        self.apps: dict[str, AlertingApp] = {}
        self.groups: dict[str, list[str]] = {}

    def add(self, name: str, *, is_guest: bool = False, is_grid: bool = False, team_id: str = TEAM_ID) -> Person:
        """A new member; on Enterprise Grid ids start with W."""
        person = Person(
            id=f"{'W' if is_grid else 'U'}0{len(self.by_id) + 1:04d}{name.upper()[:5]}",
            name=name,
            real_name=name.capitalize(),
            email=f"{name}@example.com",
            team_id=team_id,
            is_guest=is_guest,
        )
        self.by_id[person.id] = person
        return person

    def add_bot(self, *, name: str, user_id: str, bot_id: str, app_id: str) -> Person:
        person = Person(id=user_id, name=name.lower(), real_name=name, bot_id=bot_id, app_id=app_id)
        self.by_id[user_id] = person
        return person

    def add_app(self, name: str) -> AlertingApp:
        """Another app, such as one that posts alerts; the same name is the same app."""
        if name not in self.apps:
            number = len(self.apps) + 1
            self.apps[name] = AlertingApp(name=name, bot_id=f"B1{number:05d}APP", app_id=f"A1{number:05d}APP")
        return self.apps[name]

    def find(self, who: str) -> Person | None:
        """A person by id or by name."""
        if person := self.by_id.get(who):
            return person
        return next((person for person in self.by_id.values() if person.name == who.lstrip("@")), None)

    def get(self, who: str) -> Person:
        if person := self.find(who):
            return person
        raise LookupError(f"nobody is called {who!r}")

    def require(self, user_id: str, code: str = "user_not_found") -> Person:
        """The person with this id, else the app's call is refused."""
        if person := self.by_id.get(user_id):
            return person
        raise Refused(code)
