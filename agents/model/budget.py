"""What the model may cost. Pure accounting over frozen values: takes times, asks no clock."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from agents.report import Usage

CHARACTERS_PER_TOKEN = 2.5
"""Low on purpose: logs and JSON give fewer characters to a token than prose, and an estimate must not be too small."""
LEAST_OUTPUT = 300
"""Tokens below which no useful answer fits; then it is better not to ask."""


class Ceiling(StrEnum):
    """What ran out."""

    CALLS = "calls"
    TOKENS = "tokens"
    SECONDS = "seconds"
    USD = "usd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that may be spent."""

    calls: int
    tokens: int
    """Input and output together."""
    seconds: float
    usd: float

    def exceeded(self, spent: Usage) -> Ceiling | None:
        """What `spent` goes beyond, if anything."""
        if spent.model_calls > self.calls:
            return Ceiling.CALLS
        if spent.input_tokens + spent.output_tokens > self.tokens:
            return Ceiling.TOKENS
        if spent.seconds > self.seconds:
            return Ceiling.SECONDS
        return Ceiling.USD if spent.usd > self.usd else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What was spent, and what is promised to requests that are under way."""

    budget: Budget
    spent: Usage = field(default_factory=Usage)
    promised: Usage = field(default_factory=Usage)

    def affords(self, estimate: Usage) -> Ceiling | None:
        """What would run out if `estimate` were spent too; `None` = nothing."""
        return self.budget.exceeded(self.spent + self.promised + estimate)

    def promise(self, estimate: Usage) -> "Ledger":
        """Before asking: others who ask at the same time see less that is left."""
        return replace(self, promised=self.promised + estimate)

    def settle(self, estimate: Usage, actual: Usage) -> "Ledger":
        """After asking: the promise is taken back and what was really spent is entered."""
        back = Usage(
            model_calls=self.promised.model_calls - estimate.model_calls,
            input_tokens=self.promised.input_tokens - estimate.input_tokens,
            output_tokens=self.promised.output_tokens - estimate.output_tokens,
            usd=max(0.0, self.promised.usd - estimate.usd),
        )
        return replace(self, spent=self.spent + actual, promised=back)

    @property
    def tokens_left(self) -> int:
        """Tokens that neither are spent nor promised."""
        used = self.spent + self.promised
        return self.budget.tokens - used.input_tokens - used.output_tokens

    @property
    def usd_left(self) -> float:
        """Dollars that neither are spent nor promised."""
        return self.budget.usd - self.spent.usd - self.promised.usd


def estimated_tokens(characters: int) -> int:
    """How many tokens a text of this length is at most, as a rule."""
    return int(characters / CHARACTERS_PER_TOKEN) + 1
