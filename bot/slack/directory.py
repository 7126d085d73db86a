"""Who a Slack account is and which user groups it is in, asked just now: rights rest on it.

A lookup that failed says nothing about anybody: it is an error, never "not in the group".
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar, cast
from weakref import WeakValueDictionary

from whenever import Instant, TimeDelta

from approvals.people import Account, DirectoryUnavailable
from bot.slack.calls import Calls, Method, SlackError

CACHE_S = 15.0
"""How long an answer of Slack's is used again: far below the minute after which it must not be."""
LOOKUP_S = 5
SLACKBOT = "USLACKBOT"
"""A bot that Slack does not describe as one."""

T = TypeVar("T")


class Directory:
    """Accounts and user groups of the workspace."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._accounts = _Fresh[Account]()
        self._members = _Fresh[frozenset[str]]()

    async def account(self, user_id: str) -> Account:
        """The account as Slack describes it now; nothing that is said of it or of its groups is older than `known_at`.

        Raises:
            DirectoryUnavailable: when Slack does not answer, or knows nobody of that id.
        """
        return await self._accounts.get(user_id, lambda: self._account(user_id))

    async def members(self, usergroup_id: str) -> frozenset[str]:
        """The ids of the accounts in a user group.

        Raises:
            DirectoryUnavailable: when Slack does not answer, or there is no such group.
        """
        return await self._members.get(usergroup_id, lambda: self._users(usergroup_id))

    async def _account(self, user_id: str) -> Account:
        me = await self._asked(self._calls.me())
        user = _object((await self._asked(self._calls(Method.USER, user=user_id))).get("user"))
        if user.get("id") != user_id:
            raise DirectoryUnavailable(f"Slack answered about another account than {user_id!r}")
        profile = _object(user.get("profile"))
        is_confirmed = user.get("is_email_confirmed") is not False
        return Account(
            id=user_id,
            team_id=str(user.get("team_id") or ""),
            # An address that nobody confirmed may be anybody's.
            email=str(profile.get("email") or "") if is_confirmed else "",
            name=str(user.get("real_name") or user.get("name") or ""),
            is_bot=bool(user.get("is_bot")) or user_id == SLACKBOT,
            is_deactivated=bool(user.get("deleted")),
            is_guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
            is_foreign=_is_foreign(user, me),
            is_locum=user_id == me.get("user_id"),
            # Its groups may be told from an answer that is as old as one can be.
            known_at=Instant.now() - TimeDelta(seconds=CACHE_S),
        )

    async def _users(self, usergroup_id: str) -> frozenset[str]:
        answer = await self._asked(self._calls(Method.GROUP_MEMBERS, usergroup=usergroup_id))
        users = answer.get("users")
        if not isinstance(users, list):
            raise DirectoryUnavailable(f"Slack did not say who is in {usergroup_id!r}")
        return frozenset(str(user) for user in cast("list[object]", users))

    async def _asked(self, call: Awaitable[dict[str, Any]]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(LOOKUP_S):
                return await call
        except SlackError as error:
            raise DirectoryUnavailable(str(error)) from error
        except TimeoutError as error:
            raise DirectoryUnavailable(f"Slack did not answer within {LOOKUP_S} s") from error


class _Fresh(Generic[T]):
    """Answers that are used again for a moment; who asks for the same at once shares one call."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, T]] = {}
        self._asking: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def get(self, key: str, ask: Callable[[], Awaitable[T]]) -> T:
        lock = self._asking.setdefault(key, asyncio.Lock())
        async with lock:
            self._forget()
            if kept := self._kept.get(key):
                return kept[1]
            answer = await ask()
            self._kept[key] = asyncio.get_running_loop().time(), answer
            return answer

    def _forget(self) -> None:
        oldest_s = asyncio.get_running_loop().time() - CACHE_S
        self._kept = {key: kept for key, kept in self._kept.items() if kept[0] > oldest_s}


def _is_foreign(user: dict[str, Any], me: dict[str, Any]) -> bool:
    if user.get("is_stranger"):
        return True
    if user.get("team_id") == me.get("team_id"):
        return False
    # In one organisation people of several workspaces are colleagues.
    ours = me.get("enterprise_id")
    return not ours or _object(user.get("enterprise_user")).get("enterprise_id") != ours


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
