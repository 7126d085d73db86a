"""Which account is which person, and what they may decide at this very moment."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whenever import Instant, TimeDelta

from approvals.ballot import FRESH, Ballot, Choice, Counted, Principal, State, Stranger, Terms, Voter
from approvals.people import Account, Memberships, api_voter, slack_groups, voter
from approvals.policy_schema import Policy, Unusable
from tests.policy.builders import NOW, SOUND, changed, policy_of

NOBODY = Memberships(accounts={}, known_at=NOW)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(SOUND, tmp_path)


def account(id_: str, **facts: Any) -> Account:
    values: dict[str, Any] = {"id": id_, "team_id": "T1", "known_at": NOW, **facts}
    return Account(**values)


def who(of: Account, policy: Policy | Unusable, memberships: Memberships = NOBODY, now: Instant = NOW) -> str:
    """The principal, or why there is none."""
    found = voter(of, memberships, policy, now)
    return found.principal if isinstance(found, Voter) else f"nobody: {found.why}"


def ballot(policy: Policy) -> Ballot:
    terms = Terms(
        risk="medium",
        quorum=1,
        groups=frozenset({"oncall", "slack"}),
        barred=frozenset({Principal("locum")}),
        policy_version=policy.identity,
        expires_at=NOW + TimeDelta(hours=1),
    )
    return Ballot(terms=terms, items=1)


def test_a6_an_account_is_exactly_one_principal(policy: Policy) -> None:
    assert who(account("U1"), policy) == "ada"
    assert who(account("U7", email="Ada@Example.com"), policy) == "ada"


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"id": "U7"}, "belongs to nobody"),
        ({"id": "U7", "email": "eve@example.com"}, "belongs to nobody"),
        ({"id": "U3", "email": "ada@example.com"}, "could be ada and grace"),
        ({"id": "U1", "is_deactivated": True}, "deactivated"),
        ({"id": "U1", "is_bot": True}, "bots decide nothing"),
        ({"id": "U1", "is_guest": True}, "guests decide nothing"),
        ({"id": "U1", "is_foreign": True}, "other organisations"),
        ({"id": "U1", "is_locum": True}, "Locum approves nothing"),
        ({"id": "U7", "email": "ADA@exampl\u0065.com\u200b"}, "belongs to nobody"),
        ({"id": "U7", "email": "ada@example\u017f.com"}, "belongs to nobody"),
    ],
    ids=["unknown", "mail", "two", "off", "bot", "guest", "foreign", "locum", "hidden", "long-s"],
)
def test_a6_who_is_nobody_or_several_or_not_of_the_house_is_refused(
    policy: Policy, facts: dict[str, Any], why: str
) -> None:
    about = {name: value for name, value in facts.items() if name != "id"}
    assert why in who(account(facts["id"], **about), policy)


def test_a6_bots_guests_and_foreigners_decide_where_they_are_listed(tmp_path: Path) -> None:
    policy = policy_of(changed(listed_bots=["U8"], listed_guests=["U9"]), tmp_path)
    assert who(account("U8", is_bot=True), policy) == "bot"
    assert who(account("U9", is_guest=True), policy) == "guest"
    assert who(account("U9", is_foreign=True), policy) == "guest"
    assert "deactivated" in who(account("U8", is_bot=True, is_deactivated=True), policy)
    assert "Locum" in who(account("U8", is_bot=True, is_locum=True), policy)


def test_a6_the_mail_address_of_another_organisations_member_proves_nothing(tmp_path: Path) -> None:
    people = {**SOUND["people"], "guest": {"email": ["guest@elsewhere.example"]}, "eve": {"slack": ["U9"]}}
    for by in ("listed", "email"):
        policy = policy_of(changed(people=people, listed_guests=["U9"], identify_by=by), tmp_path)
        # Its administrators could have written any address there.
        assert who(account("U9", is_foreign=True, email="ada@example.com"), policy) == "eve"
        assert "decide nothing" in who(account("U7", is_foreign=True, email="guest@elsewhere.example"), policy)


def test_a9_two_accounts_of_one_person_are_one_vote(policy: Policy) -> None:
    first, second = (voter(account(each), NOBODY, policy, NOW) for each in ("U1", "U2"))
    assert isinstance(first, Voter)
    assert isinstance(second, Voter)
    assert first.principal == second.principal
    two = ballot(policy)
    two = replace(two, terms=replace(two.terms, quorum=2))
    two, _ = two.cast(first, Choice.APPROVE, account="U1", now=NOW)
    two, answer = two.cast(second, Choice.APPROVE, account="U2", now=NOW)
    assert answer.counted is Counted.DUPLICATE
    assert two.state is State.PENDING


def test_a9_two_accounts_with_one_mail_address_are_one_principal(tmp_path: Path) -> None:
    groups = {"oncall": {"members": ["linus@example.com"]}}
    policy = policy_of({"version": 1, "default": "refuse", "identify_by": "email", "groups": groups}, tmp_path)
    for each in (account("U5", email="Linus@Example.com"), account("U6", email="linus@example.COM")):
        assert voter(each, NOBODY, policy, NOW) == Voter(
            principal=Principal("linus@example.com"), groups=frozenset({"oncall"}), known_at=NOW
        )


def test_a9_an_account_whose_mail_address_is_somebody_else_is_refused(tmp_path: Path) -> None:
    policy = policy_of(changed(identify_by="email"), tmp_path)
    assert who(account("U1", email="ada@example.com"), policy) == "ada"
    assert who(account("U5", email="ada@example.com"), policy) == "ada"
    # Listed without that address: else one person would be two principals.
    assert "could be grace and grace@example.com" in who(account("U3", email="grace@example.com"), policy)
    assert who(account("U7", email="new@example.com"), policy) == "new@example.com"


def test_a7_groups_are_those_of_this_moment(policy: Policy) -> None:
    inside = Memberships(accounts={"S1": frozenset({"U1"})}, known_at=NOW)
    found = voter(account("U1"), inside, policy, NOW)
    assert isinstance(found, Voter)
    assert found.groups == {"oncall", "slack"}
    found = voter(account("U1"), Memberships(accounts={"S1": frozenset({"U2"})}, known_at=NOW), policy, NOW)
    assert isinstance(found, Voter)
    assert found.groups == {"oncall"}
    assert slack_groups(policy) == {"S1"}


def test_a7_a_user_group_that_slack_did_not_tell_of_has_no_members(policy: Policy) -> None:
    found = voter(account("U9"), NOBODY, policy, NOW)
    assert isinstance(found, Voter)
    assert found.groups == frozenset()


@pytest.mark.parametrize(
    ("account_age", "group_age", "counts"),
    [(0, 0, True), (60, 60, True), (61, 0, False), (0, 61, False), (-3600, -3600, True)],
    ids=["now", "minute", "old-account", "old-groups", "ahead"],
)
def test_a7_what_is_known_for_more_than_a_minute_counts_no_more(
    policy: Policy, account_age: int, group_age: int, *, counts: bool
) -> None:
    known = Memberships(accounts={}, known_at=NOW - TimeDelta(seconds=group_age))
    found = voter(account("U1", known_at=NOW - TimeDelta(seconds=account_age)), known, policy, NOW)
    _, answer = ballot(policy).cast(found, Choice.APPROVE, account="U1", now=NOW)
    assert (answer.counted is Counted.DECIDED) is counts


def test_a7_a_time_that_is_yet_to_come_does_not_stay_fresh(policy: Policy) -> None:
    ahead = NOW + TimeDelta(hours=1)
    found = voter(account("U1", known_at=ahead), Memberships(accounts={}, known_at=ahead), policy, NOW)
    later = NOW + FRESH + TimeDelta(seconds=1)
    _, answer = ballot(policy).cast(found, Choice.APPROVE, account="U1", now=later)
    assert answer.counted is Counted.REFUSED


def test_f16_a_revoked_role_approves_nothing_a_minute_later(policy: Policy) -> None:
    inside = Memberships(accounts={"S1": frozenset({"U9"})}, known_at=NOW)
    asked = voter(account("U9"), inside, policy, NOW)
    later = NOW + TimeDelta(seconds=61)
    _, answer = ballot(policy).cast(asked, Choice.APPROVE, account="U9", now=later)
    assert answer.counted is Counted.REFUSED
    outside = Memberships(accounts={"S1": frozenset()}, known_at=later)
    again = voter(account("U9", known_at=later), outside, policy, later)
    _, answer = ballot(policy).cast(again, Choice.APPROVE, account="U9", now=later)
    assert answer.counted is Counted.REFUSED
    assert "only members of" in answer.text


def test_a10_a_vote_whose_group_was_emptied_counts_no_more_at_the_run(tmp_path: Path) -> None:
    before = policy_of(SOUND, tmp_path)
    approved, _ = ballot(before).cast(voter(account("U1"), NOBODY, before, NOW), Choice.APPROVE, account="U1", now=NOW)
    assert approved.state is State.APPROVED
    after = policy_of(changed(groups={**SOUND["groups"], "oncall": {"members": []}}), tmp_path)
    asked = {Principal("ada"): voter(account("U1"), NOBODY, after, NOW)}
    ended = approved.begin(asked, hindrance="", now=NOW)
    assert ended.state is State.CANCELLED
    assert "counts no more" in ended.why


def test_a10_a_program_votes_as_the_person_it_is_listed_under(policy: Policy) -> None:
    found = api_voter("ci", policy, NOW)
    assert isinstance(found, Voter)
    assert (found.principal, found.groups, found.known_at) == ("ada", {"oncall"}, NOW)
    assert isinstance(api_voter("nobody", policy, NOW), Stranger)
    assert isinstance(api_voter("ada", policy, NOW), Stranger)


def test_a11_without_a_policy_everybody_is_a_stranger() -> None:
    broken = Unusable(why="missing")
    assert "no policy" in who(account("U1"), broken)
    assert isinstance(api_voter("ci", broken, NOW), Stranger)
    assert slack_groups(broken) == frozenset()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Policy]:
    folder = tmp_path_factory.mktemp("policy")
    return {by: policy_of(changed(identify_by=by), folder) for by in ("listed", "email")}


@settings(max_examples=80, deadline=None)
@given(
    id_=st.sampled_from(["U1", "U2", "U3", "U8", "U9", "U7"]),
    email=st.sampled_from(["", "ada@example.com", "ADA@EXAMPLE.COM", "x@y", "locum", "guest@elsewhere.example"]),
    flags=st.fixed_dictionaries(
        {each: st.booleans() for each in ("is_bot", "is_guest", "is_foreign", "is_deactivated", "is_locum")}
    ),
    by=st.sampled_from(["listed", "email"]),
)
def test_a6_any_account_is_one_principal_or_refused(
    both: dict[str, Policy], id_: str, email: str, flags: dict[str, bool], by: str
) -> None:
    policy = both[by]
    found = voter(account(id_, email=email, **flags), NOBODY, policy, NOW)
    assert isinstance(found, Stranger) or not any(flags.values())
    if isinstance(found, Voter):
        assert found.principal in {*policy.people, email.casefold()}
        assert found.principal != "locum"
