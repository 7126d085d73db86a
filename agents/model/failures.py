"""Why there is no model's word: a closed set, with a sentence for people. Pure.

A client library's own exceptions end in `agents.model.client`; from there on only `ModelError` is seen.
"""

from enum import StrEnum

from agents.model.replies import Tokens
from agents.report import Usage


class Reason(StrEnum):
    """How asking the model ended, when it did not end well; also a metric's label."""

    NO_KEY = "no_key"
    RATE_LIMITED = "rate_limited"
    SPEND_LIMIT = "spend_limit"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    TIMED_OUT = "timed_out"
    CONNECTION = "connection"
    CUT_STREAM = "cut_stream"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    NO_SUCH_MODEL = "no_such_model"
    CIRCUIT_OPEN = "circuit_open"
    BUDGET = "budget"
    NO_CONCLUSION = "no_conclusion"
    NOT_BORNE_OUT = "not_borne_out"

    @property
    def sentence(self) -> str:
        """What people read."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.NO_KEY: "No model is configured, so this is the verdict of the rules alone.",
    Reason.RATE_LIMITED: "The model's service asked us to slow down, and waiting longer would have kept you waiting.",
    Reason.SPEND_LIMIT: "The account's spend limit at the model's service is reached; its owner has to raise it.",
    Reason.OVERLOADED: "The model's service is overloaded at the moment.",
    Reason.UNAVAILABLE: "The model's service failed on its side.",
    Reason.TIMED_OUT: "The model did not answer in time.",
    Reason.CONNECTION: "The model's service could not be reached.",
    Reason.CUT_STREAM: "The model's answer broke off before its end.",
    Reason.MALFORMED: "The model's answer could not be read.",
    Reason.TRUNCATED: "The model's answer was longer than allowed and was cut.",
    Reason.REFUSED: "The model declined to answer this.",
    Reason.AUTH: "The model's service does not accept the configured key.",
    Reason.BAD_REQUEST: "The model's service did not accept our request.",
    Reason.NO_SUCH_MODEL: "None of the configured models is known to the model's service.",
    Reason.CIRCUIT_OPEN: "The model failed several times in a row and is being left in peace for a moment.",
    Reason.BUDGET: "The budget for the model is used up.",
    Reason.NO_CONCLUSION: "The model came to no conclusion.",
    Reason.NOT_BORNE_OUT: "What the model said is not borne out by the evidence, so it is not shown.",
}

TRANSIENT = frozenset(
    {
        Reason.RATE_LIMITED,
        Reason.OVERLOADED,
        Reason.UNAVAILABLE,
        Reason.TIMED_OUT,
        Reason.CONNECTION,
        Reason.CUT_STREAM,
        Reason.MALFORMED,
    }
)
"""Asking again may help."""

ELSEWHERE = frozenset(
    {Reason.OVERLOADED, Reason.UNAVAILABLE, Reason.TIMED_OUT, Reason.NO_SUCH_MODEL, Reason.CIRCUIT_OPEN}
)
"""Another model may answer at once."""


class ModelError(Exception):
    """The model was not heard."""

    def __init__(
        self, reason: Reason, detail: str = "", *, retry_after_s: float | None = None, tokens: Tokens | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.retry_after_s = retry_after_s
        """What the service itself asked us to wait, where it said so."""
        self.tokens = tokens or Tokens()
        """What this attempt spent all the same, as far as it is known."""
        self.cost = Usage()
        """What all attempts of the question cost, when there were several."""
