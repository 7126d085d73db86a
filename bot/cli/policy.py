"""`locum approvals policy`: whether the policy can be used, and what it says about an action."""

import sys
from pathlib import Path

import orjson
from whenever import Instant

from approvals.action import kinds
from approvals.policy import Freeze
from approvals.policy_file import PolicyError, load
from approvals.policy_schema import PRODUCTION, Policy
from approvals.policy_words import Line, explain
from bot.cli.outcome import BadInput


def run(file: Path, *, action: str | None, environment: str | None, freezes: tuple[Freeze, ...], output: str) -> None:
    """Prints every rule that speaks about an action, in order; without an action, a line for each of the policy's.

    Args:
        file: the policy.
        action: a name of the catalogue.
        environment: one of the policy's; `None` = all that the action is for, or the strictest.
        freezes: those that people set.
        output: `text` or `json`.

    Raises:
        BadInput: when the policy cannot be used, or there is no such action or environment.
    """
    try:
        policy = load(file)
    except PolicyError as error:
        raise BadInput(str(error)) from error
    names = (action,) if action is not None else tuple(policy.actions)
    told = {name: _explained(name, environment, policy, freezes) for name in names}
    if output == "json":
        rows = [_row(name, where, lines) for name, wheres in told.items() for where, lines in wheres.items()]
        sys.stdout.write(orjson.dumps({"policy": policy.identity, "rules": rows}).decode() + "\n")
        return
    if action is None:
        sys.stdout.write(f"policy {policy.identity} can be used\n")
        sys.stdout.writelines(_short(name, where, each) for name, all_ in told.items() for where, each in all_.items())
        return
    sys.stdout.write("\n".join(_text(action, where, lines) for where, lines in told[action].items()))


def _explained(
    action: str, environment: str | None, policy: Policy, freezes: tuple[Freeze, ...]
) -> dict[str, tuple[Line, ...]]:
    if action not in kinds():
        raise BadInput(f"there is no action {action!r}; there are: {', '.join(sorted(kinds()))}")
    if environment is not None and environment not in policy.known_environments:
        known = ", ".join(policy.known_environments)
        raise BadInput(f"the policy has no environment {environment!r}; it has: {known}")
    rule = policy.actions.get(action)
    everywhere = rule.environments if rule else (PRODUCTION,)
    wheres = everywhere if environment is None else (environment,)
    return {where: explain(action, where, policy, freezes, Instant.now()) for where in wheres}


def _is_refused(lines: tuple[Line, ...]) -> bool:
    return any(each.refuses for each in lines)


def _row(action: str, environment: str, lines: tuple[Line, ...]) -> dict[str, object]:
    return {
        "action": action,
        "environment": environment,
        "may_be_asked": not _is_refused(lines),
        "lines": [{"rule": each.rule, "says": each.says, "refuses": each.refuses} for each in lines],
    }


def _short(action: str, environment: str, lines: tuple[Line, ...]) -> str:
    verdict = next((each.says for each in lines if each.refuses), lines[-1].says)
    return f"  {action:<24} {environment:<14} {verdict}\n"


def _text(action: str, environment: str, lines: tuple[Line, ...]) -> str:
    width = max(len(each.rule) for each in lines)
    verdict = "is refused" if _is_refused(lines) else "may be asked for"
    rows = [f"  {'x' if each.refuses else ' '} {each.rule:<{width}}  {each.says}" for each in lines]
    return "\n".join([f"{action} in {environment}: {verdict}", *rows]) + "\n"
