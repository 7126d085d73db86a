"""What a policy says about one action, rule by rule, for people who wonder why. Pure; decides nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from whenever import Instant

from approvals.action import kinds
from approvals.policy import Freeze, level_of, stop
from approvals.policy_schema import ActionRule, ArgumentRule, Environment, Policy, Unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One rule that speaks."""

    rule: str
    """Where it stands in the policy."""
    says: str
    refuses: bool = False
    """Whether this rule alone keeps the action from being asked for."""


def explain(
    action: str, environment: str, policy: Policy | Unusable, freezes: Sequence[Freeze], now: Instant
) -> tuple[Line, ...]:
    """Every rule about an action in an environment, in the order in which they are asked; who decides comes last.

    Args:
        action: a name of the catalogue.
        environment: a name of the policy.
        policy: as it is now.
        freezes: those that people set.
        now: the moment that is asked about.
    """
    return tuple(_lines(action, environment, policy, freezes, now))


def _lines(
    action: str, environment: str, policy: Policy | Unusable, freezes: Sequence[Freeze], now: Instant
) -> Iterator[Line]:
    if isinstance(policy, Unusable):
        yield Line(rule="policy", says=policy.why, refuses=True)
        return
    yield Line(rule="version", says=f"policy {policy.identity}; what stands nowhere is refused")
    kind, rule = kinds().get(action), policy.actions.get(action)
    where = policy.known_environments.get(environment)
    if kind is None or rule is None:
        known = "the policy does not name it" if kind else "there is no such action"
        yield Line(rule="default", says=f"{action}: {known}: refused", refuses=True)
        return
    yield Line(rule=f"actions.{action}", says=f"{kind.title} ({kind.effect}), risk {rule.risk}: {kind.meaning}")
    if where is None or environment not in rule.environments:
        has = ", ".join(rule.environments)
        says = f"not for {environment!r}, only for {has}: refused"
        yield Line(rule=f"actions.{action}.environments", says=says, refuses=True)
        return
    yield _place(where)
    yield _autonomy(rule, where, policy)
    stopped = stop(where, kind.effect, policy, freezes, now)
    yield Line(
        rule="kill_switch, freeze", says=stopped or "neither a freeze nor the kill switch is on", refuses=bool(stopped)
    )
    yield from _bounds(action, rule)
    yield from _decision(action, rule, policy)


def _place(where: Environment) -> Line:
    clusters, namespaces = " or ".join(where.clusters), " or ".join(where.namespaces)
    says = f"{where.name} is {where.kind}: clusters {clusters}, namespaces {namespaces}, unless one above claims it"
    return Line(rule="environments", says=says)


def _autonomy(rule: ActionRule, where: Environment, policy: Policy) -> Line:
    has, needs = level_of(where.name, policy), rule.needs[where.name]
    refuses = not has.reaches(needs)
    says = f"{where.name} has {has.value}, the action needs {needs.value}" + (": refused" if refuses else "")
    return Line(rule=f"autonomy.{where.name}", says=says, refuses=refuses)


def _bounds(action: str, rule: ActionRule) -> Iterator[Line]:
    if rule.namespaces != ("*",):
        yield Line(rule=f"actions.{action}.namespaces", says=f"only in {' or '.join(rule.namespaces)}")
    for name, bound in rule.arguments.items():
        yield Line(rule=f"actions.{action}.arguments.{name}", says=f"{name} {_bound(bound)}")


def _bound(bound: ArgumentRule) -> str:
    parts = {
        "at least": bound.min,
        "at most": bound.max,
        "one of": ", ".join(map(str, bound.one_of)) if bound.one_of is not None else None,
        "from": " or ".join(bound.registries) if bound.registries is not None else None,
    }
    return ", ".join(f"{word} {value}" for word, value in parts.items() if value is not None)


def _decision(action: str, rule: ActionRule, policy: Policy) -> Iterator[Line]:
    limits = policy.limits
    says = (
        f"waits {limits.ttl if rule.ttl is None else rule.ttl} s for a decision, may run {rule.timeout} s;"
        f" at most {limits.open_per_thread} open in a thread and {limits.per_hour} in an hour"
    )
    yield Line(rule="limits", says=says)
    if rule.credential:
        yield Line(rule=f"actions.{action}.credential", says=f"runs with {rule.credential}")
    own = "may approve as well" if rule.self_approval else "may not approve, only deny"
    yield Line(rule=f"actions.{action}.self_approval", says=f"whoever asked {own}; Locum never may")
    people = "; ".join(f"{name} ({_who(name, policy)})" for name in rule.groups)
    says = f"{rule.quorum} different member(s) of {people}"
    yield Line(rule=f"actions.{action}.groups", says=says)


def _who(name: str, policy: Policy) -> str:
    group = policy.groups[name]
    if group.slack is not None:
        return f"Slack user group {group.slack}, asked for at each click"
    return ", ".join(group.members or ()) or "nobody"
