"""Who somebody is: a Slack account or an API token becomes one principal with groups, or a stranger. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from whenever import Instant

from approvals.ballot import Principal, Stranger, Voter
from approvals.policy_schema import IdentifyBy, Policy, Unusable


class DirectoryUnavailable(Exception):
    """It is not known who somebody is or who is in a group: nothing may be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A Slack account as Slack described it just now."""

    id: str
    team_id: str
    email: str = ""
    """Verified by Slack; empty where Locum may not see it."""
    name: str = ""
    is_bot: bool = False
    is_deactivated: bool = False
    is_guest: bool = False
    is_foreign: bool = False
    """Of another company, in a shared channel."""
    is_locum: bool = False
    """Locum's own bot user."""
    known_at: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Memberships:
    """Slack's user groups as Slack described them just now."""

    accounts: Mapping[str, frozenset[str]]
    """Ids of the accounts in each user group; one that Slack did not tell of has no members."""
    known_at: Instant


def voter(account: Account, memberships: Memberships, policy: Policy | Unusable, now: Instant) -> Voter | Stranger:
    """The principal of a Slack account, with the groups that it is in now; or why it decides nothing."""
    if isinstance(policy, Unusable):
        return Stranger(why=f"there is no policy to decide by: {policy.why}")
    if refusal := _refusal(account, policy):
        return Stranger(why=refusal)
    principals = _principals(account, policy)
    if not principals:
        return Stranger(why=f"{account.id} belongs to nobody that the policy knows: list it under `people`")
    if len(principals) > 1:
        several = " and ".join(sorted(principals))
        return Stranger(why=f"{account.id} could be {several}: list account and e-mail address under one of `people`")
    principal = Principal(next(iter(principals)))
    in_slack = {
        name
        for name, group in policy.groups.items()
        if group.slack is not None and account.id in memberships.accounts.get(group.slack, ())
    }
    # A time that is yet to come would stay fresh for ever.
    known_at = min(account.known_at, memberships.known_at, now)
    return Voter(principal=principal, groups=_listed_in(principal, policy) | in_slack, known_at=known_at)


def api_voter(token_principal: str, policy: Policy | Unusable, now: Instant) -> Voter | Stranger:
    """The principal of an API token; its groups are those of the policy's own lists."""
    if isinstance(policy, Unusable):
        return Stranger(why=f"there is no policy to decide by: {policy.why}")
    for name, person in policy.people.items():
        if token_principal in person.api:
            principal = Principal(name)
            return Voter(principal=principal, groups=_listed_in(principal, policy), known_at=now)
    return Stranger(why="this token belongs to nobody that the policy knows: list its principal under `people`")


def slack_groups(policy: Policy | Unusable) -> frozenset[str]:
    """The Slack user groups whose members must be asked for before anybody votes."""
    if isinstance(policy, Unusable):
        return frozenset()
    return frozenset(group.slack for group in policy.groups.values() if group.slack is not None)


def _refusal(account: Account, policy: Policy) -> str:
    if account.is_locum:
        return "Locum approves nothing"
    if account.is_deactivated:
        return "this account is deactivated"
    if account.is_bot and account.id not in policy.listed_bots:
        return "bots decide nothing unless the policy lists them"
    if account.is_guest and account.id not in policy.listed_guests:
        return "guests decide nothing unless the policy lists them"
    if account.is_foreign and account.id not in policy.listed_guests:
        return "members of other organisations decide nothing unless the policy lists them"
    return ""


def _principals(account: Account, policy: Policy) -> frozenset[str]:
    """Everybody that the account could be; exactly one is needed."""
    found = {name for name, person in policy.people.items() if account.id in person.slack}
    if account.is_bot or account.is_foreign:
        # Another organisation's administrators choose what its members' e-mail addresses say.
        return frozenset(found)
    email = account.email.casefold()
    if "@" in email and account.email.isascii():
        named = {name for name, person in policy.people.items() if email in person.email}
        by_email = policy.identify_by is IdentifyBy.EMAIL and not named
        found |= {email} if by_email else named
    return frozenset(found)


def _listed_in(principal: Principal, policy: Policy) -> frozenset[str]:
    return frozenset(name for name, group in policy.groups.items() if principal in (group.members or ()))
