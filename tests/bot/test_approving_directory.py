"""Who an account is, asked just now: what Slack does not say is never a no."""

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

import pytest
from whenever import Instant, TimeDelta

from approvals.people import DirectoryUnavailable
from bot.slack import directory as module
from bot.slack.calls import connect
from bot.slack.directory import CACHE_S, SLACKBOT, Directory
from bot.workspace.people import ENTERPRISE_ID, Person
from bot.workspace.server import Workspace
from tests.bot.fakes import settings
from tests.slack import broken


@pytest.fixture
async def directory(workspace: Workspace) -> AsyncGenerator[Directory]:
    calls = connect(settings(workspace))
    yield Directory(calls)
    await calls.close()


async def test_a6_a_member_has_an_address_and_is_nothing_else(workspace: Workspace, directory: Directory) -> None:
    before = Instant.now()
    account = await directory.account(workspace.user_id("ana"))
    assert (account.email, account.team_id, account.name) == ("ana@example.com", "T0LOCUM01", "Ana")
    flags = {account.is_bot, account.is_deactivated, account.is_guest, account.is_foreign}
    assert flags == {False}
    # A group that was asked about before it may be as old as an answer can be.
    oldest = TimeDelta(seconds=CACHE_S)
    assert before - oldest <= account.known_at <= Instant.now() - oldest


async def test_a6_guests_bots_the_deactivated_and_people_of_other_companies_are_told_apart(
    workspace: Workspace, directory: Directory
) -> None:
    workspace.add_person("vera", is_grid=True, team_id="T0OTHER")
    workspace.change_person("tom", is_deactivated=True)
    assert (await directory.account(workspace.user_id("gus"))).is_guest
    assert (await directory.account(workspace.user_id("vera"))).is_foreign
    assert (await directory.account(workspace.user_id("tom"))).is_deactivated
    assert (await directory.account(workspace.bot_user_id)).is_bot


async def test_a6_slackbot_is_a_bot_although_slack_does_not_say_so(workspace: Workspace, directory: Directory) -> None:
    workspace.team.people.by_id[SLACKBOT] = Person(id=SLACKBOT, name="slackbot", real_name="Slackbot")
    assert (await directory.account(SLACKBOT)).is_bot


async def test_a6_an_address_that_nobody_confirmed_is_no_address(workspace: Workspace, directory: Directory) -> None:
    workspace.change_person("mei", email="ana@example.com", is_email_confirmed=False)
    assert (await directory.account(workspace.user_id("mei"))).email == ""


async def test_a6_in_one_organisation_people_of_another_workspace_are_colleagues(workspace: Workspace) -> None:
    workspace.add_person("wim", is_grid=True, team_id="T0SISTER")
    workspace.change_person("wim", enterprise_id=ENTERPRISE_ID)
    wim = workspace.user_id("wim")
    for ours, is_foreign in ((ENTERPRISE_ID, False), ("E0OTHER", True), ("", True)):
        workspace.team.enterprise_id = ours
        calls = connect(settings(workspace))
        assert (await Directory(calls).account(wim)).is_foreign is is_foreign
        await calls.close()


async def test_a7_who_left_a_group_is_out_of_it_as_soon_as_the_answer_is_not_used_again(
    workspace: Workspace, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, ben = workspace.user_id("ana"), workspace.user_id("ben")
    workspace.add_group("S1", ["ana", "ben"])
    assert await directory.members("S1") == {ana, ben}
    workspace.add_group("S1", ["ben"])
    assert await directory.members("S1") == {ana, ben}
    monkeypatch.setattr(module, "CACHE_S", 0.0)
    assert await directory.members("S1") == {ben}
    # Together with the minute that a vote may be old by then, a right that was lost is lost in time.
    assert CACHE_S <= 30


async def test_many_who_ask_for_the_same_at_once_share_one_call(workspace: Workspace, directory: Directory) -> None:
    ana = workspace.user_id("ana")
    accounts = await asyncio.gather(*(directory.account(ana) for _ in range(20)))
    assert len(set(accounts)) == 1
    assert len(workspace.calls("users.info")) == 1


@pytest.mark.parametrize("error", ["internal_error", "missing_scope", "account_inactive", "user_not_found"])
async def test_a6_a_lookup_that_failed_is_an_error_and_not_a_no_and_the_next_one_asks_again(
    workspace: Workspace, directory: Directory, error: str
) -> None:
    workspace.add_group("S1", ["ana"])
    ana = workspace.user_id("ana")
    workspace.fail("users.info", error=error)
    workspace.fail("usergroups.users.list", error=error)
    with pytest.raises(DirectoryUnavailable):
        await directory.account(ana)
    with pytest.raises(DirectoryUnavailable):
        await directory.members("S1")
    assert (await directory.account(ana)).email
    assert await directory.members("S1") == {ana}


async def test_a6_a_slack_that_is_slow_or_too_busy_is_an_error_in_time(
    workspace: Workspace, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOKUP_S", 0.1)
    await directory.account(workspace.user_id("ben"))
    workspace.fail("users.info", delay_s=1)
    with pytest.raises(DirectoryUnavailable, match="within"):
        await directory.account(workspace.user_id("ana"))
    workspace.fail("users.info", status=429, retry_after_s=30)
    with pytest.raises(DirectoryUnavailable):
        await directory.account(workspace.user_id("ana"))


async def test_a6_an_account_or_a_group_that_slack_does_not_know_is_an_error(
    workspace: Workspace, directory: Directory
) -> None:
    with pytest.raises(DirectoryUnavailable, match="user_not_found"):
        await directory.account("U0NOBODY")
    with pytest.raises(DirectoryUnavailable, match="no_such_subteam"):
        await directory.members("S0NOBODY")
    assert broken(workspace) == ["usergroups.users.list: no_such_subteam"]


async def test_a6_an_answer_about_somebody_else_or_without_members_is_an_error(
    workspace: Workspace, directory: Directory
) -> None:
    workspace.team.people.by_id["U0DOUBLE"] = workspace.team.people.get("ana")
    with pytest.raises(DirectoryUnavailable, match="another account"):
        await directory.account("U0DOUBLE")
    workspace.team.people.groups["S1"] = cast("list[str]", None)
    with pytest.raises(DirectoryUnavailable, match="did not say"):
        await directory.members("S1")
