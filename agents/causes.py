"""The catalogue of causes, and how rules run. A rule is a value in its module, found by walking `agents.rules`.

Rules are pure functions of a scene: time is `scene.now`. `python -m agents.causes` prints docs/causes.md.
"""

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from whenever import Instant

from agents.finding import CauseId, Finding, FindingId, Role, Severity
from agents.scene import Scene
from tools.entity import Entity
from tools.evidence import Evidence

RULES = "agents.rules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One entry of the published catalogue."""

    id: CauseId
    area: str
    """`pods`, `images`, `network`, …: what a specialist asks for."""
    role: Role
    title: str
    meaning: str
    """What it usually means, and how the rule avoids the usual false alarm."""
    remediation: str
    """The first thing to do, in general; a finding's own remedy fills in the names."""
    needs: frozenset[str]
    """Sources that must have answered (`kubernetes`, `logs`, `signals`, `probes`, …), else the rule does not run."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A deterministic check."""

    cause: Cause
    check: Callable[[Scene], Iterator[Finding]]

    def finding(
        self,
        entity: Entity,
        summary: str,
        evidence: Sequence[Evidence],
        *,
        severity: Severity = Severity.WARNING,
        direct: bool = True,
        first_seen: Instant | None = None,
        last_seen: Instant | None = None,
        remedy: str = "",
        strength: float | None = None,
    ) -> Finding:
        """A finding of this rule's cause; evidence that stands there twice is taken once."""
        return Finding(
            cause=self.cause.id,
            entity=entity,
            role=self.cause.role,
            severity=severity,
            summary=summary,
            evidence=tuple({each.id: each for each in evidence}.values()),
            direct=direct,
            first_seen=first_seen,
            last_seen=last_seen,
            remedy=remedy,
            strength=strength,
        )


def rule(
    *,
    id: str,  # noqa: A002 - the word of the catalogue
    area: str,
    role: Role,
    title: str,
    meaning: str,
    remediation: str,
    needs: Iterable[str] = ("kubernetes",),
) -> Callable[[Callable[[Scene], Iterator[Finding]]], Rule]:
    """Turns a pure function of a scene into a `Rule`."""
    cause = Cause(
        id=CauseId(id),
        area=area,
        role=role,
        title=title,
        meaning=meaning,
        remediation=remediation,
        needs=frozenset(needs),
    )

    def made(check: Callable[[Scene], Iterator[Finding]]) -> Rule:
        return Rule(cause, check)

    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A rule that could not finish: a bug of ours, shown to people and never taken for good news."""

    cause: CauseId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a set of rules gave."""

    findings: tuple[Finding, ...]
    failures: tuple[Failure, ...] = ()


def run(chosen: Iterable[Rule], scene: Scene) -> Checked:
    """Runs the rules whose sources answered. One that raises takes none of the others down."""
    findings: dict[FindingId, Finding] = {}
    failures: list[Failure] = []
    for each in chosen:
        if not all(scene.saw(source) for source in each.cause.needs):
            continue
        try:
            for finding in each.check(scene):
                findings.setdefault(finding.id, finding)
        except Exception as bug:  # noqa: BLE001 - the outer edge of all rules: one broken check must not end the diagnosis
            _report(each.cause.id, bug)
            why = f"the check {each.cause.id!r} itself failed ({type(bug).__name__}); what it looks for is unknown"
            failures.append(Failure(cause=each.cause.id, why=why))
    return Checked(findings=tuple(findings.values()), failures=tuple(failures))


def _report(cause: CauseId, bug: Exception) -> None:
    # Imported late: it costs more than everything else here, and rules that work never need it.
    import structlog

    structlog.get_logger(__name__).error("rule_failed", cause=cause, exc_info=bug)


@cache
def _all() -> Mapping[CauseId, Rule]:
    found: dict[CauseId, Rule] = {}
    package = importlib.import_module(RULES)
    for module in pkgutil.walk_packages(package.__path__, f"{RULES}."):
        for value in vars(importlib.import_module(module.name)).values():
            if isinstance(value, Rule) and found.setdefault(value.cause.id, value) is not value:
                raise ValueError(f"two rules are named {value.cause.id!r}")
    return MappingProxyType(found)


def catalogue() -> Mapping[CauseId, Cause]:
    """Every published cause by id."""
    return {name: each.cause for name, each in _all().items()}


def rules(areas: frozenset[str] | None = None) -> tuple[Rule, ...]:
    """The rules of these areas; `None` means all."""
    return tuple(each for each in _all().values() if areas is None or each.cause.area in areas)


def render() -> str:
    """docs/causes.md: the catalogue for people, one table an area."""
    lines = [
        "# Causes that Locum knows",
        "",
        "Generated from the rules by `python -m agents.causes > docs/causes.md`; a test compares them.",
        "",
        "A *cause* can be the answer; a *symptom* is explained by something else where that is seen; *context* is",
        "advice and never a root cause. A check whose sources did not answer stays silent; the answer says what was",
        "not seen.",
    ]
    known = sorted(catalogue().values(), key=lambda each: (each.area, each.id))
    for area in sorted({each.area for each in known}):
        lines += ["", f"## {area}", "", "| id | role | title | what it means | what to do | needs |"]
        lines.append("|---|---|---|---|---|---|")
        lines += [_row(each) for each in known if each.area == area]
    return "\n".join(lines) + "\n"


def _row(cause: Cause) -> str:
    cells = (
        f"`{cause.id}`",
        str(cause.role),
        cause.title,
        cause.meaning,
        cause.remediation,
        ", ".join(sorted(cause.needs)),
    )
    return "| " + " | ".join(each.replace("|", "\\|").replace("\n", " ") for each in cells) + " |"


if __name__ == "__main__":
    # Run as a script this module exists twice; the rules know the importable one.
    from agents.causes import render as published

    sys.stdout.write(published())
