"""Letters that look alike, accounts without an address, and names that are nobody's."""

from pathlib import Path

import pytest
from whenever import Instant

from approvals.people import Account, Memberships, voter
from approvals.policy import LOCUM, Facts, Refused, review
from approvals.policy_schema import Policy
from tests.policy.builders import NOW, SOUND, changed, facts, policy_of, proposal, restart, reviewed

NOBODY = Memberships(accounts={}, known_at=NOW)


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    return policy_of(SOUND, tmp_path)


def known(policy: Policy, id_: str, email: str = "", *, is_locum: bool = False, now: Instant = NOW) -> object:
    account = Account(id=id_, team_id="T1", email=email, is_locum=is_locum, known_at=now)
    found = voter(account, NOBODY, policy, now)
    return getattr(found, "principal", None) or getattr(found, "why", None)


def test_a6_a_letter_that_only_folds_into_another_makes_nobody_that_other(tmp_path: Path) -> None:
    policy = policy_of(changed(people={**SOUND["people"], "ops": {"email": ["ops@example.com"]}}), tmp_path)
    assert known(policy, "U7", "OPS@example.com") == "ops"
    # The long s becomes an s where case is folded.
    assert "op\u017f@example.com".casefold() == "ops@example.com"
    assert "belongs to nobody" in str(known(policy, "U7", "op\u017f@example.com"))


def test_a6_what_is_no_address_is_nobody_where_addresses_name_people(tmp_path: Path) -> None:
    policy = policy_of(changed(identify_by="email"), tmp_path)
    assert known(policy, "U7", "eve@example.com") == "eve@example.com"
    assert "belongs to nobody" in str(known(policy, "U7", "eve"))
    assert "belongs to nobody" in str(known(policy, "U7"))


def test_a8_locum_is_told_that_it_approves_nothing(policy: Policy) -> None:
    assert known(policy, "U1", is_locum=True) == "Locum approves nothing"


@pytest.mark.parametrize("by", ["rules", "model"])
def test_a8_rules_and_model_are_nobody_to_bar(policy: Policy, by: str) -> None:
    assert reviewed(proposal(restart(), proposed_by=by), policy).terms.barred == {LOCUM}


def test_a8_where_it_is_not_known_whose_words_led_to_it_one_may_ask_again(policy: Policy) -> None:
    about: Facts = facts(prompter=None)
    found = review(proposal(restart(), prompted_by="U1"), about, policy)
    assert found == Refused(reason="it is not known whose words led to it", hint="ask again in a minute")
