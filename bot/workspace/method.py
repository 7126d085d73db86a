"""What a Web API method is to the workspace."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.workspace.payloads import Json
from bot.workspace.team import Team
from bot.workspace.tiers import Tier

Run = Callable[[Team, Json], Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method: who may call it, how often, and what it does."""

    name: str
    tier: Tier
    run: Run
    scopes: tuple[str, ...] = ()
    """Any one of these is enough; none means every bot token."""
    is_app_level: bool = False
    """Called with the `xapp-` token instead of the bot's."""


def method(name: str, tier: Tier, *scopes: str, is_app_level: bool = False) -> Callable[[Run], Method]:
    """Make a `Method` of a function; the package `methods` finds it."""

    def make(run: Run) -> Method:
        return Method(name=name, tier=tier, run=run, scopes=scopes, is_app_level=is_app_level)

    return make
