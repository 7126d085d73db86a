"""What a policy must not say although each of its parts is well formed. Pure.

Each contradiction is a place in the file and a sentence: what is wrong, and why it is not taken.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from approvals.action import ActionKind, Effect, kinds
from approvals.credentials.reference import is_reference
from approvals.plain_yaml import Place
from approvals.policy_schema import (
    PRODUCTION,
    ActionRule,
    EnvironmentKind,
    IdentifyBy,
    Level,
    Policy,
    Risk,
)

Contradiction = tuple[Place, str]

RESERVED = frozenset({"locum", "rules", "model"})
"""Names of Locum's own parts in requests and in the audit; nobody else may have them."""

LONGEST_TTL = 86_400
LONGEST_TIMEOUT = 3_600


def contradictions(policy: Policy) -> Iterator[Contradiction]:
    """Everything that is wrong with a well-formed policy, in the order of its sections."""
    yield from _people(policy)
    yield from _groups(policy)
    yield from _environments(policy)
    yield from _limits(policy)
    for name, rule in policy.actions.items():
        kind = kinds().get(name)
        if kind is None:
            yield ("actions", name), f"there is no such action; there are: {', '.join(sorted(kinds()))}"
        else:
            place = ("actions", name)
            yield from ((place + inner, what) for inner, what in _action(rule, kind, policy))


def _people(policy: Policy) -> Iterator[Contradiction]:
    owners: dict[tuple[str, str], str] = {}
    for name, person in policy.people.items():
        if name in RESERVED:
            yield ("people", name), "this is the name of a part of Locum; expected another one"
        accounts = {"slack": person.slack, "email": person.email, "api": person.api}
        for kind, ids in accounts.items():
            for each in ids:
                owner = owners.setdefault((kind, each), name)
                if owner != name:
                    yield ("people", name, kind), f"{each!r} stands under {owner!r} too; one account is one person"
    listed = {"listed_guests": policy.listed_guests, "listed_bots": policy.listed_bots}
    for section, ids in listed.items():
        for each in ids:
            if ("slack", each) not in owners:
                yield (section,), f"{each!r} stands under nobody's `slack` in `people`; expected whose account it is"


def _groups(policy: Policy) -> Iterator[Contradiction]:
    for name, group in policy.groups.items():
        if (group.members is None) == (group.slack is None):
            yield ("groups", name), "expected either `members` or `slack`, and not both"
        for each in group.members or ():
            by_email = policy.identify_by is IdentifyBy.EMAIL and "@" in each
            if each not in policy.people and not by_email:
                yield ("groups", name, "members"), f"{each!r} stands not under `people`"


def _environments(policy: Policy) -> Iterator[Contradiction]:
    names = [each.name for each in policy.environments]
    for index, each in enumerate(policy.environments):
        if each.name in names[:index]:
            yield ("environments", index), f"{each.name!r} is there twice"
        if each.name == PRODUCTION and each.kind is not EnvironmentKind.PRODUCTION:
            what = f"what nothing else claims falls into {PRODUCTION!r}; its kind must be {PRODUCTION!r}"
            yield ("environments", index, "kind"), what
    for name in policy.autonomy:
        if name not in policy.known_environments:
            yield ("autonomy", name), _unknown(policy.known_environments)
    for index, window in enumerate(policy.freeze):
        if window.to <= window.from_:
            yield ("freeze", index, "to"), "it must end after it begins"
        if not policy.known_environments.keys() >= set(window.environments):
            yield ("freeze", index, "environments"), _unknown(policy.known_environments)


def _limits(policy: Policy) -> Iterator[Contradiction]:
    if policy.limits.max_ttl > LONGEST_TTL:
        yield ("limits", "max_ttl"), "nothing waits longer than 24h: what was true a day ago is not a reason today"
    if policy.limits.ttl > policy.limits.max_ttl:
        yield ("limits", "ttl"), "longer than `max_ttl`"


def _action(rule: ActionRule, kind: ActionKind[Any], policy: Policy) -> Iterator[Contradiction]:
    known = policy.known_environments
    if not known.keys() >= set(rule.environments):
        yield ("environments",), _unknown(known)
    if set(rule.needs) != set(rule.environments):
        yield ("needs",), "expected the autonomy that each of its environments must have, and no other"
    if kind.effect is Effect.WRITE:
        yield from _changing(rule, policy)
    if rule.credential and not is_reference(rule.credential):
        yield ("credential",), "not a reference; expected vault:path#field or op://vault/item/field, never a value"
    if rule.risk is Risk.HIGH and rule.quorum < 2:
        yield ("quorum",), "a high risk needs 2 people or more: one account that was taken over must not be enough"
    if missing := set(rule.groups) - set(policy.groups):
        yield ("groups",), f"{min(missing)!r} stands not under `groups`"
    yield from _bounds(rule, kind, policy)


def _changing(rule: ActionRule, policy: Policy) -> Iterator[Contradiction]:
    least = {name: _least(name, policy) for name in rule.environments}
    for name, level in rule.needs.items():
        if name in least and not level.reaches(least[name]):
            yield ("needs", name), f"it changes something there; expected at least {least[name].value!r}"
    if rule.self_approval and Level.PRODUCTION_WRITES in least.values():
        yield ("self_approval",), "nobody approves their own change of a production environment"


def _bounds(rule: ActionRule, kind: ActionKind[Any], policy: Policy) -> Iterator[Contradiction]:
    if rule.timeout > LONGEST_TIMEOUT:
        yield ("timeout",), "longer than 1h"
    if rule.ttl is not None and rule.ttl > policy.limits.max_ttl:
        yield ("ttl",), "longer than `limits.max_ttl`"
    fields = kind.args.model_fields
    for name in rule.arguments:
        if name not in fields:
            yield ("arguments", name), f"{kind.name!r} has no such argument; it has: {', '.join(fields) or 'none'}"


def _least(environment: str, policy: Policy) -> Level:
    known = policy.known_environments.get(environment)
    is_free = known is not None and known.kind is EnvironmentKind.NON_PRODUCTION
    return Level.NON_CRITICAL_WRITES if is_free else Level.PRODUCTION_WRITES


def _unknown(known: Mapping[str, object]) -> str:
    return f"not an environment of this policy; it has: {', '.join(known)}"
