"""What a file of custom checks may say: unknown keys are refused, and each value has its bounds. Pure."""

from fnmatch import fnmatchcase
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator

from agents.custom.expression import BadExpression, Expression
from agents.custom.pattern import BadPattern, Pattern
from agents.finding import Role, Severity
from tools.entity import Entity

_Name = Annotated[str, Field(min_length=1, max_length=253)]
_Text = Annotated[str, Field(min_length=1, max_length=1_000)]
_Number = Annotated[float, Field(strict=False, allow_inf_nan=False)]
WITHHELD = frozenset({"Secret"})
"""Kinds that no check of a user reads: what it looks at can be shown."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class AppliesTo(_Strict):
    """Which things a check is about; what is left out does not matter. Names may hold `*`."""

    namespaces: tuple[_Name, ...] = ()
    names: tuple[_Name, ...] = ()
    labels: dict[_Name, str] = {}
    """Of the object; every one must be there. Only for checks of objects."""

    def takes(self, entity: Entity) -> bool:
        """Whether the check is about this thing, by namespace and name."""
        return _fits(entity.namespace, self.namespaces) and _fits(entity.name, self.names)


def _fits(value: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(value, each) for each in patterns)


class OverObjects(_Strict):
    """A JMESPath expression over Kubernetes objects of one kind."""

    kind: Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]{1,62}$")]
    fires_when: Annotated[str, Field(min_length=1)]
    """True for an object = the check fires for it."""
    show: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,200}$")], ...] = ("metadata.name",)
    """Paths of the object that are cited, such as `spec.replicas`."""
    _expression: Expression = PrivateAttr()

    @field_validator("kind")
    @classmethod
    def _is_not_withheld(cls, kind: str) -> str:
        if kind in WITHHELD:
            raise ValueError(f"objects of kind {kind} are not read by custom checks")
        return kind

    def model_post_init(self, context: Any) -> None:
        """Parses the expression."""
        del context
        try:
            self._expression = Expression(self.fires_when)
        except BadExpression as error:
            raise ValueError(f"fires_when: {error}") from error

    @property
    def expression(self) -> Expression:
        """`fires_when`, parsed."""
        return self._expression


class OverMetric(_Strict):
    """A threshold that a series must be beyond for some time."""

    query: Annotated[str, Field(min_length=1, max_length=4_000)] | None = None
    """PromQL, asked live; a snapshot has no query engine."""
    signal: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,100}$")] | None = None
    """The name of a signal, recorded or of the catalogue; in a snapshot it stands for the query."""
    above: _Number | None = None
    below: _Number | None = None
    for_minutes: Annotated[float, Field(strict=False, ge=0, le=10_080)] = 0.0

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.query is None and self.signal is None:
            raise ValueError("expected query, signal, or both")
        if (self.above is None) is (self.below is None):
            raise ValueError("expected exactly one of above and below")
        return self


class OverLog(_Strict):
    """A pattern that lines of logs must have, so many times since the onset."""

    pattern: Annotated[str, Field(min_length=1)]
    """RE2."""
    at_least: Annotated[int, Field(ge=1, le=100_000)] = 1
    _pattern: Pattern = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Compiles the pattern."""
        del context
        try:
            self._pattern = Pattern(self.pattern)
        except BadPattern as error:
            raise ValueError(f"pattern: {error}") from error

    @property
    def compiled(self) -> Pattern:
        """`pattern`, compiled."""
        return self._pattern


class CustomCheck(_Strict):
    """One check of a user."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)+$", max_length=64)]
    title: Annotated[str, Field(min_length=1, max_length=120)]
    role: Role
    severity: Severity = Severity.WARNING
    meaning: _Text
    remediation: _Text
    direct: bool = False
    """Whether what it looks at is the mechanism itself; without it a cause is at most likely."""
    applies_to: AppliesTo = AppliesTo()
    objects: OverObjects | None = None
    promql: OverMetric | None = None
    log: OverLog | None = None

    @model_validator(mode="after")
    def _looks_at_one_thing(self) -> Self:
        if sum(each is not None for each in (self.objects, self.promql, self.log)) != 1:
            raise ValueError("expected exactly one of objects, promql and log")
        if self.applies_to.labels and self.objects is None:
            raise ValueError("applies_to.labels: only objects have labels")
        return self


class File(_Strict):
    """One file."""

    checks: Annotated[tuple[CustomCheck, ...], Field(min_length=1, max_length=200)]
