"""What models cost, in US dollars for a million tokens. Pure data."""

from dataclasses import dataclass

from agents.model.replies import Tokens

AS_OF = "2026-03"
"""The month that the list is of; it is the public price list of the Claude API without any discount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Writing to the cache costs a quarter more than reading plainly, reading from it a tenth."""

    input: float
    output: float

    def usd(self, tokens: Tokens) -> float:
        """The cost of these tokens."""
        weighed = tokens.input + 1.25 * tokens.cache_write + 0.1 * tokens.cache_read
        return (weighed * self.input + tokens.output * self.output) / 1_000_000


_DEAREST = Price(input=15, output=75)

_PRICES = {
    "claude-opus-4-6": Price(input=5, output=25),
    "claude-opus-4-5": Price(input=5, output=25),
    "claude-opus-4": _DEAREST,
    "claude-sonnet-4": Price(input=3, output=15),
    "claude-3-7-sonnet": Price(input=3, output=15),
    "claude-haiku-4-5": Price(input=1, output=5),
    "claude-3-5-haiku": Price(input=0.8, output=4),
}


def price(model: str) -> Price:
    """The price of a model by the longest name of the list that its own contains; an unknown one counts as the dearest.

    A name may carry a date or a cloud's prefix: `anthropic.claude-sonnet-4-5-20250929-v1:0`.
    """
    known = max((name for name in _PRICES if name in model), key=len, default="")
    return _PRICES.get(known, _DEAREST)
