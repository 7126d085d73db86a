"""What may be asked for, under which terms, and what stands in the way. Pure: no clock, no file, no Slack.

Everything starts refused. A proposal becomes a request only where the policy names its action, its environment, its
arguments and the people who decide; whatever stands in the way later is asked again at each click and before the run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from whenever import Instant, TimeDelta

from approvals.action import Action, ActionError, Effect, kinds, read
from approvals.actions.objects import repository
from approvals.ballot import Principal, Stranger, Terms
from approvals.plan import Plan
from approvals.policy_schema import PRODUCTION, ActionRule, Environment, Level, Policy, Risk, Unusable
from approvals.request import ApprovalRequest, Proposal

LOCUM = Principal("locum")
"""Locum itself; never approves."""

EVERYWHERE = "*"
KILLED = "the kill switch is on: nothing is asked for and nothing is carried out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """A freeze that a person set, beside those of the policy."""

    scope: str
    """An environment, or `*` for all."""
    reason: str
    by: str
    until: Instant | None
    """`None` = until somebody ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about the moment at which something is proposed."""

    now: Instant
    open_in_thread: int
    """Requests of the thread that wait for a decision."""
    requests_last_hour: int
    """In this thread, or by this requester: whichever is more."""
    freezes: tuple[Freeze, ...]
    prompter: Principal | Stranger | None
    """The human whose words led to it; `None` = no words did, but an alert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """It may not even be asked for."""

    reason: str
    hint: str
    """What would have to be different."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """It may be asked for, under these terms."""

    terms: Terms
    environment: str
    credential: str
    timeout_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ruling:
    """What the policy says about one or several actions, without regard to the moment and to who asks."""

    environment: Environment
    risk: Risk
    quorum: int
    groups: frozenset[str]
    self_approval: bool
    credential: str
    timeout_s: int
    ttl_s: int


def review(proposal: Proposal, facts: Facts, policy: Policy | Unusable) -> Refused | Reviewed:
    """Whether people may be asked for this, and under which terms."""
    if isinstance(policy, Unusable):
        return Refused(reason=policy.why, hint="repair the policy; until then everything is refused")
    ruling = _ruling(proposal.actions, policy)
    if isinstance(ruling, Refused):
        return ruling
    if stopped := stop(ruling.environment, proposal.effect, policy, facts.freezes, facts.now):
        return Refused(reason=stopped, hint="propose it again afterwards")
    if crowded := _crowded(facts, policy):
        return crowded
    barred = _barred(proposal, facts, ruling)
    if isinstance(barred, Refused):
        return barred
    terms = Terms(
        risk=ruling.risk,
        quorum=ruling.quorum,
        groups=ruling.groups,
        barred=barred,
        policy_version=policy.identity,
        expires_at=facts.now + TimeDelta(seconds=ruling.ttl_s),
    )
    return Reviewed(
        terms=terms,
        environment=ruling.environment.name,
        credential=ruling.credential,
        timeout_s=ruling.timeout_s,
    )


def outdated(request: ApprovalRequest, policy: Policy | Unusable) -> str:
    """Why a request can never be approved or carried out any more under this policy; empty while it can."""
    if isinstance(policy, Unusable):
        # It may be repaired to the very same content: hindered, not void.
        return ""
    if request.terms.policy_version != policy.identity:
        return (
            f"the policy changed since this was asked ({request.terms.policy_version} to {policy.identity}): ask anew"
        )
    ruling = _ruling(request.proposal.actions, policy)
    if isinstance(ruling, Refused):
        return ruling.reason
    if _differs(request, ruling):
        return "its terms are not those that the policy gives: ask anew"
    lacking = [item.action.name for item in request.items if not _compared(item, policy)]
    if lacking:
        return f"{lacking[0]}: what the policy wants compared right before the run was not seen of the target"
    return ""


def hindrance(request: ApprovalRequest, policy: Policy | Unusable, freezes: Sequence[Freeze], now: Instant) -> str:
    """Why a request may not be approved or carried out now; empty when nothing stands in the way.

    Asked at each click, and once more right before the run.
    """
    if isinstance(policy, Unusable):
        return policy.why
    if policy.kill_switch:
        # Said before that the policy changed, which it did as well: people should hear of the switch.
        return KILLED
    if void := outdated(request, policy):
        return void
    environment = policy.known_environments[request.environment]
    return stop(environment, request.proposal.effect, policy, freezes, now)


def environment_of(action: Action, policy: Policy) -> Environment:
    """Where an action's target is: the first environment that claims it, else the strictest one."""
    for each in policy.environments:
        in_cluster = any(fnmatchcase(action.cluster, glob) for glob in each.clusters)
        if in_cluster and any(fnmatchcase(action.target.namespace, glob) for glob in each.namespaces):
            return each
    return policy.known_environments[PRODUCTION]


def level_of(environment: str, policy: Policy) -> Level:
    """How far Locum may go in an environment."""
    return policy.autonomy.get(environment, Level.READ_ONLY)


def stop(environment: Environment, effect: Effect, policy: Policy, freezes: Sequence[Freeze], now: Instant) -> str:
    """What stops everything, or everything of an environment, at this moment; empty when nothing does."""
    if policy.kill_switch:
        return KILLED
    if effect is not Effect.WRITE:
        return ""
    for window in policy.freeze:
        if environment.name in window.environments and window.from_ <= now < window.to:
            return _frozen(environment.name, window.to, window.reason, "")
    for each in freezes:
        if each.scope in (EVERYWHERE, environment.name) and (each.until is None or now < each.until):
            return _frozen(environment.name, each.until, each.reason, each.by)
    return ""


def _ruling(actions: Sequence[Action], policy: Policy) -> _Ruling | Refused:
    rulings: list[_Ruling] = []
    for action in actions:
        ruling = _ruling_of(action, policy)
        if isinstance(ruling, Refused):
            return ruling
        rulings.append(ruling)
    return _joint(rulings)


def _ruling_of(action: Action, policy: Policy) -> _Ruling | Refused:
    rule = policy.actions.get(action.name)
    if rule is None or action.name not in kinds():
        return Refused(reason=f"the policy has no action {action.name!r}", hint="only what it names can be asked for")
    environment = environment_of(action, policy)
    if environment.name not in rule.environments:
        return Refused(
            reason=f"{action.name} is not for the environment {environment.name!r}",
            hint=f"the policy has it for {', '.join(rule.environments)}",
        )
    has, needs = level_of(environment.name, policy), rule.needs[environment.name]
    if not has.reaches(needs):
        return Refused(
            reason=f"the autonomy in {environment.name!r} is {has.value!r}",
            hint=f"{action.name} needs {needs.value!r} there",
        )
    if unfit := _unfit(action, rule):
        return Refused(reason=f"{action.name}: {unfit}", hint="the policy bounds what its arguments may be")
    return _Ruling(
        environment=environment,
        risk=rule.risk,
        quorum=rule.quorum,
        groups=frozenset(rule.groups),
        self_approval=rule.self_approval,
        credential=rule.credential,
        timeout_s=rule.timeout,
        ttl_s=min(policy.limits.ttl if rule.ttl is None else rule.ttl, policy.limits.max_ttl),
    )


def _joint(rulings: Sequence[_Ruling]) -> _Ruling | Refused:
    """One decision for several actions: the strictest of each term."""
    first = rulings[0]
    if any(each.environment != first.environment for each in rulings):
        return Refused(reason="its actions are in several environments", hint="ask for each environment apart")
    if any(each.credential != first.credential for each in rulings):
        return Refused(reason="its actions need several credentials", hint="ask for each apart")
    groups = frozenset[str].intersection(*(each.groups for each in rulings))
    if not groups:
        return Refused(reason="no group may decide all of its actions", hint="ask for each apart")
    risks = tuple(Risk)
    return _Ruling(
        environment=first.environment,
        risk=max((each.risk for each in rulings), key=risks.index),
        quorum=max(each.quorum for each in rulings),
        groups=groups,
        self_approval=all(each.self_approval for each in rulings),
        credential=first.credential,
        timeout_s=max(each.timeout_s for each in rulings),
        ttl_s=min(each.ttl_s for each in rulings),
    )


def _unfit(action: Action, rule: ActionRule) -> str:
    """Why this target or these arguments are not taken; empty when they are."""
    try:
        is_whole = read(action.to_json()) == action
    except ActionError as error:
        return str(error)
    if not is_whole:
        return "an argument is left to a default"
    if not any(fnmatchcase(action.target.namespace, glob) for glob in rule.namespaces):
        return f"not in the namespace {action.target.namespace!r}"
    for name, bound in rule.arguments.items():
        value = action.arguments[name]
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if bound.min is not None and not (is_number and value >= bound.min):
            return f"{name} must be at least {bound.min}"
        if bound.max is not None and not (is_number and value <= bound.max):
            return f"{name} must be at most {bound.max}"
        # By type too: to Python, True is 1.
        if bound.one_of is not None and (type(value), value) not in [(type(each), each) for each in bound.one_of]:
            return f"{name} must be one of {', '.join(map(str, bound.one_of))}"
        if bound.registries is not None and not _comes_from(str(value), bound.registries):
            return f"{name} must come from {' or '.join(bound.registries)}"
    return ""


def _comes_from(image: str, registries: Sequence[str]) -> bool:
    # Whole parts are compared: a name passes no bound that it only begins like.
    return any(f"{repository(image)}/".startswith(f"{each}/") for each in registries)


def _frozen(environment: str, until: Instant | None, reason: str, by: str) -> str:
    ends = f"until {str(until.round('second'))[:16].replace('T', ' ')} UTC" if until else "until somebody ends it"
    who = f" by {by}" if by else ""
    why = f": {reason}" if reason else ""
    return f"changes of {environment} are frozen{who} {ends}{why}"


def _crowded(facts: Facts, policy: Policy) -> Refused | None:
    limits = policy.limits
    if facts.open_in_thread >= limits.open_per_thread:
        return Refused(
            reason=f"{facts.open_in_thread} requests wait in this thread already",
            hint="decide those first",
        )
    if facts.requests_last_hour >= limits.per_hour:
        return Refused(
            reason=f"{facts.requests_last_hour} requests in one hour are as many as the policy takes",
            hint="wait, and look at why so many are asked",
        )
    return None


def _barred(proposal: Proposal, facts: Facts, ruling: _Ruling) -> frozenset[Principal] | Refused:
    """Who may not approve: Locum, and whoever asked for it unless the policy lets them."""
    if proposal.prompted_by and facts.prompter is None:
        return Refused(reason="it is not known whose words led to it", hint="ask again in a minute")
    if ruling.self_approval:
        return frozenset({LOCUM})
    asked = {Principal(proposal.proposed_by)} - {Principal("rules"), Principal("model")}
    if facts.prompter is not None and not isinstance(facts.prompter, Stranger):
        asked.add(facts.prompter)
    return frozenset({LOCUM, *asked})


def _differs(request: ApprovalRequest, ruling: _Ruling) -> bool:
    terms = request.terms
    return (
        (request.environment, request.credential, request.timeout_s)
        != (ruling.environment.name, ruling.credential, ruling.timeout_s)
        or (terms.risk, terms.quorum, terms.groups) != (ruling.risk, ruling.quorum, ruling.groups)
        or LOCUM not in terms.barred
    )


def _compared(item: Plan, policy: Policy) -> bool:
    return item.fingerprint.keys() >= set(policy.actions[item.action.name].fingerprint)
