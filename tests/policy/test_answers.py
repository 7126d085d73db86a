"""What people are told when something may not be asked for or decided, word for word: they act on it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from whenever import TimeDelta

from approvals.action import Action
from approvals.ballot import Principal, Stranger, Voter
from approvals.people import Account, Memberships, api_voter, voter
from approvals.policy import (
    EVERYWHERE,
    KILLED,
    LOCUM,
    Facts,
    Freeze,
    Refused,
    environment_of,
    hindrance,
    level_of,
    outdated,
    review,
)
from approvals.policy_schema import Level, Policy, Unusable
from tests.policy.builders import (
    NOW,
    SOUND,
    changed,
    facts,
    image,
    policy_of,
    proposal,
    request,
    restart,
    reviewed,
    rule,
    scale,
)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(SOUND, tmp_path)


LAB = restart("deployment/shop/cart", "lab-1")
ADA = Freeze(scope="production", reason="", by="ada", until=NOW + TimeDelta(seconds=90))


@pytest.mark.parametrize(
    ("actions", "about", "sections", "reason", "hint"),
    [
        ((LAB,), facts(), {}, "restart-workload is not for the environment 'lab'",
         "the policy has it for staging, production"),
        ((restart(),), facts(), {"autonomy": {"production": "non-critical-writes"}},
         "the autonomy in 'production' is 'non-critical-writes'", "restart-workload needs 'production-writes' there"),
        ((restart(),), facts(), {"autonomy": {}}, "the autonomy in 'production' is 'read-only'",
         "restart-workload needs 'production-writes' there"),
        ((scale(21),), facts(), {}, "scale-workload: replicas must be at most 20",
         "the policy bounds what its arguments may be"),
        ((scale(0),), facts(), {}, "scale-workload: replicas must be at least 1",
         "the policy bounds what its arguments may be"),
        ((image("evil/cart:2"),), facts(), {},
         "set-image: image must come from registry.test/shop or docker.io/library",
         "the policy bounds what its arguments may be"),
        ((image("nginx:1"),), facts(),
         {"actions": {"set-image": rule(arguments={"container": {"one_of": ["web", "db"]}})}},
         "set-image: container must be one of web, db", "the policy bounds what its arguments may be"),
        ((restart(),), facts(), {"actions": {"restart-workload": rule(namespaces=["web"])}},
         "restart-workload: not in the namespace 'shop'", "the policy bounds what its arguments may be"),
        ((restart(),), facts(open_in_thread=3), {}, "3 requests wait in this thread already", "decide those first"),
        ((restart(),), facts(requests_last_hour=21), {},
         "21 requests in one hour are as many as the policy takes", "wait, and look at why so many are asked"),
        ((restart(), restart("deployment/staging/cart")), facts(), {},
         "its actions are in several environments", "ask for each environment apart"),
        ((restart(), scale(3)), facts(),
         {"actions": {"scale-workload": rule(credential="vault:k8s/creds/scale#token")}},
         "its actions need several credentials", "ask for each apart"),
        ((restart(), scale(3)), facts(), {"actions": {"scale-workload": rule(groups=["leads"])}},
         "no group may decide all of its actions", "ask for each apart"),
        ((restart(),), facts(freezes=(ADA,)), {},
         "changes of production are frozen by ada until 2026-03-01 12:01 UTC", "propose it again afterwards"),
        ((restart(),), facts(), {"kill_switch": True}, KILLED, "propose it again afterwards"),
    ],
)  # fmt: skip
def test_what_may_not_be_asked_for_is_refused_with_what_would_have_to_be_different(
    tmp_path: Path, actions: tuple[Action, ...], about: Facts, *, sections: dict[str, Any], reason: str, hint: str
) -> None:
    found = review(proposal(*actions), about, policy_of(changed(**sections), tmp_path))
    assert found == Refused(reason=reason, hint=hint)


def test_what_the_policy_does_not_name_is_refused_with_its_name(tmp_path: Path) -> None:
    found = review(proposal(restart()), facts(), policy_of({**SOUND, "actions": {"scale-workload": rule()}}, tmp_path))
    hint = "only what it names can be asked for"
    assert found == Refused(reason="the policy has no action 'restart-workload'", hint=hint)


def test_a_policy_that_cannot_be_used_says_what_to_do(policy: Policy) -> None:
    broken = Unusable(why="policy.yaml: line 3: no")
    found = review(proposal(restart()), facts(), broken)
    assert found == Refused(reason=broken.why, hint="repair the policy; until then everything is refused")
    account = Account(id="U1", team_id="T1", known_at=NOW)
    why = "there is no policy to decide by: policy.yaml: line 3: no"
    assert voter(account, Memberships(accounts={}, known_at=NOW), broken, NOW) == Stranger(why=why)
    assert api_voter("ci", broken, NOW) == Stranger(why=why)
    assert hindrance(request(proposal(restart()), policy), broken, (), NOW) == broken.why


def test_where_it_is_not_known_who_asked_the_way_on_is_to_wait(policy: Policy) -> None:
    found = review(proposal(restart(), prompted_by="U1"), facts(), policy)
    assert found == Refused(reason="it is not known whose words led to it", hint="ask again in a minute")


def test_an_argument_left_to_a_default_is_named_so(policy: Policy) -> None:
    what = proposal(image("nginx:1.27"))
    object.__setattr__(what, "actions", (replace(image("nginx:1.27"), arguments={"container": "a", "image": "b:1"}),))
    found = review(what, facts(), policy)
    assert isinstance(found, Refused)
    assert found.reason == "set-image: an argument is left to a default"


def test_what_was_asked_under_another_policy_says_from_which_to_which(tmp_path: Path) -> None:
    before, after = policy_of(SOUND, tmp_path), policy_of(changed(version=8), tmp_path)
    asked = request(proposal(restart()), before)
    said = f"the policy changed since this was asked ({before.identity} to {after.identity}): ask anew"
    assert outdated(asked, before) == ""
    assert outdated(asked, after) == said
    assert hindrance(asked, after, (), NOW) == said
    forged = replace(asked, timeout_s=3600)
    assert outdated(forged, before) == "its terms are not those that the policy gives: ask anew"
    bare = replace(asked, items=tuple(replace(item, fingerprint={}) for item in asked.items))
    fingerprinted = policy_of(changed(actions={"restart-workload": rule(fingerprint=["uid"])}), tmp_path)
    bare = replace(bare, terms=replace(bare.terms, policy_version=fingerprinted.identity))
    said = "restart-workload: what the policy wants compared right before the run was not seen of the target"
    assert outdated(bare, fingerprinted) == said


def test_a_freeze_of_all_or_of_one_ends_at_its_time_and_others_go_on(policy: Policy) -> None:
    asked = request(proposal(restart()), policy)
    other = Freeze(scope="staging", reason="x", by="ada", until=None)
    over = replace(ADA, until=NOW)
    everywhere = Freeze(scope=EVERYWHERE, reason="audit", by="", until=None)
    assert hindrance(asked, policy, (other, over), NOW) == ""
    said = "changes of production are frozen until somebody ends it: audit"
    assert hindrance(asked, policy, (other, over, everywhere), NOW) == said
    assert hindrance(asked, policy, (ADA,), NOW + TimeDelta(seconds=89)) != ""
    assert hindrance(asked, policy, (ADA,), NOW + TimeDelta(seconds=90)) == ""


def test_a_wait_is_never_longer_than_the_policys_longest(tmp_path: Path) -> None:
    actions = {"restart-workload": rule(), "scale-workload": rule(ttl="10m")}
    policy = policy_of(changed(limits={"ttl": "20m", "max_ttl": "1h"}, actions=actions), tmp_path)
    for what, minutes in ((restart(), 20), (scale(3), 10)):
        assert reviewed(proposal(what), policy).terms.expires_at == NOW + TimeDelta(minutes=minutes)


def test_a_batch_is_self_approved_only_where_all_of_it_may_be(tmp_path: Path) -> None:
    kinds = {"staging": "non-critical-writes"}
    staged = {"environments": ["staging"], "needs": kinds}
    yes, no = (rule(**staged, self_approval=each) for each in (True, False))
    where = "deployment/staging/cart"
    policy = policy_of(changed(actions={"restart-workload": yes, "scale-workload": no}), tmp_path)
    alone = reviewed(proposal(restart(where), proposed_by="ada"), policy)
    other = replace(scale(3), target=restart(where).target)
    both = reviewed(proposal(restart(where), other, proposed_by="ada"), policy)
    assert alone.terms.barred == {LOCUM}
    assert both.terms.barred == {LOCUM, "ada"}


def test_rules_and_the_model_are_nobody_to_bar_and_a_person_is(policy: Policy) -> None:
    for by, barred in (("rules", {LOCUM}), ("model", {LOCUM}), ("ada", {LOCUM, "ada"})):
        assert reviewed(proposal(restart(), proposed_by=by), policy).terms.barred == barred


def test_an_environment_takes_cluster_and_namespace_together(tmp_path: Path) -> None:
    both = {"name": "edge", "kind": "non-production", "clusters": ["edge-*"], "namespaces": ["web"]}
    policy = policy_of(changed(environments=[*SOUND["environments"], both]), tmp_path)
    assert environment_of(restart("deployment/web/cart", "edge-1"), policy).name == "edge"
    assert environment_of(restart("deployment/web/cart", "main"), policy).name == "production"
    assert environment_of(restart("deployment/shop/cart", "edge-1"), policy).name == "production"
    assert level_of("production", policy) is Level.PRODUCTION_WRITES
    assert level_of("edge", policy) is Level.READ_ONLY


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"is_locum": True}, "Locum approves nothing"),
        ({"is_deactivated": True}, "this account is deactivated"),
        ({"is_bot": True}, "bots decide nothing unless the policy lists them"),
        ({"is_guest": True}, "guests decide nothing unless the policy lists them"),
        ({"is_foreign": True}, "members of other organisations decide nothing unless the policy lists them"),
        ({"id": "U7"}, "U7 belongs to nobody that the policy knows: list it under `people`"),
        (
            {"id": "U3", "email": "ada@example.com"},
            "U3 could be ada and grace: list account and e-mail address under one of `people`",
        ),
    ],
)
def test_who_decides_nothing_is_told_why(policy: Policy, changes: dict[str, Any], why: str) -> None:
    values: dict[str, Any] = {"id": "U1", "team_id": "T1", "known_at": NOW, **changes}
    assert voter(Account(**values), Memberships(accounts={}, known_at=NOW), policy, NOW) == Stranger(why=why)


def test_a_token_of_nobody_is_told_where_to_list_it(policy: Policy) -> None:
    why = "this token belongs to nobody that the policy knows: list its principal under `people`"
    assert api_voter("cd", policy, NOW) == Stranger(why=why)
    known = Voter(principal=Principal("ada"), groups=frozenset({"oncall"}), known_at=NOW)
    assert api_voter("ci", policy, NOW) == known


def test_the_oldest_of_what_is_known_counts(policy: Policy) -> None:
    old, older = NOW - TimeDelta(seconds=5), NOW - TimeDelta(seconds=9)
    for account_at, groups_at in ((old, older), (older, old)):
        account = Account(id="U1", team_id="T1", known_at=account_at)
        found = voter(account, Memberships(accounts={}, known_at=groups_at), policy, NOW)
        assert found == Voter(principal=Principal("ada"), groups=frozenset({"oncall"}), known_at=older)


def test_a_mail_address_is_one_only_with_a_sign_and_in_plain_letters(tmp_path: Path) -> None:
    policy = policy_of(changed(identify_by="email"), tmp_path)
    for email in ("ada", "ada\u00e9@example.com", ""):
        account = Account(id="U7", team_id="T1", email=email, known_at=NOW)
        assert isinstance(voter(account, Memberships(accounts={}, known_at=NOW), policy, NOW), Stranger)
    bot = Account(id="U8", team_id="T1", email="ada@example.com", is_bot=True, known_at=NOW)
    listed = policy_of(changed(identify_by="email", listed_bots=["U8"]), tmp_path)
    found = voter(bot, Memberships(accounts={}, known_at=NOW), listed, NOW)
    assert isinstance(found, Voter)
    assert found.principal == "bot"
