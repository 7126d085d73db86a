"""What may be asked for at all, and under which terms."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whenever import Instant, TimeDelta

from approvals.action import Action
from approvals.ballot import Principal, Stranger
from approvals.policy import LOCUM, Freeze, Refused, Reviewed, hindrance, outdated, review
from approvals.policy_schema import Level, Policy, Unusable
from tests.policy.builders import (
    BOTH,
    NOW,
    SOUND,
    changed,
    credentials,
    facts,
    image,
    policy_of,
    proposal,
    refused,
    request,
    restart,
    reviewed,
    rule,
    scale,
    unknown,
)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(SOUND, tmp_path)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Policy:
    return policy_of(SOUND, tmp_path_factory.mktemp("policy"))


def test_what_the_policy_names_may_be_asked_for_under_its_terms(policy: Policy) -> None:
    found = reviewed(proposal(restart()), policy)
    assert (found.environment, found.credential, found.timeout_s) == ("production", "", 120)
    assert found.terms.quorum == 1
    assert found.terms.groups == {"oncall"}
    assert found.terms.barred == {LOCUM}
    assert found.terms.policy_version == policy.identity


def test_a_request_waits_thirty_minutes_unless_its_action_says_otherwise(policy: Policy) -> None:
    assert reviewed(proposal(restart()), policy).terms.expires_at == NOW + TimeDelta(minutes=30)
    assert reviewed(proposal(credentials()), policy).terms.expires_at == NOW + TimeDelta(minutes=15)


def test_a11_an_action_that_the_policy_does_not_name_is_refused(tmp_path: Path) -> None:
    data = {**SOUND, "actions": {"scale-workload": rule()}}
    assert "no action 'restart-workload'" in refused(proposal(restart()), policy_of(data, tmp_path))


def test_a11_without_a_policy_that_can_be_used_everything_is_refused(policy: Policy) -> None:
    broken = Unusable(why="policy.yaml: line 3: no")
    assert refused(proposal(restart()), broken) == "policy.yaml: line 3: no"
    asked = request(proposal(restart()), policy)
    assert hindrance(asked, broken, (), NOW) == "policy.yaml: line 3: no"
    assert outdated(asked, broken) == ""


any_facts = st.builds(
    facts,
    now=st.integers(0, 10**9).map(lambda s: NOW + TimeDelta(seconds=s)),
    open_in_thread=st.integers(0, 2),
    requests_last_hour=st.integers(0, 19),
    prompter=st.sampled_from([None, Principal("ada"), Stranger(why="a guest")]),
)


@settings(max_examples=60, deadline=None)
@given(about=any_facts, forged=st.sampled_from(["drop-database", "", "restart-workload ", "Restart-Workload", "*"]))
def test_a11_no_facts_make_an_unknown_action_pass(sound: Policy, about: Any, forged: str) -> None:
    # Built past the door that checks names: the policy alone must hold.
    what = replace(proposal(restart()))
    object.__setattr__(what, "actions", (unknown(forged),))
    assert isinstance(review(what, about, sound), Refused)


@settings(max_examples=40, deadline=None)
@given(about=any_facts, level=st.sampled_from(list(Level)))
def test_autonomy_never_raises_what_may_be_asked_for(sound: Policy, about: Any, level: Level) -> None:
    what = proposal(restart())
    full, capped = sound, sound.model_copy(update={"autonomy": {**sound.autonomy, "production": level}})
    if isinstance(review(what, about, capped), Reviewed):
        assert isinstance(review(what, about, full), Reviewed)
        assert level is Level.PRODUCTION_WRITES


@pytest.mark.parametrize(
    ("autonomy", "where", "passes"),
    [
        (BOTH, "deployment/staging/cart", True),
        (BOTH, "deployment/shop/cart", True),
        ({"staging": "non-critical-writes"}, "deployment/staging-2/cart", True),
        ({"staging": "non-critical-writes"}, "deployment/shop/cart", False),
        ({"staging": "read-only"}, "deployment/staging/cart", False),
        ({}, "deployment/staging/cart", False),
    ],
    ids=["staging", "production", "glob", "unset-production", "read-only", "unset"],
)
def test_the_autonomy_of_an_environment_is_a_ceiling(
    tmp_path: Path, autonomy: dict[str, str], where: str, *, passes: bool
) -> None:
    found = review(proposal(restart(where)), facts(), policy_of(changed(autonomy=autonomy), tmp_path))
    assert isinstance(found, Reviewed) is passes


def test_what_no_environment_claims_is_production(policy: Policy) -> None:
    assert reviewed(proposal(restart("deployment/staging/cart")), policy).environment == "staging"
    assert reviewed(proposal(restart("deployment/stagingx/cart")), policy).environment == "production"
    assert reviewed(proposal(restart("deployment/shop/cart", "prod-1")), policy).environment == "production"


def test_the_first_environment_that_matches_counts(policy: Policy) -> None:
    assert reviewed(proposal(restart("deployment/staging/cart", "lab-1")), policy).environment == "staging"
    assert "not for the environment 'lab'" in refused(proposal(restart("deployment/shop/cart", "lab-1")), policy)


@pytest.mark.parametrize(
    ("action", "why"),
    [
        (scale(0), "replicas must be at least 1"),
        (scale(21), "replicas must be at most 20"),
        (image("registry.test/other/cart:2"), "image must come from"),
        (image("registry.test/shopping/cart:2"), "image must come from"),
        (image("registry.test.evil.example/shop/cart:2"), "image must come from"),
        (image("evil/cart:2"), "image must come from"),
        (image("registry.test/shop/cart:2", other=True), "other_repository must be one of False"),
    ],
    ids=["few", "many", "path", "prefix", "host", "hub", "repository"],
)
def test_an_argument_beyond_its_bounds_is_refused(policy: Policy, action: Action, why: str) -> None:
    assert why in refused(proposal(action), policy)


@pytest.mark.parametrize(
    "action",
    [scale(1), scale(20), image("registry.test/shop/cart:2"), image("nginx:1.27")],
    ids=["least", "most", "registry", "hub"],
)
def test_an_argument_within_its_bounds_passes(policy: Policy, action: Action) -> None:
    assert reviewed(proposal(action), policy)


def test_an_argument_of_another_type_is_never_within_bounds(tmp_path: Path) -> None:
    bounds = {"container": {"min": 1}}
    policy = policy_of(changed(actions={"set-image": rule(arguments=bounds)}), tmp_path)
    assert "container must be at least 1" in refused(proposal(image("nginx:1.27")), policy)
    bounds = {"other_repository": {"one_of": [0]}}
    policy = policy_of(changed(actions={"set-image": rule(arguments=bounds)}), tmp_path)
    assert "must be one of 0" in refused(proposal(image("nginx:1.27")), policy)


def test_a_target_outside_of_the_actions_namespaces_is_refused(tmp_path: Path) -> None:
    policy = policy_of(changed(actions={"restart-workload": rule(namespaces=["web-*"])}), tmp_path)
    assert "not in the namespace 'shop'" in refused(proposal(restart()), policy)
    assert reviewed(proposal(restart("deployment/web-1/cart")), policy)


def test_an_action_whose_arguments_were_tampered_with_is_refused(policy: Policy) -> None:
    what = proposal(scale(3))
    for arguments, why in (({"replicas": "many"}, "replicas"), ({"replicas": 3, "force": True}, "force")):
        object.__setattr__(what, "actions", (replace(scale(3), arguments=arguments),))
        assert why in refused(what, policy)


def test_an_argument_that_is_left_to_a_default_is_refused(policy: Policy) -> None:
    what = proposal(image("nginx:1.27"))
    object.__setattr__(what, "actions", (replace(image("nginx:1.27"), arguments={"container": "a", "image": "b:1"}),))
    assert "left to a default" in refused(what, policy)


#


@pytest.mark.parametrize("who", ["ada", "grace"])
def test_a8_neither_the_requester_nor_whose_words_led_to_it_approves(policy: Policy, who: str) -> None:
    barred = reviewed(proposal(restart(), prompted_by="U1"), policy, facts(prompter=Principal(who))).terms.barred
    assert barred == {LOCUM, who}
    assert reviewed(proposal(restart(), proposed_by=who), policy).terms.barred == {LOCUM, who}


def test_a8_locum_itself_never_approves_whatever_the_policy_says(policy: Policy) -> None:
    for by in ("rules", "model", "ada"):
        assert LOCUM in reviewed(proposal(credentials(), proposed_by=by), policy).terms.barred


def test_a8_a_stranger_whose_words_led_to_it_has_no_vote_to_bar(policy: Policy) -> None:
    about = facts(prompter=Stranger(why="a guest"))
    assert reviewed(proposal(restart(), prompted_by="U7"), policy, about).terms.barred == {LOCUM}


def test_a8_where_it_is_not_known_whose_words_led_to_it_nothing_is_asked(policy: Policy) -> None:
    assert "whose words" in refused(proposal(restart(), prompted_by="U1"), policy, facts(prompter=None))


def test_a8_a_privileged_read_may_be_approved_by_who_asked_for_it(policy: Policy) -> None:
    found = reviewed(proposal(credentials(), proposed_by="ada"), policy, facts(prompter=Principal("grace")))
    assert found.terms.barred == {LOCUM}


#


def test_a10_the_quorum_of_the_policy_is_that_of_the_request(policy: Policy) -> None:
    found = reviewed(proposal(image("nginx:1.27")), policy)
    assert (found.terms.quorum, found.terms.risk) == (2, "high")


#


def window(**changes: Any) -> dict[str, Any]:
    return {"environments": ["production"], "from": "2026-03-01T12:00Z", "to": "2026-03-02T12:00Z", **changes}


@pytest.mark.parametrize(
    ("at", "stops"),
    [
        ("2026-03-01T11:59:59Z", False),
        ("2026-03-01T12:00:00Z", True),
        ("2026-03-02T11:59:59Z", True),
        ("2026-03-02T12:00:00Z", False),
    ],
    ids=["before", "begin", "within", "end"],
)
def test_a15_a_freeze_of_the_policy_stops_from_its_beginning_to_its_end(
    tmp_path: Path, at: str, *, stops: bool
) -> None:
    policy = policy_of(changed(freeze=[window(reason="year's end")]), tmp_path)
    now = Instant.parse_iso(at)
    found = review(proposal(restart()), facts(now=now), policy)
    assert isinstance(found, Refused) is stops
    if isinstance(found, Refused):
        assert found.reason == "changes of production are frozen until 2026-03-02 12:00 UTC: year's end"


def test_a15_a_freeze_stops_changes_of_its_environments_alone(tmp_path: Path) -> None:
    policy = policy_of(changed(freeze=[window()]), tmp_path)
    assert reviewed(proposal(restart("deployment/staging/cart")), policy)
    assert reviewed(proposal(credentials()), policy)
    assert "frozen" in refused(proposal(restart()), policy)


@pytest.mark.parametrize(
    ("freeze", "stops"),
    [
        (Freeze(scope="*", reason="", by="", until=None), "changes of production are frozen until somebody ends it"),
        (
            Freeze(scope="production", reason="migration", by="ada", until=NOW + TimeDelta(hours=1)),
            "changes of production are frozen by ada until 2026-03-01 13:00 UTC: migration",
        ),
        (Freeze(scope="staging", reason="", by="ada", until=None), ""),
        (Freeze(scope="*", reason="", by="ada", until=NOW), ""),
    ],
    ids=["all", "one", "other", "over"],
)
def test_a15_a_freeze_that_a_person_set_blocks_even_what_is_approved(
    policy: Policy, freeze: Freeze, stops: str
) -> None:
    asked = request(proposal(restart()), policy)
    assert hindrance(asked, policy, (), NOW) == ""
    assert hindrance(asked, policy, (freeze,), NOW) == stops


def test_a15_the_kill_switch_stops_everything_reads_included(tmp_path: Path) -> None:
    off, on = (policy_of(changed(kill_switch=each), tmp_path) for each in (False, True))
    for what in (proposal(restart()), proposal(credentials())):
        assert "kill switch" in refused(what, on)
        # What was approved before is stopped as well, and goes on when the very same policy is back.
        asked = request(what, off)
        assert "kill switch" in hindrance(asked, on, (), NOW)
        assert hindrance(asked, off, (), NOW) == ""


#


def test_a29_a_batch_is_asked_for_under_the_strictest_of_its_terms(tmp_path: Path) -> None:
    data = changed(
        actions={
            "restart-workload": rule(groups=["oncall", "leads"], ttl="20m", timeout="5m", self_approval=False),
            "scale-workload": rule(risk="high", quorum=2, groups=["leads"], ttl="10m"),
        }
    )
    found = reviewed(proposal(restart(), scale(3)), policy_of(data, tmp_path))
    assert (found.terms.quorum, found.terms.groups, found.terms.risk) == (2, {"leads"}, "high")
    assert (found.terms.expires_at, found.timeout_s) == (NOW + TimeDelta(minutes=10), 300)


@pytest.mark.parametrize(
    ("actions", "rules", "why"),
    [
        ((restart(), restart("deployment/staging/cart")), {}, "several environments"),
        ((restart(), scale(3)), {"scale-workload": rule(credential="vault:k8s/creds/scale#token")}, "several cred"),
        ((restart(), scale(3)), {"scale-workload": rule(groups=["leads"])}, "no group"),
        ((restart(), unknown()), {}, "no action 'drop-database'"),
    ],
    ids=["environments", "credentials", "groups", "unknown"],
)
def test_a29_a_batch_that_no_one_decision_fits_is_refused(
    tmp_path: Path, actions: tuple[Action, ...], rules: dict[str, Any], why: str
) -> None:
    what = proposal(restart())
    object.__setattr__(what, "actions", actions)
    assert why in refused(what, policy_of(changed(actions=rules), tmp_path))


def test_a27_one_item_that_the_policy_refuses_refuses_the_batch(policy: Policy) -> None:
    assert "at most 20" in refused(proposal(restart(), scale(21)), policy)


#


def test_a30_open_requests_of_a_thread_are_limited(policy: Policy) -> None:
    assert reviewed(proposal(restart()), policy, facts(open_in_thread=2))
    assert "3 requests wait" in refused(proposal(restart()), policy, facts(open_in_thread=3))


def test_a30_requests_of_an_hour_are_limited(policy: Policy) -> None:
    assert reviewed(proposal(restart()), policy, facts(requests_last_hour=19))
    assert "20 requests in one hour" in refused(proposal(restart()), policy, facts(requests_last_hour=20))


def test_a30_proposals_of_the_same_actions_are_merged_whoever_makes_them() -> None:
    known = proposal(restart()).merge_key("inc_1")
    assert proposal(restart(), proposed_by="ada", title="another").merge_key("inc_1") == known
    assert proposal(restart()).merge_key("inc_2") != known
    assert proposal(scale(3)).merge_key("inc_1") != proposal(scale(4)).merge_key("inc_1")
    assert proposal(restart(), scale(3)).merge_key("inc_1") != proposal(scale(3), restart()).merge_key("inc_1")


# What changes between the approval and the run


@pytest.mark.parametrize(
    "section",
    [
        {"version": 8},
        {"autonomy": {"staging": "non-critical-writes"}},
        {"groups": {**SOUND["groups"], "oncall": {"members": []}}},
        {"people": {**SOUND["people"], "ada": {"slack": ["U1"]}}},
        {"actions": {"restart-workload": rule(quorum=2)}},
        {"limits": {"ttl": "1h"}},
    ],
    ids=["version", "autonomy", "groups", "people", "quorum", "limits"],
)
def test_a_policy_change_between_approval_and_execution_voids(tmp_path: Path, section: dict[str, Any]) -> None:
    before, after = policy_of(SOUND, tmp_path), policy_of(changed(**section), tmp_path)
    asked = request(proposal(restart()), before)
    assert hindrance(asked, before, (), NOW) == ""
    assert "the policy changed since this was asked" in hindrance(asked, after, (), NOW)
    assert "ask anew" in outdated(asked, after)


def test_a_policy_that_says_the_same_in_other_words_voids_nothing(tmp_path: Path) -> None:
    before = policy_of(SOUND, tmp_path)
    people = {**SOUND["people"], "ada": {**SOUND["people"]["ada"], "email": ["ADA@example.com"]}}
    assert policy_of(changed(people=people), tmp_path).identity == before.identity


@pytest.mark.parametrize(
    "forged",
    [
        {"environment": "staging"},
        {"credential": "vault:kubernetes/creds/admin#token"},
        {"timeout_s": 3600},
    ],
    ids=lambda each: next(iter(each)),
)
def test_a1_a_stored_request_that_is_not_what_the_policy_gives_is_void(policy: Policy, forged: dict[str, Any]) -> None:
    asked = replace(request(proposal(restart()), policy), **forged)
    assert "not those that the policy gives" in hindrance(asked, policy, (), NOW)


@pytest.mark.parametrize(
    "forged",
    [
        {"quorum": 1},
        {"groups": frozenset({"oncall"})},
        {"risk": "low"},
        {"barred": frozenset[Principal]()},
    ],
    ids=lambda each: next(iter(each)),
)
def test_a1_stored_terms_that_are_not_what_the_policy_gives_are_void(policy: Policy, forged: dict[str, Any]) -> None:
    asked = request(proposal(image("nginx:1.27")), policy)
    assert hindrance(asked, policy, (), NOW) == ""
    worse = replace(asked, terms=replace(asked.terms, **forged))
    assert "not those that the policy gives" in hindrance(worse, policy, (), NOW)


def test_a1_a_stored_action_that_the_policy_never_had_is_void(policy: Policy) -> None:
    asked = request(proposal(restart()), policy)
    object.__setattr__(asked.proposal, "actions", (unknown(),))
    assert "no action 'drop-database'" in hindrance(asked, policy, (), NOW)


def test_a4_what_the_policy_wants_compared_must_have_been_seen(tmp_path: Path) -> None:
    rules = {"restart-workload": rule(fingerprint=["uid", "generation"])}
    policy = policy_of(changed(actions=rules), tmp_path)
    assert hindrance(request(proposal(restart()), policy), policy, (), NOW) == ""
    rules = {"restart-workload": rule(fingerprint=["uid", "ready_replicas"])}
    policy = policy_of(changed(actions=rules), tmp_path)
    assert "was not seen of the target" in hindrance(request(proposal(restart()), policy), policy, (), NOW)
