"""What a policy may say, section by section. Pure: no clock, no file."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator
from whenever import Instant

from approvals.canonical import digest

PRODUCTION = "production"
"""The environment of everything that no other one claims; always the strictest kind."""

_UNITS = {"s": 1, "m": 60, "h": 3600}
_PERSON = re.compile(r"[a-z0-9][a-z0-9._@+-]{0,127}")
_DURATION = re.compile(r"([1-9][0-9]{0,5})([smh])")


class Level(StrEnum):
    """How far Locum may go in an environment. It caps what may be asked for; no level skips the approval."""

    READ_ONLY = "read-only"
    NON_CRITICAL_WRITES = "non-critical-writes"
    PRODUCTION_WRITES = "production-writes"

    def reaches(self, needed: "Level") -> bool:
        """Whether what needs that level may be asked for."""
        ladder = tuple(Level)
        return ladder.index(self) >= ladder.index(needed)


class Risk(StrEnum):
    """How much harm an action can do when the diagnosis is wrong."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class EnvironmentKind(StrEnum):
    """How strict the rules of an environment are."""

    PRODUCTION = "production"
    NON_PRODUCTION = "non-production"


class IdentifyBy(StrEnum):
    """How a Slack account becomes a principal."""

    LISTED = "listed"
    """Only accounts and e-mail addresses that stand under `people`."""
    EMAIL = "email"
    """The verified e-mail address is the principal, unless `people` gives it another name."""


def _seconds(value: object) -> object:
    matched = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if matched is None:
        raise ValueError("expected a whole number with its unit, such as 90s, 30m or 24h")
    return int(matched[1]) * _UNITS[matched[2]]


def _instant(value: object) -> object:
    try:
        return Instant.parse_iso(str(value))
    except ValueError:
        raise ValueError("expected a time with its offset, such as 2026-12-23T00:00Z") from None


def _folded(value: object) -> object:
    return value.casefold() if isinstance(value, str) else value


def _person(value: object) -> object:
    # Not folded here: two spellings of one key would silently become one person.
    if not (isinstance(value, str) and _PERSON.fullmatch(value)):
        raise ValueError("expected a name in lower case, such as ada or ada@example.com")
    return value


Seconds = Annotated[int, BeforeValidator(_seconds)]
Time = Annotated[Instant, PlainValidator(_instant), PlainSerializer(str)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]
PersonName = Annotated[str, BeforeValidator(_person)]
Email = Annotated[str, BeforeValidator(_folded), Field(pattern=r"^[!-?A-~]+@[!-?A-~]+$", max_length=254)]
SlackUser = Annotated[str, Field(pattern=r"^[UW][A-Z0-9]{1,30}$")]
SlackGroup = Annotated[str, Field(pattern=r"^S[A-Z0-9]{1,30}$")]
Glob = Annotated[str, Field(min_length=1, max_length=253)]
Registry = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.:-]*(/[a-z0-9][a-z0-9._-]*)*$", max_length=255)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Person(_Strict):
    """The accounts of one principal: one vote, however many there are."""

    slack: tuple[SlackUser, ...] = ()
    email: tuple[Email, ...] = ()
    api: tuple[str, ...] = ()
    """Principals of API tokens, as the settings name them."""


class Group(_Strict):
    """Who decides: people of this file, or a user group that Slack keeps. Exactly one of the two."""

    members: tuple[PersonName, ...] | None = None
    slack: SlackGroup | None = None


class Environment(_Strict):
    """A part of the world with rules of its own. Of several that match, the first one counts."""

    name: Name
    kind: EnvironmentKind
    clusters: tuple[Glob, ...] = ("*",)
    """Names of worlds; the live one has the empty name, which only `*` matches."""
    namespaces: tuple[Glob, ...] = ("*",)
    """What has no namespace (a node) is matched by `*` alone."""


class Window(_Strict):
    """A time in which nothing is changed in some environments."""

    environments: tuple[Name, ...] = Field(min_length=1)
    from_: Time = Field(alias="from")
    to: Time
    reason: str = ""


class Limits(_Strict):
    """How long and how often people may be asked."""

    ttl: Seconds = 1800
    """How long a request waits for a decision."""
    max_ttl: Seconds = 86_400
    """The most that an action's own `ttl` may be; never above 24h."""
    open_per_thread: int = Field(default=3, ge=1, le=20)
    per_hour: int = Field(default=20, ge=1, le=1000)
    """Requests in one hour, in one thread or by one requester."""


class ArgumentRule(_Strict):
    """What an argument of an action may be, beyond what the action itself demands."""

    min: int | None = None
    max: int | None = None
    one_of: tuple[str | int | bool, ...] | None = None
    registries: tuple[Registry, ...] | None = None
    """Registries, or paths in them, that an image may come from."""


class ActionRule(_Strict):
    """Under which terms one action may be asked for."""

    risk: Risk
    environments: tuple[Name, ...] = Field(min_length=1)
    needs: dict[Name, Level]
    """The autonomy that each of its environments must have."""
    quorum: int = Field(ge=1, le=10)
    self_approval: bool = False
    groups: tuple[Name, ...] = Field(min_length=1)
    fingerprint: tuple[str, ...] = ()
    """What must have been seen of the target, so that it can be compared right before the execution."""
    credential: str = ""
    """Reference of what the runner fetches after approval; empty = its own identity."""
    timeout: Seconds
    """How long the execution of one item may take, at most 1h."""
    ttl: Seconds | None = None
    """Instead of `limits.ttl`."""
    namespaces: tuple[Glob, ...] = ("*",)
    """Where its target must be, beside the environments."""
    arguments: dict[str, ArgumentRule] = {}


class Policy(_Strict):
    """All of it."""

    version: int = Field(ge=1)
    default: Literal["refuse"]
    """What stands nowhere is refused; there is no other default."""
    kill_switch: bool = False
    """Stops everything that asks or was approved, reads included."""
    identify_by: IdentifyBy = IdentifyBy.LISTED
    people: dict[PersonName, Person] = {}
    listed_guests: tuple[SlackUser, ...] = ()
    """Guests, and members of other organisations, that may decide nevertheless; each must stand under `people`."""
    listed_bots: tuple[SlackUser, ...] = ()
    """Bots that may decide nevertheless; each must stand under `people`. Locum itself never may."""
    groups: dict[Name, Group] = {}
    environments: tuple[Environment, ...] = ()
    autonomy: dict[Name, Level] = {}
    """The ceiling of each environment; one that stands here not is `read-only`."""
    freeze: tuple[Window, ...] = ()
    limits: Limits = Limits()
    actions: dict[str, ActionRule] = {}

    @cached_property
    def identity(self) -> str:
        """Version and content, such as `7-1f2e3d4c5b6a`: what changed without a new version is still noticed."""
        content = digest("locum.policy.v1", self.model_dump(mode="json", by_alias=True))
        return f"{self.version}-{content[:12]}"

    @property
    def known_environments(self) -> Mapping[str, Environment]:
        """By name, with the one that everything else falls in."""
        rest = Environment(name=PRODUCTION, kind=EnvironmentKind.PRODUCTION)
        return {PRODUCTION: rest, **{each.name: each for each in self.environments}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unusable:
    """There is no policy that can be used now: everything is refused."""

    why: str
