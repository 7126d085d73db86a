"""The workspace with all its verbs in one object."""

from bot.workspace.acting import Acting
from bot.workspace.arranging import Arranging
from bot.workspace.clicking import Clicking
from bot.workspace.manifest import Manifest
from bot.workspace.reading import Reading
from bot.workspace.team import Team

PEOPLE = ("ana", "ben", "mei", "tom")
"""ana and ben are on call; every name is also the local part of an e-mail address at example.com."""
GUEST = "gus"
CHANNELS = ("alerts", "incidents", "general")
BOT_IN = ("alerts", "incidents")


class Workspace(Acting, Clicking, Arranging, Reading):
    """One workspace with the app installed in it; the verbs are in the classes that it is made of."""

    def __init__(self, manifest: Manifest) -> None:
        team = Team(manifest=manifest)
        Acting.__init__(self, team)
        Clicking.__init__(self, team, self.interactions)
        Arranging.__init__(self, team)
        Reading.__init__(self, team)
        self.bot_token, self.app_token, self.signing_secret = team.bot_token, team.app_token, team.signing_secret
        self.bot_user_id, self.bot_id, self.app_id = team.bot.id, team.bot.bot_id, team.bot.app_id
        for name in PEOPLE:
            self.add_person(name)
        self.add_person(GUEST, is_guest=True)
        for name in CHANNELS:
            self.create_channel(name)
        for name in BOT_IN:
            self.invite(name, self.bot_user_id)

    @property
    def url(self) -> str:
        """The page for people."""
        return self.team.base_url

    @property
    def api_url(self) -> str:
        """The `base_url` of a Web API client."""
        return f"{self.team.base_url}/api/"

    def user_id(self, name: str) -> str:
        return self.team.people.get(name).id

    def channel_id(self, name: str) -> str:
        return self.team.conversations.get(name).id
