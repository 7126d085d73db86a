"""Who an account is: asked of the policy and of Slack at the moment it matters, never remembered."""

from whenever import Instant

from approvals.ballot import Stranger, Voter
from approvals.people import Memberships, api_voter, slack_groups, voter
from approvals.policy_schema import Policy, Unusable
from bot.incident import Question
from bot.workflows.ports import Directory

API = "api:"
"""Before the principal of a token, where an account is named."""


async def identified(account: str, policy: Policy | Unusable, directory: Directory) -> Voter | Stranger:
    """The principal of an account with its groups as they are now, or why it decides nothing.

    Raises:
        DirectoryUnavailable: when Slack could not be asked; nothing may be counted then.
    """
    now = Instant.now()
    if account.startswith(API):
        return api_voter(account.removeprefix(API), policy, now)
    described = await directory.account(account)
    accounts = {group: await directory.members(group) for group in sorted(slack_groups(policy))}
    return voter(described, Memberships(accounts=accounts, known_at=now), policy, now)


def account_of(question: Question) -> str:
    """The account that asked: a Slack user where there is a place in Slack, else a token's principal."""
    return question.asked_by if question.place else f"{API}{question.asked_by}"
